"""A folder that transformers loads by itself: weights, configuration, tokenizer, prompts, and the code beside them.

Builds no model: tensors go from the files they lie in into shards, one at a time. Nothing of this package is needed to
use what is written; ``hub`` holds its Python files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointError
from ...families.exported import HEAD, MODEL_TYPE, NORM, PROJECTION, VISION, exported_name
from ...lora import APART, FAMILY, LANGUAGE_WEIGHTS, MERGED, RECORD
from ...origins import is_generated, mark_generated
from ...prompts import IMAGE_PLACEHOLDER, PromptTemplate
from ...services.console import progress
from ...toolkit.checkpoint import refuse_nonfinite
from ...toolkit.language_folder import LanguageFolder
from ...toolkit.lora_tensors import LORA_PREFIX
from ...toolkit.vision_weights import fitted_weights, read_vision_weights
from ...vision_encoders import DEFAULT_ENCODER, ENCODER, VisionEncoder, family_of
from ..medical_model import MAX_NEW_TOKENS
from . import hub
from .adapter import adapter_config, adapter_tensors
from .contents import ADAPTER, ADAPTER_CONFIG, ADAPTER_WEIGHTS, BASE, Contents, Lora, projector_of
from .hub_chat import chat_template
from .hub_tokenizer import SENTENCEPIECE, HubTokenizer, hub_tokenizer
from .merge import check_fit, merged_tensors, refuse_small_disk
from .shards import Shards
from .writing import noted_of, save_tensors

CODE = tuple(sorted(path.name for path in Path(hub.__file__).parent.glob("*_minigpt_v2.py")))
"""Python files of the folder."""
_CLASSES = "modeling_minigpt_v2.MiniGPTv2ForConditionalGeneration"
_NOT_THE_MODELS = ("_name_or_path", "architectures", "auto_map", "torch_dtype", "dtype", "transformers_version")
"""Keys of a language model's ``config.json`` that are not about its shape."""


@dataclass(frozen=True)
class Parts:
    """What an export is made of."""

    contents: Contents
    lora: Lora | None
    """None where it is in the language model already."""
    base: LanguageFolder
    """What it was trained on."""
    encoder: VisionEncoder
    vit: Path
    """File or folder that fills the encoder."""
    templates: Mapping[str, PromptTemplate]
    turn: str
    """A user turn, ``{}`` where the text goes."""
    end: str
    """What ends an answer."""

    @property
    def tasks(self) -> list[str]:
        """What it was trained for; everything where the checkpoint does not say."""
        said = self.contents.training.get("prompts")
        learnt = [task for task in self.templates if isinstance(said, Mapping) and said.get(task)]
        return learnt or list(self.templates)

    @property
    def default_task(self) -> str:
        """That of a text that names none: a question, if questions were learnt."""
        return "vqa" if "vqa" in self.tasks else self.tasks[0]

    @property
    def max_new_tokens(self) -> int:
        """The longest answer that evaluation would let it give."""
        return max(MAX_NEW_TOKENS[task] for task in self.tasks)


def check_exportable(parts: Parts) -> None:
    """Raises CheckpointError: what the files in ``hub`` do not compute, or parts that are not of one model."""
    encoder = parts.encoder
    if encoder.name != DEFAULT_ENCODER:
        raise CheckpointError(
            f"--format transformers: the folder's own code computes {DEFAULT_ENCODER} (EVA-CLIP ViT-g), and "
            f"{parts.contents.path} was trained with {encoder.name}; use --format peft, and ask it with pefomed"
        )
    check_fit(parts.contents, parts.lora, parts.base)
    refuse_nonfinite(parts.contents.tensors, str(parts.contents.path))


def write_transformers(parts: Parts, folder: Path) -> None:
    """Write the model with its LoRA merged, precision of each part as its file's.

    Args:
        folder: exists, and is empty.

    Raises:
        CheckpointError: parts do not fit, hold values that are not finite or are damaged; a tokenizer or encoder that
            the folder cannot have; or the disk is too small.
    """
    check_exportable(parts)
    tokenizer = _write_small_files(parts, folder)
    language = merged_tensors(parts.lora, parts.base) if parts.lora else parts.base.tensors()
    dtype = _write_weights(parts, language, folder, folder.parent)
    _write_json(folder / "config.json", _config(parts, tokenizer, dtype))


def write_with_adapter(parts: Parts, folder: Path, base_name: str) -> None:
    """Write the model as its training began, with the trained projection (``base``), and its LoRA as a PEFT adapter
    (``adapter``).

    Args:
        base_name: where ``base`` will be found: a path, or a name on the Hugging Face hub.

    Raises:
        CheckpointError: as ``write_transformers``; or there is no LoRA.
    """
    if parts.lora is None:
        raise CheckpointError(f"--adapter: {parts.contents.path} holds no LoRA; leave --adapter out")
    check_exportable(parts)
    base, adapter = folder / BASE, folder / ADAPTER
    base.mkdir()
    adapter.mkdir()
    tokenizer = _write_small_files(parts, base)
    dtype = _write_weights(parts, parts.base.tensors(), base, folder.parent, {APART: True})
    _write_json(base / "config.json", _config(parts, tokenizer, dtype))
    lora = parts.lora.for_whole_weights()
    save_tensors(adapter_tensors(lora, exported_name), adapter / ADAPTER_WEIGHTS)
    settings = adapter_config(lora, base_name)
    for key in ("rank_pattern", "alpha_pattern"):
        if settings.get(key):
            settings[key] = {exported_name(module): value for module, value in settings[key].items()}
    settings["target_modules"] = [exported_name(module) for module in settings["target_modules"]]
    _write_json(adapter / ADAPTER_CONFIG, settings)
    for path in sorted(base.iterdir()):
        if path.suffix != ".safetensors" and path.name not in ("config.json", "model.safetensors.index.json"):
            shutil.copyfile(path, adapter / path.name)


def _write_small_files(parts: Parts, folder: Path) -> HubTokenizer:
    """Everything but weights and ``config.json``; what cannot be written shows before gigabytes are."""
    base, encoder = parts.base, parts.encoder
    mark = parts.turn.split("{}")[1].strip()
    tokenizer = hub_tokenizer(base.family, base.folder, base.size.vocab_size, mark)
    tokenizer.write(folder)
    for path in base.companions():
        if path.name == SENTENCEPIECE or path in _licences(base):
            shutil.copyfile(path, folder / path.name)
    for name in CODE:
        shutil.copyfile(Path(hub.__file__).parent / name, folder / name)
    template = chat_template(
        parts.templates, parts.default_task, parts.turn, parts.end, tokenizer.bos, tokenizer.special
    )
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    images = {
        "image_processor_type": "MiniGPTv2ImageProcessor",
        "auto_map": {"AutoImageProcessor": "image_processing_minigpt_v2.MiniGPTv2ImageProcessor"},
        "size": {"height": encoder.image_size, "width": encoder.image_size},
        "image_mean": list(encoder.mean),
        "image_std": list(encoder.std),
    }
    processor = {
        "processor_class": "MiniGPTv2Processor",
        "auto_map": {"AutoProcessor": "processing_minigpt_v2.MiniGPTv2Processor"},
        "visual_tokens": encoder.visual_tokens,
        "image_token": IMAGE_PLACEHOLDER,
        "image_processor": images,
    }
    _write_json(folder / "processor_config.json", processor)
    _write_json(folder / "preprocessor_config.json", {"processor_class": "MiniGPTv2Processor", **images})
    generation = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": list(tokenizer.stop_token_ids),
        "pad_token_id": tokenizer.pad_token_id,
        "do_sample": False,
        "num_beams": 1,
        "max_new_tokens": parts.max_new_tokens,
    }
    _write_json(folder / "generation_config.json", generation)
    if is_generated(base.folder):
        mark_generated(folder, {"exported": base.folder.name})
    return tokenizer


def _licences(base: LanguageFolder) -> list[Path]:
    return [path for pattern in base.family.licence.files for path in base.folder.glob(pattern)]


def _config(parts: Parts, tokenizer: HubTokenizer, dtype: torch.dtype) -> dict[str, Any]:
    encoder, base = parts.encoder, parts.base
    name = str(dtype).rpartition(".")[2]
    text = {key: value for key, value in base.config.items() if key not in _NOT_THE_MODELS}
    return {
        "architectures": ["MiniGPTv2ForConditionalGeneration"],
        "auto_map": {
            "AutoConfig": "configuration_minigpt_v2.MiniGPTv2Config",
            "AutoModel": "modeling_minigpt_v2.MiniGPTv2Model",
            "AutoModelForImageTextToText": _CLASSES,
            "AutoModelForCausalLM": _CLASSES,
        },
        "model_type": MODEL_TYPE,
        "dtype": name,
        "image_token_id": tokenizer.image_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": list(tokenizer.stop_token_ids),
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": base.size.tie_word_embeddings,
        "freeze_vision": True,
        "text_config": {**text, "dtype": name},
        "vision_config": {
            "model_type": MODEL_TYPE + "_vision",
            "image_size": encoder.image_size,
            "patch_size": encoder.patch_size,
            "hidden_size": encoder.embed_dim,
            "num_hidden_layers": encoder.depth,
            "num_attention_heads": encoder.num_heads,
            "intermediate_size": encoder.mlp_width,
            "patches_per_token": encoder.group,
        },
    }


def _write_weights(
    parts: Parts,
    language: Iterator[tuple[str, torch.Tensor]],
    folder: Path,
    place: Path,
    more: Mapping[str, Any] | None = None,
) -> torch.dtype:
    """All tensors into shards, small ones first; the language model's precision.

    Args:
        place: where the whole export will lie.
        more: noted beside the tensors.
    """
    vision = _vision_tensors(parts)
    needed = parts.base.size_bytes + sum(tensor.numel() * tensor.element_size() for tensor in vision.values())
    refuse_small_disk(place, needed, "the exported model")
    noted = {key: value for key, value in noted_of(parts.contents).items() if key not in (RECORD, LANGUAGE_WEIGHTS)}
    noted.update({FAMILY: parts.base.family.name, ENCODER: parts.encoder.record(), MERGED: True, **(more or {})})
    shards, dtype = Shards(folder, noted), torch.float32
    replaced = _replaced(parts)
    with progress("exporting", len(vision) + len(parts.base.shapes)) as advance:
        for key, tensor in projector_of(parts.contents).items():
            shards.add(PROJECTION + key.rpartition("llama_proj.")[2], tensor)
        for key in list(vision):
            shards.add(key, vision.pop(key))
            advance(note=key)
        for key, tensor in language:
            if key == HEAD and parts.base.size.tie_word_embeddings:
                continue
            dtype = tensor.dtype
            shards.add(exported_name(key), replaced[key].to(dtype) if key in replaced else tensor)
            advance(note=key)
    shards.finish()
    return dtype


def _vision_tensors(parts: Parts) -> dict[str, torch.Tensor]:
    """The encoder under its names in the folder; what the checkpoint itself holds of it comes first."""
    with torch.device("meta"):
        module = family_of(parts.encoder.name)[0].build(parts.encoder)
    given = fitted_weights(module, parts.encoder, read_vision_weights(parts.encoder, parts.vit, lazily=True), parts.vit)
    refuse_nonfinite(given, str(parts.vit))
    width = parts.encoder.embed_dim
    found = {VISION + key: tensor for key, tensor in given.items()}
    found.update({NORM + "weight": torch.ones(width), NORM + "bias": torch.zeros(width)})
    for key, tensor in parts.contents.tensors.items():
        if key.startswith(("visual_encoder.", "ln_vision.")):
            found["model." + key] = tensor
    return found


def _replaced(parts: Parts) -> dict[str, torch.Tensor]:
    """Weights of the language model that the checkpoint holds although nothing adapts them."""
    adapted = {module + ".weight" for module in parts.lora.pairs} if parts.lora else set()
    found = {
        key[len(LORA_PREFIX) :]: tensor
        for key, tensor in parts.contents.tensors.items()
        if key.startswith(LORA_PREFIX) and "lora_" not in key
    }
    known = set(parts.lora.whole) if parts.lora else set()
    return {key: tensor for key, tensor in found.items() if key not in known | adapted and key in parts.base.shapes}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
