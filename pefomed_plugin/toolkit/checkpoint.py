"""Weights files: reading them safely, fitting them to a model whatever their spelling, writing them whole.

On disk a checkpoint is MiniGPT-v2's: a dictionary with ``model`` (trainable tensors only, in its key names),
``optimizer``, ``config``, ``scaler``, ``epoch``, and keys of our own. Works for either toolkit's model.

MiniGPT-v2 (peft 0.2) and today's peft spell the same tensor differently, and upstream's ``strict=False`` drops what it
does not find without a word: a model that answers at random. Here every spelling is understood, and a tensor that is
missing, has no place, or holds NaN stops the run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import torch
from torch import nn

from ..atomic import replacing
from ..errors import CheckpointError, failed_to_write, one_line
from ..families.exported import is_exported_folder
from ..json_text import parse_json
from ..lora import APART, FAMILY, KINDS, LANGUAGE_WEIGHTS, MERGED, RECORD, differences, settle
from ..vision_encoders import ENCODER, refuse_another_encoder
from .exported_folder import described, read_trained
from .lora_tensors import Pairs, lora_parts, start_tensors, stated_lora
from .tensor_names import canonical, upstream_key
from .weights_file import SAFETENSORS, read_file

METADATA = "pefomed_checkpoint"
"""Key of a ``.safetensors`` header under which what is no tensor lies as JSON."""
KEPT = ("config", "epoch", "pefomed", RECORD, FAMILY, LANGUAGE_WEIGHTS, ENCODER, MERGED, APART)
"""What belongs to the weights beside the tensors; optimizer and scaler belong to resuming."""
_SECTIONS = ("model", "state_dict", "module", "model_state_dict")
"""Where programs put the tensors: MiniGPT-v2 and this plugin, Lightning, DeepSpeed, others."""
_BESIDE_LORA = ("llama_proj.", "ln_vision.")
"""What the projection of a merged model comes with."""
_BENIGN = re.compile(r"rotary_emb\.inv_freq$|position_ids$")


@dataclass(frozen=True)
class LoadReport:
    """What became of a checkpoint's tensors; keys in the file's spelling, ``missing`` in the model's."""

    source: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    """Frozen tensors of the model that the file does not hold (a missing trainable one raises)."""
    anew: str = ""
    """Why LoRA begins untrained though a file was loaded, and what that means; empty where it does not."""

    def __str__(self) -> str:
        words = f"{self.source}: {len(self.loaded)} tensors loaded, {len(self.missing)} not in the file (frozen)"
        return words + (f"; {self.anew}" if self.anew else "")


def read_checkpoint(path: Path, *, lazily: bool = False, may_be_damaged: bool = False) -> dict[str, Any]:
    """Content of a ``.pth`` or ``.safetensors`` file, its tensors under ``model`` whichever program wrote it; of an
    exported transformers folder what is trained beside its language model.

    Args:
        lazily: map the tensors into memory rather than read them.
        may_be_damaged: read what can be read of it, to look at.

    Raises:
        CheckpointError: missing, damaged, a file that holds code instead of tensors, no tensors, or a tensor twice.
    """
    if is_exported_folder(path):
        trained, metadata = read_trained(Path(path))
        return {"model": trained, **described(Path(path)), **_noted(Path(path), metadata, exported=True), MERGED: True}
    content, metadata = read_file(Path(path), lazily=lazily, may_be_damaged=may_be_damaged)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a dictionary of tensors")
    section = next((name for name in _SECTIONS if isinstance(content.get(name), dict)), None)
    tensors = _tensors(content if section is None else content[section])
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors")
    names = Counter(map(canonical, tensors))
    twice = [f"{name}: in two spellings; which one is meant?" for name, count in names.items() if count > 1]
    if twice:
        raise CheckpointError(f"{path} is ambiguous; delete one spelling of each", twice)
    rest = {} if section is None else {name: value for name, value in content.items() if name != section}
    return {"model": tensors, **rest, **_noted(Path(path), metadata)}


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a weights file; those under ``model`` if it is a checkpoint. Raises as ``read_checkpoint``."""
    return read_checkpoint(path)["model"]


def load_checkpoint(model: nn.Module, content: Mapping[str, Any], source: str) -> LoadReport:
    """Copy a checkpoint into a model whose LoRA is the one it was trained with.

    Args:
        content: as ``read_checkpoint`` gives it.

    Raises:
        ConfigError: the model's LoRA is another one (alpha, say, which no tensor tells); both values are named.
        CheckpointError: as ``load_weights``; or the file was trained with another vision encoder.
    """
    encoder, filled_with = getattr(model, "encoder", None), getattr(model, "encoder_weights", None)
    if encoder is not None:
        refuse_another_encoder(content, encoder, source, filled_with)
    settings, anew, weights = getattr(model, "lora_settings", None), "", content["model"]
    if settings is not None:
        given = settings.values()
        stated, _ = stated_lora(content, source, given)
        anew = begins_anew(content, given, stated, source)
        settle(given, stated, source, settings.target_modules, untrained=bool(anew))
    if anew:
        weights = {key: tensor for key, tensor in weights.items() if canonical(key).startswith(_BESIDE_LORA)}
    return load_weights(model, weights, source, anew)


def begins_anew(content: Mapping[str, Any], given: Mapping[str, Any], stated: Mapping[str, Any], source: str) -> str:
    """Why a run that asks for LoRA takes the projection alone from a file, in words; empty where it does not.

    It is that of a merged model, whose LoRA is in its language model; or the file's LoRA is one that adds nothing to
    the weights yet and is of another kind than is asked for (DoRA, PiSSA, ...; another alpha is no other kind).
    """
    tensors = {canonical(key): tensor for key, tensor in content["model"].items()}
    if content.get(MERGED) and all(key.startswith(_BESIDE_LORA) for key in tensors):
        own = (
            "its own LoRA lies in its adapter, and is not here"
            if content.get(APART)
            else "its own LoRA is in the weights of its language model (merged)"
        )
        return f"{own}; LoRA beside them begins as nothing, and changes answers only if it is trained"
    if stated and {*differences(given, stated)} & {*KINDS} and lora_parts(tensors, source).untrained:
        return "its LoRA is of another kind than the run asks for, and untrained (B is zero): LoRA begins untrained"
    return ""


def load_weights(model: nn.Module, weights: Mapping[str, torch.Tensor], source: str, anew: str = "") -> LoadReport:
    """Copy ``weights`` into ``model``, whatever spelling either uses.

    Args:
        anew: why what is trained of the language model begins as it is; empty: ``weights`` must hold it.

    Raises:
        CheckpointError: a trainable tensor of the model is not in ``weights``, a tensor has no place in the model or
            another shape, or values are not finite; all are listed and the model is left untouched.
    """
    own = {canonical(key): (key, tensor) for key, tensor in model.state_dict().items()}
    trainable = {canonical(key) for key, parameter in model.named_parameters() if parameter.requires_grad}
    if anew:
        trainable = {key for key in trainable if not key.startswith("llama_model.")}
    given = {canonical(key): (key, tensor) for key, tensor in weights.items() if not _BENIGN.search(key)}
    starts: Pairs = {}
    if getattr(getattr(model, "lora_settings", None), "splits_weights", False) and not anew:
        starts = lora_parts({key: tensor for key, (_, tensor) in given.items()}, source).starts
        given = {key: found for key, found in given.items() if ".lora_initial_" not in key}
    problems = [f"{own[key][0]}: trained, but not in the file" for key in sorted(trainable - set(given))]
    problems += [f"{given[key][0]}: in the file, but the model has no such tensor" for key in given if key not in own]
    problems += [
        f"{name}: shape {tuple(tensor.shape)} in the file, {tuple(own[key][1].shape)} in the model"
        for key, (name, tensor) in given.items()
        if key in own and tensor.shape != own[key][1].shape
    ]
    if problems:
        raise CheckpointError(f"{source} does not fit the model (is lora_r or the LLaMA size another one?)", problems)
    refuse_nonfinite(weights, source)
    with torch.no_grad():
        for key, (_, tensor) in given.items():
            own[key][1].copy_(tensor)
    if starts:
        model.begin_lora(starts)  # type: ignore[operator]
    return LoadReport(
        source,
        loaded=tuple(name for name, _ in given.values()),
        missing=tuple(own[key][0] for key in own if key not in given and not _BENIGN.search(key)),
        anew=anew,
    )


def refuse_nonfinite(weights: Mapping[str, torch.Tensor], source: str) -> None:
    """Raises CheckpointError naming every tensor that holds NaN or infinity: such a model answers nothing."""
    problems = [f"{name}: {count:,} of {weights[name].numel():,} values" for name, count in nonfinite(weights).items()]
    if problems:
        raise CheckpointError(
            f"{source} holds values that are not finite (NaN or infinity): the training broke down. Take an earlier "
            "checkpoint",
            problems,
        )


def nonfinite(weights: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Name -> how many values are NaN or infinity, of the tensors that have such."""
    counts = {
        name: int((~torch.isfinite(tensor)).sum())
        for name, tensor in weights.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    }
    return {name: count for name, count in counts.items() if count}


def trainable_state(
    model: nn.Module, whole: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor
) -> dict[str, torch.Tensor]:
    """Trainable tensors in MiniGPT-v2's spelling, on the CPU: what a checkpoint's ``model`` holds. With them what
    LoRA began as, where that was taken from the weights: it says what they are without it.

    ``whole`` gathers a tensor that is spread over processes.
    """
    trained = ((key, tensor) for key, tensor in model.named_parameters() if tensor.requires_grad)
    weights = {upstream_key(key): whole(tensor.detach()).cpu() for key, tensor in trained}
    return {**weights, **start_tensors(getattr(model, "lora_starts", None) or {})}


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write ``content`` beside ``path`` and move it there once it is whole on disk; an older file stays until then.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the older file is untouched.
    """
    try:
        with replacing(path) as file:
            torch.save(dict(content), file)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as RuntimeError
        said = failed_to_write(error) or one_line(error)
        raise CheckpointError(f"cannot write {path}: {said}; the checkpoint before it is untouched") from error


def _tensors(found: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in found.items() if isinstance(tensor, torch.Tensor)}


def _noted(path: Path, metadata: Mapping[str, str], exported: bool = False) -> dict[str, Any]:
    """What a ``.safetensors`` file of ours says beside its tensors."""
    if path.suffix != SAFETENSORS and not exported:
        return {}
    try:
        noted = parse_json(metadata.get(METADATA, "{}"))
    except ValueError as error:
        raise CheckpointError(f"{path}: {METADATA} in its header is not JSON; copy the file again") from error
    if not isinstance(noted, dict):
        raise CheckpointError(f"{path}: {METADATA} in its header is no object; copy the file again")
    return {key: noted[key] for key in KEPT if key in noted}
