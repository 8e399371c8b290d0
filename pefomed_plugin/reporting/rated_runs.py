"""Answers that judges and people rated by one rubric, read from the folder of a test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from ..records import Prediction
from ..rubrics import Rubric, built_in_rubric
from ..scoring.files import read_specs
from ..scoring.judged_and_rated import JudgedAndRated
from ..scoring.metrics_file import METRICS, describe, earlier_metrics
from ..scoring.pairing import mean_of_given, pair_scores
from ..scoring.repeated import Runs, sample_means
from ..scoring.spec import RATER, RUN
from ..services.judgements import find_repeated, read_runs, rubrics_of
from ..services.rating.plan import SCOPES
from ..services.rating.study import MATCHED

NOT_RANDOM = "people rated only what failed exact match; a corrected figure needs a random part (rate export --random)"


@dataclass(frozen=True)
class RatedRun:
    """One run's answers with what one judge and people gave them."""

    predictions: Sequence[Prediction]
    judged: Runs
    """Scores of every run of the judge, in the order of the predictions."""
    rated: Runs
    """Scores of every rater."""
    scope: str | None = None
    """Which answers people rated, as the metrics have it."""

    @property
    def is_random(self) -> bool:
        """Whether what people rated stands for the rest: not where they saw what failed exact match alone."""
        return self.scope != SCOPES["failures"]

    @property
    def paired(self) -> JudgedAndRated:
        """Each answer's mean over the judge's runs and over the raters."""
        missing = [prediction.prediction is None for prediction in self.predictions]
        people = people_means(self.rated) if self.rated else [None] * len(self.predictions)
        return JudgedAndRated(sample_means(self.judged), people, missing)


def people_means(runs: Runs) -> list[float | None]:
    """People's mean rating of each answer; what counts as right because it matched, unrated, is no opinion."""
    opinions = [[None if score.reason == MATCHED else score.value for score in scores] for scores in runs]
    return list(map(mean_of_given, zip(*opinions)))


def read_ratings(
    predictions: Sequence[Prediction], folder: Path, wanted: Rubric | None = None
) -> tuple[Rubric, dict[str, Runs]]:
    """The rubric, and by name the scores of each run or rater of all who rated by it, in the order of the predictions.

    Args:
        wanted: only what was rated by this rubric; None: all, which must be of one rubric.

    Raises:
        DataError: ratings by several rubrics, or score files that do not fit.
    """
    rubric, names = _one_rubric(rubrics_of(folder, find_repeated(folder), predictions), wanted, predictions)
    return rubric, {name: runs_of(predictions, folder, name) for name in names}


def runs_of(predictions: Sequence[Prediction], folder: Path, name: str) -> Runs:
    """Scores of each run or rater of a scorer, in the order of the predictions. Raises DataError where they differ."""
    return [[score for _, score in pair_scores(predictions, scores)] for scores in read_runs(folder, name)]


def rated_runs(
    predictions: Sequence[Prediction],
    folder: Path,
    runs: Mapping[str, Runs],
    judges: Mapping[str, Runs] | None = None,
) -> dict[str, RatedRun]:
    """Name of each judge -> its verdicts beside what people gave.

    Args:
        runs: by name, judges and people by one rubric, as ``read_ratings`` has them.
        judges: what takes the place of the judges among ``runs``.
    """
    specs = read_specs(folder, runs)
    if judges is None:
        judges = {name: judged for name, judged in runs.items() if specs[name].repeated == RUN}
    people = [name for name in runs if specs[name].repeated == RATER]
    facts = earlier_metrics(Path(folder) / METRICS, describe(predictions)).get("judges", {})
    scope = next((facts[name]["scope"] for name in people if "scope" in facts.get(name, {})), None)
    rated = [scores for name in people for scores in runs[name]]
    return {name: RatedRun(predictions, judged, rated, scope) for name, judged in judges.items()}


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
