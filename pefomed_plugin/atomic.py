"""Files that are whole, and several that change as one, whenever the process that writes them is killed.

One file is written beside its place and moved there (``replacing``). Several files of a folder that say one thing
together are written within ``as_one``: what they were is kept in ``.undo-*`` until the last of them stands, and put
back by whoever opens the folder next if the process did not get that far (docs/adr/0015-files-that-change-as-one.md).
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from .errors import DataError, naming, why
from .input_files import special_kind
from .locks import NoLocks, has_ended, holder_of, take, write_holder

_FRESH, _UNDO, _DONE = ".begun-", ".undo-", ".done-"
"""The three names of a folder of what was: before anything is changed, until all is, and while it is deleted."""
_EARLIER, _ABSENT, _OWNER = "earlier", "absent", "owner.json"
_PART, _HALF = ".part", ".half"
_A_DAY_S = 86_400
_writing: ContextVar[Any] = ContextVar("_writing", default=None)


def check_place(path: Path) -> None:
    """Whether a file may take a place, asked by whoever writes or renames onto a path that a user may have named.

    Raises:
        OSError: a folder is there, or a device, a pipe or a socket: root could, and ``/dev/null`` would be gone.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = special_kind(path) if path.exists() else None
    if kind:
        raise OSError(errno.ENOTSUP, f"it is {kind}, not a file; name a file", str(path))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to be written, which takes the place of ``path`` once it is whole; after an error the old one stays.

    It gets the permissions that the umask leaves, as any new file; ``tempfile`` would make it the user's alone. What
    killed processes left of the same file is removed.

    Raises:
        OSError: the folder cannot be written, the disk is full, or ``path`` is one of what ``check_place``
            refuses.
    """
    path = Path(path)
    check_place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    drop_abandoned(path)
    partial, handle = _create(path)
    try:
        with naming(path), os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _note(path)
            os.replace(partial, path)  # while it is locked, so that nobody takes it for abandoned
    finally:
        if partial.exists():
            partial.unlink()


def remove(path: Path) -> None:
    """Delete a file, if it is there; within ``as_one`` it comes back where the rest is not done."""
    _note(path)
    Path(path).unlink(missing_ok=True)


def move(source: Path, target: Path) -> None:
    """Rename a file, over another one; within ``as_one`` both are as before where the rest is not done."""
    _note(target)
    _note(source)
    os.replace(source, target)


@contextmanager
def as_one(folder: Path) -> Iterator[None]:
    """What is written in ``folder`` by ``replacing``, ``remove`` and ``move`` is done as a whole or not at all.

    After an error, and after the process is killed, all these files are as they were. Within another one of the same
    folder, or of one above, it is part of that.

    Raises:
        DataError: what a killed process left cannot be put back, or the folder cannot be written.
    """
    folder = Path(os.path.abspath(folder))
    outer = _writing.get()
    if outer is not None and outer.covers(folder):
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {why(error)}") from error
    settle(folder)
    try:
        undo = _Undo(folder)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {why(error)}; nothing was written") from error
    token = _writing.set(undo)
    try:
        yield
        undo.forget()
    except BaseException:
        undo.put_back()
        raise
    finally:
        _writing.reset(token)
        undo.close()


def settle(folder: Path) -> None:
    """Put back what a killed process had changed in ``folder`` and not finished; one that is still at it is waited for.

    Raises:
        DataError: it cannot be put back; names the folder.
    """
    folder, own = Path(os.path.abspath(folder)), _writing.get()
    try:
        left = [name for name in os.listdir(folder) if name.startswith((_FRESH, _UNDO, _DONE))]
    except OSError:
        return  # nothing there, or not to be read: whoever reads the files says so
    for name in left:
        if own is not None and own.place == folder / name:
            continue
        try:
            _settle_one(folder / name)
        except OSError as error:
            raise DataError(
                f"{folder} holds half of what a process was writing when it was killed, and it cannot be put back: "
                f"{why(error)}"
            ) from error


def drop_abandoned(path: Path) -> None:
    """Remove what killed processes left of writing the file or folder ``path``: ``<name>.<8 letters>.part``."""
    path = Path(path)
    with suppress(OSError):  # another process removes them too, or may not
        for name in os.listdir(path.parent):
            middle = name[len(path.name) : -len(_PART)]
            if not (name.startswith(path.name) and name.endswith(_PART) and len(middle) == 9 and middle[0] == "."):
                continue
            partial = path.with_name(name)
            with _locked(partial) as is_mine:
                is_old = time.time() - partial.stat().st_mtime > _A_DAY_S
                if is_mine is False or (is_mine is None and not is_old):
                    continue
                if partial.is_dir():
                    shutil.rmtree(partial)
                else:
                    partial.unlink()


def _create(path: Path) -> tuple[Path, int]:
    """A file to be moved to ``path``, and its handle, locked so that nobody takes it for abandoned."""
    while True:
        partial = path.with_name(f"{path.name}.{uuid4().hex[:8]}{_PART}")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(NoLocks):
            take(handle)
        if os.fstat(handle).st_nlink:  # else it was taken for abandoned before it was locked
            return partial, handle
        os.close(handle)


@contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """A new folder beside ``path``, to be moved there; removed at the end where it was not, or where it is abandoned.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        partial = path.with_name(f"{path.name}.{uuid4().hex[:8]}{_PART}")
        partial.mkdir(parents=True)
        handle = _opened(partial)
        if handle is None:
            if partial.is_dir():  # a system that opens no folders
                break
            continue
        with suppress(NoLocks):
            take(handle)
        if os.path.exists(partial):  # else it was taken for abandoned before it was locked
            break
        os.close(handle)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if handle is not None:
            os.close(handle)


class _Undo:
    """What files of a folder were: ``earlier/`` holds links to their contents, ``absent/`` the names of those that
    were not there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, folder / (_UNDO + uuid4().hex[:8])
        fresh = folder / (_FRESH + self.place.name[len(_UNDO) :])
        fresh.mkdir()
        try:
            with open(fresh / _OWNER, "wb") as file:
                write_holder(file.fileno())
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        self._handle = _opened(fresh)
        if self._handle is not None:
            with suppress(NoLocks):
                take(self._handle)
        fresh.rename(self.place)  # nobody looks for an owner before there is one

    def covers(self, path: Path) -> bool:
        return path == self.folder or self.folder in path.parents

    def note(self, path: Path) -> None:
        name = path.relative_to(self.folder)
        earlier, absent = self.place / _EARLIER / name, self.place / _ABSENT / name
        if os.path.lexists(earlier) or os.path.lexists(absent):
            return
        if os.path.lexists(path):
            earlier.parent.mkdir(parents=True, exist_ok=True)
            _keep(path, earlier)
        else:
            absent.parent.mkdir(parents=True, exist_ok=True)
            absent.touch()

    def forget(self) -> None:
        _drop(self.place)

    def put_back(self) -> None:
        _put_back(self.place)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)


def _note(path: Path) -> None:
    undo, path = _writing.get(), Path(os.path.abspath(path))
    if undo is not None and undo.covers(path):
        undo.note(path)


def _keep(path: Path, kept: Path) -> None:
    """A second name for a file, or a copy where the file system has no such names."""
    try:
        os.link(path, kept)
    except OSError:
        half = kept.with_name(uuid4().hex + _HALF)
        shutil.copy2(path, half)
        half.rename(kept)


def _settle_one(place: Path) -> None:
    is_undo = place.name.startswith(_UNDO)
    with _locked(place, wait=is_undo) as is_mine:
        if is_mine is False or not place.is_dir():
            return
        if is_mine is None and not has_ended(place / _OWNER):
            raise DataError(
                f"{place.parent}: {holder_of(place / _OWNER)} is writing here, and there are no locks to tell whether "
                f"it still runs; wait for it, or, if it is gone, delete {place / _OWNER}"
            )
        if is_undo:
            print(f"{place.parent}: a process was killed while it wrote here; it is as it was before", file=sys.stderr)
            _put_back(place)
        else:
            shutil.rmtree(place, ignore_errors=True)


def _put_back(place: Path) -> None:
    folder = place.parent
    for absent in sorted((place / _ABSENT).rglob("*")):
        if not absent.is_dir():
            (folder / absent.relative_to(place / _ABSENT)).unlink(missing_ok=True)
    for earlier in sorted((place / _EARLIER).rglob("*")):
        if not earlier.is_dir() and not earlier.name.endswith(_HALF):
            os.replace(earlier, folder / earlier.relative_to(place / _EARLIER))
    _drop(place)


def _drop(place: Path) -> None:
    """First a name that nobody puts back, then what is in it."""
    done = place.with_name(_DONE + place.name[len(_UNDO) :])
    place.rename(done)
    shutil.rmtree(done, ignore_errors=True)


@contextmanager
def _locked(path: Path, wait: bool = False) -> Iterator[bool | None]:
    """Whether nobody else holds a file or folder; None where there are no locks to tell."""
    handle = _opened(path)
    try:
        if handle is None:
            yield None
            return
        try:
            take(handle, wait=wait)
        except BlockingIOError:
            yield False
        except NoLocks:
            yield None
        else:
            yield True
    finally:
        if handle is not None:
            os.close(handle)


def _opened(path: Path) -> int | None:
    """Handle of a file or folder, for its lock; None where it is gone, or the system opens no folders."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None
