"""A check that runs while a policy is trained: how many of its completions look like an answer that is no answer.

What counts is the excess over the references: many right answers are ``yes``, so many completions may be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ..errors import ConfigError
from ..records import Prediction, Sample
from ..scoring.probes import ECHO, EMPTY, NO, OPTIONS, RETRACTED, YES, YES_OR_NO
from .functions import Reward, predictions_of

REPEATED = "repeated"
"""A word three times and more: what LLaVA-Med's recall pays for."""
_SEVERAL = 3
_ECHOED = 0.8
_WORD = re.compile(r"\w+")
_TAKEN_BACK = frozenset(("sorry", "rather", "actually", "correction", "instead"))


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(_WORD.findall((text or "").casefold()))


class _Known:
    """Answers of a training set, to find them within other texts."""

    def __init__(self, answers: Iterable[str]) -> None:
        self.texts = {_words(answer) for answer in answers} - {()}
        self._longest = max(map(len, self.texts), default=0)

    def within(self, said: tuple[str, ...]) -> set[tuple[str, ...]]:
        """Those that are said, without those that lie within another one that is."""
        found, at = set(), 0
        while at < len(said):
            sizes = range(min(self._longest, len(said) - at), 0, -1)
            size = next((size for size in sizes if said[at : at + size] in self.texts), 0)
            if size:
                found.add(said[at : at + size])
            at += size or 1
        return found


_Look = Callable[[tuple[str, ...], Prediction, _Known], bool]


def _echoes(said: tuple[str, ...], asked: Prediction, _: _Known) -> bool:
    question = set(_words(asked.question))
    return len(question) >= _SEVERAL and len(question & set(said)) >= _ECHOED * len(question)


def _retracts(said: tuple[str, ...], asked: Prediction, known: _Known) -> bool:
    return bool(set(said[1:]) & _TAKEN_BACK and known.within(said))


_LOOKS: dict[str, _Look] = {
    YES: lambda said, asked, known: said == ("yes",),
    NO: lambda said, asked, known: said == ("no",),
    YES_OR_NO: lambda said, asked, known: {"yes", "no"} <= set(said),
    ECHO: _echoes,
    OPTIONS: lambda said, asked, known: len(known.within(said)) >= _SEVERAL,
    RETRACTED: _retracts,
    REPEATED: lambda said, asked, known: bool(said) and Counter(said).most_common(1)[0][1] >= _SEVERAL,
    EMPTY: lambda said, asked, known: not said,
}
"""Name of a probe -> whether words look like its answers; of ``probes.PROBES``, and ``REPEATED``."""


@dataclass(frozen=True)
class Share:
    """How many completions look like one probe."""

    probe: str
    completions: float
    """Share of them, 0 to 1."""
    references: float
    """Share of the references to the same prompts that look so: what may be expected of right answers."""
    count: int
    of: int


class ProbeWatch:
    """A reward around which the policy's own completions are counted; given to TRL in the reward's place.

    What it returns is what the reward returns. Where TRL gives ``log_metric``, each batch's shares are logged as
    ``probes/<name>``, with ``probes/most common completion`` and ``probes/words``.
    """

    def __init__(self, reward: Reward, samples: Iterable[Sample]) -> None:
        """
        Args:
            samples: of the training set; their references are the options that may be listed.

        Raises:
            ConfigError: no samples.
        """
        self.reward, self.__name__ = reward, reward.__name__
        self._known = _Known(sample.answer for sample in samples)
        if not self._known.texts:
            raise ConfigError("no answers to look for; give the samples of the training set")
        self._counts: Counter[str] = Counter()
        self._expected: Counter[str] = Counter()
        self._texts: Counter[str] = Counter()
        self._all_words = 0

    def __call__(
        self, prompts: Sequence[Any] = (), completions: Sequence[Any] = (), **columns: Any
    ) -> list[float | None]:
        """As ``Reward``; counts, and logs to TRL."""
        predictions = predictions_of(self.reward.spec.tasks[0], prompts, completions, columns)
        values = self.reward.of(predictions)
        log = columns.get("log_metric")
        for name, value in self.add(predictions).items():
            if callable(log):
                log(f"probes/{name}", value)
        return values

    def add(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Count these completions; name of a probe -> share of these alone."""
        if not predictions:
            return {}
        seen: Counter[str] = Counter()
        for found in predictions:
            for name, looks in _LOOKS.items():
                seen[name] += looks(_words(found.prediction), found, self._known)
                self._expected[name] += looks(_words(found.answer), found, self._known)
        texts = Counter(" ".join(_words(found.prediction)) for found in predictions)
        words = sum(len(_words(found.prediction)) for found in predictions)
        self._counts += seen
        self._texts += texts
        self._all_words += words
        count = len(predictions)
        shares = {name: seen[name] / count for name in _LOOKS}
        return {**shares, "most common completion": texts.most_common(1)[0][1] / count, "words": words / count}

    @property
    def completions(self) -> int:
        """How many were counted."""
        return sum(self._texts.values())

    def shares(self) -> list[Share]:
        """Of all completions so far, a row a probe; nothing before the first."""
        count = self.completions
        return [
            Share(name, self._counts[name] / count, self._expected[name] / count, self._counts[name], count)
            for name in (_LOOKS if count else ())
        ]

    def most_common(self, count: int = 5) -> list[tuple[str, int]]:
        """The completions that were given most often, as words, with how often."""
        return self._texts.most_common(count)

    @property
    def words(self) -> float:
        """Mean number of words of a completion; 0 before the first."""
        return self._all_words / max(self.completions, 1)
