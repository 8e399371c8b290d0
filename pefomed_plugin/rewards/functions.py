"""A scorer as a reward function with TRL's signature: a value for every completion, None where it is not scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError, DataError, near_names
from ..json_fields import kind_of
from ..records import Prediction
from ..requirements import require
from ..scoring import SCORERS, find_scorer
from ..scoring.spec import MetricSpec, ScorerSpec

ANSWER = "answer"
"""Column with the reference of each completion; the one that must be there."""
COLUMNS = ("id", "question", ANSWER, "answer_type", "task")
"""Columns of a training data set that a reward reads, called as the fields of ``Sample``."""


class Reward:
    """One scorer's metric, called as TRL calls reward functions.

    Higher is better: of a metric whose lower values are better, the negative. The scorer's value is neither scaled
    nor shaped, so that a run's reward is the figure that ``pefomed score`` shows.
    """

    def __init__(self, spec: ScorerSpec, metric: MetricSpec, scores: str, options: Mapping[str, Any]) -> None:
        """As ``reward`` makes it.

        Args:
            scores: name that the metric's scores carry.
            options: what the scorer must be given besides (``vocabulary``).
        """
        self.spec, self.metric, self.name, self._options = spec, metric, scores, dict(options)
        self.__name__ = scores
        """What TRL logs it as: ``rewards/exact_match/pefomed/mean``."""

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value, as the scorer declares them."""
        low, high = self.metric.low, self.metric.high
        return (low, high) if self.metric.higher_is_better else (-high, -low)

    def __call__(
        self, prompts: Sequence[Any] = (), completions: Sequence[Any] = (), **columns: Any
    ) -> list[float | None]:
        """A value in ``range`` for every completion; None where the scorer gives none (an open question by a rule of
        closed ones), which TRL leaves out of the sum.

        Args:
            prompts: texts or messages; the question is read from them where there is no column ``question``.
            completions: texts, or lists of messages whose text is what was answered.
            columns: of the training data set: ``answer``, and those of ``COLUMNS`` that it has.

        Raises:
            ConfigError: no column ``answer``, or one of another length.
            DataError: a completion is of another form, or the scorer cannot score it.
        """
        return self.of(predictions_of(self.spec.tasks[0], prompts, completions, columns))

    def of(self, predictions: Sequence[Prediction]) -> list[float | None]:
        """The same of predictions; None for those of a task that the scorer is not meant for."""
        places = [place for place, found in enumerate(predictions) if found.task in self.spec.tasks]
        values: list[float | None] = [None] * len(predictions)
        if places:
            sign = 1.0 if self.metric.higher_is_better else -1.0
            for place, value in zip(places, self._values([predictions[place] for place in places])):
                values[place] = None if value is None else sign * value
        return values

    def _values(self, predictions: Sequence[Prediction]) -> list[float | None]:
        """In the scorer's own direction."""
        if self.spec.measure is not None:
            scores = list(self.spec.measure(predictions, **self._options).scores[self.name])
        else:
            assert self.spec.function is not None  # ``reward`` refuses the others
            scores = [score for score in self.spec.function(predictions) if score.scorer == self.name]
        if [score.sample_id for score in scores] != [found.id for found in predictions]:
            raise DataError(
                f"{self.name} gave {len(scores)} scores for {len(predictions)} completions, or in another order; a "
                "scorer gives one for each (docs/extending.md)"
            )
        return [score.value for score in scores]


def reward(name: str, **options: Any) -> Reward:
    """A scorer's metric as a reward function.

    Args:
        name: of a scorer, or of one of its metrics: ``exact_match``, ``token_f1/corrected``, ``consistency/all``.
        options: what the scorer must be given besides (``vocabulary`` of ``lexical/r2gen60``).

    Raises:
        ConfigError: no such scorer or metric; a judge's or people's; a figure of a whole set, of which no answer has
            one of its own (BLEU, METEOR, CIDEr); an option or a package is missing.
        PluginError: it is another package's, and cannot be used.
    """
    spec, metric, scores = _find(name)
    if spec.measure is None and spec.function is None:
        raise ConfigError(f"{name}: its scores are given by judges or people; train on them by pairs (pefomed rate)")
    if metric.pooled or metric.relative:
        fitting = [found for found, measured in spec.measured.items() if not measured.pooled and not measured.relative]
        others = f"; take {' or '.join(fitting)}" if fitting else ""
        raise ConfigError(f"{name} is a figure of a whole set of answers, and one answer has none{others}")
    lacking = [option for option in spec.options if option not in options]
    unknown = [option for option in options if option not in spec.options]
    if lacking or unknown:
        told = [*(f"{option} must be given" for option in lacking), *(f"it takes no {option}" for option in unknown)]
        raise ConfigError(f"{name}: {'; '.join(told)}")
    require(spec.needs)
    return Reward(spec, metric, scores, options)


def _find(name: str) -> tuple[ScorerSpec, MetricSpec, str]:
    """Scorer, metric and the name that its scores carry."""
    for known in SCORERS:
        spec = SCORERS[known] if name.startswith(known) else None
        if spec is not None and name in spec.measured:
            return spec, spec.measured[name], name
    begin, _, metric = name.rpartition("/")
    is_metric = begin in SCORERS and name not in SCORERS  # a short name with a metric behind it
    spec = find_scorer(begin if is_metric else name)
    if is_metric:
        found = f"{spec.name}/{metric}"
        if found not in spec.measured:
            raise ConfigError(f"{spec.name} has no metric {metric!r}; {near_names(found, spec.measured)}")
        return spec, spec.measured[found], found
    if spec.metrics:
        raise ConfigError(f"{name} has several metrics, and a reward is one; name it: {', '.join(spec.measured)}")
    return spec, spec, spec.name


def predictions_of(
    task: str, prompts: Sequence[Any], completions: Sequence[Any], columns: Mapping[str, Any]
) -> list[Prediction]:
    """Completions with their references, as scorers take them. Raises as ``Reward.__call__``.

    Ids are places in the batch: one sample has several completions in it.
    """
    count = len(completions)
    if ANSWER not in columns:
        raise ConfigError(
            f"the training data have no column {ANSWER!r}, the reference of each prompt; rows_of() makes it, and "
            "remove_unused_columns must be False in GRPOConfig"
        )
    given = {name: columns[name] for name in COLUMNS if name in columns}
    wrong = [
        f"{name}: {len(values)} values for {count} completions"
        for name, values in given.items()
        if len(values) != count
    ]
    if wrong:
        raise ConfigError("columns do not fit the completions", wrong)
    if "question" not in given and len(prompts) == count:
        given["question"] = [_text_of(prompt, f"prompt {place}", "user") for place, prompt in enumerate(prompts)]
    found = []
    for place, completion in enumerate(completions):
        fields = {name: values[place] for name, values in given.items() if name != "id"}
        where = f"completion {place}" + (f" ({given['id'][place]})" if "id" in given else "")
        if not isinstance(fields[ANSWER], str):
            raise DataError(f"{where}: its {ANSWER} must be a text, not {kind_of(fields[ANSWER])}")
        record = {"task": task, "question": None, **{key: value for key, value in fields.items() if value is not None}}
        text = _text_of(completion, where, "assistant")
        found.append(Prediction(str(place), "reward", "train", (str(place),), **record, prediction=text))
    return found


def _text_of(said: Any, where: str, role: str) -> str:
    """The text of a completion or a prompt: plain, or of the last message of ``role``."""
    if isinstance(said, str):
        return said
    if isinstance(said, Sequence) and said and all(isinstance(message, Mapping) for message in said):
        own = [message.get("content") for message in said if message.get("role") == role]
        content = own[-1] if own else None
        if isinstance(content, str):
            return content
        if isinstance(content, Sequence):
            return "".join(part.get("text") or "" for part in content if isinstance(part, Mapping))
        raise DataError(f"{where} has no message of the role {role!r} with a text")
    raise DataError(f"{where} must be a text or a list of messages, not {kind_of(said)}")
