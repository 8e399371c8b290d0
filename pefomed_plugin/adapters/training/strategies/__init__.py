"""Training strategies by name: how the model, its gradients and its optimizer are spread over the processes.

A new one is a file here that holds a ``Strategy``; the trainer names none. Nothing here loads torch before a run is
prepared.
"""

from __future__ import annotations

from ....errors import ConfigError, near_names
from ....plugins import declared_in
from .base import Strategy

STRATEGIES: dict[str, Strategy] = {strategy.name: strategy for strategy in declared_in(__name__, Strategy)}  # type: ignore[type-abstract]


def strategy_of(name: str) -> Strategy:
    """The strategy of that name. Raises ConfigError listing the near ones."""
    if name not in STRATEGIES:
        raise ConfigError(f"run.strategy: {name!r} is no training strategy; {near_names(name, STRATEGIES)}")
    return STRATEGIES[name]


__all__ = ["STRATEGIES", "Strategy", "strategy_of"]
