"""How a GPU is measured: pipelined time, kernels, waits of the host, memory, and what a batch takes in arithmetic."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Callable

import torch

from projects.benchmarks.scale_table import MODEL, sample_flops

PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "A40": 149.7e12, "L40S": 362e12}
"""Dense FLOP/s in 16 bits, by NVIDIA's data sheets."""
BANDWIDTH = {"H100": 3.35e12, "H200": 4.8e12, "A100": 2.0e12, "A40": 0.696e12, "L40S": 0.864e12}
"""Bytes/s of the card's memory, likewise."""


def of_card(table: dict[str, float]) -> float | None:
    """The table's value for this card, or None."""
    name = torch.cuda.get_device_name()
    return next((value for key, value in table.items() if key in name), None)


def milliseconds(call: Callable[[], Any], steps: int = 8, rounds: int = 5) -> float:
    """Of one call: ``steps`` between two waits, so that the host runs ahead as in training; median of ``rounds``."""
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            call()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / steps)
    return 1e3 * median(times)


def kernels(call: Callable[[], Any]) -> tuple[int, float]:
    """Kernels of one call and the ms that they take on the card, without the gaps in between."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        call()
        torch.cuda.synchronize()
    found = [event for event in profiled.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return len(found), sum(event.time_range.elapsed_us() for event in found) / 1e3


@contextmanager
def no_waiting() -> Iterator[None]:
    """A call that makes the host wait for the card raises RuntimeError."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def free_memory() -> None:
    """Give back what no tensor holds, and begin counting anew."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def batch_flops(batch: dict[str, Any]) -> float:
    """Floating-point operations of a step over a packed batch: what is computed, not what would be without sharing."""
    layout, once = batch["layout"], sample_flops(MODEL, 1, 1)
    rows, columns = layout.token_ids.shape
    encoded = 0 if batch["image"].ndim == 3 else rows
    return (
        encoded * once["vision encoder"]
        + rows * once["projection"]
        + len(layout.filled) * (once["language model"] + once["LoRA"])
        + rows * columns**2 * once["its attention"]
        + len(layout.targets) * once["logits"]
    )


def separate_flops(samples: int, tokens: int, answer_tokens: int) -> float:
    """The same with every sample computed alone."""
    return samples * sum(sample_flops(MODEL, tokens, answer_tokens).values())
