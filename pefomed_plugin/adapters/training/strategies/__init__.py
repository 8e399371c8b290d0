"""Training strategies by name: how the model, its gradients and its optimizer are spread over the processes.

A new one is a file with a ``Strategy`` and a name in ``STRATEGIES``; the trainer knows none of them. Nothing here loads
torch before a run is prepared.
"""

from __future__ import annotations

from ....errors import ConfigError, near_names
from .base import Strategy
from .ddp import DataParallel
from .fsdp import FullySharded

STRATEGIES: dict[str, Strategy] = {strategy.name: strategy for strategy in (DataParallel(), FullySharded())}


def strategy_of(name: str) -> Strategy:
    """The strategy of that name. Raises ConfigError listing the near ones."""
    if name not in STRATEGIES:
        raise ConfigError(f"run.strategy: {name!r} is no training strategy; {near_names(name, STRATEGIES)}")
    return STRATEGIES[name]


__all__ = ["STRATEGIES", "Strategy", "strategy_of"]
