"""Folders that are written whole or not at all, and never over another one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from ..atomic import drop_abandoned
from ..errors import DataError, PefomedError, one_line


@contextmanager
def fresh_folder(out: Path, error: type[PefomedError] = DataError) -> Iterator[Path]:
    """A folder that gets the name ``out`` once everything in it is written; after an error nothing is left.

    Args:
        error: raised where ``out`` is there already and not empty, or cannot be written.
    """
    out = Path(os.path.abspath(out))
    refuse_to_overwrite(out, error)
    drop_abandoned(out)
    partial = out.with_name(f"{out.name}.{uuid4().hex[:8]}.part")
    try:
        partial.mkdir(parents=True)
        yield partial
        os.replace(partial, out)
    except OSError as cause:
        raise error(f"cannot write {out} ({cause.strerror or one_line(cause)}); choose another --out") from cause
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_to_overwrite(out: Path, error: type[PefomedError] = DataError) -> None:
    """Raises ``error`` if ``out`` is a file or a folder with something in it."""
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise error(f"{out} is there already and is not overwritten; choose another --out, or move it away")
