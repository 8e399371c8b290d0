"""What another project counts for answers of known worth, beside what a right count gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError, one_line
from ...readers import read_data
from ...records import CLOSED, Prediction, Sample
from ...scoring.known import Known, alike, holds, same
from ...scoring.pairing import answer_type
from ...scoring.probes import ECHO, EMPTY, OPTIONS, PERFECT, RETRACTED, SWAPPED, YES_OR_NO
from .harness_process import Limits, run_driver
from .harnesses import Harness, version_of
from .scorers import probe_answers

_TRIED = (PERFECT, YES_OR_NO, ECHO, OPTIONS, RETRACTED, SWAPPED, EMPTY)
ONLY_YES_NO = f"{YES_OR_NO}, of yes/no questions"
"""The same answers where closed questions with another answer than yes or no are left out."""


@dataclass(frozen=True)
class Counted:
    """One figure of a harness beside what a right count gives."""

    answers: str
    """Name of the probe, or ``ONLY_YES_NO``."""
    judge: str
    """``right`` or ``wrong``: a judge that always says so was asked; empty: none."""
    figure: str
    """``overall``, ``open``, ``closed``; empty where their code failed."""
    value: float | None
    """In percent, as the harness counts it."""
    low: float | None = None
    """A right count: at least, in percent."""
    high: float | None = None
    """At most."""
    reason: str = ""
    """Why there is no value."""

    @property
    def is_right(self) -> bool:
        """Whether the figure is what a right count gives."""
        if self.value is None or self.low is None or self.high is None:
            return False
        return self.low - 0.01 <= self.value <= self.high + 0.01


@dataclass(frozen=True)
class Called:
    """What one harness made of one data set."""

    harness: str
    dataset: str
    questions: int
    version: str
    """Commit of the checkout or version of the package, and whether files of its scoring were changed."""
    figures: list[Counted] = field(default_factory=list)
    network: str = ""
    """How the process was cut off from the network."""
    stood_in: tuple[str, ...] = ()
    """Packages that its files import and that are not installed; nothing of them was called."""
    error: str = ""
    """Why there are no figures."""
    note: str = ""
    """What must be known of how it was called."""


@dataclass(frozen=True)
class AuditedSet:
    """A test set with where it was read from."""

    name: str
    """Of the data set."""
    folder: Path
    """The release."""
    title: str
    """Name and count, as it is shown."""
    samples: list[Sample]
    """Of its test split."""


def sets_of(harness: Harness, sets: Sequence[AuditedSet]) -> list[AuditedSet]:
    """Those of the data sets that a harness scores.

    Raises:
        ConfigError: it scores none of them.
    """
    wanted = [audited for audited in sets if audited.name in harness.datasets and audited.samples[0].task == "vqa"]
    if not wanted:
        raise ConfigError(
            f"{harness.name} scores {', '.join(harness.datasets)}; none of them is among "
            + ", ".join(audited.name for audited in sets)
        )
    return wanted


def call_on(harness: Harness, folder: Path | None, sets: Sequence[AuditedSet], limits: Limits) -> list[Called]:
    """What a harness makes of each of the data sets that it scores. Raises as ``sets_of``."""
    found = []
    for audited in sets_of(harness, sets):
        samples = audited.samples
        if harness.every_language and audited.name == "slake":
            samples = read_data(audited.name, audited.folder, language="all").splits()["test"]
        found.append(call_harness(harness, folder, harness.chosen(samples), limits))
    return found


def call_harness(harness: Harness, folder: Path | None, samples: Sequence[Sample], limits: Limits) -> Called:
    """Let a harness count the answers of the probes; whatever goes wrong over there is in what comes back."""
    cases = _cases(probe_answers(samples))
    job = {
        "dataset": samples[0].dataset,
        "checkout": str(folder.resolve()) if folder else "",
        "module": harness.module,
        "rows": [{**sample.to_json(), "answer_type": answer_type_of(sample)} for sample in samples],
        "cases": [
            {
                "name": name,
                "places": [place for place, _ in chosen],
                "answers": [found.prediction for _, found in chosen],
            }
            for name, chosen in cases.items()
        ],
    }
    told = run_driver(harness, job, limits)
    figures, wrong = [], str(told.get("error", ""))
    try:
        for counted in told.get("figures", []):
            figures += _counted(harness, counted, [found for _, found in cases[counted["probe"]]])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wrong = wrong or f"its result is of another form ({one_line(error)})"
    return Called(
        harness.name,
        samples[0].dataset,
        len(samples),
        version_of(harness, folder, limits.program),
        figures,
        str(told.get("network", "")),
        tuple(map(str, told.get("stood_in", ()))),
        wrong,
        harness.note,
    )


def answer_type_of(sample: Sample) -> str:
    """OPEN or CLOSED; by the rule yes or no where the release has no flag."""
    kind = answer_type(Prediction.of(sample, None, {}))
    return kind or (CLOSED if _is_yes_or_no(sample) else "OPEN")


def _is_yes_or_no(sample: Sample) -> bool:
    return sample.answer.strip().lower() in ("yes", "no")


def _cases(answers: Mapping[str, Sequence[Prediction]]) -> dict[str, list[tuple[int, Prediction]]]:
    """Name -> places in the set and answers. Empty texts stand for what was not answered."""
    found = {name: list(enumerate(answers[name])) for name in _TRIED if name in answers}
    if YES_OR_NO in answers:
        found[ONLY_YES_NO] = [
            (place, prediction)
            for place, prediction in enumerate(answers[YES_OR_NO])
            if _is_yes_or_no(prediction) or answer_type_of(prediction) != CLOSED
        ]
    return found


def _counted(harness: Harness, told: Mapping[str, Any], about: Sequence[Prediction]) -> list[Counted]:
    """The figures of one case, each beside a right count."""
    name, judge, figures = told["probe"], told["judge"], told["figures"]
    if "failed" in figures:
        return [Counted(name, judge, "", None, reason=one_line(Exception(figures["failed"])))]
    found = []
    for figure, value in figures.items():
        low, high = _right_count(harness, name, judge, figure, about)
        found.append(Counted(name, judge, figure, float(value), low, high))
    return found


def _right_count(
    harness: Harness, name: str, judge: str, figure: str, about: Sequence[Prediction]
) -> tuple[float, float]:
    """Percent between which a right count lies."""
    if judge == "wrong":  # closed questions may be counted by rule, whatever the judge says
        return 0.0, 0.0 if figure == "open" else 100.0
    if name == PERFECT:
        return 100.0, 100.0
    group = [found for found in about if figure == "overall" or answer_type_of(found) == figure.upper()]
    if not group:
        return 0.0, 100.0
    says_all = figure in harness.recall and name in (OPTIONS, RETRACTED)
    known = Known(name, holds, 1) if says_all else Known(name, 0, 1) if figure in harness.recall else None
    low, high = (known or Known(name, same, alike)).bounds(group)
    return 100 * low, 100 * high
