"""Which of torch's attention kernels a process may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def attention_without_plans() -> Iterator[None]:
    """While it is open no attention goes to cuDNN; what was set before is set again.

    On Hopper and newer it comes first, and makes a plan for every new shape: nearly every step, every token of an
    answer. torch's other kernels (flash; efficient where there is a mask) take any shape as it comes.
    """
    before = let_cudnn_attend(False)
    try:
        yield
    finally:
        let_cudnn_attend(before)


def let_cudnn_attend(allowed: bool) -> bool:
    """Set torch's switch, which is the process's; what it was."""
    import torch  # late: heavy

    backends: Any = torch.backends.cuda
    if not hasattr(backends, "enable_cudnn_sdp"):  # torch before 2.4 has no such attention
        return False
    before = bool(backends.cudnn_sdp_enabled())
    backends.enable_cudnn_sdp(allowed)
    return before
