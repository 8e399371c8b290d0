"""PeFoMed for MiniGPT-v2: data sets, tasks, prompts, runner and evaluation, registered by ``register_all()``.

``load`` gives a model to be asked. Importing this package imports nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .offline import install

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .loading import load

__all__ = ["__version__", "load"]

install()  # PEFOMED_OFFLINE holds in every process that imports this


def __getattr__(name: str) -> Any:
    """``load``, which is far above this module and brings torch along, once it is asked for."""
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(".loading", __name__).load
