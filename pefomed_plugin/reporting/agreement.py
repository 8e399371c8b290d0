"""Exact match, judges and raters of one folder against each other: what ``pefomed agree`` finds and writes.

Raters count only where they rated: what "counts as right" because it matched exactly is not an opinion of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DataError
from ..records import Prediction, Score
from ..rubrics import CANNOT_JUDGE, Rubric, built_in_rubric
from ..scoring.agreement import Values, agree_pair, flip_rates, krippendorff_alpha, majority
from ..scoring.breakdown import check_axes, cluster_of
from ..scoring.exact_match import PEFOMED, score_exact_match
from ..scoring.files import read_specs
from ..scoring.intervals import number_clusters
from ..scoring.metrics_file import (
    AGREEMENT,
    METRICS,
    RATINGS,
    describe,
    earlier_metrics,
    ratings_digest,
    update_metrics,
)
from ..scoring.pairing import mean
from ..scoring.spec import RATER, RUN
from ..services.rating.study import MATCHED
from ..storage import write_json
from .corrected import correct_judges
from .rated_runs import read_ratings

VERSION = "3"
"""3: corrected figures. 2: people's median is a rater of its own; answers cluster by study where there are studies."""
PEOPLE = "people (median)"
_Of = TypeVar("_Of")


def measure_agreement(
    predictions: Sequence[Prediction], folder: Path, wanted: Rubric | None = None, axes: Sequence[str] = ()
) -> dict[str, Any]:
    """Every pair of raters, all people together, every judge's flips, judges' figures corrected by people's ratings.

    A judge is its median over runs, and people together are theirs. Items of one study, or of one image where a data
    set has no studies, are one cluster of the intervals.

    Args:
        wanted: only what was rated by this rubric; None: all, which must be of one rubric.
        axes: what the corrected figures are broken down by.

    Raises:
        ConfigError: the predictions cannot be broken down by an axis.
        DataError: ratings by several rubrics, fewer than two raters of any kind, or score files that do not fit.
    """
    check_axes(axes, predictions)
    rubric, runs = read_ratings(predictions, folder, wanted)
    scale, clusters = rubric.values, number_clusters(list(map(cluster_of, predictions)))
    specs = read_specs(folder, runs)
    judges = {name: _values(scores) for name, scores in runs.items() if specs[name].repeated == RUN}
    rated = {name: scores for name, scores in runs.items() if specs[name].repeated == RATER}
    people = {rater: _value(scores) for rater, scores in _by_rater(rated)}
    raters: dict[str, Values] = {**{name: majority(values) for name, values in judges.items()}, **people}
    if rubric.is_accuracy:
        raters = {PEFOMED.name: [score.value for score in score_exact_match(predictions)], **raters}
    if len(raters) < 2:
        raise DataError(
            f"{folder}/scores holds one rater at most ({', '.join(raters) or 'none'}); judge, or import ratings, first"
        )
    found: dict[str, Any] = {
        "version": VERSION,
        "kind": rubric.task,
        "rubric": rubric.to_json(),
        "pairs": {},
        "alpha": {},
        "flips": {name: _flips(values) for name, values in judges.items()},
        "raters": {name: sum(value is not None for value in values) for name, values in raters.items()},
    }
    together = {PEOPLE: majority(list(people.values()))} if len(people) > 1 else {}
    for (first, one), (second, other) in combinations({**raters, **together}.items(), 2):
        if second != PEOPLE or first not in people:
            found["pairs"][f"{first} ~ {second}"] = asdict(agree_pair(one, other, scale, clusters))
    if len(people) > 1:
        found["alpha"]["people"] = asdict(krippendorff_alpha(list(people.values()), scale, clusters))
    found["alpha"]["all"] = asdict(krippendorff_alpha(list(raters.values()), scale, clusters))
    noted = earlier_metrics(Path(folder) / METRICS, describe(predictions)).get("judges", {})
    called = {name: (noted.get(name) or {}).get("raters") or () for name in rated}
    found["names"] = {rater: str(name) for rater, name in _by_rater(called)}
    beyond = {
        rater: sum(score.value is None and score.reason == CANNOT_JUDGE for score in scores)
        for rater, scores in _by_rater(rated)
    }
    found["cannot_judge"] = {rater: count for rater, count in beyond.items() if count}
    found["corrected"] = correct_judges(predictions, folder, runs, rubric, axes)
    return found


def _by_rater(given: Mapping[str, Sequence[_Of]]) -> Iterator[tuple[str, _Of]]:
    """What each person has of each import: ``rater 1``, ``rater 2``, as nobody's name is needed."""
    return ((f"rater {number}", own) for of_people in given.values() for number, own in enumerate(of_people, 1))


def mean_name(found: Mapping[str, Any]) -> str:
    """What the mean of the ratings is called; before rubrics were noted, by the built-in one."""
    return str(found["rubric"]["mean_name"]) if "rubric" in found else built_in_rubric(found["kind"]).mean_name


def scale_of(found: Mapping[str, Any]) -> list[int]:
    """The values that an agreement is about, in order; before rubrics were noted, those of the built-in one."""
    if "rubric" in found:
        return [level["value"] for level in found["rubric"]["levels"]]
    return list(built_in_rubric(found["kind"]).values)


def statistics_of(found: Mapping[str, Any]) -> tuple[str, ...]:
    """All that is reported of a pair; on two values the three kappas are one."""
    kappas = ("kappa",) if len(scale_of(found)) == 2 else ("kappa", "kappa_linear", "kappa_quadratic")
    return (*kappas, "kendall_tau_b", "spearman")


def write_agreement(predictions: Sequence[Prediction], folder: Path, found: Mapping[str, Any]) -> None:
    """``agreement.json``, which ``pefomed compare`` and ``report`` read, and without single items in ``metrics.json``.

    Raises:
        DataError: the folder holds the metrics of other predictions, or cannot be written.
    """
    bound = {RATINGS: ratings_digest(folder)}
    update_metrics(predictions, folder, {"agreement": {**bound, **without_items(found)}})
    write_json(Path(folder) / AGREEMENT, {**describe(predictions), **bound, **found})


def without_items(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same without how often each single item flips."""
    if "flips" not in found:
        return dict(found)
    flips = {
        name: {key: value for key, value in judge.items() if key != "per_item"}
        for name, judge in found["flips"].items()
    }
    return {**found, "flips": flips}


def _values(runs: Sequence[Sequence[Score]]) -> list[list[float | None]]:
    return list(map(_value, runs))


def _value(scores: Sequence[Score]) -> list[float | None]:
    return [None if score.reason == MATCHED else score.value for score in scores]


def _flips(runs: Sequence[Values]) -> dict[str, Any]:
    rates = flip_rates(runs)
    known = [rate for rate in rates if rate is not None]
    if not known:
        return {"items": 0, "flipping": None, "rate": None, "reason": "no item was judged twice", "per_item": rates}
    return {
        "items": len(known),
        "flipping": mean([float(rate > 0) for rate in known]),
        "rate": mean(known),
        "per_item": rates,
    }
