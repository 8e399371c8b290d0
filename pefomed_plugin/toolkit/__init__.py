"""The seam: the names of the MiniGPT-v2 underneath that the plugin uses, and the only door to them.

``bundled`` is our own implementation; ``minigpt4`` is a checkout of Vision-CAIR/MiniGPT-4. Which one it is, is decided
once, when this module is imported; it is itself imported when a name of it is asked for. A checkout that is found but
does not import is an error, never a silent fall-back.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .choice import BUNDLED, choose_toolkit

NAME, WHY = choose_toolkit()
"""Which toolkit is underneath (``bundled`` or ``minigpt4``), and the reason in words."""

if TYPE_CHECKING:
    from .bundled import BaseDatasetBuilder, BaseProcessor, BaseTask, Config
    from .bundled.registry import registry

__all__ = ["NAME", "WHY", "BaseDatasetBuilder", "BaseProcessor", "BaseTask", "Config", "registry"]


def __getattr__(name: str) -> Any:
    """A name of the toolkit underneath, which is imported now: what only reads a configuration needs no torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("." + ("bundled" if NAME == BUNDLED else "checkout"), __name__), name)
