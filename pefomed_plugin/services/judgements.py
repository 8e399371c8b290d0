"""Repeated judgements to disk: one score file per run, the summary in ``metrics.json``.

Files as ``scoring.files`` has them: ``scores/judge-report-<model>.run3.jsonl``; what earlier scorers wrote stays.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ..atomic import as_one, remove
from ..errors import DataError
from ..records import Prediction, Score
from ..rubrics import CANNOT_JUDGE, Rubric, built_in_rubric, require_same_rubric, rubric_from_json
from ..scoring.files import read_scores, score_file
from ..scoring.floors import note_floors
from ..scoring.metrics_file import (
    FLOORS,
    METRICS,
    axes_to_keep,
    describe,
    drop_stale_agreement,
    earlier_metrics,
    update_metrics,
)
from ..scoring.pairing import NO_PREDICTION
from ..scoring.ratings import wasm_spec
from ..scoring.repeated import summarise_answers, summarise_groups, summarise_levels
from ..scoring.spec import ScorerSpec
from ..scoring.wasm import VERSION as WASM_VERSION
from ..storage import write_json, write_records
from .console import say, say_once
from .rating.plan import SCOPES


def write_judgements(
    predictions: Sequence[Prediction],
    rubric: Rubric,
    spec: ScorerSpec,
    runs: Sequence[Sequence[Score]],
    folder: Path,
    facts: Mapping[str, Any],
    axes: Sequence[str] = (),
    only: Container[str] | None = None,
) -> dict[str, Any]:
    """Write every run's scores and the figures over all runs; all of it or, killed or without room, nothing.

    Args:
        spec: the judge or the people, as ``scoring.ratings`` makes it of the rubric.
        facts: what the judgements rest on, for section ``judges`` of the metrics.
        axes: names of ``breakdown.AXES`` whose groups get figures of their own (paper, tables 3 and 4), beside those
            that the metrics have groups of already.
        only: ids of the predictions that the figures are about; None: all.

    Returns:
        The metrics as written.

    Raises:
        DataError: the scores do not fit the predictions, or the folder holds the metrics of others.
    """
    name = spec.name
    about = [prediction for prediction in predictions if only is None or prediction.id in only]
    kept = [[score for score in scores if only is None or score.sample_id in only] for scores in runs]
    before = earlier_metrics(Path(folder) / METRICS, describe(predictions))
    figures = {
        "version": spec.version,
        **summarise(rubric, about, kept),
        **summarise_groups(about, kept, rubric.is_accuracy, axes_to_keep(before, spec, about, axes)),
        **({"scope": facts["scope"]} if "scope" in facts else {}),
    }
    wasm = wasm_spec(spec).name
    summed_up = {wasm: wasm_figures(rubric, predictions, runs)} if wasm in before.get("scores", {}) else {}
    with as_one(folder):
        metrics = update_metrics(
            predictions,
            folder,
            {
                "scores": {name: figures, **summed_up},
                "scorers": {name: spec.to_json()},
                "judges": {name: {"rubric": rubric.to_json(), **facts}},
            },
        )
        _write_runs(folder, name, runs)
        metrics = _drop_stale_juries(folder, metrics, name)
        without = drop_stale_agreement(folder, metrics)
    floors = note_floors(folder)
    if without is not None:
        say(
            f"{Path(folder) / METRICS}: the agreement in it is dropped, it was about other ratings; run pefomed agree "
            "again"
        )
        metrics = without
    return {**metrics, **({FLOORS: floors} if floors else {})}


def _write_runs(folder: Path, name: str, runs: Sequence[Sequence[Score]]) -> None:
    """A file for each run, in place of those of an earlier judgement, which perhaps had more."""
    for path in run_files(folder, name):
        remove(path)
    for number, scores in enumerate(runs, 1):
        write_records(score_file(folder, f"{name}.run{number}"), scores)


def _drop_stale_juries(folder: Path, metrics: dict[str, Any], judge: str) -> dict[str, Any]:
    """The metrics without the juries in which this judge had a vote by what it said before, and written so."""
    stale = [name for name, facts in metrics["judges"].items() if judge in facts.get("jury", ())]
    if not stale:
        return metrics
    for path in (path for name in stale for path in run_files(folder, name)):
        remove(path)
    sections = ("scores", "scorers", "judges")
    left = {name: {key: value for key, value in metrics[name].items() if key not in stale} for name in sections}
    write_json(Path(folder) / METRICS, {**metrics, **left})
    say(f"{', '.join(stale)}: dropped, {judge} had a vote in it and has judged anew; run pefomed jury again")
    return {**metrics, **left}


@dataclass(frozen=True)
class MergedRatings:
    """The ratings of an import together with those imported before."""

    raters: tuple[str, ...]
    """Everybody, the earlier ones first."""
    runs: list[list[Score]]
    """Scores of each."""
    stayed: tuple[str, ...]
    """Who is not among the imported."""
    seeds: Mapping[str, int]
    """Of the exports that the earlier raters come from."""
    changes: list[str]
    """Ratings that differ from earlier ones, in words; the new rating counts, and the earlier file is kept."""


def merge_ratings(
    predictions: Sequence[Prediction],
    rubric: Rubric,
    spec: ScorerSpec,
    runs: Mapping[str, Sequence[Score]],
    folder: Path,
    facts: Mapping[str, Any],
    chosen: Container[str] = (),
) -> MergedRatings:
    """Ratings by rater, joined with those in ``folder``: other raters stay, and so does what is left empty now.

    Score files whose ratings changed are copied to ``scores/before/`` first. A random choice may grow: the same seed
    draws the answers rated before and more.

    Args:
        chosen: ids of the answers that were given out.

    Raises:
        DataError: the earlier ratings are by another rubric, of another choice of answers, or of other people who
            have the same names.
    """
    path, judges = _judges_in(folder, predictions)
    files = run_files(folder, spec.name)
    if spec.name not in judges or not files:
        return MergedRatings(tuple(runs), [list(scores) for scores in runs.values()], (), {}, [])
    before = judges[spec.name]
    require_same_rubric(rubric_of(judges, spec.name, predictions, path), rubric, f"the ratings in {folder}")
    earlier = dict(zip(before.get("raters", ()), zip(files, map(read_scores, files))))
    _require_same_choice(before, facts, runs, folder, _grows(facts, [scores for _, scores in earlier.values()], chosen))
    merged, changes = {rater: list(scores) for rater, (_, scores) in earlier.items()}, []
    for rater, scores in runs.items():
        old = {score.sample_id: score for score in merged.get(rater, ())}
        merged[rater] = [new if _is_said(new) else old.get(new.sample_id, new) for new in scores]
        changed = [
            f"{rater}, {new.sample_id}: {_in_words(old[new.sample_id])} before, {_in_words(new)} now"
            for new in scores
            if _is_said(new)
            and new.sample_id in old
            and _is_said(old[new.sample_id])
            and _in_words(new) != _in_words(old[new.sample_id])
        ]
        if changed:
            _keep(earlier[rater][0])
        changes += changed
    stayed = tuple(rater for rater in earlier if rater not in runs)
    return MergedRatings(tuple(merged), list(merged.values()), stayed, before.get("seeds", {}), changes)


def _is_said(score: Score) -> bool:
    """Whether somebody gave a level, or said that they cannot judge."""
    return score.value is not None or score.reason == CANNOT_JUDGE


def _in_words(score: Score) -> str:
    return CANNOT_JUDGE if score.value is None else f"{score.value:g}"


def _require_same_choice(
    before: Mapping[str, Any], facts: Mapping[str, Any], raters: Iterable[str], folder: Path, grows: bool
) -> None:
    problems = [
        f"{name}: {before[name]!r} before, {facts[name]!r} now"
        for name in (("scope",) if grows else ("scope", "choice"))
        if name in before and before[name] != facts[name]
    ]
    seeds = before.get("seeds", {})
    problems += [
        f"{rater}: another export has a rater of this name; they may be two people"
        for rater in raters
        if seeds.get(rater, facts["seeds"][rater]) != facts["seeds"][rater]
    ]
    if problems:
        raise DataError(f"{folder} holds ratings that these cannot be added to; give --out another folder", problems)


def _grows(facts: Mapping[str, Any], earlier: Sequence[Sequence[Score]], chosen: Container[str]) -> bool:
    """Whether all answers rated before are in a random choice, which then only has more."""
    rated = (score for scores in earlier for score in scores if score.value is not None)
    given = (score.sample_id for score in rated if score.reason != NO_PREDICTION)
    return facts.get("scope") == SCOPES["random"] and all(sample_id in chosen for sample_id in given)


def _keep(path: Path) -> None:
    """Copy a score file to where nothing reads it, under a number of its own."""
    place = path.parent / "before"
    place.mkdir(exist_ok=True)
    number = next(number for number in count(1) if not (place / f"{path.stem}.{number}.jsonl").exists())
    shutil.copyfile(path, place / f"{path.stem}.{number}.jsonl")


def summarise(rubric: Rubric, predictions: Sequence[Prediction], runs: Sequence[Sequence[Score]]) -> dict[str, Any]:
    """Figures of ratings by a rubric. Raises DataError where predictions and scores do not belong together."""
    if rubric.is_accuracy:
        return summarise_answers(predictions, runs)
    return summarise_levels(predictions, runs, rubric.values)


def wasm_figures(rubric: Rubric, predictions: Sequence[Prediction], runs: Sequence[Sequence[Score]]) -> dict[str, Any]:
    """What ``pefomed wasm`` writes of one judge's or rater's levels. Raises DataError as ``summarise``."""
    return {"version": WASM_VERSION, **summarise(rubric, predictions, runs)}


def rubric_of(judges: Mapping[str, Any], scorer: str, predictions: Sequence[Prediction], place: Path) -> Rubric:
    """The rubric that a judge or rater rated by, as section ``judges`` of ``metrics.json`` (``place``) holds it.

    Raises:
        DataError: the rubric is damaged.
    """
    content = (judges.get(scorer) or {}).get("rubric")
    if content is not None:
        return rubric_from_json(content, f"{place}, {scorer}")
    rubric = built_in_rubric(predictions[0].task)
    say_once(f"{place}: ratings from before rubrics were noted are read by the built-in rubric {rubric.label}")
    return rubric


def rubrics_of(folder: Path, names: Sequence[str], predictions: Sequence[Prediction]) -> dict[str, Rubric]:
    """The rubrics of several judges and raters of ``folder``. Raises DataError as ``rubric_of``."""
    path, judges = _judges_in(folder, predictions)
    return {name: rubric_of(judges, name, predictions, path) for name in names}


def _judges_in(folder: Path, predictions: Sequence[Prediction]) -> tuple[Path, Mapping[str, Any]]:
    """``metrics.json`` of a folder, and its section ``judges``."""
    path = Path(folder) / METRICS
    return path, earlier_metrics(path, describe(predictions)).get("judges", {})


def read_runs(folder: Path, scorer: str) -> list[list[Score]]:
    """Score files of all runs of one scorer, in the order of the runs.

    Raises:
        DataError: there is none, or one is damaged.
    """
    paths = run_files(folder, scorer)
    if not paths:
        raise DataError(f"{folder}/scores holds no runs of {scorer}; judge first")
    return [read_scores(path) for path in paths]


def find_repeated(folder: Path) -> list[str]:
    """Names of the scorers that have runs in ``folder``.

    Raises:
        DataError: a score file is damaged.
    """
    firsts = sorted((Path(folder) / "scores").glob("*.run1.jsonl"))
    return [scores[0].scorer for scores in map(read_scores, firsts) if scores]


def run_files(folder: Path, scorer: str) -> list[Path]:
    """Score files of all runs of one scorer, in the order of the runs."""
    pattern = glob.escape(score_file(folder, scorer).stem) + ".run*.jsonl"
    return sorted((Path(folder) / "scores").glob(pattern), key=lambda path: int(path.stem.rsplit(".run", 1)[1]))
