"""What is declared of a form to share in, what is shared, and what has been written."""

from __future__ import annotations

import glob
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ..config.datasets import ImagePolicy
from ..readers import DatasetSpec, describe
from ..records import Sample
from ..requirements import Need
from ..services.console import Word

if TYPE_CHECKING:
    from ..scoring.spec import ScorerSpec
    from ..services.images.fingerprints import Fingerprint


@dataclass(frozen=True)
class ToShare:
    """Samples of a prepared data set."""

    manifest: Mapping[str, Any]
    """Of the prepared folder; what it says of splits that are not shared is left out."""
    splits: Mapping[str, Sequence[Sample]]
    image_root: Path
    policy: ImagePolicy
    """How an image is decoded that cannot be taken as it is."""
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    """What each image was when it was prepared."""
    scorers: Sequence[ScorerSpec] = ()
    """Of a task."""
    workers: int = 2

    @property
    def dataset(self) -> str:
        """Registry name."""
        return str(self.manifest["dataset"])

    @property
    def spec(self) -> DatasetSpec:
        """What is declared of the data set."""
        return describe(self.dataset)

    @property
    def shows_several(self) -> bool:
        """Whether some sample has several images."""
        return any(len(sample.images) > 1 for samples in self.splits.values() for sample in samples)


@dataclass(frozen=True)
class SharedFile:
    """A file that was written."""

    split: str
    """Of an image that several show, the first."""
    samples: int
    bytes: int
    sha256: str = ""
    """Of a file with samples."""
    arrow_bytes: int = 0
    """In memory, of parquet."""


@dataclass
class Shared:
    """What was written."""

    files: dict[str, SharedFile] = field(default_factory=dict)
    """Path below the folder -> what is there."""
    converted: Counter[str] = field(default_factory=Counter)
    """Why an image was written as PNG in place of its own bytes -> how many were."""
    remarks: Counter[str] = field(default_factory=Counter)
    """What to know of images that were taken as they are, in words -> how many."""

    def of_split(self, split: str) -> dict[str, SharedFile]:
        """The files of a split."""
        return {name: file for name, file in self.files.items() if file.split == split}

    def total(self, split: str, count: str) -> int:
        """Sum of ``samples``, ``bytes`` or ``arrow_bytes`` over the files of a split."""
        return sum(getattr(file, count) for file in self.of_split(split).values())


@dataclass(frozen=True)
class ShareFormat:
    """One form that other programs read."""

    name: str
    """As users write it."""
    title: str
    """What it is, for help."""
    writer: str
    """Module of this room and function that writes it: ``croissant:write_croissant``."""
    use: tuple[str, ...]
    """Words of the command that reads or runs it; ``{out}`` is the folder, ``{text}`` the same as a text in Python."""
    is_task: bool = False
    """It asks a model and scores: one split by default, with scorers."""
    needs: tuple[Need, ...] = ()
    """Packages without which it cannot be written."""
    takes_patterns: bool = False
    """The command takes patterns below the folder it runs in, so that no absolute path and no ``[`` is one."""

    def write(self, to_share: ToShare, folder: Path) -> Shared:
        """Write it into a folder that is there and empty.

        Raises:
            UnusableImage: an image is missing, damaged or of no known format.
        """
        module, _, function = self.writer.partition(":")
        written: Callable[[ToShare, Path], Shared] = getattr(import_module(f".{module}", __package__), function)
        return written(to_share, folder)

    def command(self, out: Path) -> list[Word]:
        """``use`` of a folder."""
        if self.takes_patterns:
            out = Path(glob.escape(os.path.relpath(out)))
        text = json.dumps(str(out), ensure_ascii=False)
        words = [(word, word.format(out=out, text=text)) for word in self.use]
        return [Path(filled) if word.startswith("{out}") else filled for word, filled in words]


def task_name(dataset: str, split: str) -> str:
    """``pefomed_vqa_rad_test``: as it is called in a harness."""
    return "pefomed_" + "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in f"{dataset}_{split}")
