"""BLEU-1 to 4, METEOR, ROUGE-L and CIDEr of reports and captions, by named protocols (paper section 4.3 b, Table 5).

The numbers are pycocoevalcap's: its Python scorers for BLEU and CIDEr, its jars for tokens and METEOR through our own
drivers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from ..errors import ConfigError, DataError, near_names
from ..records import Prediction, Score
from .breakdown import cluster_of
from .coco_metrics import PYCOCOEVALCAP, Values, bleu, cider, rouge
from .intervals import cluster_interval
from .java import JavaError, find_java
from .known import Known
from .meteor import HEAPS_MB, Meteor
from .pairing import NO_PREDICTION, require_predictions
from .probes import EMPTY, MISSING, MOST_COMMON, NOT_NEGATED, OTHER_SIDE, PERFECT, SWAPPED
from .spec import Measured, MetricSpec, ScorerSpec
from .tokens import cut_report, tokenise_approximately, tokenise_ptb

VERSION = "1"
BLEU = ("bleu1", "bleu2", "bleu3", "bleu4")
_METRIC_SPECS = (
    *(MetricSpec(name, f"BLEU-{name[-1]}", pooled=True) for name in BLEU),
    MetricSpec("meteor", "METEOR", pooled=True),
    MetricSpec("rouge_l", "ROUGE-L"),
    MetricSpec("cider", "CIDEr", high=10.0, relative=True),
)
METRICS = tuple(metric.name for metric in _METRIC_SPECS)
PROTOCOLS: dict[str, str] = {
    "coco": "PTB tokens, the whole reference; one item per prediction",
    "pefomed": "as coco, one item an image: two predictions for one image are an error",
    "r2gen60": "R2Gen's cleaned words, both sides cut to 59, reference words outside the training vocabulary <unk>",
}
"""How each protocol turns texts into tokens; the first is the default."""


@dataclass(frozen=True)
class LexicalResult:
    """What one protocol measured on one data set. Every value is 0 to 1, CIDEr 0 to 10; higher is better."""

    protocol: str
    """A name of ``PROTOCOLS``."""
    version: str
    """Of the measurement; ends in ``-approximate`` where tokens were not the protocol's own."""
    sample_ids: tuple[str, ...]
    """Ids of the predictions, in the order of ``per_sample``."""
    missing: tuple[str, ...]
    """Ids of predictions without a text; scored as an empty one."""
    corpus: Mapping[str, float | None]
    """A value for each of ``METRICS``, None with a reason. BLEU and METEOR pool statistics; they are no means."""
    per_sample: Mapping[str, Sequence[float | None]]
    """For each of ``METRICS``, one value per prediction."""
    reasons: Mapping[str, str]
    """Why a metric has no value, by its name; under ``tokens`` why tokens are approximate, under ``vocabulary`` that
    ``r2gen60`` had none."""

    def scores(self) -> dict[str, list[Score]]:
        """Name of each scorer, ``lexical/<protocol>/<metric>`` -> one score per prediction."""
        names = {metric: f"lexical/{self.protocol}/{metric}" for metric in METRICS}
        return {
            name: [
                Score(sample_id, name, self.version, value, self._reason(sample_id, metric, value))
                for sample_id, value in zip(self.sample_ids, self.per_sample[metric])
            ]
            for metric, name in names.items()
        }

    def _reason(self, sample_id: str, metric: str, value: float | None) -> str | None:
        missing = NO_PREDICTION if sample_id in self.missing else None
        return (self.reasons.get(metric) if value is None else None) or missing or self.reasons.get("tokens")


class _SharedMeteor:
    """One process for many corpora: its start costs more than most of them."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._meteor: Meteor | None = None

    def start(self, java: str) -> Meteor:
        """The process, started by whoever needs it first."""
        if self._meteor is None:
            self._meteor = self._stack.enter_context(Meteor(java))
        return self._meteor


_shared: ContextVar[_SharedMeteor | None] = ContextVar("shared", default=None)


@contextlib.contextmanager
def one_meteor() -> Iterator[None]:
    """Everything scored inside shares one METEOR process, which ends with the block."""
    with contextlib.ExitStack() as stack:
        before = _shared.set(_SharedMeteor(stack))
        try:
            yield
        finally:
            _shared.reset(before)


def score_lexical(
    predictions: Sequence[Prediction], protocol: str = "coco", vocabulary: frozenset[str] | None = None
) -> LexicalResult:
    """All metrics of one data set.

    Without Java, METEOR is None with the reason and tokens that need Java are approximate; nothing takes its place.

    Args:
        predictions: of one data set; a missing text is scored as an empty one.
        protocol: a name of ``PROTOCOLS``.
        vocabulary: ``r2gen60`` only, from ``tokens.training_vocabulary``; without it no word becomes ``<unk>``.

    Raises:
        ConfigError: unknown protocol, pycocoevalcap is not installed, or ``PEFOMED_JAVA`` names no executable file.
        DataError: no predictions, several data sets, or (``pefomed``) several predictions for one image.
    """
    _check(predictions, protocol)
    reasons: dict[str, str] = {}
    if protocol == "r2gen60" and vocabulary is None:
        reasons["vocabulary"] = "no training vocabulary given: no word became <unk>"
    with contextlib.ExitStack() as stack:
        meteor: Meteor | JavaError
        java: str | JavaError
        try:
            java = find_java()
            shared = _shared.get()
            # It loads while the other metrics are computed.
            meteor = shared.start(java) if shared else stack.enter_context(Meteor(java))
        except JavaError as error:
            java = meteor = error
        references, hypotheses = _tokens(predictions, protocol, vocabulary, java, reasons)
        values: dict[str, Values] = dict(zip(BLEU, bleu(references, hypotheses)))
        values["rouge_l"] = rouge(references, hypotheses)
        values["cider"] = cider(references, hypotheses, reasons)
        values["meteor"] = _meteor_values(predictions, references, hypotheses, meteor, reasons)
    return LexicalResult(
        protocol=protocol,
        version=VERSION + ("-approximate" if "tokens" in reasons else ""),
        sample_ids=tuple(prediction.id for prediction in predictions),
        missing=tuple(prediction.id for prediction in predictions if prediction.prediction is None),
        corpus={metric: values[metric][0] for metric in METRICS},
        per_sample={metric: values[metric][1] for metric in METRICS},
        reasons=reasons,
    )


def _tokens(
    predictions: Sequence[Prediction],
    protocol: str,
    vocabulary: frozenset[str] | None,
    java: str | JavaError,
    reasons: dict[str, str],
) -> tuple[list[str], list[str]]:
    """Token strings of references and hypotheses."""
    references = [prediction.answer for prediction in predictions]
    hypotheses = [prediction.prediction or "" for prediction in predictions]
    if protocol == "r2gen60":
        return [cut_report(text, vocabulary) for text in references], [cut_report(text) for text in hypotheses]
    texts = references + hypotheses
    try:
        if isinstance(java, JavaError):
            raise java
        tokens = tokenise_ptb(texts, java)
    except JavaError as error:
        reasons["tokens"] = f"approximate tokens: {error}"
        tokens = tokenise_approximately(texts)
    return tokens[: len(references)], tokens[len(references) :]


def _meteor_values(
    predictions: Sequence[Prediction],
    references: Sequence[str],
    hypotheses: Sequence[str],
    meteor: Meteor | JavaError,
    reasons: dict[str, str],
) -> Values:
    try:
        if "tokens" in reasons:
            raise JavaError("METEOR is not computed on " + reasons["tokens"])
        if isinstance(meteor, JavaError):
            raise meteor
        corpus, per_sample = meteor.score(references, hypotheses)
    except JavaError as error:
        reasons["meteor"] = str(error)
        return None, [None] * len(hypotheses)
    if corpus is None:
        too_long = ", ".join(row.id for row, value in zip(predictions, per_sample) if value is None)
        reasons["meteor"] = (
            f"METEOR pools all texts, and {HEAPS_MB[-1]:,} MB of memory do not hold its alignment of {too_long}: "
            "does the answer loop?"
        )
    return corpus, per_sample


def measure_lexical(
    predictions: Sequence[Prediction], protocol: str = "coco", vocabulary: frozenset[str] | None = None
) -> Measured:
    """Seven scores a prediction and the figures of the data set: those that are means with a clustered interval.

    Raises:
        As ``score_lexical``.
    """
    result = score_lexical(predictions, protocol, vocabulary)
    clusters = list(map(cluster_of, predictions))
    figures: dict[str, Any] = {"version": result.version}
    for metric in _METRIC_SPECS:
        value = result.corpus[metric.name]
        figure: dict[str, Any] = {"n": len(predictions), "missing": len(result.missing), "value": value}
        if value is None:
            figure["reason"] = result.reasons.get(metric.name, "not scored")
        elif not metric.pooled:
            values = [score for score in result.per_sample[metric.name] if score is not None]
            figure["interval"] = asdict(cluster_interval(values, clusters))
        figures[metric.name] = figure
    figures.update({key: result.reasons[key] for key in ("tokens", "vocabulary") if key in result.reasons})
    return Measured(result.scores(), {**figures, "vocabulary": len(vocabulary)} if vocabulary else figures)


def _check(predictions: Sequence[Prediction], protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise ConfigError(f"unknown protocol {protocol!r}; {near_names(protocol, PROTOCOLS)}")
    require_predictions(predictions)
    datasets = sorted({prediction.dataset for prediction in predictions})
    if len(datasets) > 1:
        raise DataError(f"report metrics are pooled over one data set; score {' and '.join(datasets)} apart")
    if protocol == "pefomed":
        first: dict[tuple[str, ...], str] = {}
        twice = [
            f"{prediction.id}: image {' + '.join(prediction.images)!r} was already predicted by "
            f"{first[prediction.images]}; keep one of them"
            for prediction in predictions
            if first.setdefault(prediction.images, prediction.id) != prediction.id
        ]
        if twice:
            raise DataError("protocol pefomed scores each image once", twice)


_PERFECT = (Known(PERFECT, 1, figures=(*BLEU, "meteor", "rouge_l")), Known(PERFECT, 0, 10, figures=("cider",)))
"""CIDEr of perfect reports hangs on how many words they share with all others, so it is bounded by its range only."""
_KNOWN: dict[str, tuple[Known, ...]] = {
    "coco": (
        *(*_PERFECT, Known(EMPTY, 0), Known(MISSING, 0)),
        *(Known(probe, 0, 10, below=PERFECT) for probe in (SWAPPED, MOST_COMMON, NOT_NEGATED, OTHER_SIDE)),
    ),
    "pefomed": (*_PERFECT, Known(EMPTY, 0)),
    # R2Gen's cleaning makes a full stop of an empty report, and every reference ends in one.
    "r2gen60": (*_PERFECT, *(Known(probe, 0, 10, below=PERFECT) for probe in (SWAPPED, EMPTY))),
}
"""Protocols ``coco`` and ``pefomed`` compute the same, so the second is not tried with everything."""
LEXICAL = tuple(
    ScorerSpec(
        "lexical/" + protocol,
        f"report metrics, {words}",
        measure=partial(measure_lexical, protocol=protocol),
        version=VERSION,
        columns=("meteor", "rouge_l", "cider"),
        metrics=_METRIC_SPECS,
        tasks=("report", "caption"),
        short="lexical" if protocol == "coco" else "",
        paper="lexical" if protocol in ("coco", "pefomed") else "",
        needs=(PYCOCOEVALCAP,),
        compares_words=True,
        options=("vocabulary",) if protocol == "r2gen60" else (),
        known=_KNOWN[protocol],
    )
    for protocol, words in (
        ("coco", "tokens as in the COCO evaluation"),
        ("pefomed", "as the paper, one report an image"),
        ("r2gen60", "on R2Gen's cleaned and cut reports"),
    )
)
"""One scorer for each of ``PROTOCOLS``; columns are those of the paper's table 10."""
