"""``load``: from a file of trained weights to a model that can be asked. The architecture is read from the file.

A checkpoint of this plugin or of MiniGPT-v2, or an exported folder. Only sizes and names of the architecture
are taken from it; where LLaMA and the vision encoder lie is said by the caller or the environment, never by a file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Union

import torch

from . import __version__, environment
from .adapters.exports.contents import (
    Contents,
    find_lora,
    projector_of,
    read_contents,
    telling_file,
)
from .adapters.medical_model import MedicalModel
from .adapters.prompting import trained_templates
from .digests import file_sha256
from .embedded.tiny_vision import DEPTH, HEADS, IMAGE_SIZE_PX, MLP_RATIO, PATCH_PX, WIDTH
from .errors import ConfigError, ToolkitError
from .families import family_in
from .families.exported import is_exported_folder
from .launch import ensure_embedded
from .origins import TINY, Origins, is_generated, read_origins
from .registration import register_all
from .toolkit import NAME, registry
from .toolkit.checkpoint import load_checkpoint
from .toolkit.choice import BUNDLED
from .toolkit.language_weights import require_language_weights
from .vision_encoders import DEFAULT_ENCODER, ENCODER

EMBEDDED = environment.EMBEDDED
_ARCHITECTURE = ("image_size", "vit_model", "vit", "max_context_len", "end_sym", "prompt_template", "chat_template")
"""Keys of a checkpoint's ``model`` section that its weights were trained with."""
_PLACES = {"llama": "PEFOMED_LLAMA", "vit": "PEFOMED_VIT"}
_PathLike = Union[str, Path]


def load(
    ckpt: _PathLike,
    *,
    llama: _PathLike | None = None,
    vit: _PathLike | None = None,
    device: str = "auto",
    lora_alpha: int | None = None,
    quantization: str = "none",
) -> MedicalModel:
    """A model to be asked: ``load(...).ask("chest.png", "Is there a fracture?")``.

    Args:
        ckpt: ``.pth`` or ``.safetensors`` of this plugin, MiniGPT-v2 or PeFoMed; folder of ``pefomed checkpoint
            export``, which has LLaMA and vision encoder in it where it is a transformers model; or ``embedded``, the
            generated tiny model as it is before fine-tuning.
        llama: folder of the LLaMA it was trained on; default: ``PEFOMED_LLAMA``.
        vit: ``eva_vit_g.pth``, or file or folder of the encoder it was trained with; default: ``PEFOMED_VIT``. A
            checkpoint of the tiny model needs neither.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        lora_alpha: for a file that does not say; MiniGPT-v2's 16 otherwise.
        quantization: ``none``, ``8bit`` or ``4bit`` for LLaMA, on a GPU, with the extra ``quant``.

    Raises:
        CheckpointError: a file is missing, damaged, or does not fit the others.
        ConfigError: LLaMA or vision encoder is nowhere named, or the device is not there; all in one message.
        ToolkitError: a MiniGPT-4 checkout is chosen as toolkit.
    """
    if NAME != BUNDLED:
        raise ToolkitError(
            f"a model is asked through the bundled toolkit, and {NAME} is chosen; set PEFOMED_TOOLKIT=bundled"
        )
    chosen = _choose_device(device)  # before anything is made or read
    if str(ckpt) == EMBEDDED:
        ckpt = embedded_checkpoint()
    contents = read_contents(Path(ckpt))
    projector_of(contents)  # before anything is looked for that it would need
    origin = TINY if is_generated(Path(ckpt)) else read_origins(contents.training).model
    places = places_of(contents, llama, vit, origin)
    section = {**section_of(contents, lora_alpha, origin), **places, "llm_quantization": quantization}
    if chosen == "cpu":
        section.update(llm_precision="fp32", vit_precision="fp32")  # also where there is a GPU
    register_all()
    network = registry.get_model_class("minigpt_v2").from_config(section, lora_is_read=section["lora_r"] != 0)
    load_checkpoint(network, contents.content, str(ckpt))
    llama_folder = Path(places["llama_model"])
    facts = {
        "model": "minigpt_v2",
        "toolkit": NAME,
        "version": __version__,
        "checkpoint": str(ckpt),
        "checkpoint_sha256": file_sha256(telling_file(Path(ckpt))),
        "llama": llama_folder.name,
        "num_beams": 1,
        "quantization": quantization,
        "origin": Origins(model=TINY if is_generated(llama_folder) else origin).to_json(),
    }
    templates = trained_templates(contents.training.get("prompts"), str(ckpt))
    learnt = contents.training.get("images_a_prompt")
    images = learnt if isinstance(learnt, dict) else None
    model = MedicalModel(network, network.encoder.image_size, facts, chosen, templates, images)
    model.learnt = read_origins(contents.training)
    return model


def embedded_checkpoint() -> Path:
    """The generated tiny model's checkpoint; made where it is not there yet. Raises as ``ensure_embedded``."""
    ensure_embedded(["PEFOMED_LLAMA"])
    return Path(environment.embedded_values(environment.sample_folder())["PEFOMED_CKPT"])


def section_of(contents: Contents, lora_alpha: int | None, origin: str) -> dict[str, Any]:
    """The ``model`` section that fits a file: its own, else MiniGPT-v2's; LoRA as its tensors are."""
    said = contents.config.get("model") or {}
    section: dict[str, Any] = {"image_size": 448, "ckpt": None, "use_grad_checkpoint": False}
    if origin == TINY and not said:
        section.update(_tiny_architecture())
    section.update({key: said[key] for key in _ARCHITECTURE if said.get(key) is not None})
    if contents.content.get(ENCODER) is not None:
        section.update(contents.encoder.section())
    lora = find_lora(contents, lora_alpha)
    if lora is None:
        return {**section, "lora_r": 0}
    return {**section, **lora.settings.yaml()}


def _tiny_architecture() -> dict[str, Any]:
    return {
        "image_size": IMAGE_SIZE_PX,
        "vit": {"patch_size": PATCH_PX, "embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS, "mlp_ratio": MLP_RATIO},
    }


def places_of(contents: Contents, llama: _PathLike | None, vit: _PathLike | None, origin: str) -> dict[str, str]:
    """Where LLaMA and vision encoder lie: as given, else the environment, else the embedded default for its own. An
    exported transformers folder has both."""
    given = {"llama": llama, "vit": vit}
    if is_exported_folder(contents.path):
        given = {name: value or str(contents.path) for name, value in given.items()}
    found = {
        name: str(value or os.environ.get(variable) or "")
        for (name, variable), value in zip(_PLACES.items(), given.values())
    }
    found = {name: "" if value == EMBEDDED else value for name, value in found.items()}
    if origin == TINY and not any(found.values()):
        ensure_embedded(["PEFOMED_LLAMA"], contents.family.name)
        values = environment.embedded_values(environment.sample_folder(), contents.family.name)
        found = {name: values[variable] for name, variable in _PLACES.items()}
    problems: list[str] = []
    for name, variable in _PLACES.items():
        what = environment.VARIABLES[variable]
        if name == "vit" and contents.encoder.name != DEFAULT_ENCODER:
            what = f"weights of {contents.encoder.name} ({contents.encoder.home or 'file or folder'})"
        if not found[name]:
            problems.append(f"{name}: not given, and {variable} is not set; it is the {what}")
        elif not Path(found[name]).exists():
            problems.append(f"{name}={found[name]}: no such path; it should be the {what}")
    if problems:
        raise ConfigError(
            f"{contents.path} holds only what was trained; it needs the model that it was trained on", problems
        )
    own, _ = family_in(Path(found["llama"]))
    if own.name != contents.family.name:
        raise ConfigError(
            f"{contents.path} was trained on a {contents.family.title}, and {found['llama']} holds a {own.title}; give "
            "the one it was trained on"
        )
    require_language_weights(contents.content, Path(found["llama"]), str(contents.path))
    return {"llama_model": found["llama"], "vit_weights": found["vit"]}


def _choose_device(device: str) -> str:
    kind, number = _kind_and_number(device)
    has_gpu = torch.cuda.is_available()
    if kind == "cuda" and not (has_gpu and number < torch.cuda.device_count()):
        raise ConfigError(
            f"device {device}: torch sees {torch.cuda.device_count() if has_gpu else 0} GPU(s); leave it at auto, or "
            "check the driver"
        )
    return ("cuda" if has_gpu else "cpu") if kind == "auto" else device


def _kind_and_number(device: str) -> tuple[str, int]:
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or not (number or "0").isdigit():
        raise ConfigError(f"device {device!r} is none of auto, cpu, cuda, cuda:1")
    return kind, int(number or 0)
