"""What training has of the samples of a test set, as a table. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import Prediction
from ..scoring.breakdown import places_of_groups
from ..scoring.leaks import FINDINGS, LEAK, NO, NONE_FOUND, NOT_EXAMINED, YES, SampleLeaks
from .results import Run
from .table import COUNT, FIGURE, Column, Table


def parting_axis(runs: Sequence[Run], key: str) -> str | None:
    """The gravest finding that parts a test set in two, for every run that answered it; None where none does."""
    answered = [run.answered[key].predictions for run in runs if key in run.answered]
    return next(
        (
            axis
            for axis in FINDINGS
            if answered and all({YES, NO} <= set(places_of_groups(rows, axis)) for rows in answered)
        ),
        None,
    )


def parting_axes(runs: Sequence[Run]) -> list[str]:
    """``parting_axis`` of every test set that was answered, each once."""
    keys = dict.fromkeys(key for run in runs for key in run.answered)
    return list(dict.fromkeys(axis for key in keys if (axis := parting_axis(runs, key))))


def leaks_table(title: str, leaks: SampleLeaks, predictions: Sequence[Prediction]) -> Table:
    """Each finding with how many samples it is true of, false of and not known of; below, the worst of each sample."""
    rows = [(name, words) for name, (words, _) in FINDINGS.items() if name not in leaks.not_examined]

    def count(name: str) -> int:
        return len(leaks.found.get(name, ()))

    def unknown(name: str) -> int:
        return len(leaks.unknown.get(name, ()))

    worst = places_of_groups(leaks.attach(predictions), LEAK)
    how = "by content" if leaks.training.images_opened else "by name only (no image was opened)"
    return Table(
        title,
        [
            Column("axis", lambda row: row[0]),
            Column("what it says", lambda row: row[1]),
            Column("yes", lambda row: count(row[0]), COUNT),
            Column("no", lambda row: leaks.n - count(row[0]) - unknown(row[0]), COUNT),
            Column("not known", lambda row: unknown(row[0]), COUNT),
            Column("share", lambda row: 100 * count(row[0]) / leaks.n, FIGURE, unit="%", digits=1),
        ],
        rows,
        [
            f"Training split: {leaks.training.samples:,} samples; images compared {how}.",
            *(f"{name}: {NOT_EXAMINED}, {why}" for name, why in leaks.not_examined.items()),
            "Each sample by its worst finding (--by leak): "
            + ", ".join(f"{group} {len(places):,}" for group, places in worst.items())
            + ("" if NONE_FOUND in worst else f"; {NONE_FOUND} 0")
            + ".",
        ],
    )
