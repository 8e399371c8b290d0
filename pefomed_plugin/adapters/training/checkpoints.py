"""The checkpoints of one run: the last few and the best, each whole, each with a digest.

``checkpoint_last.pth`` is the newest, ``checkpoint_last.1.pth`` the one before, and so on; ``checkpoint_best.pth`` has
the lowest validation loss. Beside each lies ``<name>.sha256``. Only the first rank saves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...atomic import as_one, move, remove, settle
from ...digests import digest_file, file_sha256
from ...errors import CheckpointError
from ...services.console import say
from ...storage import write_text
from ...toolkit.checkpoint import read_checkpoint, write_checkpoint

BEST = "checkpoint_best.pth"
NEW = "checkpoint_new.pth"
"""Written whole under this name, then renamed."""


class CheckpointKeeper:
    """Saves into and loads from one folder."""

    def __init__(self, folder: Path, keep_last: int = 2) -> None:
        self.folder, self.keep_last = Path(folder), keep_last

    def save(self, content: Mapping[str, Any], *, best: bool = False) -> Path:
        """Write the newest checkpoint, and the same as the best one if it is.

        Raises:
            CheckpointError: the disk is full or the folder cannot be written; all older ones are untouched.
        """
        names, newest = self._names(), self.folder / self._names()[0]
        with as_one(self.folder):
            fresh = self.folder / NEW
            write_checkpoint(content, fresh)
            digest = file_sha256(fresh)
            if best:
                remove(digest_file(self.folder / BEST))
                write_checkpoint(content, self.folder / BEST)
                _write_digest(self.folder / BEST, file_sha256(self.folder / BEST))
            for older, newer in zip(reversed(names), reversed(names[:-1])):
                _move(self.folder / newer, self.folder / older)
            remove(digest_file(newest))
            move(fresh, newest)
            _write_digest(newest, digest)
        return newest

    def newest(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest whole checkpoint and its content; None where there is none at all.

        Raises:
            CheckpointError: there are checkpoints, and all of them are damaged.
        """
        settle(self.folder)
        damaged: list[str] = []
        last, *older = self._names()
        # an earlier version that was killed while it renamed files left the newest under its first name
        first = last if (self.folder / last).is_file() else NEW
        for name in (first, *older):
            path = self.folder / name
            if not path.is_file():
                continue
            try:
                return path, self.read(path)
            except CheckpointError as error:
                damaged.append(error.summary)
                say(f"{error.summary}; trying the one before")
        if damaged:
            raise CheckpointError(f"no whole checkpoint in {self.folder}", damaged)
        return None

    @staticmethod
    def read(path: Path) -> dict[str, Any]:
        """Content of a checkpoint, its digest checked where there is one.

        Raises:
            CheckpointError: missing, damaged, or no checkpoint of a training run.
        """
        settle(Path(path).parent)
        return read_checkpoint(path)

    def _names(self) -> list[str]:
        return ["checkpoint_last.pth", *(f"checkpoint_last.{number}.pth" for number in range(1, self.keep_last))]


def _move(source: Path, target: Path) -> None:
    if source.is_file():
        remove(digest_file(target))
        move(source, target)
        if digest_file(source).is_file():
            move(digest_file(source), digest_file(target))


def _write_digest(path: Path, digest: str) -> None:
    write_text(digest_file(path), digest + "\n")
