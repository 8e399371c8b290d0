"""Which weights of a language model a checkpoint belongs to: a fingerprint in it, and the refusal of any others.

Two models of one shape load alike, and with the wrong one LoRA and projection answer without a complaint: with the
LLaMA before LoRA was merged into it, say. Reads a few values of each tensor. Builds no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..errors import CheckpointError
from ..families.exported import is_exported_folder
from ..lora import APART, LANGUAGE_WEIGHTS, MERGED
from ..services.console import say_once
from .language_folder import LanguageFolder, holds_weights, open_language_folder

_RUNS, _RUN = 16, 256
"""Places of a tensor that are looked at, and values at each."""


def fingerprint(language: LanguageFolder) -> str:
    """A digest of some values of every tensor, as float16: the same in other files or shards, and in float32.

    Raises:
        CheckpointError: a weights file is damaged.
    """
    tied = language.family.output_layer if language.size.tie_word_embeddings else None
    found = {name: _some_values(tensor) for name, tensor in language.tensors() if name != tied}
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + found[name])
    return digest.hexdigest()[:16]


def require_language_weights(content: Mapping[str, Any], folder: Path, source: str) -> None:
    """What a checkpoint says of its language model holds of the one in ``folder``; one that says nothing passes, with
    a remark where it is the projection of a merged model.

    Args:
        content: as ``read_checkpoint`` gives it.
        folder: may lack its weights; nothing is compared then.

    Raises:
        CheckpointError: it belongs to other weights; both are named.
    """
    if content.get(APART):
        say_once(f"warning: {source} is the base of an adapter: the LoRA that it was trained with is not in it")
    other = other_weights(content, folder, source)
    if other:
        raise CheckpointError(f"{other.problem}. {other.remedy}")
    unknown = unknown_weights(content, source)
    if unknown:
        say_once(f"warning: {unknown}; here it is {folder}")


class Other(NamedTuple):
    """A checkpoint that belongs to other weights than those that are there."""

    problem: str
    remedy: str


def other_weights(content: Mapping[str, Any], folder: Path, source: str) -> Other | None:
    """Why a checkpoint cannot be used with the language model in ``folder``; None where it can, or nothing is known.

    Raises:
        CheckpointError: the folder is damaged.
    """
    if is_exported_folder(Path(source)):
        if Path(source).resolve() == Path(folder).resolve():
            return None
        return Other(f"{source} is a whole model, with another language model than {folder}", "Leave --llama out")
    told = content.get(LANGUAGE_WEIGHTS)
    if not isinstance(told, str) or not holds_weights(folder):
        return None
    here = fingerprint(open_language_folder(folder))
    if here == told:
        return None
    beside = Path(source).absolute().parent
    if not content.get(MERGED):
        what, right = "was trained on another language model", "the one that it was trained on"
    else:
        what = "is the projection of a merged language model, another one"
        right = str(beside) if holds_weights(beside) else "the folder that pefomed checkpoint merge wrote with it"
    return Other(
        f"{source} {what} than the one in {folder}: the fingerprint of its weights is {told}, here it is {here}",
        f"Set model.llama_model (--llama, PEFOMED_LLAMA) to {right}; merging and rounding make other weights",
    )


def unknown_weights(content: Mapping[str, Any], source: str) -> str:
    """What cannot be checked of the projection of a merged model; empty of every other file and where it can be."""
    if not content.get(MERGED) or content.get(LANGUAGE_WEIGHTS) or is_exported_folder(Path(source)):
        return ""
    return (
        f"{source} is the projection of a merged language model and does not say which (an older file): with any other "
        "one its answers mean nothing"
    )


def _some_values(tensor: torch.Tensor) -> bytes:
    flat = tensor.detach().flatten()
    if len(flat) > _RUNS * _RUN:
        step = len(flat) // _RUNS
        flat = torch.cat([flat[number * step : number * step + _RUN] for number in range(_RUNS)])
    return flat.to(torch.float16).numpy().tobytes()
