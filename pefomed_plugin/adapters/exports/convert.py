"""A checkpoint in another spelling or file format, tensor for tensor the same. Builds no model."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ...digests import digest_file, file_sha256
from ...errors import CheckpointError, ConfigError, near_names
from ...lora import RECORD
from ...storage import write_text
from ...toolkit.checkpoint import KEPT, write_checkpoint
from ...toolkit.lora_tensors import LORA_PREFIX
from ...toolkit.tensor_names import canonical, upstream_key
from .contents import Contents, find_lora
from .writing import noted_of, refuse_to_overwrite, save_tensors

FORMS = {"minigpt4": ".minigpt4.pth", "peft": ".peft.pth", "safetensors": ".safetensors"}
"""``--to`` -> how the new file's name ends; ``safetensors`` has MiniGPT-v2's names."""


def convert(contents: Contents, to: str, out: Path, *, weights_only: bool = False) -> Path:
    """Write ``contents`` to ``out``, with a digest beside it.

    Args:
        to: key of ``FORMS``.
        weights_only: leave out everything that only resuming needs (optimizer, scaler, ...).

    Raises:
        ConfigError: an unknown form.
        CheckpointError: ``out`` is there already or cannot be written, or the form cannot hold what there is.
    """
    if to not in FORMS:
        raise ConfigError(f"--to {to}: {near_names(to, FORMS)}")
    out = Path(out)
    refuse_to_overwrite(out)
    refuse_to_overwrite(digest_file(out))
    rest = {key: kept for key, kept in contents.content.items() if key != "model" and (key in KEPT or not weights_only)}
    adapted = {key.rpartition(".lora_")[0] for key in contents.tensors if ".lora_" in key}
    lora = find_lora(contents) if isinstance(contents.content.get(RECORD), Mapping) else None
    whole = {LORA_PREFIX + key for key in lora.whole} if lora else set()
    tensors: dict[str, Any] = {
        current_key(key, adapted, whole) if to == "peft" else upstream_key(key): tensor
        for key, tensor in contents.tensors.items()
    }
    if to != "safetensors":
        write_checkpoint({"model": tensors, **rest}, out)
    else:
        lost = sorted(key for key, kept in rest.items() if key not in KEPT and kept is not None)
        if lost:
            raise CheckpointError(
                f"a .safetensors file holds tensors by name only; leave {' and '.join(lost)} out with "
                "--weights-only "
                "(training cannot be resumed from it then)"
            )
        save_tensors(tensors, out, noted_of(contents))
    write_text(digest_file(out), file_sha256(out) + "\n")
    return out


def current_key(key: str, adapted: set[str], whole: Collection[str] = ()) -> str:
    """Today's peft spelling of a tensor.

    Args:
        adapted: canonical names of the modules that have LoRA; their own weights lie in ``base_layer``.
        whole: canonical names of the tensors of modules that are trained whole.
    """
    key = re.sub(r"\.(lora_[A-Za-z_]+)(\.|$)", r".\1.default\2", canonical(key))
    module, _, leaf = key.rpartition(".")
    if key in whole:
        return f"{module}.modules_to_save.default.{leaf}"
    return f"{module}.base_layer.{leaf}" if module in adapted else key
