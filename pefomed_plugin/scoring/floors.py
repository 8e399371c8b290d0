"""Floors: what predictors that do not look get on the same samples, in ``floors/<predictor>/`` beside the answers.

Each is an ordinary folder of results. Whatever scores the answers scores them too, and of each scorer the strongest
predictor is its floor: it stands in ``metrics.json``, under tables and as a tick on bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..json_text import parse_json
from ..records import Prediction
from ..storage import read_predictions, write_json
from . import specs_of
from .leaks import samples_digest, with_leaks
from .metrics_file import FLOORS, METRICS, PREDICTIONS, read_metrics
from .spec import ScorerSpec


def floor_folders(folder: Path) -> dict[str, Path]:
    """Predictor -> folder of its answers, of those that lie beside the answers in ``folder``."""
    return {path.parent.name: path.parent for path in sorted(Path(folder).glob(f"{FLOORS}/*/{PREDICTIONS}"))}


def read_floor_answers(folder: Path, predictions: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    """Predictor -> what it said about the same samples, with what training has of each.

    Raises:
        DataError: a floor is about other samples than ``predictions``.
    """
    found, about = {}, samples_digest(predictions) if floor_folders(folder) else ""
    for name, place in floor_folders(folder).items():
        answers = read_predictions(place / PREDICTIONS)
        if samples_digest(answers) != about:
            raise DataError(
                f"{place} is about other samples than the answers in {folder}; make the floors again with pefomed "
                f"floors, or delete {place.parent}"
            )
        found[name] = with_leaks(answers, folder)
    return found


def strongest_floors(folder: Path, specs: Iterable[ScorerSpec]) -> dict[str, dict[str, Any]]:
    """Scorer -> its floor, as ``metrics.json`` holds it: which predictor, what it is, and its figures.

    The strongest is the one whose figure in the scorer's tested column is best; of equals the first by name. Floors
    that another version of the scorer scored are not compared.
    """
    scored = {
        name: read_metrics(place / METRICS).get("scores", {})
        for name, place in floor_folders(folder).items()
        if (place / METRICS).is_file()
    }
    places = floor_folders(folder)
    found = {}
    for spec in specs:
        of = {name: figures[spec.name] for name, figures in scored.items() if spec.name in figures}
        values = {name: value for name, figures in of.items() if (value := tested_value(spec, figures)) is not None}
        if values:
            sign = 1 if spec.column(spec.columns[-1]).metric.higher_is_better else -1
            best = min(values, key=lambda name: (-sign * values[name], name))
            facts = producer_of(places[best])
            found[spec.name] = {
                "predictor": best,
                **{key: facts.get(key) for key in ("title", "train_samples", "train_sha256")},
                "others": {name: value for name, value in sorted(values.items()) if name != best},
                "figures": dict(of[best]),
            }
    return found


def note_floors(folder: Path) -> dict[str, Any]:
    """Write into ``metrics.json`` which floors there are now, of all its scorers; for what scores one file by itself.

    Args:
        folder: of the answers, or of one of the floors beside them.

    Returns:
        The section as it stands; empty where ``folder`` is a floor's, or none lies in it.
    """
    place = Path(folder)
    is_floor = place.parent.name == FLOORS and (place.parents[1] / PREDICTIONS).is_file()
    place = place.parents[1] if is_floor else place
    if not floor_folders(place) or not (place / METRICS).is_file():
        return {}
    metrics = read_metrics(place / METRICS)
    specs = specs_of(metrics.get("scores", {}), metrics.get("scorers", {}), str(place))
    found = strongest_floors(place, specs.values())
    if found and found != metrics.get(FLOORS):
        write_json(place / METRICS, {**metrics, FLOORS: found})
    return {} if is_floor else found


def tested_value(spec: ScorerSpec, figures: Mapping[str, Any]) -> float | None:
    """What a scorer gave in the column that is tested, in the unit that is shown; None where it gave nothing or is of
    another version."""
    figure = figures.get(spec.column(spec.columns[-1]).figure) or {}
    return figure.get("value") if figures.get("version") in (None, spec.version) else None


def producer_of(folder: Path) -> Mapping[str, Any]:
    """What the answers of a floor say of how they were made: the first of them, which is all that is read.

    Raises:
        DataError: the first line is no prediction.
    """
    path = folder / PREDICTIONS
    try:
        with open(path, "rb") as lines:
            return Prediction.from_json(parse_json(lines.readline())).producer
    except ValueError as error:
        raise DataError(f"{path}: line 1 is no prediction; make the floors again with pefomed floors") from error
