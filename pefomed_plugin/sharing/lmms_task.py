"""What a folder written by ``pefomed share --to lmms_eval`` runs: prompt, images, and our scorers over the whole set.

Imports nothing of lmms-eval; its ``utils.py`` names these functions to the harness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..json_text import parse_json
from ..prompts import plain_parts
from ..readers.shared import ONE, SEVERAL
from ..records import Prediction, Sample
from ..scoring import find_scorer
from .figures import answered, figures_of, plain_name

_FIELDS = ("id", "dataset", "task", "question", "answer", "answer_type", "question_type", "organ", "phrase_type")
Doc = Mapping[str, Any]


def doc_to_visual(doc: Doc) -> list[Any]:
    """The images of a row, as Pillow's in RGB."""
    images = doc[SEVERAL] if SEVERAL in doc else [doc[ONE]]
    return [image.convert("RGB") for image in images]


def doc_to_text(doc: Doc) -> str:
    """What is asked, for models that put all images before it; of several images their names come first."""
    parts = _parts(doc)
    names = [part.rstrip(":") for part in parts[:-1] if isinstance(part, str)]
    shown = [f"Image {number}: {name}." for number, name in enumerate(names, 1)]
    return "\n".join([*([" ".join(shown)] if shown else []), str(parts[-1])])


def doc_to_messages(doc: Doc) -> list[dict[str, Any]]:
    """The same as a chat, each of several images behind its name."""
    images = doc_to_visual(doc)
    content = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "url": images[part]}
        for part in _parts(doc)
    ]
    return [{"role": "user", "content": content}]


def doc_to_target(doc: Doc) -> str:
    """The reference."""
    return str(doc["answer"])


class Scoring:
    """Answers to records, and records to our figures."""

    def __init__(self, figures: Sequence[tuple[str, str]]) -> None:
        """
        Args:
            figures: pairs of a scorer of ours and one of its figures.
        """
        self.figures = {metric_name(scorer, figure): (scorer, figure) for scorer, figure in figures}
        self._last: dict[str, tuple[Any, dict[str, float | None]]] = {}

    def process_results(self, doc: Doc, results: Sequence[str]) -> dict[str, Any]:
        """Metric -> what its aggregation needs of this row."""
        record = answered(_sample(doc), results[0] if results else None).to_json()
        return dict.fromkeys(self.figures, record)

    def aggregation(self, metric: str) -> Callable[[Sequence[Mapping[str, Any]]], float]:
        """Of the records of all rows, one figure; NaN where nothing could be scored."""
        scorer, figure = self.figures[metric]

        def aggregate(records: Sequence[Mapping[str, Any]]) -> float:
            predictions = [Prediction.from_json(record) for record in records]
            key = tuple((prediction.id, prediction.prediction) for prediction in predictions)
            if self._last.get(scorer, (None,))[0] != key:
                self._last[scorer] = (key, figures_of(find_scorer(scorer), predictions))
            value = self._last[scorer][1].get(figure)
            return float("nan") if value is None else value

        return aggregate


def metric_name(scorer: str, figure: str) -> str:
    """``exact_match_pefomed_open``: as the harness calls a figure."""
    return f"{plain_name(find_scorer(scorer))}_{figure}"


def _parts(doc: Doc) -> list[Any]:
    sample = _sample(doc)
    return plain_parts(sample.task, sample.question, sample.image_names)


def _sample(doc: Doc) -> Sample:
    """The sample of a row; its images are counted, not looked at."""
    count = len(doc[SEVERAL]) if SEVERAL in doc else 1
    return Sample(
        **{name: doc[name] for name in _FIELDS},
        split="test",
        images=tuple(f"image-{number}" for number in range(count)),
        views=tuple(doc.get("views") or ()),
        metadata=parse_json(doc["metadata"].encode()) if doc["metadata"] else {},
    )
