"""Weights files: reading them safely, fitting them to a model whatever their LoRA spelling, writing them whole.

On disk a checkpoint is MiniGPT-v2's: a dictionary with ``model`` (trainable tensors only, in its key names),
``optimizer``, ``config``, ``scaler``, ``epoch``, and keys of our own. Works for either toolkit's model.

MiniGPT-v2 (peft 0.2) and today's peft spell the same tensor differently, and upstream's ``strict=False`` drops what it
does not find without a word: a model that answers at random. Here every spelling is understood and a trainable tensor
that was not found stops the run.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import torch
from torch import nn

from ..errors import CheckpointError, one_line
from ..storage import replacing

_BENIGN = re.compile(r"rotary_emb\.inv_freq$|position_ids$")


@dataclass(frozen=True)
class LoadReport:
    """What became of a checkpoint's tensors; keys in the file's spelling, ``missing`` in the model's."""

    source: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    """Tensors of the model that the file does not hold (frozen ones; a missing trainable one raises)."""
    unexpected: tuple[str, ...]
    """Tensors of the file that the model does not have."""

    def __str__(self) -> str:
        text = (
            f"{self.source}: {len(self.loaded)} tensors loaded, {len(self.missing)} not in the file (frozen), "
            f"{len(self.unexpected)} unexpected"
        )
        return text + (": " + ", ".join(self.unexpected[:5]) if self.unexpected else "")


def canonical(key: str) -> str:
    """One spelling for a tensor's name: without DDP's prefix, peft's adapter name and wrappers."""
    key = key[len("module.") :] if key.startswith("module.") else key
    key = re.sub(r"\.(lora_[A-Za-z_]+)\.default(\.|$)", r".\1\2", key)
    return key.replace(".base_layer.", ".").replace("lm_head.0.", "lm_head.")


def upstream_key(key: str) -> str:
    """MiniGPT-v2's spelling of a tensor of our model, as its own checkpoints and state dict have it."""
    key = canonical(key)
    wrapped = key.startswith("llama_model.base_model.model.lm_head.")
    return key.replace("lm_head.", "lm_head.0.") if wrapped else key


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Content of a ``.pth`` or ``.safetensors`` file as a dictionary; nothing pickled is ever executed.

    Raises:
        CheckpointError: missing, damaged, or a file that holds code instead of tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no weights file {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # late: optional

            return dict(load_file(str(path)))
        content = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise a dozen types for a damaged file
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise CheckpointError(
                f"{path} holds pickled code and is refused; save it again as plain tensors, or convert it "
                "to .safetensors where you trust it"
            ) from error
        raise CheckpointError(
            f"{path} cannot be read ({one_line(error)}); it is damaged or incomplete, copy it again"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a dictionary of tensors")
    return content


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a weights file; those under ``model`` if it is a checkpoint.

    Raises:
        CheckpointError: as ``read_checkpoint``, or no tensor in it.
    """
    content = read_checkpoint(path)
    tensors = content.get("model", content)
    tensors = {key: tensor for key, tensor in tensors.items() if isinstance(tensor, torch.Tensor)}
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors")
    return tensors


def load_weights(model: nn.Module, weights: Mapping[str, torch.Tensor], source: str) -> LoadReport:
    """Copy ``weights`` into ``model``, whatever spelling either uses.

    Raises:
        CheckpointError: a trainable tensor of the model is not in ``weights``, or a shape differs; all are listed and
            the model is left untouched.
    """
    own = {canonical(key): (key, tensor) for key, tensor in model.state_dict().items()}
    trainable = {canonical(key) for key, each in model.named_parameters() if each.requires_grad}
    given = {canonical(key): (key, tensor) for key, tensor in weights.items() if not _BENIGN.search(key)}
    problems = [f"{own[key][0]}: trained, but not in the file" for key in sorted(trainable - set(given))]
    problems += [
        f"{name}: shape {tuple(tensor.shape)} in the file, {tuple(own[key][1].shape)} in the model"
        for key, (name, tensor) in given.items()
        if key in own and tensor.shape != own[key][1].shape
    ]
    if problems:
        raise CheckpointError(f"{source} does not fit the model (is lora_r or the LLaMA size another one?)", problems)
    with torch.no_grad():
        for key in set(given) & set(own):
            own[key][1].copy_(given[key][1])
    return LoadReport(
        source,
        loaded=tuple(given[key][0] for key in given if key in own),
        missing=tuple(own[key][0] for key in own if key not in given and not _BENIGN.search(key)),
        unexpected=tuple(given[key][0] for key in given if key not in own),
    )


def trainable_state(
    model: nn.Module, whole: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor
) -> dict[str, torch.Tensor]:
    """Trainable tensors in MiniGPT-v2's spelling, on the CPU: what a checkpoint's ``model`` holds.

    ``whole`` gathers a tensor that is spread over processes.
    """
    trained = ((key, tensor) for key, tensor in model.named_parameters() if tensor.requires_grad)
    return {upstream_key(key): whole(tensor.detach()).cpu() for key, tensor in trained}


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write ``content`` beside ``path`` and move it there once it is whole on disk; an older file stays until then.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the older file is untouched.
    """
    try:
        with replacing(path) as file:
            torch.save(dict(content), file)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as RuntimeError
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        raise CheckpointError(
            "cannot write {} ({}); {}the checkpoint before it is untouched".format(
                path, one_line(error), "free some space and resume; " if full else ""
            )
        ) from error
