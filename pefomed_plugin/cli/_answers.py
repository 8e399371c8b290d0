"""Answers as every command reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import DataError
from ..json_text import as_json
from ..records import Prediction
from ..scoring.leaks import with_leaks
from ..services.private_files import keep_answers_private
from ..storage import read_predictions, set_aside


def read_answers(path: Path) -> list[Prediction]:
    """Predictions of a file, with what ``leaks.json`` beside it says of each.

    What is made of those of data that are not public is readable by the user alone.

    Raises:
        DataError: as ``read_predictions`` and ``with_leaks``.
    """
    predictions = with_leaks(read_predictions(path), Path(path).parent)
    keep_answers_private(predictions)
    return predictions


def set_other_answers_aside(path: Path, predictions: Sequence[Prediction]) -> list[str]:
    """Rename answers that are there already and are others; a line that says so."""
    if not path.is_file():
        return []
    try:
        before = [as_json(prediction.to_json()) for prediction in read_predictions(path)]
    except DataError:  # whatever it is, it is not lost
        before = []
    if before == [as_json(prediction.to_json()) for prediction in predictions]:
        return []
    return [f"{path} is now {set_aside(path)}"]
