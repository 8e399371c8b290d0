"""What of a test set stands in training, sample by sample: ``leaks.json`` beside the answers, and in their metadata.

``services.data.leakage`` finds it, ``pefomed leaks`` writes it; breakdowns, pages and comparisons read it here as axes
like any other. What was not examined is said to be so, and never counts as no leak.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, TypeVar

from ..errors import DataError
from ..json_fields import wrong_fields
from ..readers.textfiles import read_json_object
from ..records import Prediction, Sample
from ..storage import write_json

LEAKS = "leaks.json"
FLOORS = "floors"
"""Folder of what predictors that do not look get, beside the answers, and the section of ``metrics.json`` with the
strongest of them."""
KEY = "leaks"
"""Of ``Sample.metadata``: finding -> true or false; what was not examined is not in it."""
FINDINGS: Mapping[str, tuple[str, str]] = {
    "twin": ("framed twin in training", "framed twin"),
    "question_in_training": ("question about the same image in training", "same question"),
    "image_in_training": ("image in training", "same image"),
    "near_duplicate": ("another file in training that looks like the image", "near duplicate"),
    "study_in_training": ("study in training", "same study"),
    "patient_in_training": ("patient in training", "same patient"),
}
"""Name of a finding, which is an axis -> what it says in words, and what ``leak`` calls it. The worst first."""
LEAK = "leak"
"""The axis of the worst finding of each sample."""
NOT_EXAMINED, NONE_FOUND, YES, NO = "not examined", "none found", "yes", "no"
TITLES = {LEAK: "what training has of it", **{name: title for name, (title, _) in FINDINGS.items()}}
ORDER = {
    LEAK: (*(word for _, word in FINDINGS.values()), NONE_FOUND, NOT_EXAMINED),
    **dict.fromkeys(FINDINGS, (YES, NO, NOT_EXAMINED)),
}
"""Axis -> its groups, in the order in which they are shown."""
_NEEDED = ("image_in_training", "near_duplicate")
"""Without these, nothing is known to be in no way in training."""
_Record = TypeVar("_Record", bound=Sample)


@dataclass(frozen=True)
class TrainingFacts:
    """The training split that samples were looked for in."""

    samples: int
    sha256: str
    """Of its records, as ``provenance.samples_sha256``."""
    images_opened: bool
    """Whether images were compared by what they show; else by their names."""


@dataclass(frozen=True)
class SampleLeaks:
    """What training has of each sample of one test set."""

    dataset: str
    split: str
    n: int
    samples_sha256: str
    """Of the samples looked for, see ``samples_digest``."""
    training: TrainingFacts
    found: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Finding -> ids of the samples of which it is true; it is false of the others."""
    unknown: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Finding -> ids of the samples of which it could not be told."""
    not_examined: Mapping[str, str] = field(default_factory=dict)
    """Finding -> why it is not known of any sample."""

    @classmethod
    def of(
        cls, samples: Sequence[Sample], training: TrainingFacts, findings: Mapping[str, Sequence[bool | None] | str]
    ) -> SampleLeaks:
        """From a verdict for each sample (None: not known), or why there is none for any."""
        told = {name: verdicts for name, verdicts in findings.items() if not isinstance(verdicts, str)}

        def ids(wanted: bool | None) -> dict[str, list[str]]:
            return {
                name: [sample.id for sample, verdict in zip(samples, verdicts) if verdict is wanted]
                for name, verdicts in told.items()
            }

        return cls(
            samples[0].dataset,
            samples[0].split,
            len(samples),
            samples_digest(samples),
            training,
            ids(True),
            {name: some for name, some in ids(None).items() if some},
            {name: why for name, why in findings.items() if isinstance(why, str)},
        )

    @classmethod
    def together(cls, parts: Sequence[SampleLeaks]) -> SampleLeaks:
        """Of the test parts of several folds, each looked for in its own training part.

        Raises:
            ValueError: no parts.
        """
        if not parts:
            raise ValueError("no parts to put together")

        def union(of: str) -> dict[str, list[str]]:
            names = dict.fromkeys(name for part in parts for name in getattr(part, of))
            return {name: [key for part in parts for key in getattr(part, of).get(name, ())] for name in names}

        digests = "".join(part.training.sha256 for part in parts)
        told = set.intersection(*(set(part.found) for part in parts))  # what a part does not know is known of none
        reasons = {name: why for part in parts for name, why in part.not_examined.items()}
        return cls(
            parts[0].dataset,
            parts[0].split,
            sum(part.n for part in parts),
            hashlib.sha256("".join(part.samples_sha256 for part in parts).encode()).hexdigest(),
            TrainingFacts(
                min(part.training.samples for part in parts),
                hashlib.sha256(digests.encode()).hexdigest(),
                all(part.training.images_opened for part in parts),
            ),
            {name: ids for name, ids in union("found").items() if name in told},
            {name: ids for name, ids in union("unknown").items() if name in told},
            reasons,
        )

    def attach(self, samples: Sequence[_Record]) -> list[_Record]:
        """The samples with what is known of each in their metadata."""
        found = {name: set(ids) for name, ids in self.found.items()}
        unknown = {name: set(ids) for name, ids in self.unknown.items()}
        return [
            replace(
                sample,
                metadata={
                    **sample.metadata,
                    KEY: {
                        name: sample.id in ids for name, ids in found.items() if sample.id not in unknown.get(name, ())
                    },
                },
            )
            for sample in samples
        ]


def samples_digest(samples: Iterable[Sample]) -> str:
    """Digest of what is asked, in whatever order: ids, images, questions and references."""
    texts = sorted([sample.id, list(sample.images), sample.question or "", sample.answer] for sample in samples)
    return hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode("utf-8")).hexdigest()


def write_leaks(folder: Path, leaks: SampleLeaks) -> None:
    """Write ``folder/leaks.json``. Raises DataError where it cannot be written."""
    write_json(Path(folder) / LEAKS, asdict(leaks))


def read_leaks(folder: Path) -> SampleLeaks | None:
    """What ``write_leaks`` wrote; None where there is nothing. A floor has what the answers have that it lies beside.

    Raises:
        DataError: the file is damaged.
    """
    path = Path(folder) / LEAKS
    if not path.is_file() and path.parent.parent.name == FLOORS:
        path = path.parents[2] / LEAKS
    if not path.is_file():
        return None
    kinds = {
        **dict.fromkeys(("dataset", "split", "samples_sha256"), "str"),
        "n": "int",
        "training": "Mapping",
        **dict.fromkeys(("found", "unknown"), "Mapping[str, list[str]]"),
        "not_examined": "Mapping[str, str]",
    }
    content = read_json_object(path, kinds, what="a file of leaks; make it again with pefomed leaks, or delete it")
    training = {"samples": "int", "sha256": "str", "images_opened": "bool"}
    wrong = [f"{path}: {name} is missing" for name in kinds if name not in content]
    wrong += [] if wrong else [f"{path}: {text}" for text in wrong_fields(content["training"], training, training)]
    if wrong:
        raise DataError(f"{path} is damaged; make it again with pefomed leaks, or delete it", wrong)
    facts = TrainingFacts(**{name: content["training"][name] for name in training})
    return SampleLeaks(**{**{name: content[name] for name in kinds}, "training": facts})


def with_leaks(predictions: Sequence[Prediction], folder: Path) -> list[Prediction]:
    """Predictions with what ``folder/leaks.json`` says of each, where there is such a file.

    Raises:
        DataError: the file is damaged, or about other samples.
    """
    leaks = read_leaks(folder)
    if leaks is None:
        return list(predictions)
    if leaks.samples_sha256 != samples_digest(predictions):
        raise DataError(
            f"{Path(folder) / LEAKS} is about other samples than the answers beside it; make it again with pefomed "
            "leaks, or delete it"
        )
    return leaks.attach(predictions)


def without_leaks(records: Iterable[_Record]) -> list[_Record]:
    """Records as the data have them: what training has of each stands in ``leaks.json`` alone."""
    return [
        replace(record, metadata={key: value for key, value in record.metadata.items() if key != KEY})
        if KEY in record.metadata
        else record
        for record in records
    ]


def _known(sample: Sample) -> Mapping[str, Any]:
    known = sample.metadata.get(KEY)
    return known if isinstance(known, Mapping) else {}


def _verdict_on(name: str) -> Callable[[Prediction], tuple[str, ...]]:
    words: Mapping[bool | None, str] = {True: YES, False: NO}
    return lambda prediction: (words.get(_known(prediction).get(name), NOT_EXAMINED),)


def _worst(prediction: Prediction) -> tuple[str, ...]:
    known = _known(prediction)
    worst = next((word for name, (_, word) in FINDINGS.items() if known.get(name)), None)
    return (worst or (NONE_FOUND if all(name in known for name in _NEEDED) else NOT_EXAMINED),)


LEAK_AXES: Mapping[str, Callable[[Prediction], tuple[str, ...]]] = {
    LEAK: _worst,
    **{name: _verdict_on(name) for name in FINDINGS},
}
"""Name of an axis -> the group that a prediction belongs to on it."""
