"""Every image of a folder, and what is asked about each: samples without a release. Opens no image.

What is no image is counted by its kind, so that nothing is left out in silence.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ...errors import ConfigError, DataError, quoted, why
from ...input_files import refuse_special
from ...readers.tables import read_csv
from ...readers.views import named_images
from ...records import CLOSED, OPEN, Sample
from .dicom import looks_like_dicom

DATASET = "images"
"""``Sample.dataset`` of images that belong to none."""
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif", ".bmp", ".webp", ".jp2", ".ppm", ".pgm", ".dcm", ".dicom")
)
_HEAD_BYTES = 132
"""In them a DICOM file says that it is one; scanners write such files without an ending."""


@dataclass(frozen=True)
class ImageFolder:
    """What lies below a folder."""

    root: Path
    images: Sequence[str]
    """Paths below ``root`` with forward slashes, sorted."""
    others: Mapping[str, int]
    """Ending -> how many files are no images by their ending; hidden files are not counted."""


def find_images(root: Path) -> ImageFolder:
    """Images below ``root``, sub-folders included, known by their ending or, without one, by DICOM's mark.

    Raises:
        DataError: no such folder, or a folder in it cannot be listed.
        ConfigError: there is no image in it.
    """
    if not root.is_dir():
        raise DataError(f"{root} is a file, not a folder of images" if root.exists() else f"no folder {root}")
    images: list[str] = []
    others: Counter = Counter()
    for folder, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            if path.suffix.lower() in SUFFIXES or (not path.suffix and _is_dicom(path)):
                images.append(path.relative_to(root).as_posix())
            else:
                others[path.suffix.lower() or "no ending"] += 1
    if not images:
        raise ConfigError(
            f"{root} holds no image; looked for {', '.join(sorted(SUFFIXES))}, and DICOM files without an ending"
        )
    unnamed = [os.fsencode(image) for image in images if image != image.encode("utf-8", "replace").decode("utf-8")]
    if unnamed:
        raise DataError(
            f"{root}: names that are not UTF-8, which no file of answers can hold; rename these images",
            [ascii(name)[2:-1] for name in unnamed],
        )
    return ImageFolder(root, sorted(images), dict(sorted(others.items())))


def may_hold_images(root: Path, limit: int = 50_000) -> bool:
    """Whether some image may lie below ``root``; opens no file, and stops at the first that may be one.

    False is certain: every file was seen, and each has an ending that no image has. True is also the answer where it
    cannot be told: files without an ending (DICOM), Parquet (it may hold images), a folder that may not be listed, or
    more than ``limit`` entries.
    """
    endings = SUFFIXES | {".parquet", ""} | set(Image.registered_extensions())
    folders, seen = [str(root)], 0
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > limit:
                        return True
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        folders.append(entry.path)
                    elif os.path.splitext(entry.name)[1].lower() in endings:
                        return True
        except OSError:
            return True
    return False


def make_samples(images: Sequence[str], task: str, question: str | None = None) -> list[Sample]:
    """One sample an image; its reference is empty, because there is none."""
    return [_sample((image,), task, question, key=image) for image in images]


def read_questions(path: Path, images: Sequence[str]) -> list[Sample]:
    """Samples of a CSV with a column ``question``; without a column ``image`` each is asked about every image.

    In place of ``image``, ``images`` names several that are shown together: ``frontal=a.png; lateral=b.png``. A column
    ``answer`` becomes the reference, ``id`` the sample's id (with the image's name where there is no column ``image``).

    Raises:
        DataError: not such a file; every wrong line is named.
    """
    problems: list[str] = []
    samples: list[Sample] = []
    for number, row in read_csv(path, ("question",), problems):
        if not row["question"].strip():
            problems.append(f"{path.name}, line {number}: the question is empty; fill it or delete the line")
            continue
        shown, views, problem = _shown(row)
        flag = row.get("answer_type", "").strip().upper()
        if flag not in ("", OPEN, CLOSED):
            problem = f"answer_type {quoted(flag)} is neither OPEN nor CLOSED; correct it, or leave it empty"
        if problem:
            problems.append(f"{path.name}, line {number}: {problem}")
            continue
        key = row.get("id", "").strip() or f"{number}"
        samples += [
            _sample(
                together,
                "vqa",
                row["question"].strip(),
                row.get("answer", "").strip(),
                flag,
                key=f"{together[0]}-{key}",
                views=views,
            )
            for together in ([shown] if shown else [(image,) for image in images])
        ]
    return _settled(samples, problems, path, "question")


def read_studies(path: Path, task: str, question: str | None = None) -> list[Sample]:
    """Samples of a CSV with a column ``images``, one a line: ``frontal=a.png; lateral=b.png``.

    A column ``answer`` becomes the reference, ``id`` the sample's id (else the line's number).

    Raises:
        DataError: not such a file; every wrong line is named.
    """
    problems: list[str] = []
    samples: list[Sample] = []
    for number, row in read_csv(path, ("images",), problems):
        shown, views, problem = _shown(row)
        if problem or not shown:
            problems.append(f"{path.name}, line {number}: {problem or 'the images are empty; name them'}")
            continue
        key = row.get("id", "").strip() or f"{number}"
        samples.append(_sample(shown, task, question, row.get("answer", "").strip(), key=key, views=views))
    return _settled(samples, problems, path, "study")


def _settled(samples: list[Sample], problems: list[str], path: Path, what: str) -> list[Sample]:
    """The samples of a table. Raises DataError for what is wrong with it."""
    twice = [key for key, count in Counter(sample.id for sample in samples).items() if count > 1]
    problems += [f"{path.name}: {key!r} is asked twice under one id; number the lines apart" for key in twice]
    if not problems and not samples:
        problems.append(f"{path}: no {what} in it")
    if problems:
        raise DataError("the questions cannot be asked", problems)
    return samples


def _shown(row: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Images of a question, what they are called, and what is wrong, if anything; no images: it is asked about all."""
    own, several = row.get("image", "").strip(), row.get("images", "").strip()
    if own and several:
        return (), (), "image and images; name all in images, or one in image"
    if several:
        return named_images(several)
    if not own and ("image" in row or "images" in row):
        return (
            (),
            (),
            "the image is empty; name it, or delete the column to ask every question about every image",
        )
    return ((own,) if own else ()), (), ""


def _sample(
    images: tuple[str, ...],
    task: str,
    question: str | None,
    answer: str = "",
    answer_type: str = "",
    *,
    key: str,
    views: tuple[str, ...] = (),
) -> Sample:
    facts: dict[str, str] = {} if answer else {"reference": "none"}
    return Sample(
        id=f"{DATASET}-{key}",
        dataset=DATASET,
        split="test",
        images=images,
        views=views if len(images) > 1 else (),
        task=task,
        question=question,
        answer=answer,
        answer_type=answer_type or None,
        metadata=facts,
    )


def _is_dicom(path: Path) -> bool:
    try:
        refuse_special(path)
        with open(path, "rb") as file:
            return looks_like_dicom(file.read(_HEAD_BYTES))
    except DataError:
        return False
    except OSError:
        return True  # it may be one; opening it will say what is wrong


def _refuse(error: OSError) -> None:
    raise DataError(f"cannot list {error.filename}: {why(error)}") from error
