"""One process, or DistributedDataParallel: every process holds the whole model, gradients are averaged."""

from __future__ import annotations

from typing import Any, Callable

from ...devices import match_frozen_weights
from .base import Strategy


class DataParallel(Strategy):
    """Plain and DDP, which accelerate chooses by the number of processes."""

    name = "ddp"
    words = ""
    can_answer = True
    stops_on_device = True

    def place(self, model: Any, device: Any, precision: str) -> Any:
        """The whole model on the process's device."""
        model = model.to(device)
        match_frozen_weights(model, precision)
        return model

    def prepare(self, accelerator: Any, model: Any, make_optimizer: Callable[[Any], Any]) -> tuple[Any, Any]:
        """As ``Strategy.prepare``."""
        optimizer = make_optimizer(model)
        return accelerator.prepare(model), accelerator.prepare(optimizer)


DDP = DataParallel()
