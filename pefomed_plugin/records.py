"""The records that travel through the plugin: a sample, a prediction, a score. Standard library only.

Readers make samples, generation makes predictions, scorers make scores; nothing here knows of files, pixels or torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Callable, TypeVar

from .errors import DataError, named, quoted
from .json_fields import kind_of, wrong_record

OPEN = "OPEN"
CLOSED = "CLOSED"
SPLITS = ("train", "val", "test")
TASKS = ("vqa", "report", "caption")
CONFIDENCE = "confidence"
"""In ``Prediction.producer``: how probable the model holds its answer, 0 to 1, where it was asked."""

_Record = TypeVar("_Record", bound="Sample")
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Sample:
    """One image, or several of one study, with what is asked about them and what should be answered."""

    id: str
    """Unique over all splits of its data set and stable between reads, for example ``vqa_rad-17``."""
    dataset: str
    """Registry name of the builder: ``vqa_rad``, ``slake``, ``iu_xray``, ..."""
    split: str
    """``train``, ``val`` or ``test``."""
    images: tuple[str, ...]
    """Paths below the data set's image root, with forward slashes, in the order in which they are shown;
    ``file.parquet#17`` is row 17 of a parquet file, ``file.tar#17.jpg`` a member of a tar."""
    task: str
    """``vqa``, ``report`` or ``caption``: which prompt template and token limit apply."""
    question: str | None
    """The question as released; None for reports and captions, whose instruction comes from a pool."""
    answer: str
    """The reference: answer, report or caption, as released (case and punctuation kept)."""
    answer_type: str | None = None
    """``OPEN``, ``CLOSED`` or None where the data set has no such notion; how it was decided is in ``metadata``."""
    question_type: str | None = None
    """As released with known misspellings corrected; several types are joined with ``", "``."""
    organ: str | None = None
    """Imaged organ or region as released: ``HEAD``, ``CHEST``, ``ABD``, ``Lung``, ..."""
    phrase_type: str | None = None
    """VQA-RAD only: ``freeform``, ``para`` or ``frame``."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON-able extras: ``source_id``, ``study`` (shared by samples that are not independent), ``modality``, ..."""
    views: tuple[str, ...] = ()
    """What each image is called where it is shown, parallel to ``images``: ``("frontal", "lateral")``; empty where
    nobody says, see ``image_names``."""

    def __post_init__(self) -> None:
        """Lists of images and views become tuples.

        Raises:
            ValueError: no image, something that is no path, or views that do not fit the images.
        """
        images = (self.images,) if isinstance(self.images, str) else self.images
        problem = _images_problem(images)
        if self.views != () and problem is None:
            problem = _views_problem(self.views, len(images))
            object.__setattr__(self, "views", tuple(self.views))
        if problem:
            raise ValueError(f"{quoted(self.id)}: {problem}")
        object.__setattr__(self, "images", tuple(images))

    @property
    def image_names(self) -> tuple[str, ...]:
        """What each image is called: its view, else ``image 1``, ``image 2``, ... Never guessed."""
        return self.views or numbered_images(len(self.images))

    @property
    def only_image(self) -> str:
        """The one image, for what can show a single one.

        Raises:
            DataError: the sample has several.
        """
        if len(self.images) > 1:
            raise DataError(
                f"{self.id} has {len(self.images)} images ({', '.join(self.images)}), and one can be taken here; "
                "leave the others out of the data file"
            )
        return self.images[0]

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary in field order; ``from_json`` reads it back.

        One image is written as ``image``, several as ``images``; ``views`` only where there are any.
        """
        record = {name: _plain(getattr(self, name)) for name in _names(type(self)) if name != "views" or self.views}
        if self.views:
            record["views"] = list(self.views)
        if len(self.images) > 1:
            return {**record, "images": list(self.images)}
        return {"image" if name == "images" else name: value for name, value in record.items()} | {
            "image": self.images[0]
        }

    @classmethod
    def from_json(cls: type[_Record], record: Mapping[str, Any]) -> _Record:
        """Record from a dictionary, whose images are an ``image`` or a list ``images``.

        Raises:
            ValueError: a field is missing, unknown or of no use; the message names all of them.
        """
        if isinstance(record, Mapping) and "image" in record and "images" not in record:
            record = {"images" if name == "image" else name: value for name, value in record.items()}
        return _checked(cls, record, _required(cls))


@dataclass(frozen=True)
class Prediction(Sample):
    """A sample with what a model said, and which model said it."""

    prediction: str | None = None
    """The generated text; None when the model gave none (counted as missing, scored as wrong)."""
    producer: Mapping[str, Any] = field(default_factory=dict)
    """What produced it: model, checkpoint with its digest, prompt, generation settings, toolkit, versions."""

    @classmethod
    def of(cls, sample: Sample, text: str | None, producer: Mapping[str, Any]) -> Prediction:
        """What ``producer`` said about ``sample``."""
        return cls(**_sample_fields(sample), prediction=text, producer=dict(producer))

    @property
    def sample(self) -> Sample:
        """What was asked, without the answer."""
        return Sample(**_sample_fields(self))


@dataclass(frozen=True)
class Score:
    """One scorer's verdict on one prediction."""

    sample_id: str
    """``Sample.id`` of the prediction."""
    scorer: str
    """Registry name of the scorer, with its variant: ``exact_match/pefomed``."""
    version: str
    """Changes whenever the same input could score differently."""
    value: float | None
    """In the scorer's documented range, higher is better; None means *not scored* and is never averaged as 0."""
    reason: str | None = None
    """Why there is no value, or what the verdict rests on."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary in field order; ``from_json`` reads it back."""
        return {name: getattr(self, name) for name in _names(type(self))}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Score:
        """Score from a dictionary. Raises ValueError as ``Sample.from_json``."""
        return _checked(cls, record, frozenset(("sample_id", "scorer", "version", "value")))


def _checked(kind: type[_Kind], record: Any, needed: frozenset[str]) -> _Kind:
    """``kind(**record)``, where its fields are all there and what they should be."""
    if not isinstance(record, Mapping):
        raise ValueError(f"expected an object, found {kind_of(record)}")
    missing, unknown = sorted(needed - record.keys()), sorted(record.keys() - set(_names(kind)))
    problem = _images_problem(record["images"]) if "images" in record else None
    if "images" in record and "views" in record and not problem:
        paths = record["images"]
        problem = _views_problem(record["views"], 1 if isinstance(paths, str) else len(paths))
    parts = [
        *(["missing " + ", ".join(missing)] if missing else []),
        *(["unknown " + named(unknown)] if unknown else []),
        *([problem] if problem else []),
        *wrong_record({name: value for name, value in record.items() if name not in ("images", "views")}, kind),
    ]
    if parts:
        raise ValueError(f"not a {kind.__name__}: {'; '.join(parts)}")
    return kind(**record)


def _images_problem(images: Any) -> str | None:
    paths = (images,) if isinstance(images, str) else images
    if isinstance(paths, (list, tuple)) and paths and all(isinstance(path, str) and path for path in paths):
        return None
    found = "an empty path" if images == "" else kind_of(images)
    return f"images must be one path or several, not {found}"


def _views_problem(views: Any, images: int) -> str | None:
    if not isinstance(views, (list, tuple)) or not all(isinstance(view, str) and view.strip() for view in views):
        return f"views must be a list of names, not {kind_of(views)}"
    if len(views) not in (0, images):
        return f"views must name each of the {images} image(s) or none, not {len(views)}"
    if len(set(views)) < len(views):
        return f"views must be different names, not {named(views)}"
    return None


def numbered_images(count: int) -> tuple[str, ...]:
    """What images are called of which nobody says what they show: ``image 1``, ``image 2``, ..."""
    return tuple(f"image {number}" for number in range(1, count + 1))


def _sample_fields(record: Sample) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _names(Sample)}


_names: Callable[[Any], tuple[str, ...]] = cache(lambda record: tuple(field_.name for field_ in fields(record)))
_OPTIONAL = {"answer_type", "question_type", "organ", "phrase_type", "metadata", "views", "prediction", "producer"}
_required: Callable[[Any], frozenset[str]] = cache(lambda record: frozenset(_names(record)) - _OPTIONAL)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value
