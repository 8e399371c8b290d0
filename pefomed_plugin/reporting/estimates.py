"""An estimate of memory and disk as tables and as JSON. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..readers import describe
from ..services.console import say
from ..services.memory.advice import Saving
from ..services.memory.estimate import CARDS_GB, GIB, RunSize, usable_bytes
from ..services.memory.loads import Load
from .tables import show_table

_LAST = ("allocator's slack", "CUDA")


def show_estimate(name: str, found: RunSize, cards: Sequence[float] = CARDS_GB, steps: Sequence[Saving] = ()) -> None:
    """Print parts, cards, and what helps where one is too small."""
    size = found.size
    say(
        "{}, in {}: language model {:,} numbers{}, vision encoder {:,}, trained {:,}".format(
            name,
            found.precision,
            size.llama.in_matrices + size.llama.elsewhere,
            " (Llama-2-7b as published)" if size.published else "",
            size.vision.numbers,
            size.trained,
        )
    )
    for what, load in (("training", found.training_load), ("answering", found.answering_load)):
        if load is not None:
            say(f"{what}: {_load_in_words(load)}")
    named = {"training": found.training, "answering": found.answering}
    titles = [word for word, each in named.items() if each is not None]
    phases = [each for each in named.values() if each is not None]
    parts = sorted(dict.fromkeys(part for phase in phases for part in phase), key=_LAST.count)
    rows = [[part, *(_gib(phase.get(part)) for phase in phases)] for part in parts]
    rows.append(["together", *(_gib(sum(phase.values())) for phase in phases)])
    show_table("memory of one GPU, GiB", ("", *titles), rows)
    for card in cards:
        say(_verdict(found, card, steps))
    if steps:
        say("what helps most, each on top of the one before:")
    for number, step in enumerate(steps, 1):
        say(f"  {number}. --options {step.options}")
        say(f"     saves {step.saves / GIB:.1f} GiB, {step.peak / GIB:.1f} are left; {step.price}")
    for part, taken in found.disk.items():
        say(f"disk: {part}: {taken / GIB:.1f} GiB")
    say(
        "An estimate: parts are counted, CUDA and the allocator's slack assumed, nothing was measured on a GPU "
        "(docs/memory.md)."
    )


def as_data(found: RunSize, cards: Sequence[float], steps: Sequence[Saving]) -> dict[str, Any]:
    """For ``--json``; sizes in bytes."""
    size = found.size
    return {
        "measured_on_gpu": False,
        "precision": found.precision,
        "peak_bytes": found.peak,
        "numbers": {
            "language_model": size.llama.in_matrices + size.llama.elsewhere,
            "published": size.published,
            "vision_encoder": size.vision.numbers,
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
    mend = (
        "fits with the first {} below".format("option" if needed == 1 else f"{needed} options")
        if needed
        else "nor does it with all options below"
        if steps
        else "and no option is left that saves any"
    )
    return f"{text}does not fit, {found.peak / GIB - room:.1f} GiB too much; {mend}"


def _fits_with(card: float, steps: Sequence[Saving]) -> int | None:
    """How many of the options it takes; None: all are not enough."""
    return next((number for number, step in enumerate(steps, 1) if step.peak <= usable_bytes(card)), None)


def _load_in_words(load: Load) -> str:
    text = (
        f"{_count(load.samples, 'sample')} of {load.dataset} in {_count(load.rows, 'row')} of {load.row_tokens} tokens"
    )
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
            "answer_tokens": load.answer_tokens,
        }
    )


def _count(number: int, what: str) -> str:
    return "{} {}{}".format(number, what, "" if number == 1 else "s")


def _gib(taken: int | None) -> str:
    return "" if taken is None else f"{taken / GIB:.2f}"
