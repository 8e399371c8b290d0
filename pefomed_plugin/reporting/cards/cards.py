"""Model cards and data cards, written as ``README.md`` where the Hugging Face hub looks for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...storage import write_text
from .data_card import data_card
from .markdown import MARK
from .model_card import model_card
from .model_facts import ModelFacts

CARD = "README.md"
OTHER_CARD = "README.pefomed.md"
"""Where the card goes when ``README.md`` is somebody else's."""


def write_model_card(folder: Path, facts: ModelFacts) -> Path:
    """Write the card of the weights in ``folder``; the file written (see ``CARD`` and ``OTHER_CARD``).

    Raises:
        DataError: the folder cannot be written.
    """
    return _write(folder, model_card(facts))


def write_data_card(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write the card of a prepared data set from its manifest; the file written.

    Raises:
        DataError: the folder cannot be written.
    """
    return _write(folder, data_card(manifest))


def _write(folder: Path, text: str) -> Path:
    path = Path(folder) / CARD
    if path.is_file() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        path = path.with_name(OTHER_CARD)
    write_text(path, text)
    return path
