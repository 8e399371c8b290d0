"""Whether the three weights of a run look right: the language model, the vision encoder, the checkpoint to start from.

Looks at names, shapes and lengths, and at the values of the checkpoint alone: those of the others only the run reads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PefomedError, one_line
from ..families import DEFAULT_FAMILY, check_trained_modules, check_transformers, family_in
from ..lora import FAMILY, LoraSettings, settle
from ..vision_encoders import DEFAULT_ENCODER, VIT_G, VisionEncoder, refuse_another_encoder
from .findings import ERROR, NOTE, OK, WARNING, Finding, from_error

_SHOWN = 5
"""Of the tensors that an error lists."""
_MINIGPT_PAGE = "https://github.com/Vision-CAIR/MiniGPT-4#getting-started"
_VIT_SOURCE = "https://storage.googleapis.com/sfr-vision-language-research/LAVIS/models/BLIP2/eva_vit_g.pth"


@dataclass(frozen=True)
class Sizes:
    """What a run expects of its weights; the defaults are the paper's."""

    hidden: int | None = 4096
    """Width of the language model; None: whatever the folder says (the embedded default)."""
    family: str = DEFAULT_FAMILY.name
    """Of the language model."""
    encoder: VisionEncoder = VIT_G


def check_language_model(folder: Path, sizes: Sizes = Sizes()) -> list[Finding]:
    """A Hugging Face folder: its family, its tokenizer, and every tensor that its config.json describes."""
    from ..toolkit.language_folder import open_language_folder  # late: loads torch

    what, home = "language model", DEFAULT_FAMILY.home
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        return [Finding("weights", what, ERROR, f"{folder} may not be read by you", f"chmod -R u+rX {folder}")]
    try:
        home = family_in(folder)[0].home
        opened = open_language_folder(folder)
        check_transformers(opened.family)
        pieces = getattr(opened.family.load_tokenizer(folder), "pieces", 0)
    except PefomedError as error:
        return [_finding(what, error, home)]
    except Exception as error:  # a tokenizer's library raises what it likes
        return [Finding("weights", what, ERROR, f"{folder}: its tokenizer cannot be read ({one_line(error)})", home)]
    width, layers = opened.size.hidden_size, opened.size.num_hidden_layers
    if pieces > opened.size.vocab_size:
        rows = opened.size.vocab_size
        told = f"{folder}: its tokenizer has {pieces} tokens, its embedding {rows}: they are not of one model"
        return [Finding("weights", what, ERROR, told, home)]
    if opened.family is not DEFAULT_FAMILY:
        terms = opened.family.licence_of(folder).title
        told = f"{folder}: {opened.family.title}, {layers} layers of width {width}; {terms}"
        return [Finding("weights", what, OK, told)]
    if sizes.hidden is not None and width != sizes.hidden:
        told = (
            f"{folder}: width {width}; the paper's LLaMA-2-7B and every released MiniGPT-v2 checkpoint have "
            f"{sizes.hidden}"
        )
        return [Finding("weights", what, WARNING, told, home)]
    return [Finding("weights", what, OK, f"{folder}: {opened.family.title}, {layers} layers of width {width}")]


def check_modules(folder: Path, names: Sequence[str]) -> list[Finding]:
    """Modules that are to be trained whole (``model.peft.modules_to_save``); nothing where all can be."""
    family, config = family_in(folder)
    settings = LoraSettings(1, 1, family.lora_targets, modules_to_save=tuple(names))
    try:
        check_trained_modules(settings, family, config, folder)
    except PefomedError as error:
        return [_finding("modules trained whole", error, "docs/peft-variants.md")]
    return []


def check_vit(path: Path, sizes: Sizes = Sizes()) -> list[Finding]:
    """The EVA file: the tensors that tell its patch, width and depth; of another encoder the names of all tensors."""
    from ..toolkit.vision_weights import read_vision_weights  # late: loads torch

    if sizes.encoder.name != DEFAULT_ENCODER:
        return _check_other_vit(path, sizes.encoder)
    try:
        tensors = read_vision_weights(sizes.encoder, path, lazily=True)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    except PefomedError as error:
        return from_error("weights", "vision encoder", error, _VIT_SOURCE)
    dim, patch = sizes.encoder.embed_dim, sizes.encoder.patch_size
    last = f"blocks.{sizes.encoder.depth - 1}.attn.qkv.weight"
    wanted = {"cls_token": (1, 1, dim), "patch_embed.proj.weight": (dim, 3, patch, patch), last: (3 * dim, dim)}
    wrong = _differences(shapes, wanted)
    if "pos_embed" not in shapes:
        wrong.append("no pos_embed")
    if wrong:
        return [
            Finding(
                "weights",
                "vision encoder",
                ERROR,
                f"{path} is not the encoder that the run describes: {'; '.join(wrong)}",
                _VIT_SOURCE,
            )
        ]
    return [
        Finding(
            "weights",
            "vision encoder",
            OK,
            f"{path}: width {dim}, {len({name.split('.')[1] for name in shapes if name.startswith('blocks.')})} blocks",
        )
    ]


def _check_other_vit(path: Path, encoder: VisionEncoder) -> list[Finding]:
    """Whether a file fills the encoder: everything that the run would refuse but values that are not finite."""
    from ..toolkit.vision_weights import check_vision_weights  # late: loads torch

    try:
        check_vision_weights(encoder, path)
    except PefomedError as error:
        return [_finding("vision encoder", error, encoder.home)]
    words = (
        f"{path}: {encoder.title}, width {encoder.embed_dim}, {encoder.depth} blocks; {encoder.image_size} pixels make "
    )
    licence = f"; licence of its weights: {encoder.licence}" if encoder.licence else ""
    return [Finding("weights", "vision encoder", OK, f"{words}{encoder.visual_tokens} visual tokens{licence}")]


def check_checkpoint(
    path: Path, sizes: Sizes = Sizes(), given: Mapping[str, Any] | None = None, llama: Path | None = None
) -> list[Finding]:
    """Projection and LoRA to start from: widths, LoRA and finite values, whatever the spelling of the names.

    Args:
        given: what the run's YAML says of LoRA, under peft's names.
        llama: the language model that it is to be used with, whose weights may be others; None: not known.
    """
    from ..toolkit.checkpoint import begins_anew, read_checkpoint, refuse_nonfinite  # late: loads torch
    from ..toolkit.language_weights import other_weights, unknown_weights  # late: loads torch
    from ..toolkit.lora_tensors import stated_lora  # late: loads torch

    what, given = "checkpoint", given or {}
    has_lora = given.get("r") != 0
    try:
        content = read_checkpoint(path, lazily=True)
        refuse_another_encoder(content, sizes.encoder, str(path))
        refuse_nonfinite(content["model"], str(path))
        stated, _ = stated_lora(content, str(path), given)
        anew = begins_anew(content, given, stated, str(path))
        told = "projection, without LoRA (model.lora_r=0)"
        if has_lora:
            settings = settle(given, stated, str(path), DEFAULT_FAMILY.lora_targets, untrained=bool(anew))
            told = f"{anew}; it is of {settings}" if anew else f"LoRA of {settings}"
    except PefomedError as error:
        return [_finding(what, error, _MINIGPT_PAGE)]
    wrong = _misfits(content, sizes)
    if has_lora and not stated and not anew:
        wrong.append("no LoRA tensors")
    if not has_lora and stated:
        wrong.append("it holds LoRA, for which model.lora_r=0 leaves no place; leave that option out")
    if wrong:
        return [Finding("weights", what, ERROR, f"{path} does not fit the run: {'; '.join(wrong)}", _MINIGPT_PAGE)]
    if llama is not None and (other := other_weights(content, llama, str(path))):
        return [Finding("weights", what, ERROR, other.problem, other.remedy)]
    if unknown := unknown_weights(content, str(path)):
        return [Finding("weights", what, WARNING, unknown, "pefomed checkpoint merge again, and it will say so")]
    return [Finding("weights", what, OK, f"{path}: {told}")]


def _misfits(content: Mapping[str, Any], sizes: Sizes) -> list[str]:
    """Where a checkpoint's projection and language model are others than the run's."""
    from ..toolkit.tensor_names import canonical  # late: loads torch

    shapes = {canonical(name): tuple(tensor.shape) for name, tensor in content["model"].items()}
    wrong = []
    trained_on = str(content.get(FAMILY, DEFAULT_FAMILY.name))
    if trained_on != sizes.family:
        wrong.append(
            f"it was trained on a language model of the family {trained_on}, this one is of {sizes.family} (to start "
            "without a checkpoint: model.ckpt=null)"
        )
    projection = shapes.get("llama_proj.weight")
    if projection is None:
        wrong.append("no llama_proj.weight, so it is no MiniGPT-v2 checkpoint")
    elif projection[1] != sizes.encoder.grouped_width or projection[0] != (sizes.hidden or projection[0]):
        needed = (sizes.hidden or projection[0], sizes.encoder.grouped_width)
        wrong.append(f"llama_proj.weight is {projection}, the run needs {needed}")
    return wrong


def no_checkpoint() -> Finding:
    """Note on a run that starts without a checkpoint."""
    return Finding("weights", "checkpoint", NOTE, "none: projection and LoRA start untrained", _MINIGPT_PAGE)


def _finding(what: str, error: PefomedError, remedy: str) -> Finding:
    """An error and its problems, as one line."""
    listed = "; ".join(error.problems[:_SHOWN]) + (", ..." if len(error.problems) > _SHOWN else "")
    return Finding("weights", what, ERROR, error.summary + (f": {listed}" if listed else ""), remedy)


def _differences(shapes: Mapping[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [
        f"no {name}" if name not in shapes else f"{name} is {shapes[name]}, not {shape}"
        for name, shape in wanted.items()
        if shapes.get(name) != shape
    ]
