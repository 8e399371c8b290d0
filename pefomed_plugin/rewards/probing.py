"""What a reward pays for answers whose worth is known: those of ``pefomed audit``, and one that never looks.

A reward is trained against, so that whatever it overpays is what a policy learns to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Prediction, Sample
from ..scoring.known import alike
from ..scoring.pairing import mean_of_given
from ..scoring.probes import PROBES, Answers, Probe
from ..services.audit.scorers import probe_answers
from .functions import Reward

MOST = 10
"""Answers that are listed."""
_OVERPAID = 0.05
"""Of the range, above what is right of it."""


def _commonest(samples: Sequence[Sample]) -> Answers:
    common = Counter(sample.answer.strip().lower() for sample in samples).most_common(MOST)
    return [", ".join(sorted(text for text, _ in common))] * len(samples)


COMMONEST = Probe("commonest answers", f"the {MOST} most frequent references, for each question", _commonest, ("vqa",))
"""What a policy can learn that does not look: the same list for every question."""


@dataclass(frozen=True)
class Earned:
    """What one probe earns."""

    probe: str
    title: str
    mean: float | None
    """Mean reward; None where nothing is scored."""
    right: float | None
    """What the same scored answers would earn if each that equals its reference got the highest and all else the
    lowest value."""
    scored: int
    unscored: int
    """Answers without a value."""
    is_overpaid: bool
    """It earns clearly more than what is right of it."""


def earnings(reward: Reward, samples: Sequence[Sample]) -> list[Earned]:
    """What every probe earns from a reward on one set of samples of one task; a perfect answer first.

    Raises:
        DataError: the reward cannot score these samples.
    """
    fitting = [sample for sample in samples if sample.task in reward.spec.tasks]
    answers = probe_answers(fitting)
    if fitting and fitting[0].task in COMMONEST.tasks:
        answers[COMMONEST.name] = COMMONEST.predictions(fitting)
    titles = {name: probe.title for name, probe in {**PROBES, COMMONEST.name: COMMONEST}.items()}
    return [_earned(reward, name, titles[name], predictions) for name, predictions in answers.items()]


def _earned(reward: Reward, name: str, title: str, predictions: list[Prediction]) -> Earned:
    values = reward.of(predictions)
    low, high = reward.range
    pairs = [
        (value, low + (high - low) * alike(found)) for value, found in zip(values, predictions) if value is not None
    ]
    mean, right = (mean_of_given(column) for column in (zip(*pairs) if pairs else ((), ())))
    overpaid = mean is not None and right is not None and mean - right > _OVERPAID * (high - low)
    return Earned(name, title, mean, right, len(pairs), len(values) - len(pairs), overpaid)
