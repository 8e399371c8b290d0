"""``pefomed rate import`` and ``rate preferences``: what raters said, as scores or as a comparison of two models."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError, bullets
from ..reporting.figures import repeated_table
from ..reporting.preferences import preference_parts, win_rates
from ..reporting.rater_pairs import pairs_of_raters
from ..rubrics import CANNOT_JUDGE
from ..scoring.agreement import agree_pair
from ..scoring.breakdown import check_axes, cluster_of
from ..scoring.intervals import number_clusters
from ..scoring.ratings import human_spec
from ..services.judgements import merge_ratings, write_judgements
from ..services.rating.plan import SCOPES
from ..services.rating.preferences import PREFERENCES, preferences_of, read_preferences, write_preferences
from .output import Output
from .rate_study import Rated, plan_of, read_rated

if TYPE_CHECKING:
    from ..records import Prediction, Score
    from ..rubrics import Rubric
    from ..services.rating.plan import RatingPlan
    from ..services.rating.study import Imported


def import_ratings(arguments: argparse.Namespace) -> Output:
    """Check sheets and page of a study, keep all answers in it, and write what they come to."""
    from ..services.rating.study import import_study  # late: loads PIL

    rated = read_rated(arguments)
    if rated.models and arguments.by:
        raise ConfigError("--by is for ratings of one model: a comparison of two has one win rate; leave it out")
    check_axes(arguments.by, rated.predictions)
    plan = plan_of(arguments, rated.predictions)
    imported = import_study(arguments.folder, plan, rated.predictions, arguments.allow_missing, arguments.prefer)
    if not any(word.is_answer for words in imported.said.values() for word in words.values()):
        raise DataError(f"nobody has rated anything in {arguments.folder}; fill in the column rating")
    lines = [f"{imported.new:,} answer(s) came from sheets and are kept in {arguments.folder}"] if imported.new else []
    if imported.replaced:
        lines.append(f"{len(imported.replaced):,} answer(s) replaced; the earlier ones stay in the study's history:")
        lines += bullets(imported.replaced)
    if plan.models:
        return _import_preferences(arguments, rated, plan, imported, lines)
    return _import_levels(arguments, rated, plan, imported, lines)


def _import_levels(
    arguments: argparse.Namespace, rated: Rated, plan: RatingPlan, imported: Imported, lines: list[str]
) -> Output:
    from ..services.rating.study import VERSION, cannot_judge, scores_of, who_rated  # late: loads PIL

    predictions, spec = rated.predictions, human_spec(plan.rubric, VERSION)
    folder = arguments.out or arguments.predictions.parent
    runs = who_rated(plan, imported, scores_of(plan, predictions, imported))
    silent = [rater for rater in plan.raters if rater not in runs]
    facts: dict[str, Any] = {"rated": len(plan.sample_ids), "scope": SCOPES[plan.scope], "choice": plan.choice}
    facts["seeds"] = dict.fromkeys(runs, plan.seed)
    merged = merge_ratings(predictions, plan.rubric, spec, runs, folder, facts, set(plan.sample_ids))
    facts["seeds"] = {**merged.seeds, **facts["seeds"]}
    facts["raters"] = list(merged.raters)
    beyond = _cannot(merged.raters, merged.runs)
    if beyond:
        facts["cannot_judge"] = beyond
    if plan.round > 1:
        facts["rounds"] = plan.round
    only = set(plan.sample_ids) if plan.scope == "random" else None
    metrics = write_judgements(predictions, plan.rubric, spec, merged.runs, folder, facts, axes=arguments.by, only=only)
    if silent:
        lines.append(f"left out, nothing rated: {', '.join(silent)}")
    if merged.stayed:
        lines.append(f"imported before and kept: {', '.join(merged.stayed)}")
    if merged.changes:
        lines.append(
            f"{len(merged.changes):,} rating(s) changed; the earlier ones are in {folder / 'scores' / 'before'}:"
        )
        lines += bullets(merged.changes)
    if beyond:
        counts = ", ".join(f"{rater} {count:,}" for rater, count in beyond.items())
        lines.append(f"{CANNOT_JUDGE}: {counts}; no value, in no mean, counted as unscored")
    title = f"{spec.name}, {len(merged.raters)} rater(s): {SCOPES[plan.scope]}"
    table = repeated_table(title, metrics["scores"][spec.name], metrics.get("floors", {}).get(spec.name))
    pairs = _pairs(plan.rubric, predictions, dict(zip(merged.raters, merged.runs)))
    rounds = _rounds(plan, imported)
    shown = [table, *(pairs_of_raters(each, _kappas(plan.rubric)) for each in (pairs, rounds) if each)]
    data = {
        "scorer": spec.name,
        "figures": metrics["scores"][spec.name],
        "raters": facts["raters"],
        "cannot_judge": cannot_judge(imported),
        "pairs": pairs,
        "rounds": rounds,
        "new": imported.new,
        "replaced": imported.replaced,
        "changes": merged.changes,
        "left_out": silent,
    }
    return Output(data, [*lines, *shown, f"written to {folder}"])


def _cannot(raters: Sequence[str], runs: Sequence[Sequence[Score]]) -> dict[str, int]:
    """How many items each rater cannot judge, those imported before included."""
    counts = {
        rater: sum(score.reason == CANNOT_JUDGE for score in scores if score.value is None)
        for rater, scores in zip(raters, runs)
    }
    return {rater: count for rater, count in counts.items() if count}


def _kappas(rubric: Rubric) -> tuple[str, ...]:
    return ("kappa",) if len(rubric.values) == 2 else ("kappa", "kappa_quadratic")


def _pairs(rubric: Rubric, predictions: Sequence[Prediction], runs: Mapping[str, Sequence[Score]]) -> dict[str, Any]:
    """Agreement of each pair of raters, over what both rated; what counts as right unrated is no opinion."""
    from ..services.rating.study import MATCHED  # late: loads PIL

    clusters = number_clusters(list(map(cluster_of, predictions)))
    values: dict[str, list[float | None]] = {}
    for rater, scores in runs.items():
        by_id = {score.sample_id: None if score.reason == MATCHED else score.value for score in scores}
        values[rater] = [None if each.prediction is None else by_id.get(each.id) for each in predictions]
    return {
        f"{one} ~ {other}": asdict(agree_pair(values[one], values[other], rubric.values, clusters))
        for one, other in combinations(values, 2)
    }


def _rounds(plan: RatingPlan, imported: Imported) -> dict[str, Any]:
    """Agreement of each rater with themselves, of items that they rated in several rounds."""
    from ..services.rating.study import again  # late: loads PIL

    return {
        f"{rater}, {one} ~ {other}": asdict(
            agree_pair(rounds[one], rounds[other], plan.rubric.values, range(len(rounds[one])))
        )
        for rater, rounds in again(imported).items()
        for one, other in combinations(rounds, 2)
    }


def _import_preferences(
    arguments: argparse.Namespace, rated: Rated, plan: RatingPlan, imported: Imported, lines: list[str]
) -> Output:
    path = (arguments.out or arguments.folder) / PREFERENCES
    preferences = preferences_of(plan, rated.predictions, imported)
    write_preferences(path, plan.models, preferences)
    found = win_rates(plan.models, preferences)
    return Output({**found, "replaced": imported.replaced}, [*lines, *preference_parts(found), f"written to {path}"])


def show_preferences(arguments: argparse.Namespace) -> Output:
    """The result of a comparison that was imported."""
    models, preferences = read_preferences(arguments.folder)
    found = win_rates(models, preferences)
    return Output(found, preference_parts(found))
