"""Folders that are written whole or not at all, and never over another one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..atomic import drop_abandoned, partial_folder
from ..errors import DataError, PefomedError, why


@contextmanager
def fresh_folder(out: Path, error: type[PefomedError] = DataError) -> Iterator[Path]:
    """A folder that gets the name ``out`` once everything in it is written; after an error nothing is left.

    Args:
        error: raised where ``out`` is there already and not empty, or cannot be written, or a file that goes into it
            cannot be read.
    """
    out = Path(os.path.abspath(out))
    is_volume = os.path.ismount(out)  # of a container: no other folder takes its place
    place = out / out.name if is_volume else out
    drop_abandoned(place)
    refuse_to_overwrite(out, error)
    partial = None
    try:
        with partial_folder(place) as partial:
            yield partial
            if is_volume:
                for path in sorted(partial.iterdir()):
                    os.replace(path, out / path.name)
            else:
                os.replace(partial, out)
    except OSError as cause:
        name = cause.filename
        if partial and isinstance(name, str) and partial not in (path := Path(os.path.abspath(name)), *path.parents):
            raise error(f"{name}: {why(cause)}; nothing is written to {out}") from cause
        reason = why(cause).replace("another place", "another --out")
        raise error(f"cannot write {out}: {reason}; nothing is left there") from cause


def refuse_to_overwrite(out: Path, error: type[PefomedError] = DataError) -> None:
    """Raises ``error`` if ``out`` is a file or a folder with something in it."""
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise error(f"{out} is there already and is not overwritten; choose another --out, or move it away")
