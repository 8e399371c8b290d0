"""Our own MiniGPT-v2: upstream's names and contracts on current torch, transformers, peft and timm."""

from __future__ import annotations

from . import minigpt_v2, optims, processors  # noqa: F401  (they register themselves)
from .base import BaseDatasetBuilder, BaseModel, BaseTask
from .config import Config
from .processors import BaseProcessor
from .registry import registry

__all__ = ["BaseDatasetBuilder", "BaseModel", "BaseProcessor", "BaseTask", "Config", "registry"]
