"""The runs of all folds put together: every sample answered once, by a model that has not seen its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import DataError
from ..records import Prediction
from ..scoring.floors import floor_folders
from ..scoring.leaks import SampleLeaks, read_leaks, samples_digest, without_leaks, write_leaks
from ..scoring.metrics_file import FLOORS, PREDICTIONS, set_stale_aside
from ..storage import read_predictions, write_records


def pool(folders: Mapping[str, Path]) -> list[Prediction]:
    """The answers of all folds, in their order.

    Args:
        folders: label of a run -> folder of its predictions.

    Raises:
        DataError: a sample is answered by two runs, or the runs are of different data sets.
    """
    answered: dict[str, str] = {}
    pooled: list[Prediction] = []
    twice: list[str] = []
    for label, folder in folders.items():
        for prediction in read_predictions(folder / PREDICTIONS):
            if prediction.id in answered:
                twice.append(f"{prediction.id}: answered by {answered[prediction.id]} and {label}")
            answered[prediction.id] = label
            pooled.append(prediction)
    if twice:
        raise DataError("these runs are no folds of one data set: samples were answered by two of them", twice)
    sets = sorted({f"{prediction.dataset}-{prediction.split}" for prediction in pooled})
    if len(sets) > 1:
        raise DataError("these runs are of different test sets", sets)
    return pooled


def write_pooled(folders: Mapping[str, Path], out: Path) -> tuple[list[Prediction], list[str]]:
    """Write the answers of all folds, and the floors that lie beside all of them, as one run.

    Returns:
        the answers, and what was set aside or left out, a line each.

    Raises:
        DataError: as ``pool``; or a file cannot be written.
    """
    pooled = pool(folders)
    place = out / "results" / f"{pooled[0].dataset}-{pooled[0].split}"
    told = _write(pooled, place)
    found = {label: read_leaks(folder) for label, folder in folders.items()}
    known = [leaks for leaks in found.values() if leaks is not None]
    if len(known) == len(folders):
        write_leaks(place, replace(SampleLeaks.together(known), samples_sha256=samples_digest(pooled)))
    elif known:
        lacking = ", ".join(label for label, leaks in found.items() if leaks is None)
        told.append(f"what training has of the samples: not put together, it was not examined of {lacking}")
    by_run = {label: floor_folders(folder) for label, folder in folders.items()}
    for name in sorted({name for places in by_run.values() for name in places}):
        having = {label: places[name] for label, places in by_run.items() if name in places}
        if len(having) == len(folders):
            told += _write(pool(having), place / FLOORS / name)
        else:
            lacking = ", ".join(label for label in folders if label not in having)
            told.append(f"floor {name}: left out, not beside {lacking}")
    return pooled, told


def _write(answers: Sequence[Prediction], place: Path) -> list[str]:
    told = set_stale_aside(answers, place)
    write_records(place / PREDICTIONS, without_leaks(answers))
    return told
