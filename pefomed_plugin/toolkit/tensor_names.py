"""How a tensor of MiniGPT-v2 is called, whichever program wrote the file. Names only; no tensor is read."""

from __future__ import annotations

import re

from ..families import DEFAULT_FAMILY, canonical_name

_PARTS = ("llama_model", "llama_proj", "visual_encoder", "ln_vision")
"""What names inside MiniGPT-v2 begin with."""
_WRAPPERS = re.compile(r"(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""Of torch.compile, FSDP and activation checkpointing, at any depth."""
_OUTER = re.compile(rf"^(?:(?:module|model|_forward_module)\.)+(?=(?:{'|'.join(_PARTS)}|base_model\.model)\.)")
"""Of DistributedDataParallel, Lightning and DeepSpeed, in front of the names inside MiniGPT-v2."""


def canonical(key: str) -> str:
    """One spelling for a tensor's name: without wrappers and peft's adapter name, and with ``llama_model`` in front
    of what an adapter file leaves it out of."""
    key = _OUTER.sub("", _WRAPPERS.sub("", key))
    key = re.sub(r"\.(lora_[A-Za-z_]+)\.default(\.|$)", r".\1\2", key).replace(".modules_to_save.default.", ".")
    key += ".weight" if key.endswith(".lora_magnitude_vector") else ""  # an adapter file leaves that out
    key = canonical_name(key.replace(".base_layer.", "."))
    return "llama_model." + key if key.startswith("base_model.model.") else key


def upstream_key(key: str) -> str:
    """MiniGPT-v2's spelling of a tensor of our model, as its own checkpoints and state dict have it."""
    key = canonical(key)
    for theirs, ours in DEFAULT_FAMILY.upstream_names:
        if key.startswith("llama_model.base_model.model." + ours):
            key = key.replace(ours, theirs)
    return key
