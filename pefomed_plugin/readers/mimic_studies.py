"""Studies of MIMIC-CXR-JPG with their films: what each shows, and which earlier study of the patient may be shown.

From ``-metadata.csv``: ``ViewPosition``, and ``StudyDate`` and ``StudyTime``, which are shifted by an amount that is
the same for all studies of a patient, so that their order is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..records import SPLITS
from .layouts import Release
from .views import CURRENT, FRONTAL, LATERAL, PRIOR, Film, choose_films

NO_PRIOR, LATER_SPLIT = "studies without an earlier study", "studies whose earlier studies are all in a later split"
NO_DATE = "studies without a date, so that no earlier one is known"
_FRONTAL = frozenset(("AP", "PA", "AP AXIAL", "AP LLD", "AP RLD", "PA LLD", "PA RLD"))
_LATERAL = frozenset(("LATERAL", "LL", "XTABLE LATERAL"))
_OBLIQUE = frozenset(("LAO", "RAO", "LPO", "RPO"))


class Facts(NamedTuple):
    """What the metadata say of an image."""

    position: str = ""
    """``PA``, ``LL``, ...; empty where they do not say."""
    when: tuple[str, float] | None = None
    """Date and time of the study, None where there is none."""


def when_of(row: Mapping[str, str]) -> tuple[str, float] | None:
    """Of a row of the metadata: ``StudyDate`` as ``21800506`` and ``StudyTime`` as ``93513.5``, 09:35:13.5."""
    date, time = (row.get("StudyDate") or "").strip(), (row.get("StudyTime") or "").strip()
    try:
        return (date, float(time or 0)) if len(date) == 8 and date.isdigit() else None
    except ValueError:
        return (date, 0.0)


def view_of(position: str) -> str:
    """A ``ViewPosition`` in words; empty where it says nothing."""
    for words, positions in ((FRONTAL, _FRONTAL), (LATERAL, _LATERAL), ("oblique", _OBLIQUE)):
        if position in positions:
            return words
    return position.lower()


class Studies:
    """The films of every study, and the order of a patient's studies."""

    def __init__(self, images: Sequence[Any], facts: Mapping[str, Facts]) -> None:
        """``images``: rows of the split file, with ``study``, ``subject``, ``split``, ``dicom`` and ``path``."""
        self._films: dict[str, list[Film]] = {}
        self._when: dict[str, tuple[str, float]] = {}
        self._split: dict[str, str] = {}
        by_subject: dict[str, dict[str, None]] = {}
        for image in images:
            known = facts.get(image.dicom, Facts())
            self._films.setdefault(image.study, []).append(Film(image.path, view_of(known.position)))
            self._split[image.study] = image.split
            by_subject.setdefault(image.subject, {})[image.study] = None
            if known.when is not None:
                self._when[image.study] = min(known.when, self._when.get(image.study, known.when))
        self._of_subject = {subject: list(studies) for subject, studies in by_subject.items()}

    def films(self, study: str) -> list[Film]:
        """A study's own films, in the order of the release."""
        return self._films[study]

    def candidates(self, study: str, subject: str, views: Any) -> tuple[list[Film], str | None, str]:
        """What can be shown with a study, which earlier one is among it, and why none is.

        The films are its own under their views; where ``views`` ask for it, ``current`` is its first frontal film (or
        its first), ``prior`` that of the latest earlier study of the patient.
        """
        own = self._films[study]
        if not isinstance(views, list) or not {CURRENT, PRIOR} & set(views):
            return own, None, ""
        found = [film for film in own if film.view in views]
        if CURRENT in views:
            found.append(Film(_frontal(own), CURRENT))
        earlier, reason = self._earlier(study, subject) if PRIOR in views else (None, "")
        if earlier is not None:
            found.append(Film(_frontal(self._films[earlier]), PRIOR))
        return found, earlier, reason

    def _earlier(self, study: str, subject: str) -> tuple[str | None, str]:
        """The latest study of the patient before this one whose image may be shown with it.

        It may be in the same split or an earlier one (train, val, test), so that training never shows what is tested.
        """
        now = self._when.get(study)
        if now is None:
            return None, NO_DATE
        before = [other for other in self._of_subject[subject] if other != study and self._is_before(other, now)]
        allowed = [other for other in before if _order(self._split[other]) <= _order(self._split[study])]
        if allowed:
            return max(allowed, key=lambda other: self._when[other]), ""
        return None, LATER_SPLIT if before else NO_PRIOR

    def _is_before(self, study: str, now: tuple[str, float]) -> bool:
        return study in self._when and self._when[study] < now


def choose_study(
    release: Release, where: str, studies: Studies, study: str, subject: str, options: Mapping[str, Any]
) -> tuple[list[Film], str | None]:
    """The films that a study is shown with, none where it is left out, and the earlier study among them."""
    films, earlier, reason = studies.candidates(study, subject, options["views"])
    left_out = len(release.skips)
    chosen = choose_films(release, where, films, options["views"], options["missing_views"])
    if reason and len(release.skips) == left_out:
        release.notes[reason] += 1
    return chosen, earlier


def _frontal(films: Sequence[Film]) -> str:
    return next((film.image for film in films if film.view == FRONTAL), films[0].image)


def _order(split: str) -> int:
    return SPLITS.index(split)
