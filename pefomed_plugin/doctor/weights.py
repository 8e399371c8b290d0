"""Whether the three weights of a run look right: the LLaMA folder, the vision encoder, the checkpoint to start from.

Looks at names, shapes and lengths; a tensor's values are read by nobody but the run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PefomedError
from ..readers.textfiles import read_json
from .findings import ERROR, NOTE, OK, WARNING, Finding, from_error
from .headers import Shapes, read_shapes

_LLAMA_PAGE = "https://huggingface.co/meta-llama/Llama-2-7b-chat-hf"
_MINIGPT_PAGE = "https://github.com/Vision-CAIR/MiniGPT-4#getting-started"
_VIT_SOURCE = "https://storage.googleapis.com/sfr-vision-language-research/LAVIS/models/BLIP2/eva_vit_g.pth"
_LORA_A = re.compile(r"\.layers\.(\d+)\.self_attn\.(\w+)\.lora_A\.")


@dataclass(frozen=True)
class Sizes:
    """What a run expects of its weights; the defaults are the paper's."""

    hidden: int | None = 4096
    """Width of the language model; None: whatever the folder says (the embedded default)."""
    vit_dim: int = 1408
    """Width of the vision encoder."""
    vit_depth: int = 39
    """Blocks of it that are used."""
    vit_patch: int = 14
    """Pixels a side of a patch."""
    lora_r: int = 64
    """LoRA rank."""
    lora_targets: Sequence[str] = ("q_proj", "v_proj")
    """Matrices with LoRA, in every layer."""


def check_llama(folder: Path, sizes: Sizes = Sizes()) -> list[Finding]:
    """A Hugging Face folder: its config, its tokenizer, and every file of its weights, whole."""
    what = "LLaMA"
    if not folder.is_dir():
        return [Finding("weights", what, ERROR, f"no folder {folder}", _LLAMA_PAGE)]
    if not os.access(folder, os.R_OK | os.X_OK):
        return [Finding("weights", what, ERROR, f"{folder} may not be read by you", f"chmod -R u+rX {folder}")]
    try:
        config = read_json(folder / "config.json")
    except PefomedError as error:
        return from_error("weights", what, error, _LLAMA_PAGE)
    findings = _check_llama_config(folder, config, sizes)
    if not (folder / "tokenizer.model").is_file():
        findings.append(Finding("weights", what, ERROR, f"{folder} holds no tokenizer.model", _LLAMA_PAGE))
    findings += _check_llama_files(folder)
    return findings or [
        Finding(
            "weights",
            what,
            OK,
            f"{folder}: {config.get('num_hidden_layers')} layers of width {config.get('hidden_size')}",
        )
    ]


def llama_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a LLaMA folder; empty where it cannot be read, which ``check_llama`` tells."""
    try:
        config = read_json(folder / "config.json")
    except PefomedError:
        return {}
    return config if isinstance(config, dict) else {}


def _check_llama_config(folder: Path, config: Any, sizes: Sizes) -> list[Finding]:
    if not isinstance(config, Mapping) or config.get("model_type") != "llama":
        kind = config.get("model_type") if isinstance(config, Mapping) else type(config).__name__
        return [
            Finding(
                "weights",
                "LLaMA",
                ERROR,
                f"{folder}/config.json describes a model of type {kind!r}, not llama",
                _LLAMA_PAGE,
            )
        ]
    width = config.get("hidden_size")
    if sizes.hidden is not None and width != sizes.hidden:
        return [
            Finding(
                "weights",
                "LLaMA",
                WARNING,
                f"{folder}: width {width}; the paper's LLaMA-2-7B and every released "
                f"MiniGPT-v2 checkpoint have {sizes.hidden}",
                _LLAMA_PAGE,
            )
        ]
    return []


def _check_llama_files(folder: Path) -> list[Finding]:
    """Files that the index names, or all that are there."""
    indices = [
        path
        for path in (folder / "model.safetensors.index.json", folder / "pytorch_model.bin.index.json")
        if path.is_file()
    ]
    try:
        if indices:
            paths = [folder / name for name in sorted(set(read_json(indices[0])["weight_map"].values()))]
        else:
            paths = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    except (PefomedError, KeyError, TypeError, AttributeError):
        return [Finding("weights", "LLaMA", ERROR, f"{indices[0]} is no index of weights", _LLAMA_PAGE)]
    if not paths:
        return [Finding("weights", "LLaMA", ERROR, f"{folder} holds no weights (*.safetensors, *.bin)", _LLAMA_PAGE)]
    findings = []
    for path in paths:
        try:
            read_shapes(path)
        except PefomedError as error:
            findings += from_error("weights", "LLaMA", error, _LLAMA_PAGE)
    return findings


def check_vit(path: Path, sizes: Sizes = Sizes()) -> list[Finding]:
    """The EVA file: the tensors that tell its patch, width and depth."""
    try:
        shapes = read_shapes(path)
    except PefomedError as error:
        return from_error("weights", "vision encoder", error, _VIT_SOURCE)
    dim, patch, last = sizes.vit_dim, sizes.vit_patch, f"blocks.{sizes.vit_depth - 1}.attn.qkv.weight"
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


def check_checkpoint(path: Path, sizes: Sizes = Sizes()) -> list[Finding]:
    """Projection and LoRA to start from: rank, matrices and widths, whatever the spelling of the keys."""
    from ..toolkit.checkpoint import canonical  # late: loads torch

    what = "checkpoint"
    try:
        shapes = {canonical(name): shape for name, shape in read_shapes(path).items()}
    except PefomedError as error:
        return from_error("weights", what, error, _MINIGPT_PAGE)
    adapters = {match.groups(): shapes[name] for name in shapes for match in [_LORA_A.search(name)] if match}
    wrong = []
    projection = shapes.get("llama_proj.weight")
    if projection is None:
        wrong.append("no llama_proj.weight, so it is no MiniGPT-v2 checkpoint")
    elif projection[1] != 4 * sizes.vit_dim or projection[0] != (sizes.hidden or projection[0]):
        wrong.append(
            f"llama_proj.weight is {projection}, the run needs {(sizes.hidden or projection[0], 4 * sizes.vit_dim)}"
        )
    ranks = sorted({shape[0] for shape in adapters.values()})
    targets = sorted({target for _, target in adapters})
    if not adapters:
        wrong.append("no LoRA tensors")
    elif ranks != [sizes.lora_r]:
        wrong.append(f"LoRA of rank {', '.join(map(str, ranks))}, the run has {sizes.lora_r}")
    if adapters and targets != sorted(sizes.lora_targets):
        wrong.append(f"LoRA on {', '.join(targets)}, the run has it on {', '.join(sizes.lora_targets)}")
    if wrong:
        mend = (
            f"--options model.lora_r={ranks[0]}"
            if len(ranks) == 1 and len(wrong) == 1 and ranks != [sizes.lora_r]
            else _MINIGPT_PAGE
        )
        return [Finding("weights", what, ERROR, f"{path} does not fit the run: {'; '.join(wrong)}", mend)]
    return [
        Finding(
            "weights",
            what,
            OK,
            f"{path}: LoRA of rank {ranks[0]} on {' and '.join(targets)} of {len({layer for layer, _ in adapters})} "
            "layers",
        )
    ]


def no_checkpoint() -> Finding:
    """Of a run that starts from nothing."""
    return Finding("weights", "checkpoint", NOTE, "none: projection and LoRA start untrained", _MINIGPT_PAGE)


def _differences(shapes: Shapes, wanted: dict[str, Any]) -> list[str]:
    return [
        f"no {name}" if name not in shapes else f"{name} is {shapes[name]}, not {shape}"
        for name, shape in wanted.items()
        if shapes.get(name) != shape
    ]
