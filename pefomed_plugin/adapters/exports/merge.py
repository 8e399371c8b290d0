"""LoRA worked into the weights of its language model: a plain folder that needs no peft. Builds no model.

One tensor is merged at a time, and shards of a bounded size are written as they fill, so that memory does not grow
with the model.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from ...errors import CheckpointError
from ...lora import LANGUAGE_WEIGHTS, MERGED
from ...origins import is_generated, mark_generated
from ...services.console import progress
from ...toolkit.checkpoint import refuse_nonfinite
from ...toolkit.language_folder import LanguageFolder, open_language_folder
from ...toolkit.language_weights import fingerprint, require_language_weights
from ...toolkit.lora_tensors import merged_weight
from .contents import PROJECTOR, Contents, Lora, projector_of
from .shards import Shards
from .writing import noted_of, save_tensors


def check_fit(contents: Contents, lora: Lora | None, base: LanguageFolder) -> None:
    """Raises CheckpointError if the checkpoint was trained on another language model; names every tensor."""
    problems: list[str] = []
    if contents.family.name != base.family.name:
        problems.append(f"trained on the family {contents.family.name!r}, this one is of {base.family.name!r}")
    for key, tensor in projector_of(contents).items():
        if tensor.shape[0] != base.size.hidden_size:
            problems.append(f"{key}: for a width of {tensor.shape[0]}, this one has {base.size.hidden_size}")
    if lora is None:
        _refuse_another_model(contents, base, problems)
        return
    if lora.layers != base.size.num_hidden_layers:
        problems.append(f"LoRA of {lora.layers} layers, this one has {base.size.num_hidden_layers}")
    for module, (a, b) in lora.pairs.items():
        shape = base.shapes.get(module + ".weight")
        wanted = (b.shape[0], a.shape[1])
        if shape is None:
            problems.append(f"{module}.weight: not in the language model")
        elif shape != wanted:
            problems.append(f"{module}.weight: {shape} in the language model, the LoRA is for {wanted}")
    for key, tensor in lora.whole.items():
        if base.shapes.get(key) != tuple(tensor.shape):
            own = base.shapes.get(key, "not there")
            problems.append(f"{key}: {own} in the language model, {tuple(tensor.shape)} as it was trained")
    _refuse_another_model(contents, base, problems)


def _refuse_another_model(contents: Contents, base: LanguageFolder, problems: list[str]) -> None:
    if problems:
        raise CheckpointError(
            f"{contents.path} was not trained on the {base.family.title} in {base.folder}; give that one with --llama",
            problems,
        )


def write_merged(contents: Contents, lora: Lora, base: LanguageFolder, folder: Path) -> None:
    """Write the merged model, its companions and ``projector.safetensors`` into ``folder``; precision as the base's.

    Args:
        base: what the LoRA was trained on.
        folder: exists, and is empty.

    Raises:
        CheckpointError: the checkpoint does not fit or holds values that are not finite, a weights file is damaged, or
            the disk is too small.
    """
    check_fit(contents, lora, base)
    require_language_weights(contents.content, base.folder, str(contents.path))
    refuse_nonfinite(contents.tensors, str(contents.path))
    if base.is_part:
        raise CheckpointError(
            f"{base.folder} is a whole exported model, of which LLaMA is a part; merge into the LLaMA itself"
        )
    refuse_small_disk(folder.parent, base.size_bytes, "the merged model")
    shards = Shards(folder)
    with progress("merging", len(base.shapes)) as advance:
        for key, tensor in merged_tensors(lora, base):
            shards.add(key, tensor)
            advance(note=key)
    shards.finish()
    for path in base.companions():
        shutil.copyfile(path, folder / path.name)
    if is_generated(base.folder):
        mark_generated(folder, {"merged": base.folder.name})
    noted = {**noted_of(contents), MERGED: True, LANGUAGE_WEIGHTS: fingerprint(open_language_folder(folder))}
    save_tensors(projector_of(contents), folder / PROJECTOR, noted)


def merged_tensors(lora: Lora, base: LanguageFolder) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and tensors of the language model with the LoRA worked in, one after the other, precision as the base's."""
    parts, modules = lora.parts, {module + ".weight": module for module in lora.pairs}
    for key, tensor in base.tensors():
        if key in modules:
            module = modules[key]
            scale, start = lora.settings.scale_of(module), parts.starts.get(module)
            yield key, merged_weight(tensor, lora.pairs[module], scale, start, parts.magnitudes.get(module))
        else:
            yield key, lora.whole[key].to(tensor.dtype) if key in lora.whole else tensor


def refuse_small_disk(place: Path, needed: int, what: str) -> None:
    """Raises CheckpointError: in ``place``, where the result will lie, fewer bytes are free than are to be written."""
    free = shutil.disk_usage(place).free
    if free < needed:
        raise CheckpointError(
            f"{place} has {free / 1e9:.1f} GB free, {what} needs {needed / 1e9:.1f}; choose another --out"
        )
