"""How the parts of MiniGPT-v2 are called in an exported transformers folder. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..json_text import parse_json

MODEL_TYPE = "pefomed_minigpt_v2"
"""``model_type`` of its ``config.json``."""
LANGUAGE, HEAD = "model.language_model.", "lm_head.weight"
"""What the language model's body has its names behind, and its output layer."""
VISION, NORM, PROJECTION = "model.visual_encoder.", "model.ln_vision.", "model.llama_proj."


def is_exported(config: Mapping[str, Any]) -> bool:
    """Whether a ``config.json`` is that of such a folder."""
    return config.get("model_type") == MODEL_TYPE and isinstance(config.get("text_config"), Mapping)


def is_exported_folder(path: Path) -> bool:
    """Whether there is such a folder."""
    file = Path(path) / "config.json"
    if not file.is_file():
        return False
    try:
        config = parse_json(file.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, Mapping) and is_exported(config)


def exported_name(name: str) -> str:
    """A tensor's name there, from its name in the language model (``model.layers.0...``)."""
    return LANGUAGE + name[len("model.") :] if name.startswith("model.") else name


def language_name(name: str) -> str | None:
    """The other way; None for what is no part of the language model."""
    if name.startswith(LANGUAGE):
        return "model." + name[len(LANGUAGE) :]
    return name if name == HEAD else None
