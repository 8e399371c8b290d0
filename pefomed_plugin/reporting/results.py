"""A run as it lies on disk, read back: configuration, predictions, scores. The counterpart of ``scoring.files``.

A run is a folder with ``results/<data set>-<split>/``, or such a folder itself (predictions that came from elsewhere).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError, one_line
from ..origins import Origins, origins_of
from ..provenance import RunRecord, read_record
from ..records import Prediction, Score
from ..scoring import specs_of
from ..scoring.checks import check_predictions, check_references
from ..scoring.files import read_scores
from ..scoring.floors import floor_folders, strongest_floors
from ..scoring.leaks import with_leaks
from ..scoring.metrics_file import METRICS, PREDICTIONS, describe, is_about
from ..scoring.pairing import pair_scores
from ..scoring.reliance import SECTION
from ..scoring.repeated import Runs, sample_means
from ..scoring.spec import MetricSpec, ScorerSpec
from ..services.private_files import keep_answers_private
from ..storage import read_predictions
from .beside_answers import read_agreement, read_occlusion, read_scored, read_variants


@dataclass(frozen=True)
class Floor:
    """The strongest of the predictors that do not look, under one scorer."""

    predictor: str
    title: str
    """What it answers with, in words."""
    train_samples: int | None
    """How many training samples it knew."""
    train_sha256: str | None
    """Digest of them."""
    answered: Answered
    """What it said and was given."""


@dataclass(frozen=True)
class Answered:
    """One test set with its answers and all scores they were given."""

    key: str
    """``<data set>-<split>``."""
    predictions: Sequence[Prediction]
    """In the order of the test set."""
    scores: Mapping[str, Sequence[Score]]
    """By the name that the scores carry, in the order they were scored; one per prediction, in their order (the mean
    over the runs of a judge that was asked repeatedly)."""
    figures: Mapping[str, Any]
    """``scores`` of ``metrics.json``: figures of the whole test set by scorer; empty where nothing was scored."""
    runs: Mapping[str, Runs] = field(default_factory=dict)
    """Of judges and raters: the scores of each run or rater, one per prediction, in their order."""
    judges: Mapping[str, Any] = field(default_factory=dict)
    """``judges`` of ``metrics.json``: model, prompt and cost, or raters and scope, by scorer."""
    agreement: Mapping[str, Any] = field(default_factory=dict)
    """``agreement.json``, as ``pefomed agree`` wrote it; empty where it did not."""
    scorers: Mapping[str, ScorerSpec] = field(default_factory=dict)
    """What the names of ``scores`` and ``figures`` mean, by the scorer's name (without the metric)."""
    reliance: Mapping[str, Any] = field(default_factory=dict)
    """``reliance`` of ``metrics.json``: what the answers rest on; empty where it was not measured."""
    variants: Mapping[str, Sequence[Prediction]] = field(default_factory=dict)
    """The answers about other images, by what was shown (``scoring.reliance.VARIANTS``)."""
    occlusion: Mapping[str, Any] = field(default_factory=dict)
    """Sample's id -> ``answer``, ``log_probability`` and ``drops`` of ``occlusion.json``; empty where nothing was
    explained."""
    stale: Sequence[str] = ()
    """Scorers whose results in the folder are about other answers, and are left out."""
    floors: Mapping[str, Floor] = field(default_factory=dict)
    """By scorer: what is reached without looking; empty where ``pefomed floors`` was not asked."""

    @property
    def scored(self) -> list[ScorerSpec]:
        """Scorers whose scores are there, in the order in which they scored."""
        return [spec for spec in self.scorers.values() if any(name in self.scores for name in spec.measured)]

    @property
    def measured(self) -> dict[str, tuple[ScorerSpec, MetricSpec]]:
        """Name of scores -> their scorer, and which of its metrics they are; in the order of ``scores``."""
        known = {name: (spec, metric) for spec in self.scorers.values() for name, metric in spec.measured.items()}
        return {name: known[name] for name in self.scores}


@dataclass(frozen=True)
class Run:
    """One run."""

    name: str
    """Label in tables; the folder's name unless the user gave another."""
    folder: Path
    """Where it lies."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """``config.yaml`` as plain dictionaries, references to the environment unresolved; empty where there is none."""
    record: RunRecord | None = None
    """What the run says of its data, its weights and how it was made; None for answers from elsewhere."""
    answered: Mapping[str, Answered] = field(default_factory=dict)
    """Test sets by ``key``."""
    has_floors_read: bool = True
    """Whether floors were looked for; False: the user wants none."""

    @property
    def origins(self) -> Origins:
        """Where its data and its model come from: as the answers say, else as the record does."""
        found = origins_of(prediction for answered in self.answered.values() for prediction in answered.predictions)
        recorded = self.record.origins.data if self.record else {}
        known = {**recorded, **found.data}
        return Origins({name: known[name] for name in self.datasets if name in known}, found.model)

    def place_of(self, key: str) -> Path:
        """The folder of one test set."""
        return self.folder if (self.folder / PREDICTIONS).is_file() else self.folder / "results" / key

    @property
    def datasets(self) -> list[str]:
        """Whose test sets were answered, each once."""
        return list(dict.fromkeys(answered.predictions[0].dataset for answered in self.answered.values()))


def read_run(
    folder: Path, name: str = "", *, leave_out_stale: bool = False, floors: bool = True, references: bool = True
) -> Run:
    """A run and everything scored in it.

    Args:
        folder: its ``output_dir``; where no references are needed also a file of answers by itself.
        leave_out_stale: results that are about other answers than those that are there now are left out, and named in
            ``Answered.stale``; else they are an error.
        floors: read what lies beside the answers of predictors that do not look.
        references: whether every answer must have one; else it is shown without being scored.

    Raises:
        ConfigError: the folder is not there, or ``config.yaml`` is no YAML.
        DataError: it holds no predictions, or files that are damaged or do not belong together.
    """
    folder = Path(folder)
    if folder.is_file() and not references:
        return _read_answers_alone(folder, name)
    if not folder.is_dir():
        raise ConfigError(f"no run {folder}: give the output_dir of an evaluation")
    places = (
        [folder]
        if (folder / PREDICTIONS).is_file()
        else sorted(path.parent for path in folder.glob("results/*/" + PREDICTIONS))
    )
    if not places:
        raise DataError(
            f"{folder} holds no answers: neither {PREDICTIONS} nor results/<data set>-<split>/{PREDICTIONS}; evaluate "
            "first"
        )
    answered = {}
    for place in places:
        found = _read_answered(place, leave_out_stale, place, references)
        answered[found.key] = replace(found, floors=_read_floors(place, found)) if floors else found
    return Run(name or folder.resolve().name, folder, read_config(folder), read_record(folder), answered, floors)


def _read_answers_alone(path: Path, name: str) -> Run:
    """Answers in a file of any name (``pefomed predict --out``); what lies around it is not theirs."""
    predictions = read_predictions(path)
    keep_answers_private(predictions)
    check_predictions(predictions, references=False)
    answered = Answered(_key(predictions), predictions, {}, {})
    return Run(name or path.stem, path, {}, None, {answered.key: answered}, False)


def read_config(folder: Path) -> dict[str, Any]:
    """``config.yaml`` of a run, or nothing where there is none. Raises ConfigError when it is no YAML mapping."""
    import yaml  # late: heavy

    path = Path(folder) / "config.yaml"
    if not path.is_file():
        return {}
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {one_line(error)}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path}: expected the sections model, datasets and run")
    return config


def _read_floors(folder: Path, answered: Answered) -> dict[str, Floor]:
    """The strongest predictor of each scorer, of those that lie in the folder of the answers."""
    strongest = strongest_floors(folder, answered.scorers.values())
    places = floor_folders(folder)
    read = {name: _read_answered(places[name], True, folder) for name in {of["predictor"] for of in strongest.values()}}
    for name, found in read.items():
        check_references(found.predictions, answered.predictions, f"{folder}, beside which {places[name]} lies")
    return {
        scorer: Floor(
            of["predictor"], of["title"] or "", of["train_samples"], of["train_sha256"], read[of["predictor"]]
        )
        for scorer, of in strongest.items()
    }


def _read_answered(folder: Path, leave_out_stale: bool, leaks_in: Path, references: bool = True) -> Answered:
    predictions = with_leaks(read_predictions(folder / PREDICTIONS), leaks_in)
    keep_answers_private(predictions)
    check_predictions(predictions, references=references)
    metrics = read_scored(folder / METRICS)
    is_stale = bool(metrics) and not is_about(metrics, describe(predictions))
    if is_stale and leave_out_stale:
        return Answered(_key(predictions), predictions, {}, {}, stale=tuple(metrics["scores"]))
    runs: dict[str, list[Sequence[Score]]] = {}
    for path in sorted(folder.glob("scores/*.jsonl"), key=_in_order_of_runs):
        found = read_scores(path)
        try:
            paired = [score for _, score in pair_scores(predictions, found)]
            runs.setdefault(paired[0].scorer, []).append(paired)
        except DataError as error:
            raise DataError(f"{path} does not fit {PREDICTIONS}; {error.summary}", error.problems) from error
    if is_stale:
        raise DataError(
            f"{folder / METRICS} holds the metrics of other predictions than those beside it, which were changed "
            f"since: move {METRICS} and scores/ away, and score them again"
        )
    scores = {name: _over_runs(run) for name, run in runs.items()}
    figures = metrics.get("scores", {})
    scorers = specs_of([*figures, *scores], metrics.get("scorers", {}), str(folder))
    return Answered(
        _key(predictions),
        predictions,
        {name: scores[name] for spec in scorers.values() for name in spec.measured if name in scores},
        figures,
        {name: run for name, run in runs.items() if name in scorers and scorers[name].is_rating},
        metrics.get("judges", {}),
        read_agreement(folder, predictions),
        scorers,
        metrics.get(SECTION, {}),
        read_variants(folder, predictions) if SECTION in metrics else {},
        read_occlusion(folder, predictions),
    )


def _key(predictions: Sequence[Prediction]) -> str:
    return f"{predictions[0].dataset}-{predictions[0].split}"


def _in_order_of_runs(path: Path) -> tuple[str, int]:
    name, _, number = path.stem.partition(".run")
    return name, int(number) if number.isdigit() else 0


def _over_runs(runs: Sequence[Sequence[Score]]) -> Sequence[Score]:
    """The scores of one run; of several (a judge asked repeatedly), each sample's mean over those that scored it."""
    if len(runs) == 1:
        return runs[0]
    return [
        replace(score, value=value, reason=f"mean of {len(runs)} runs")
        for score, value in zip(runs[0], sample_means(runs))
    ]
