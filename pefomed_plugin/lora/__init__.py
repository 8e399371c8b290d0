"""Parameter-efficient fine-tuning by configuration: its settings, and whose word counts where file and user differ.

It reads no tensors: what a checkpoint's tensors say of them is told by ``toolkit.lora_tensors``.
"""

from __future__ import annotations

from .settings import (
    ALL_LINEAR,
    APART,
    DEFAULTS,
    FAMILY,
    KINDS,
    LANGUAGE_WEIGHTS,
    MERGED,
    RECORD,
    YAML_KEYS,
    LoraSettings,
)
from .settling import differences, given_in, recorded, settings_of, settle

__all__ = [
    "ALL_LINEAR",
    "APART",
    "DEFAULTS",
    "FAMILY",
    "KINDS",
    "LANGUAGE_WEIGHTS",
    "MERGED",
    "RECORD",
    "YAML_KEYS",
    "LoraSettings",
    "differences",
    "given_in",
    "recorded",
    "settings_of",
    "settle",
]
