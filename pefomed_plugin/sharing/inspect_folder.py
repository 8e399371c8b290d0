"""The folder of an inspect_ai task: samples, images and a short file with the ``@task`` of each split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..digests import file_sha256
from ..readers.prepared import split_file
from ..records import Sample
from ..services.console import progress
from ..storage import write_records, write_text
from .format import Shared, SharedFile, ToShare, task_name
from .forms import INSPECT_AI, TASK_FILE
from .images import Counted, LeavingImage, leaving_images, unless_plain
from .tasks import readme

_HEAD = '''"""{title} as an inspect_ai task, written by pefomed share: inspect eval {file} --model PROVIDER/MODEL

Needs inspect_ai and pefomed_plugin, whose scorers these are.
"""

from pathlib import Path

from inspect_ai import Task, task

from pefomed_plugin.sharing.inspect_task import make_task

SCORERS = {scorers!r}
'''
_TASK = '''

@task
def {name}(scorers: str = ",".join(SCORERS)) -> Task:
    """Split {split}: {count} samples."""
    return make_task(Path(__file__).resolve().parent, {split!r}, scorers.split(","))
'''


def write_inspect(to_share: ToShare, folder: Path) -> Shared:
    """``pefomed_task.py``, ``<split>.jsonl`` and ``images/``. Raises UnusableImage: an image cannot be used."""
    shared = Shared()
    counted = Counted(shared)
    (folder / "images").mkdir()
    with progress("shared: samples", sum(map(len, to_share.splits.values()))) as advance:
        for split, samples in to_share.splits.items():
            path = folder / split_file(split)

            def records(split: str = split, samples: Sequence[Sample] = samples) -> Iterator[Sample]:
                for sample, shown in zip(samples, leaving_images(to_share, samples, unless_plain)):
                    counted.add(shown)
                    yield replace(sample, images=tuple(_store(folder, image, split, shared) for image in shown))
                    advance()

            write_records(path, records())
            shared.files[path.name] = SharedFile(split, len(samples), path.stat().st_size, file_sha256(path))
    scorers = [spec.name for spec in to_share.scorers]
    parts = [_HEAD.format(title=to_share.spec.title.replace('"', "'"), file=TASK_FILE, scorers=scorers)]
    parts += [
        _TASK.format(name=task_name(to_share.dataset, split), split=split, count=len(samples))
        for split, samples in to_share.splits.items()
    ]
    write_text(folder / TASK_FILE, "".join(parts))
    write_text(folder / "README.md", readme(to_share, INSPECT_AI))
    return shared


def _store(folder: Path, image: LeavingImage, split: str, shared: Shared) -> str:
    name = f"images/{image.name}"
    if name not in shared.files:
        (folder / name).write_bytes(image.data)
        shared.files[name] = SharedFile(split, 0, len(image.data))
    return name
