"""What the readers of captioned images share: one sample from a row, and the spelling of an image that exists.

Lists folders, opens no image.
"""

import os
from pathlib import Path
from typing import Any, FrozenSet, Mapping, Sequence

from ..errors import DataError
from ..records import Sample
from .layouts import Release, inside

EMPTY_CAPTION = "empty caption"


def add_caption(release: Release, where: str, key: str, split: str, image: str, caption: str,
                metadata: Mapping[str, Any]) -> None:
    """Append one captioned image, id ``<dataset>-<key>``; an image outside the root is a problem, no caption a skip."""
    if inside(release.image_root, image) is None:
        release.problems.append("{}: image {!r} lies outside {}; move it there".format(where, image,
                                                                                     release.image_root))
    elif not caption.strip():
        release.skip(where, EMPTY_CAPTION)
    else:
        release.samples.append(Sample(
            id="{}-{}".format(release.dataset, key), dataset=release.dataset, split=split, image=image,
            task="caption", question=None, answer=caption.strip(), metadata=metadata))


def file_names(folder: Path) -> FrozenSet[str]:
    """Names in a folder, empty when there is none: one listing is cheaper than asking for every file.

    Raises:
        DataError: the folder cannot be listed.
    """
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise DataError("cannot list {}: {}".format(folder, error.strerror or error)) from error


def existing_name(spellings: Sequence[str], names: FrozenSet[str]) -> str:
    """The first spelling among ``names``, or the first of all: whether images exist is checked elsewhere."""
    return next((each for each in spellings if each in names), spellings[0])
