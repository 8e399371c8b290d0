"""Files of data that are not public: readable by whoever runs the program and by nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..origins import origins_of
from ..records import Prediction
from .console import say_once
from .outbound import hold

_OWNER_ALONE = 0o077
_private: set[str] = set()
"""The data sets because of which this process writes privately."""


def keep_private(datasets: Iterable[str], origins: Mapping[str, str] | None = None) -> bool:
    """What this process writes from here on is its user's alone (0600, folders 0700) where one of the data sets is not
    public; said once. It is the process's umask, so that it holds for every file, whichever library writes it.

    Args:
        origins: data set -> where its data come from; what is generated is nobody's.

    Returns:
        Whether it is so.
    """
    found = hold(datasets, origins)  # the gate knows of them from here on
    if found:
        write_for_owner_alone()
        _private.update(found)
        say_once(f"not public: {', '.join(found)}; what is written is readable by you alone (chmod g+r for a group)")
    return bool(found)


def write_for_owner_alone() -> None:
    """What this process writes from here on is its user's alone."""
    os.umask(os.umask(_OWNER_ALONE) | _OWNER_ALONE)


def keep_answers_private(predictions: Iterable[Prediction]) -> bool:
    """As ``keep_private``, by the data sets that answers belong to."""
    predictions = list(predictions)
    return keep_private({prediction.dataset for prediction in predictions}, origins_of(predictions).data)


def go_on_privately(path: Path) -> None:
    """A file that is there already and will be added to: others lose it too, where this process writes privately.

    Raises:
        OSError: it belongs to somebody else.
    """
    if _private and path.exists():
        path.chmod(path.stat().st_mode & ~_OWNER_ALONE)
