"""Samples as rows of a training data set in TRL's conversational form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..records import Sample
from ..services.images.decoding import open_image
from ..services.private_files import keep_private
from .functions import COLUMNS


def asked(sample: Sample) -> list[dict[str, str]]:
    """The prompt of a sample: its question; of reports and captions the mark of the task, which an exported model's
    chat template makes its instruction of (docs/transformers.md)."""
    return [{"role": "user", "content": sample.question or f"[{sample.task}]"}]


def rows_of(samples: Iterable[Sample], image_root: Path) -> Iterator[dict[str, Any]]:
    """``prompt``, ``images`` (PIL, as training sees them) and the columns that rewards read, a row a sample.

    What a process writes after this is its user's alone where a data set is not public.

    Raises:
        UnusableImage: an image cannot be used.
    """
    for sample in samples:
        keep_private({sample.dataset})
        yield {
            "prompt": asked(sample),
            "images": [open_image(image_root, image) for image in sample.images],
            **{name: getattr(sample, name) for name in COLUMNS},
        }
