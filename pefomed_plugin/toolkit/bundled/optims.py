"""Learning-rate schedules of MiniGPT-v2: linear warm-up, then cosine or steps. No model, no data."""

from __future__ import annotations

import math
from typing import Any

from .registry import registry


class _WarmupSchedule:
    def __init__(
        self,
        optimizer: Any,
        max_epoch: int,
        min_lr: float,
        init_lr: float,
        iters_per_epoch: int = 1,
        decay_rate: float = 1.0,
        warmup_start_lr: float = -1,
        warmup_steps: int = 0,
        **_: Any,
    ) -> None:
        self.optimizer = optimizer
        self.max_epoch = max_epoch
        self.iters_per_epoch = iters_per_epoch
        self.min_lr = min_lr
        self.init_lr = init_lr
        self.decay_rate = decay_rate
        self.warmup_steps = warmup_steps
        self.warmup_start_lr = warmup_start_lr if warmup_start_lr >= 0 else init_lr

    def step(self, cur_epoch: int, cur_step: int) -> None:
        """Set the learning rate of the step that is about to be taken; steps count from 0 within the epoch."""
        total = cur_epoch * self.iters_per_epoch + cur_step
        rate = self._warmup(total) if total < self.warmup_steps else self._decayed(total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _warmup(self, step: int) -> float:
        rise = (self.init_lr - self.warmup_start_lr) * step / max(self.warmup_steps, 1)
        return min(self.init_lr, self.warmup_start_lr + rise)

    def _decayed(self, step: int) -> float:
        raise NotImplementedError


@registry.register_lr_scheduler("linear_warmup_cosine_lr")
class LinearWarmupCosineLRScheduler(_WarmupSchedule):
    """Warm-up over ``warmup_steps``, then ``min_lr + (init_lr - min_lr) (1 + cos(pi step / steps)) / 2``."""

    def _decayed(self, step: int) -> float:
        total = self.max_epoch * self.iters_per_epoch
        return (self.init_lr - self.min_lr) * 0.5 * (1.0 + math.cos(math.pi * step / total)) + self.min_lr


@registry.register_lr_scheduler("linear_warmup_step_lr")
class LinearWarmupStepLRScheduler(_WarmupSchedule):
    """Warm-up, then ``init_lr * decay_rate ** epoch``, never below ``min_lr``."""

    def _decayed(self, step: int) -> float:
        return max(self.min_lr, self.init_lr * self.decay_rate ** (step // self.iters_per_epoch))
