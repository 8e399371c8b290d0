"""Answers as every command reads them."""

from __future__ import annotations

from pathlib import Path

from ..records import Prediction
from ..scoring.leaks import with_leaks
from ..services.private_files import keep_answers_private
from ..storage import read_predictions


def read_answers(path: Path) -> list[Prediction]:
    """Predictions of a file, with what ``leaks.json`` beside it says of each.

    What is made of those of data that are not public is readable by the user alone.

    Raises:
        DataError: as ``read_predictions`` and ``with_leaks``.
    """
    predictions = with_leaks(read_predictions(path), Path(path).parent)
    keep_answers_private(predictions)
    return predictions
