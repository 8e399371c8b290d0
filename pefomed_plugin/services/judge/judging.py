"""From predictions to a judge's requests, and from the ledger to scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import ConfigError, DataError
from ...records import Prediction, Score
from ...rubrics import BUILT_IN, Rubric, built_in_rubric
from ...scoring.pairing import NO_PREDICTION, mean, require_predictions
from ...scoring.ratings import judge_spec
from ...scoring.spec import ScorerSpec
from .chat import ChatRequest
from .ledger import Ledger
from .prompts import PARSER_VERSION, JudgePrompt, Verdict, judge_messages, parse_structured, parse_verdict
from .settling import Limits, Usable, entries_of, is_settled
from .ways import Way, soft_value

_TOKENS = ("prompt_tokens", "completion_tokens")


@dataclass(frozen=True)
class JudgePlan:
    """Who judges, how often, and how."""

    model: str
    """The model as asked for; its name is part of the scorer's."""
    prompt: JudgePrompt
    """What is asked."""
    runs: int = 10
    """Independent judgements of each prediction; the paper has ten."""
    seed: int = 0
    """Run k is asked with ``seed + k``."""
    temperature: float | None = None
    """None: the server's own."""
    max_tokens: int | None = 1024
    """Limit of a reply; models that think aloud need room. None: the server's own."""
    server: str = ""
    """Base URL of the server; empty for a model of this process."""
    way: Way = field(default_factory=Way)
    """Which endpoint, how hard to think, in which form to answer."""

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise ConfigError(f"--runs must be at least 1, not {self.runs}")

    @property
    def rubric(self) -> Rubric:
        """The scale."""
        return self.prompt.rubric

    @property
    def spec(self) -> ScorerSpec:
        """The judge as a scorer."""
        return judge_spec(self.rubric, self.model, self.version)

    @property
    def version(self) -> str:
        """Version of prompt and parser."""
        return f"{self.prompt.label}-{PARSER_VERSION}{'-structured' if self.way.is_structured else ''}"

    def parameters(self, run: int) -> dict[str, Any]:
        """Parameters of one run's requests."""
        optional = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {
            "model": self.model,
            "seed": self.seed + run,
            **{name: value for name, value in optional.items() if value is not None},
            **self.way.parameters(tuple(self.rubric.values)),
        }


def check_judgeable(predictions: Sequence[Prediction], rubric: Rubric) -> None:
    """The predictions are of the kind that the rubric rates.

    Raises:
        DataError: there are none, or some are answers to another task; all of them are named.
    """
    require_predictions(predictions)
    wrong = [
        f"{prediction.id}: task {prediction.task!r}; judge it with its own command, in a file of its own"
        for prediction in predictions
        if built_in_rubric(prediction.task).task != rubric.task
    ]
    if wrong:
        raise DataError(
            f"these are not all predictions of kind {rubric.task!r}, which the rubric {rubric.name!r} rates", wrong
        )


def judge_questions(predictions: Sequence[Prediction], plan: JudgePlan) -> Sequence[ChatRequest]:
    """All runs' questions, run by run; what has no prediction is not asked about."""
    return _Questions([prediction for prediction in predictions if prediction.prediction is not None], plan)


class _Questions(Sequence[ChatRequest]):
    """Each question is made when it is looked at: ten runs over 100,000 answers would be gigabytes of text."""

    def __init__(self, predictions: Sequence[Prediction], plan: JudgePlan) -> None:
        self._predictions, self._plan = predictions, plan
        self._facts = {"prompt": plan.prompt.label, "rubric": plan.rubric.tag}
        self._own_rubric = "" if plan.rubric in BUILT_IN.values() else plan.rubric.digest

    def __len__(self) -> int:
        return len(self._predictions) * self._plan.runs

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[single] for single in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        run, number = divmod(place, len(self._predictions))
        prediction = self._predictions[number]
        facts = {**self._facts, "sample_id": prediction.id}
        messages = judge_messages(self._plan.prompt, prediction)
        parameters, endpoint = self._plan.parameters(run), self._plan.way.endpoint
        return ChatRequest(messages, parameters, run, facts, self._plan.server, self._own_rubric, endpoint)


def usable_verdict(plan: JudgePlan) -> Usable:
    """Whether a ledger entry holds a verdict of the plan's scale."""
    return lambda entry: _verdict(entry, plan).value is not None


def collect_scores(
    predictions: Sequence[Prediction], plan: JudgePlan, ledger: Ledger, limits: Limits
) -> list[list[Score]]:
    """Scores of every run from the ledger, one per prediction in their order; a missing one is at the lowest level.

    Raises:
        DataError: a question is still open; ask first.
    """
    spec, runs = plan.spec, []
    questions = iter(judge_questions(predictions, plan))
    for _ in range(plan.runs):
        scores = []
        for prediction in predictions:
            if prediction.prediction is None:
                scores.append(Score(prediction.id, spec.name, spec.version, float(plan.rubric.lowest), NO_PREDICTION))
                continue
            entries = entries_of(ledger, next(questions))
            if not is_settled(entries, usable_verdict(plan), limits):
                raise DataError(f"{prediction.id} is not judged yet; the same command goes on")
            verdict = _settle(entries, plan)
            value = None if verdict.value is None else float(verdict.value)
            scores.append(Score(prediction.id, spec.name, spec.version, value, verdict.reason))
        runs.append(scores)
    return runs


def judge_facts(predictions: Sequence[Prediction], plan: JudgePlan, ledger: Ledger) -> dict[str, Any]:
    """What the judgements rest on, for ``metrics.json``: models, fingerprints, prompt, seeds, usage."""
    seen: set[bytes] = set()
    models: Counter[Any] = Counter()
    fingerprints: Counter[Any] = Counter()
    usage: Counter[str] = Counter()
    dropped: set[str] = set()
    replies, soft = 0, []
    for question in judge_questions(predictions, plan):
        digest = bytes.fromhex(question.key)
        entries = () if digest in seen else entries_of(ledger, question)
        if plan.way.has_logprobs and entries:
            soft.append(_soft(entries, plan))
        for entry in entries:
            replies += 1
            models[entry.get("returned_model")] += 1
            fingerprints[entry.get("system_fingerprint")] += 1
            dropped.update(entry.get("dropped") or ())
            for name in _TOKENS:
                usage[name] += (entry.get("usage") or {}).get(name, 0)
        seen.add(digest)
    return {
        "model": plan.model,
        **({"server": plan.server} if plan.server else {}),
        "runs": plan.runs,
        "seeds": [plan.seed + run for run in range(plan.runs)],
        "temperature": plan.temperature,
        "max_tokens": plan.max_tokens,
        **plan.way.to_json(),
        **({"soft_score": _soft_figure(soft)} if plan.way.has_logprobs else {}),
        "prompt": {"version": plan.prompt.version, "sha256": plan.prompt.sha256},
        "parser": PARSER_VERSION,
        "returned_models": _named(models),
        "system_fingerprints": _named(fingerprints),
        "dropped_parameters": sorted(dropped),
        "judgements": len(seen),
        "replies": replies,
        "usage": {name: usage[name] for name in _TOKENS},
    }


def _settle(entries: Sequence[Mapping[str, Any]], plan: JudgePlan) -> Verdict:
    """The first verdict among the replies, or why none of them has one."""
    found = [_verdict(entry, plan) for entry in entries]
    first = next((verdict for verdict in found if verdict.value is not None), None)
    return first or Verdict(None, f"{found[-1].reason} (asked {len(found)} times)")


def _verdict(entry: Mapping[str, Any], plan: JudgePlan) -> Verdict:
    if entry.get("text") is None:
        return Verdict(None, entry.get("fault") or "no text")
    return (parse_structured if plan.way.is_structured else parse_verdict)(entry["text"], plan.rubric)


def _soft(entries: Sequence[Mapping[str, Any]], plan: JudgePlan) -> float | None:
    """Of the reply whose verdict counts."""
    for entry in entries:
        value = _verdict(entry, plan).value
        if value is not None:
            return soft_value(entry, value, tuple(plan.rubric.values))
    return None


def _soft_figure(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean over the judgements that have one, in levels of the rubric; of how many, and why of none."""
    given = [value for value in values if value is not None]
    figure = {"value": mean(given) if given else None, "n": len(given), "without": len(values) - len(given)}
    return figure if given else {**figure, "reason": "the server gave no log-probabilities of the verdicts"}


def _named(counts: Counter) -> dict[str, int]:
    return {str(name): count for name, count in counts.most_common() if name is not None}
