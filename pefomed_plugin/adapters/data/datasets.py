"""Samples as torch data sets in the form MiniGPT-v2 expects: image tensor, ``instruction_input``, ``answer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Callable, NamedTuple

from PIL import Image
from torch.utils.data import Dataset

from ...config.datasets import DatasetConfig
from ...config.run import FURTHER_SHUFFLED
from ...digests import sha256_of
from ...errors import ConfigError
from ...prompts import PROMPT_TEMPLATES, PromptTemplate, template_of
from ...readers.image_tree import ImageTree
from ...records import Sample
from ...services.console import say
from ...services.data.shard_files import ShardFiles
from ...services.images.decoding import DEFAULT_POLICY, ImagePolicy, file_of, open_encoded, open_image
from .collating import Item, collate
from .exchanging import others_of_the_same_views
from .sampling import Draw

_GREY = (128, 128, 128)
_BLIND, _MIRRORED = "(blind)", " (mirrored)"
_BLIND_SIZE_PX = (448, 448)


class Place(NamedTuple):
    """Which image of which sample."""

    sample: int
    image: int = 0


def make_item(
    name: str,
    sample: Sample,
    images: Sequence[str],
    shown: Sequence[Any],
    number: int,
    template: PromptTemplate,
    rng: Random | None,
    text_processor: Callable[[str], str],
) -> Item:
    """What a model takes of one sample of the data set ``name``.

    Args:
        images: names of the images that are shown with it.
        shown: what the image processor made of each of them.
        rng: draws the instruction; None takes the first.
    """
    question = text_processor(sample.question) if sample.question is not None else None
    return {
        "image": shown[0] if len(shown) == 1 else tuple(shown),
        "instruction_input": template.ask(question, rng, sample.image_names),
        "answer": text_processor(sample.answer),
        "image_id": sample.id,
        "index": number,
        "image_key": (name, *images),
    }


def odds(settings: DatasetConfig, samples: int) -> tuple[float | None, float]:
    """Passes of a data set, and its ``sample_ratio``; where passes are said, that of the batches that they make.

    MiniGPT-v2's ``runner_base`` reads the ratio and knows no passes.
    """
    passes = settings.passes
    return passes, settings.sample_ratio if passes is None else passes * samples / settings.batch_size


class MedicalDataset(Dataset):
    """One split of one data set.

    An item holds ``image`` (3, S, S) float, or a tuple of them where the sample has several, ``instruction_input`` (no
    turn template), ``answer``, ``image_id`` (the sample's id), ``index``, and ``image_key``, equal for samples that
    show the same images.
    """

    def __init__(
        self,
        name: str,
        samples: Sequence[Sample],
        image_root: Path,
        vis_processor: Callable[[Any], Any],
        text_processor: Callable[[str], str],
        *,
        draws_instructions: bool,
        seed: int = 0,
        policy: ImagePolicy = DEFAULT_POLICY,
        templates: Mapping[str, PromptTemplate] = PROMPT_TEMPLATES,
    ) -> None:
        self.name = name
        self.samples = samples
        self.image_root = Path(image_root)
        self.vis_processor = vis_processor
        self.text_processor = text_processor
        self.draws_instructions = draws_instructions
        self.seed = seed
        self.policy = policy
        self.templates = templates
        """What samples are asked with, by their task."""
        self.sample_ratio = 1.0
        self.passes: float | None = None
        self.batch_size = 1
        self.keep_in_memory = False
        """Whether images are kept once they are processed: for small data sets, in each worker's memory."""
        self._kept: dict[str, Any] = {}
        self._ready: Mapping[str, Any] | None = None
        self._exchanged: Sequence[int] | None = None
        self._keeps_first = False
        self._blind = False
        self._mirrored = False

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int | Draw) -> Item:
        """Item ``index``. The drawn instruction depends on sample and pass alone, so a resumed run draws it again.

        Raises:
            ImageError: the image is missing, unreadable or outside its root.
        """
        number, pass_number = (index.sample, index.pass_number) if isinstance(index, Draw) else (int(index), 0)
        sample = self.samples[number]
        rng = Random(f"{self.seed} {self.name} {number} {pass_number}") if self.draws_instructions else None
        images, template = self.images_of(number), template_of(sample.task, self.templates)
        shown = self._images(number)
        return make_item(self.name, sample, images, shown, number, template, rng, self.text_processor)

    @property
    def most_images(self) -> int:
        """Images of the sample that shows most."""
        return max((len(sample.images) for sample in self.samples), default=1)

    def images_of(self, number: int) -> tuple[str, ...]:
        """Names of the images that sample ``number`` shows; samples with the same names show the same."""
        own = self.samples[number].images
        if self._blind:
            return (_BLIND,) * len(own)
        if self._mirrored:
            return tuple(name + _MIRRORED for name in own)
        if self._exchanged is None:
            return own
        others = self.samples[self._exchanged[number]].images
        return (own[0], *others[1:]) if self._keeps_first else others

    def images(self) -> dict[str, Place]:
        """Every image that is shown, and where."""
        return {
            name: Place(number, place)
            for number in reversed(range(len(self)))
            for place, name in enumerate(self.images_of(number))
        }

    def content_key(self, place: Place) -> str:
        """Identifies the image that is shown there by its bytes and the policy, whatever its name."""
        if self._blind:
            return _BLIND
        policy = "" if self.policy == DEFAULT_POLICY else f" {self.policy}"
        return self._stored_digest(self._shown(place)) + policy + (_MIRRORED if self._mirrored else "")

    def _stored_digest(self, place: Place) -> str:
        stream, _ = open_encoded(self.image_root, self.samples[place.sample].images[place.image])
        with stream:
            return sha256_of(stream)

    def show_ready_made(self, ready: Mapping[str, Any]) -> None:
        """From now on, take ``image`` (pixels or features) from ``ready`` by the image's name."""
        self._ready = ready

    def show_images(self, which: str, seed: int) -> None:
        """Show what ``run.images`` says from now on, whatever was shown before.

        Raises:
            ConfigError: as ``shuffle_further_images``.
        """
        self._exchanged, self._keeps_first, self._blind, self._mirrored = None, False, False, False
        self._ready, self._kept = None, {}
        if which == "shuffled":
            self.shuffle_images(seed)
        elif which == FURTHER_SHUFFLED:
            self.shuffle_further_images(seed)
        elif which == "blind":
            self.blind_images()
        elif which == "mirrored":
            self.mirror_images()

    def shuffle_images(self, seed: int) -> None:
        """Show another sample's images with every question: what is still right was answered without looking.

        Where samples show several images, those of one that shows the same views.
        """
        self._exchange(f"{seed} shuffled images", keeps_first=False)

    def shuffle_further_images(self, seed: int) -> None:
        """Show every sample's own first image, and the further ones of another sample that shows the same views.

        Raises:
            ConfigError: no sample shows several images.
        """
        if self.most_images == 1:
            raise ConfigError(
                f"run.images: further_shuffled needs samples of several images, and those of {self.name} show one each"
            )
        self._exchange(f"{seed} shuffled further images", keeps_first=True)

    def _exchange(self, seed: str, *, keeps_first: bool) -> None:
        self._exchanged, self._keeps_first = others_of_the_same_views(self.samples, seed), keeps_first
        alone = sum(self.images_of(number) == sample.images for number, sample in enumerate(self.samples))
        if alone:
            why = (
                "they show one, or no other sample shows the same views"
                if keeps_first
                else "no other shows the same views"
            )
            say(f"{self.name}: {alone:,} of {len(self):,} samples keep their own images: {why}")

    def blind_images(self) -> None:
        """Show the same uniform grey image with every question: what is still right was answered without looking.

        In place of each image, where there are several.
        """
        self._blind = True

    def mirror_images(self) -> None:
        """Show every image with left and right exchanged."""
        self._mirrored = True

    def open_image(self, place: Place) -> Image.Image:
        """The image that is shown there, in mode RGB. Raises ImageError as ``__getitem__``."""
        if self._blind:
            return Image.new("RGB", _BLIND_SIZE_PX, _GREY)
        image = self._open(self._shown(place))
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self._mirrored else image

    def _open(self, place: Place) -> Image.Image:
        return open_image(self.image_root, self.samples[place.sample].images[place.image], policy=self.policy)

    def _shown(self, place: Place) -> Place:
        """Where the image comes from that is shown at a place."""
        if self._exchanged is None or (self._keeps_first and place.image == 0):
            return place
        return Place(self._exchanged[place.sample], place.image)

    def _images(self, number: int) -> list[Any]:
        names = self.images_of(number)
        if self._ready is not None:
            return [self._ready[name] for name in names]
        found = [self._kept.get(name) for name in names]
        for place, image in enumerate(found):
            if image is None:
                found[place] = self.vis_processor(self.open_image(Place(number, place)))
        if not self.keep_in_memory:
            self._kept.clear()  # but for the last: the questions of an image often come one after the other
        self._kept.update(zip(names, found))
        return found

    collater = staticmethod(collate)
    """MiniGPT-v2 asks a data set for it."""


class ShardedDataset(MedicalDataset):
    """``MedicalDataset`` whose samples and images are read by number from the shards of ``pefomed shard``.

    The images are already at the model's size, where the processor's resizing changes nothing (Pillow and torchvision
    give such an image back as it is), so only its normalising is left. Why not a stream: docs/adr/0005.
    """

    samples: ShardFiles

    @property
    def most_images(self) -> int:
        """Images of the sample that shows most; known without reading them."""
        return self.samples.most_images

    def _stored_digest(self, place: Place) -> str:
        return sha256_of(BytesIO(self.samples.read_encoded(*place)))

    def _open(self, place: Place) -> Image.Image:
        return self.samples.open_image(*place)


class Mixture(Dataset):
    """Several data sets behind the draws of one plan."""

    def __init__(self, datasets: Sequence[Any]) -> None:
        self.datasets = list(datasets)

    def __getitem__(self, draw: Draw) -> Item:
        return self.datasets[draw.dataset][draw]

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)


def existing_images(samples: Sequence[Sample], tree: ImageTree) -> tuple[list[Sample], list[Sample]]:
    """Samples whose image files all exist, and samples with a missing one; every file is looked for once.

    Raises:
        DataError: a folder may not be entered.
    """
    found: dict[str, bool] = {}
    for image in (image for sample in samples for image in sample.images):
        if image not in found:
            found[image] = tree.is_file(file_of(image))
    there = [all(found[image] for image in sample.images) for sample in samples]
    return (
        [sample for sample, is_there in zip(samples, there) if is_there],
        [sample for sample, is_there in zip(samples, there) if not is_there],
    )
