"""An estimate of memory and disk, to print and as JSON. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ..readers import describe
from ..services.memory.advice import Saving
from ..services.memory.estimate import CARDS_GB, GIB, RunSize, usable_bytes
from ..services.memory.loads import Load
from ..vision_encoders import DEFAULT_ENCODER
from .rendering import Shown
from .table import FIGURE, Cell, Column, Table

_LAST, _TOTAL = ("allocator's slack", "CUDA"), "together"


def estimate_view(
    name: str, found: RunSize, cards: Sequence[float] = CARDS_GB, steps: Sequence[Saving] = ()
) -> list[Shown]:
    """Parts, cards, and what helps where one is too small."""
    size = found.size
    language_model = size.language.in_matrices + size.language.elsewhere
    published = " (Llama-2-7b as published)" if size.published else ""
    of_another = "" if size.vision.name == DEFAULT_ENCODER else f" {size.vision.name}"
    lines: list[Shown] = [
        f"{name}, in {found.precision}: language model {language_model:,} parameters{published}, "
        f"vision encoder{of_another} {size.vision.parameters:,}, trained {size.trained:,}"
    ]
    for phase, load in (("training", found.training_load), ("answering", found.answering_load)):
        if load is not None:
            lines.append(f"{phase}: {_load_in_words(load)}")
    lines.append(_memory_table({"training": found.training, "answering": found.answering}))
    lines += [_verdict(found, card, steps) for card in cards]
    if steps:
        lines.append("what helps most, each on top of the one before:")
    for number, step in enumerate(steps, 1):
        lines.append(f"  {number}. --options {step.options}")
        lines.append(f"     saves {step.saves / GIB:.1f} GiB, {step.peak / GIB:.1f} are left; {step.price}")
    lines += [f"disk: {part}: {taken / GIB:.1f} GiB" for part, taken in found.disk.items()]
    lines.append(
        "An estimate: parts are counted, CUDA and the allocator's slack assumed, nothing was measured on a GPU "
        "(docs/memory.md)."
    )
    return lines


def _memory_table(named: Mapping[str, Mapping[str, int] | None]) -> Table:
    phases = {name: parts for name, parts in named.items() if parts is not None}
    parts = sorted(dict.fromkeys(part for phase in phases.values() for part in phase), key=_LAST.count)

    def taken(phase: str) -> Callable[[str], Cell | None]:
        sizes = {**phases[phase], _TOTAL: sum(phases[phase].values())}
        return lambda part: Cell(sizes[part] / GIB) if part in sizes else None

    columns = [Column(phase, taken(phase), FIGURE, unit="GiB", digits=2) for phase in phases]
    return Table("memory of one GPU", [Column("", str), *columns], [*parts, _TOTAL])


def as_data(found: RunSize, cards: Sequence[float], steps: Sequence[Saving]) -> dict[str, Any]:
    """For ``--json``; sizes in bytes."""
    size = found.size
    return {
        "measured_on_gpu": False,
        "precision": found.precision,
        "peak_bytes": found.peak,
        "parameters": {
            "language_model": size.language.in_matrices + size.language.elsewhere,
            "published": size.published,
            "vision_encoder": size.vision.parameters,
            "vision_encoder_name": size.vision.name,
            "trained": size.trained,
        },
        "training": found.training,
        "answering": found.answering,
        "loads": {"training": _load_data(found.training_load), "answering": _load_data(found.answering_load)},
        "cards": [
            {
                "gb": card,
                "usable_bytes": usable_bytes(card),
                "fits": found.fits(card),
                "fits_with": _fits_with(card, steps) if not found.fits(card) else 0,
            }
            for card in cards
        ],
        "options": [
            {"options": step.options, "saves_bytes": step.saves, "peak_bytes": step.peak, "price": step.price}
            for step in steps
        ],
        "disk": found.disk,
    }


def _verdict(found: RunSize, card: float, steps: Sequence[Saving]) -> str:
    room = usable_bytes(card) / GIB
    text = f"{card:g} GB card ({room:.1f} GiB usable): "
    if found.fits(card):
        return text + f"fits, {room - found.peak / GIB:.1f} GiB to spare"
    needed = _fits_with(card, steps)
    remedy = (
        f"fits with the first {'option' if needed == 1 else f'{needed} options'} below"
        if needed
        else "nor does it with all options below"
        if steps
        else "and no option is left that saves any"
    )
    return f"{text}does not fit, {found.peak / GIB - room:.1f} GiB too much; {remedy}"


def _fits_with(card: float, steps: Sequence[Saving]) -> int | None:
    """How many of the options it takes; None: all are not enough."""
    return next((number for number, step in enumerate(steps, 1) if step.peak <= usable_bytes(card)), None)


def _load_in_words(load: Load) -> str:
    text = (
        f"{_count(load.samples, 'sample')} of {load.dataset} in {_count(load.rows, 'row')} of {load.row_tokens} tokens"
    )
    text += f" with {load.images_a_row} images each" if load.images_a_row > 1 else ""
    text += ", where as many questions are about one image" if load.rows < load.samples else ""
    known = describe(load.dataset).longest
    return text + ("" if known else " (its longest text is not known: as long as the limits allow)")


def _load_data(load: Load | None) -> dict[str, Any] | None:
    return (
        None
        if load is None
        else {
            "dataset": load.dataset,
            "samples": load.samples,
            "rows": load.rows,
            "row_tokens": load.row_tokens,
            "images_a_row": load.images_a_row,
            "answer_tokens": load.answer_tokens,
        }
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
