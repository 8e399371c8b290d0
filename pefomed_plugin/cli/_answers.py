"""Answers as every command reads them."""

from __future__ import annotations

from pathlib import Path

from ..records import Prediction
from ..services.private_files import keep_answers_private
from ..storage import read_predictions


def read_answers(path: Path) -> list[Prediction]:
    """Predictions of a file; what is made of those of data that are not public is readable by the user alone.

    Raises:
        DataError: as ``read_predictions``.
    """
    predictions = read_predictions(path)
    keep_answers_private(predictions)
    return predictions
