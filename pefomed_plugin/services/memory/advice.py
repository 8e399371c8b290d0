"""Which options make a run take less memory, by how much, and at which price; what to say when memory ran out.

By the arithmetic of ``memory.estimate``; nothing is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ...config.compose import Configuration
from ...errors import PefomedError, one_line
from ...families import read_model_size
from .estimate import GIB, estimate

Changes = dict[str, Any]
Refusals = Callable[[Configuration], Sequence[str]]
"""One line for each thing that a run cannot do (``config.compose.refusals``)."""
_MOST_STEPS = 3
_WORTH = 0.01
"""Share of the peak below which an option is not worth a line."""


@dataclass(frozen=True)
class Saving:
    """One option, set beside those before it."""

    options: str
    """As written behind ``--options``."""
    price: str
    """What it costs."""
    saves: int
    """Bytes, with the options before it in place."""
    peak: int
    """Bytes that are left with it."""


@dataclass(frozen=True)
class _Choice:
    changes: Changes
    price: str
    free: bool = False
    """Whether there is no reason not to."""


def best_options(config: Configuration, refusals: Refusals = lambda _: []) -> list[Saving]:
    """The options that save most, each on top of those before it: first what is free, then the most.

    Args:
        refusals: what a run cannot do; no option is advised that brings one.
    """
    now, size = config, read_model_size(config.model)
    found: list[Saving] = []
    before = estimate(now, size).peak
    while len(found) < _MOST_STEPS:
        tried = [
            (not choice.free, estimate(now.with_values(choice.changes), size).peak, number, choice)
            for number, choice in enumerate(_choices(now))
            if len(refusals(now.with_values(choice.changes))) <= len(refusals(now))
        ]
        helpful = [option for option in tried if before - option[1] >= _WORTH * before]
        if not helpful:
            break
        _, peak, _, choice = min(helpful, key=lambda option: option[:3])
        found.append(Saving(write_options(choice.changes), choice.price, before - peak, peak))
        now, before = now.with_values(choice.changes), peak
    return found


def explain_out_of_memory(
    error: BaseException, config: Configuration, refusals: Refusals = lambda _: []
) -> PefomedError:
    """What to tell the user whose GPU had too little memory: the options that help most, in order.

    Args:
        error: what torch raised.
        config: the run's.
        refusals: as in ``best_options``.
    """
    needs = (
        f"the GPU has too little memory ({one_line(error)}). By estimate this run needs "
        f"{estimate(config).peak / GIB:.1f} GiB"
    )
    steps = best_options(config, refusals)
    if not steps:
        return PefomedError(f"{needs}, and no option is left that saves any; it takes a larger card")
    return PefomedError(
        needs + "; what helps most, each on top of the one before (pefomed estimate says more)",
        [describe(step) for step in steps],
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of a GPU's memory; its class has had several names, and cuBLAS has its own message."""
    text = str(error)
    return (
        type(error).__name__ == "OutOfMemoryError"
        or "CUDA out of memory" in text
        or "CUBLAS_STATUS_ALLOC_FAILED" in text
    )


def describe(step: Saving) -> str:
    """One line of one option."""
    return f"--options {step.options}: saves {step.saves / GIB:.1f} GiB, {step.peak / GIB:.1f} are left; {step.price}"


def largest_batch(config: Configuration, card_gb: float) -> int:
    """The largest ``batch_size`` for training that a card holds, 0 where even 1 is too much, 1024 where all fit."""
    size = read_model_size(config.model)
    fitting, too_large = 0, 1025
    while too_large - fitting > 1:
        middle = (fitting + too_large) // 2
        sizes = {f"datasets.{name}.batch_size": middle for name in config.datasets}
        if estimate(config.with_values(sizes), size).fits(card_gb):
            fitting = middle
        else:
            too_large = middle
    return fitting


def write_options(changes: Changes) -> str:
    """As they are written behind ``--options``."""
    return " ".join(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in changes.items()
    )


def _choices(config: Configuration) -> list[_Choice]:
    """What could still be changed, the cheapest first: of equal savings the first is taken."""
    return _of_model(config) + _of_batches(config)


def _of_model(config: Configuration) -> list[_Choice]:
    model, run = config.model, config.run
    precision = estimate(config).precision
    choices = []
    if precision in ("fp16", "bf16") and model.llm_precision == "fp32" and model.quantisation == "none":
        choices.append(
            _Choice({"model.llm_precision": precision}, "costs nothing: no weight is cast any more", free=True)
        )
    if not model.vit_on_cpu:
        cache = run.task != "medical_caption"  # stage 1 has too many images for one
        choices.append(
            _Choice(
                {"model.vit_on_cpu": True, **({"run.image_cache": "features"} if cache else {})},
                "costs time: each image is encoded on the CPU" + (", once; 2.9 MB of disk an image" if cache else ""),
            )
        )
    if not model.use_grad_checkpoint_llm and not run.evaluate:
        choices.append(
            _Choice(
                {"model.use_grad_checkpoint_llm": True},
                "costs about a third more arithmetic in the language model; same gradients",
            )
        )
    if model.quantisation != "4bit":
        dropped = {"model.low_resource": False} if model.low_resource else {}
        choices.append(
            _Choice(
                {**dropped, "model.llm_quantization": "4bit"},
                "costs time, and answers may change a little: the base is rounded (extra quant)",
            )
        )
    return choices


def _of_batches(config: Configuration) -> list[_Choice]:
    run, choices = config.run, []
    batches = {name: dataset.batch_size for name, dataset in config.datasets.items()}
    largest = max(batches.values())
    if not run.evaluate and largest > 1:
        ones = {f"datasets.{name}.batch_size": 1 for name in batches}
        choices.append(
            _Choice(
                {**ones, "run.accum_grad_iters": largest * run.accum_grad_iters},
                "costs time, and keeps the step's gradient" if len(batches) == 1 else "costs time",
            )
        )
    if run.test_splits and run.num_beams > 1:
        choices.append(_Choice({"run.num_beams": 1}, "costs the beam search, which the paper does not use"))
    if run.test_splits and run.batch_size_eval > 1:
        choices.append(_Choice({"run.batch_size_eval": 1}, "costs time in answering only"))
    return choices
