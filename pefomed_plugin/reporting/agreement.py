"""Exact match, judges and raters of one folder against each other: what ``pefomed agree`` finds, writes and shows.

Raters count only where they rated: what "counts as right" because it matched exactly is not an opinion of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..records import Prediction, Score
from ..rubrics import Rubric, built_in_rubric
from ..scoring.agreement import Values, agree_pair, flip_rates, krippendorff_alpha, majority
from ..scoring.anchored_wasm import anchor_wasm
from ..scoring.breakdown import CLUSTERS
from ..scoring.exact_match import PEFOMED, score_exact_match
from ..scoring.files import describe, read_specs, update_metrics
from ..scoring.pairing import mean, pair_scores
from ..scoring.repeated import sample_means
from ..scoring.spec import RATER, RUN
from ..services.rating.sheet_import import MATCHED
from ..storage import write_json
from .judged import find_repeated, read_runs, rubrics_of
from .results import AGREEMENT, ratings_digest
from .tables import show_table

VERSION = "2"
"""2: the median of the people is a rater of its own; answers cluster by study where a data set has studies."""
PEOPLE = "people (median)"
_SHOWN_RATERS = 2


def measure_agreement(predictions: Sequence[Prediction], folder: Path, wanted: Rubric | None = None) -> dict[str, Any]:
    """Every pair of raters, all people together, every judge's flips, and WASM anchored on people.

    A judge is its median over runs, and people together are theirs. Items of one study, or of one image where a data
    set has no studies, are one cluster of the intervals.

    Args:
        wanted: only what was rated by this rubric; None: all, which must be of one rubric.

    Raises:
        DataError: ratings by several rubrics, fewer than two raters of any kind, or score files that do not fit.
    """
    rubric, names = _one_rubric(rubrics_of(folder, find_repeated(folder), predictions), wanted, predictions)
    scale, clusters = rubric.values, [CLUSTERS["study"](prediction) for prediction in predictions]
    specs = read_specs(folder, names)
    runs = {
        name: [[score for _, score in pair_scores(predictions, scores)] for scores in read_runs(folder, name)]
        for name in names
    }
    judges = {name: _values(scores) for name, scores in runs.items() if specs[name].repeated == RUN}
    people = {
        f"rater {number}": values
        for name, scores in runs.items()
        if specs[name].repeated == RATER
        for number, values in enumerate(_values(scores), 1)
    }
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
        "flips": {},
    }
    found["raters"] = {name: sum(value is not None for value in values) for name, values in raters.items()}
    together = {PEOPLE: majority(list(people.values()))} if len(people) > 1 else {}
    for (first, one), (second, other) in combinations({**raters, **together}.items(), 2):
        if second != PEOPLE or first not in people:
            found["pairs"][f"{first} ~ {second}"] = asdict(agree_pair(one, other, scale, clusters))
    if len(people) > 1:
        found["alpha"]["people"] = asdict(krippendorff_alpha(list(people.values()), scale, clusters))
    found["alpha"]["all"] = asdict(krippendorff_alpha(list(raters.values()), scale, clusters))
    found["flips"] = {name: _flips(values) for name, values in judges.items()}
    if not rubric.is_accuracy and people:
        found["anchored_wasm"] = {
            name: _anchored(scores, _people_means(people), clusters) for name, scores in runs.items() if name in judges
        }
    return found


def _one_rubric(
    rubrics: Mapping[str, Rubric], wanted: Rubric | None, predictions: Sequence[Prediction]
) -> tuple[Rubric, list[str]]:
    """The rubric that is compared under, and who rated by it."""
    used = {rubric.digest: rubric for rubric in rubrics.values()}
    if wanted is None and len(used) > 1:
        problems = [f"{name}: rubric {rubric.label}" for name, rubric in rubrics.items()]
        raise DataError("ratings by different rubrics are not compared; choose one with --rubric FILE", problems)
    rubric = wanted or next(iter(used.values()), built_in_rubric(predictions[0].task))
    return rubric, [name for name in rubrics if rubrics[name].digest == rubric.digest]


def scale_of(found: Mapping[str, Any]) -> list[int]:
    """The values that an agreement is about, in order; before rubrics were noted, those of the built-in one."""
    if "rubric" in found:
        return [level["value"] for level in found["rubric"]["levels"]]
    return list(built_in_rubric(found["kind"]).values)


def write_agreement(predictions: Sequence[Prediction], folder: Path, found: Mapping[str, Any]) -> None:
    """``agreement.json``, which ``pefomed compare`` and ``report`` read, and without single items in ``metrics.json``.

    Raises:
        DataError: the folder holds the metrics of other predictions, or cannot be written.
    """
    update_metrics(predictions, folder, {"agreement": without_items(found)})
    write_json(Path(folder) / AGREEMENT, {**describe(predictions), "ratings_sha256": ratings_digest(folder), **found})


def without_items(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same without how often each single item flips."""
    if "flips" not in found:
        return dict(found)
    flips = {
        name: {key: value for key, value in each.items() if key != "per_item"} for name, each in found["flips"].items()
    }
    return {**found, "flips": flips}


def brief_agreement(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the pairs, without single raters where there are many, and of what all raters say."""
    shown = ("kappa" if len(scale_of(found)) == 2 else "kappa_quadratic", "kendall_tau_b", "spearman")
    rows = [
        [name, str(pair["n"]), *(_cell(pair["figures"][each]) for each in shown)]
        for name, pair in _shown_pairs(found).items()
    ]
    rows += [[f"Krippendorff's alpha, {name}", "", _cell(figure), "", ""] for name, figure in found["alpha"].items()]
    rows += [
        [f"{name}: runs off their majority", str(each["items"]), _percent(each["rate"]), "", ""]
        for name, each in found["flips"].items()
    ]
    rows += [
        [f"{name}: WASM anchored on people", str(each.get("n", "")), _anchor(each), "", ""]
        for name, each in found.get("anchored_wasm", {}).items()
    ]
    return ["", "n", *(each.replace("_", " ") for each in shown)], rows


def show_agreement(found: dict[str, Any]) -> None:
    """Print it; of many people only what they say together, the pairs of single raters are in the file."""
    shown = (
        ("kappa", "kendall_tau_b", "spearman")
        if len(scale_of(found)) == 2
        else ("kappa", "kappa_linear", "kappa_quadratic", "kendall_tau_b", "spearman")
    )
    rows = [
        [name, str(pair["n"]), *(_cell(pair["figures"][each]) for each in shown)]
        for name, pair in _shown_pairs(found).items()
    ]
    show_table("Agreement of pairs (95 % interval)", ("", "n", *(each.replace("_", " ") for each in shown)), rows)
    show_table(
        "Krippendorff's alpha, ordinal",
        ("", "alpha"),
        [[name, _cell(figure)] for name, figure in found["alpha"].items()],
    )
    rows = [
        [name, str(each["items"]), _percent(each["flipping"]), _percent(each["rate"])]
        for name, each in found["flips"].items()
    ]
    if rows:
        show_table("Judges over their runs", ("", "items", "that flip", "runs off the majority"), rows)
    rows = [
        [
            name,
            _anchor(each),
            f"{each['judge']:.2f}" if "judge" in each else "",
            f"{each['bias']:+.2f}" if "bias" in each else "",
        ]
        for name, each in found.get("anchored_wasm", {}).items()
    ]
    if rows:
        show_table("WASM anchored on people", ("", "anchored", "judge's own", "judge's bias"), rows)


def _shown_pairs(found: Mapping[str, Any]) -> dict[str, Any]:
    many = sum(name.startswith("rater ") for name in found["raters"]) > _SHOWN_RATERS
    return {name: pair for name, pair in found["pairs"].items() if not many or "rater " not in name}


def _values(runs: Sequence[Sequence[Score]]) -> list[list[float | None]]:
    return [[None if score.reason == MATCHED else score.value for score in scores] for scores in runs]


def _people_means(people: Mapping[str, Values]) -> list[float | None]:
    items = [[value for value in item if value is not None] for item in zip(*people.values())]
    return [mean(values) if values else None for values in items]


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


def _anchored(runs: Sequence[Sequence[Score]], people: Values, clusters: Sequence[Any]) -> dict[str, Any]:
    try:
        return asdict(anchor_wasm(sample_means(runs), people, clusters))
    except DataError as error:
        return {"value": None, "reason": error.summary}


def _anchor(found: Mapping[str, Any]) -> str:
    return found["reason"] if found["value"] is None else _cell(found)


def _cell(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    interval = figure["interval"]
    ends = "" if interval["low"] is None else f" ({interval['low']:.2f} to {interval['high']:.2f})"
    return f"{figure['value']:.2f}{ends}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
