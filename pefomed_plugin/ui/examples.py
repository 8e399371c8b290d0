"""What the page offers to begin with: images with thumbnails, and for each the questions that fit it.

From the test split of the run that made the weights, where it lies on this machine; else drawings. Knows no gradio.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from ..embedded.questions import TEXTS, questions
from ..embedded.scenes import CHEST, HEAD_CT, draw_scene
from ..errors import PefomedError
from ..origins import GENERATED
from ..provenance import DataPart, RunRecord, read_training_record
from ..readers import read_data
from ..readers.prepared import is_remote
from ..records import Sample
from ..services.outbound import not_public
from ..services.private_files import keep_private

if TYPE_CHECKING:
    from PIL import Image

MOST = 12
"""Images of a run that are offered."""
MOST_OF_FOLDER = 6
ANY_IMAGE = tuple(TEXTS[kind][""][0] for kind in ("MODALITY", "ORGAN", "FINDING"))
"""Questions that can be asked of every image."""
_THUMBNAIL_PX = 240
_SPLIT = "test"


@dataclass(frozen=True)
class Offer:
    """One thing to ask about an example."""

    task: str
    """``vqa``, ``report`` or ``caption``."""
    question: str = ""
    sample: Sample | None = None
    """Of the data set, with its reference; None where nobody knows the answer."""

    @property
    def words(self) -> str:
        """As it is offered."""
        return self.question or f"Write a {self.task}"


@dataclass(frozen=True)
class Example:
    """One image that can be chosen."""

    path: str
    """File on this machine that the page may read."""
    thumbnail: str
    name: str
    """Shown beneath it; names no patient."""
    image: str
    """What it is called where it comes from."""
    offers: Sequence[Offer]

    def find(self, task: str, question: str) -> Sample | None:
        """The sample that asks this, if one does."""
        asked = question.strip() if task == "vqa" else ""
        return next(
            (offer.sample for offer in self.offers if (offer.task, offer.question.strip()) == (task, asked)), None
        )


@dataclass(frozen=True)
class Gallery:
    """All examples, and where they are from."""

    examples: Sequence[Example] = ()
    source: str = ""
    """A sentence or more, with what was left out and why."""
    left_out: Sequence[str] = field(default=())

    @property
    def folders(self) -> list[str]:
        """What the page must be able to read."""
        files = [file for example in self.examples for file in (example.path, example.thumbnail)]
        return sorted({str(Path(file).parent) for file in files})

    @property
    def words(self) -> str:
        """Source and what was left out, for people."""
        return self.source + (f" Left out: {'; '.join(self.left_out)}." if self.left_out else "")


NO_EXAMPLES = Gallery()


def examples_of_run(checkpoint: str, folder: Path, *, is_here: bool) -> Gallery:
    """Examples from the test split of the run that wrote a checkpoint; drawings where it has none that can be shown.

    Args:
        checkpoint: file, or exported folder, beside or in which the run's record lies.
        folder: takes copies of the images, and thumbnails.
        is_here: whether this machine alone reaches the page; data that need permission are not shown otherwise.
    """
    left_out: list[str] = []
    try:
        path = Path(checkpoint)
        record = read_training_record(path if path.is_dir() else path.parent)
    except PefomedError as error:
        record = None
        left_out.append(f"the run's own data, for its record cannot be read ({_first_line(error)})")
    found: dict[str, list[tuple[Path, list[Sample]]]] = {}
    for name, part in (record.data if record else {}).items():
        images, reason = _images_of(name, part, record, is_here)  # type: ignore[arg-type]
        if reason:
            left_out.append(f"{name} ({reason})")
        if images:
            found[name] = images
    examples = [
        example
        for name, images in found.items()
        for number, (root, samples) in enumerate(_spread(images, max(1, MOST // len(found))), 1)
        for example in _saved(root, samples, f"{name} {number}", folder / f"{name}_{number}", left_out)
    ]
    if not examples:
        drawn = draw_examples(folder)
        return Gallery(drawn.examples, drawn.source, left_out)
    parts = {name: record.data[name] for name in found} if record else {}
    source = "; ".join(f"{name} ({part.origin} data)" for name, part in parts.items())
    return Gallery(examples, f"From the test split of the run that trained this model: {source}.", left_out)


def find_examples(folder: Path, copies: Path) -> Gallery:
    """Examples from a folder of images, its first six; ``copies`` takes thumbnails."""
    from ..services.images.given_images import open_given  # late: loads PIL
    from ..services.images.image_folder import find_images  # late: loads PIL

    images, left_out, examples = find_images(folder).images, [], []
    offers = [*(Offer("vqa", question) for question in ANY_IMAGE), Offer("report"), Offer("caption")]
    for number, image in enumerate(images[:MOST_OF_FOLDER]):
        path = folder / image
        try:
            thumbnail = _thumbnail(open_given(path), copies / f"thumbnail_{number}.png")
        except PefomedError as error:
            left_out.append(_first_line(error))
            continue
        examples.append(Example(str(path), thumbnail, Path(image).name, image, offers))
    more = f", the first {MOST_OF_FOLDER} of {len(images):,} images" if len(images) > MOST_OF_FOLDER else ""
    return Gallery(examples, f"From {folder}{more}; nobody says what the right answers are.", left_out)


def draw_examples(folder: Path) -> Gallery:
    """Examples of drawings of ours, written into ``folder``: no patient."""
    from ..embedded.drawing import save  # late: loads PIL

    rng = Random("examples of the page")
    examples = []
    for name, kind in (("chest 1", CHEST), ("chest 2", CHEST), ("head", HEAD_CT)):
        scene, image = draw_scene(kind, rng), name.replace(" ", "_") + ".png"
        save(scene, folder / image)
        offers = []
        for number, asked in enumerate(questions(scene, rng)):
            identifier = f"drawing-{Path(image).stem}-{number}"
            sample = Sample(
                identifier, "drawings", _SPLIT, (image,), "vqa", asked.text, asked.answer, asked.answer_type
            )
            offers.append(Offer("vqa", asked.text, sample))
        examples.append(_example(folder / image, name, image, [*offers, Offer("report")]))
    return Gallery(examples, "Drawings made by this program, with questions that they answer; no patient.")


def _images_of(
    name: str, part: DataPart, record: RunRecord, is_here: bool
) -> tuple[list[tuple[Path, list[Sample]]], str]:
    """Image root and samples of each image of a test split, and why there are none or not all."""
    if not is_here and not_public([part.dataset], {part.dataset: part.origin}):
        return [], "needs permission, and others reach this page"
    if not part.storage or is_remote(part.storage) or not Path(part.storage).is_dir():
        return [], f"{part.storage or 'its folder'} is not on this machine"
    try:
        section = (record.config.get("datasets") or {}).get(name) or {}
        release = read_data(part.dataset, Path(part.storage), **(section.get("options") or {}))
    except PefomedError as error:
        return [], _first_line(error)
    if part.origin != GENERATED:
        keep_private([part.dataset], {part.dataset: part.origin})
    samples = release.splits().get(_SPLIT, [])
    root = Path(part.image_root) if part.image_root and Path(part.image_root).is_dir() else release.image_root
    by_image: dict[str, list[Sample]] = {}
    for sample in samples:
        if len(sample.images) == 1:
            by_image.setdefault(sample.images[0], []).append(sample)
    several = sum(len(sample.images) > 1 for sample in samples)
    reason = "" if samples else f"no {_SPLIT} split"
    if several:
        reason = f"{several:,} samples that show several images together, which the page cannot"
    return [(root, asked) for asked in by_image.values()], reason


def _spread(found: Sequence, count: int) -> list:
    """``count`` of them, from all over."""
    return [found[place * len(found) // min(count, len(found))] for place in range(min(count, len(found)))]


def _saved(root: Path, samples: list[Sample], name: str, folder: Path, left_out: list[str]) -> list[Example]:
    """The example of an image, copied as the model gets it, which has no header; none where it cannot be used."""
    from ..services.images.decoding import open_image  # late: loads PIL

    image = samples[0].images[0]
    try:
        opened = open_image(root, image)
    except PefomedError as error:
        left_out.append(_first_line(error))
        return []
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^\w-]+", "_", Path(image).stem)[:60] + ".png")
    opened.save(path)
    offers = {(sample.task, sample.question or ""): sample for sample in reversed(samples)}
    return [_example(path, name, image, [Offer(*asked, sample) for asked, sample in reversed(offers.items())])]  # type: ignore[arg-type]


def _example(path: Path, name: str, image: str, offers: Sequence[Offer]) -> Example:
    from PIL import Image  # late: heavy

    with Image.open(path) as opened:
        thumbnail = _thumbnail(opened.convert("RGB"), path.with_name(f"{path.stem}_thumbnail.png"))
    return Example(str(path), thumbnail, name, image, offers)


def _thumbnail(image: Image.Image, path: Path) -> str:
    image = image.copy()
    image.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    image.save(path)
    return str(path)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
