"""One answer a study, for formats that have no more: which of a study's images it is about is never guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, named
from ...readers.textfiles import read_json
from ...records import Prediction

FIRST, KEY = "first", "key"
"""Views that can be asked for besides those that samples name: the study's first image, or ReXrank's key image."""
_R2GEN_TEST = "5a1ffae1cceeaad4f2aa1d3e8ce835fe7c995cd432728ef81a483ab44e83b42c"
"""SHA-256 of the 590 study ids of R2Gen's IU-Xray test split, sorted, a line each. ReXrank's test file
(``data/iu_xray/ReXRank_IUXray_test.json``, 8152f99) has the same ids."""
_R2GEN_STUDIES = 590


def study_of(prediction: Prediction) -> str:
    """The study that an answer is about, as R2Gen and ReXrank name it; the sample's id where it says none."""
    metadata = prediction.metadata
    study = str(metadata.get("r2gen_id") or metadata.get("study") or prediction.id)
    is_mimic = study[:1] == "s" and study[1:].isdecimal()
    return study[1:] if is_mimic else study


def one_a_study(
    predictions: Sequence[Prediction], view: str, key_images: Mapping[str, str] | None = None
) -> dict[str, Prediction]:
    """Study -> its one answer, in the order of the predictions.

    Args:
        view: which answer of a study that has several: ``first``, ``key``, or a view as samples name it; empty: none.
        key_images: study -> its key image; None: nothing says which that is.

    Raises:
        ConfigError: studies have several answers and no view is asked for, or there is no such view.
    """
    studies: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        studies.setdefault(study_of(prediction), []).append(prediction)
    if all(len(answers) == 1 for answers in studies.values()):
        if view:
            raise ConfigError("--view: every study has one answer already; leave it out")
        return {study: answers[0] for study, answers in studies.items()}
    views = sorted({name for answers in studies.values() for answer in answers for name in _views(answer)})
    choices = ", ".join([FIRST, *([KEY] if key_images else []), *views])
    if not view:
        raise ConfigError(
            f"{len(predictions):,} answers are of {len(studies):,} studies, and this format has one a study: say which "
            f"with --view ({choices}), or evaluate with per: study"
        )
    if view == KEY and key_images is None:
        raise ConfigError(f"--view {KEY}: nothing says which image that is; give ReXrank's data file as --studies")
    chosen = {study: _chosen(answers, view, (key_images or {}).get(study)) for study, answers in studies.items()}
    lacking = [f"{study}: {len(studies[study])} answers" for study, answer in chosen.items() if answer is None]
    if lacking:
        raise ConfigError(f"--view {view}: not one answer in {len(lacking):,} studies; known: {choices}", lacking)
    return {study: answer for study, answer in chosen.items() if answer is not None}


def _views(prediction: Prediction) -> list[str]:
    view = prediction.metadata.get("view")
    return [*prediction.views, *([view.lower()] if isinstance(view, str) else [])]


def _chosen(answers: Sequence[Prediction], view: str, key_image: str | None) -> Prediction | None:
    if view == FIRST:
        return answers[0]
    fitting = [
        answer
        for answer in answers
        if (view == KEY and key_image and _same_path(key_image, answer.images[0])) or view in _views(answer)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _same_path(one: str, other: str) -> bool:
    short, long = sorted((one.strip("/"), other.strip("/")), key=len)
    return long == short or long.endswith("/" + short)


def refuse_other_split(studies: Sequence[str], dataset: str, split: str) -> None:
    """Refuse studies that are not the 590 of R2Gen's IU-Xray test split, which ReXrank's is.

    Raises:
        DataError: they are others.
    """
    digest = hashlib.sha256("\n".join(sorted(studies)).encode()).hexdigest()
    if digest != _R2GEN_TEST:
        raise DataError(
            f"ReXrank's IU-Xray test set is R2Gen's {_R2GEN_STUDIES} studies; these are {len(studies):,} of {dataset}, "
            f"split {split}, and not those; for another of ReXrank's sets give its data file as --studies"
        )


def read_studies(path: Path) -> dict[str, dict[str, Any]]:
    """ReXrank's data file: study -> its record.

    Raises:
        DataError: it is none.
    """
    content = read_json(path, with_nan=True)
    wrong = [
        f"{path.name}, study {study}: no section_findings"
        for study, record in (content.items() if isinstance(content, dict) else ())
        if not isinstance(record, dict) or "section_findings" not in record
    ]
    if wrong or not isinstance(content, dict) or not content:
        raise DataError(f"{path} is not a data file of ReXrank, an object of study -> record", wrong)
    return content


def refuse_other_studies(studies: Sequence[str], wanted: Sequence[str], path: Path) -> None:
    """Refuse studies that are not exactly those of ReXrank's data file. Raises DataError; names all, and near ones."""
    strangers = [study for study in studies if study not in set(wanted)]
    missing = [study for study in wanted if study not in set(studies)]
    if strangers or missing:
        near = {study: get_close_matches(study, wanted, n=1, cutoff=0.6) for study in strangers[:10]}
        raise DataError(
            f"the answers are not about the studies of {path}: {len(strangers):,} are not in it, and {len(missing):,} "
            "of it have no answer",
            [
                *(
                    f"{study}: not in the file{f'; near: {named(near[study])}' if near.get(study) else ''}"
                    for study in strangers
                ),
                *(f"{study}: no answer for it" for study in missing),
            ],
        )
