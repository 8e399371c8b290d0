"""What the readers of captioned images share: one sample from a row, and the spelling of an image that exists.

Lists folders, opens no image.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, why
from ..records import Sample
from .layouts import Release
from .rows import image_problem


def add_caption(
    release: Release,
    where: str,
    *,
    key: str,
    split: str,
    image: str | tuple[str, ...],
    caption: Any,
    metadata: Mapping[str, Any],
    task: str = "caption",
    views: tuple[str, ...] = (),
) -> None:
    """Append one captioned image (or, by ``task``, report) to ``release``, or record why the row cannot be one.

    Args:
        where: file and record, for messages.
        key: what follows ``<data set>-`` in the sample's id.
        image: path below the image root, or several; must stay there, symbolic links followed.
        caption: kept as released but for blanks at its ends; an empty one is skipped and counted.
    """
    images = (image,) if isinstance(image, str) else image
    problem = next(filter(None, (image_problem(release, one) for one in images)), None)
    if problem is None and not isinstance(caption, str):
        problem = f"{task} is of type {type(caption).__name__}, expected text"
    if problem is not None:
        release.problems.append(f"{where}: {problem}")
    elif not caption.strip():
        release.skip(where, "empty " + task)
    else:
        release.add(
            Sample(
                id=f"{release.dataset}-{key}",
                dataset=release.dataset,
                split=split,
                images=images,
                task=task,
                question=None,
                answer=caption.strip(),
                metadata=metadata,
                views=views,
            ),
            where,
        )


def file_names(folder: Path) -> frozenset[str]:
    """Names in a folder, empty when there is none: one listing is cheaper than asking for every file.

    Raises:
        DataError: the folder cannot be listed.
    """
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise DataError(f"cannot list {folder}: {why(error)}") from error


def existing_name(spellings: Sequence[str], names: frozenset[str]) -> str:
    """The first spelling among ``names``, or the first of all: whether images exist is checked elsewhere."""
    return next((spelling for spelling in spellings if spelling in names), spellings[0])
