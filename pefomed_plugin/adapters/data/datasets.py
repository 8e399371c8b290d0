"""Samples as torch data sets in the form MiniGPT-v2 expects: image tensor, ``instruction_input``, ``answer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Callable

import torch
from PIL import Image
from torch.utils.data import Dataset

from ...config.datasets import DatasetConfig
from ...digests import sha256_of
from ...errors import ConfigError
from ...prompts import PROMPT_TEMPLATES, PromptTemplate, template_of
from ...records import Sample
from ...services.data.shard_files import ShardFiles
from ...services.images.decoding import DEFAULT_POLICY, ImagePolicy, open_encoded, open_image
from .sampling import Draw

Item = dict[str, Any]
_GREY = (128, 128, 128)
_BLIND = "(blind)"
_BLIND_SIZE_PX = (448, 448)


def make_item(
    name: str,
    sample: Sample,
    images: Sequence[str],
    image: Any,
    number: int,
    template: PromptTemplate,
    rng: Random | None,
    text_processor: Callable[[str], str],
) -> Item:
    """What a model takes of one sample of the data set ``name``.

    Args:
        images: names of the images that are shown with it.
        image: what the image processor made.
        rng: draws the instruction; None takes the first.
    """
    question = text_processor(sample.question) if sample.question is not None else None
    return {
        "image": image,
        "instruction_input": template.ask(question, rng),
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

    An item holds ``image`` (3, S, S) float, ``instruction_input`` (no turn template), ``answer``, ``image_id`` (the
    sample's id), ``index``, and ``image_key``, equal for samples that show the same images.
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
        self._blind = False

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
        return make_item(self.name, sample, images, self._image(number), number, template, rng, self.text_processor)

    def images_of(self, number: int) -> tuple[str, ...]:
        """Names of the images that sample ``number`` shows; samples with the same names show the same."""
        return (_BLIND,) if self._blind else self.samples[self._shown(number)].images

    def images(self) -> dict[str, int]:
        """Every image that is shown, and a sample that shows it."""
        return {self._only_image(number): number for number in reversed(range(len(self)))}

    def content_key(self, number: int) -> str:
        """Identifies the image of sample ``number`` by its bytes and the policy, whatever its name."""
        if self._blind:
            return _BLIND
        policy = "" if self.policy == DEFAULT_POLICY else f" {self.policy}"
        return self._stored_digest(self._shown(number)) + policy

    def _stored_digest(self, number: int) -> str:
        stream, _ = open_encoded(self.image_root, self.samples[number].only_image)
        with stream:
            return sha256_of(stream)

    def show_ready_made(self, ready: Mapping[str, Any]) -> None:
        """From now on, take ``image`` (pixels or features) from ``ready`` by the image's name."""
        self._ready = ready

    def shuffle_images(self, seed: int) -> None:
        """Show another sample's image with every question: what is still right was answered without looking."""
        numbers = {sample.images: number for number, sample in enumerate(self.samples)}
        images = sorted(numbers)
        Random(f"{seed} shuffled images").shuffle(images)
        others = dict(zip(images, images[1:] + images[:1]))
        self._exchanged = [numbers[others[sample.images]] for sample in self.samples]

    def blind_images(self) -> None:
        """Show the same uniform grey image with every question: what is still right was answered without looking."""
        self._blind = True

    def open_image(self, number: int) -> Image.Image:
        """The image that sample ``number`` shows, in mode RGB. Raises ImageError as ``__getitem__``."""
        return Image.new("RGB", _BLIND_SIZE_PX, _GREY) if self._blind else self._open(self._shown(number))

    def _open(self, number: int) -> Image.Image:
        return open_image(self.image_root, self.samples[number].only_image, policy=self.policy)

    def _shown(self, number: int) -> int:
        return number if self._exchanged is None else self._exchanged[number]

    def _only_image(self, number: int) -> str:
        return _BLIND if self._blind else self.samples[self._shown(number)].only_image

    def _image(self, number: int) -> Any:
        name = self._only_image(number)
        if self._ready is not None:
            return self._ready[name]
        image = self._kept.get(name)
        if image is None:
            image = self.vis_processor(self.open_image(number))
            if not self.keep_in_memory:
                self._kept.clear()  # but for the last: the questions of an image often come one after the other
            self._kept[name] = image
        return image

    @staticmethod
    def collater(items: Sequence[Item]) -> dict[str, Any]:
        """Items as a batch: images stacked to (B, 3, S, S), everything else in lists."""
        batch: dict[str, Any] = {key: [item[key] for item in items] for key in items[0] if key != "image"}
        return {"image": torch.stack([item["image"] for item in items]), **batch}


class ShardedDataset(MedicalDataset):
    """``MedicalDataset`` whose samples and images are read by number from the shards of ``pefomed shard``.

    The images are already at the model's size, where the processor's resizing changes nothing (Pillow and torchvision
    give such an image back as it is), so only its normalising is left. Why not a stream: docs/adr/0005.
    """

    samples: ShardFiles

    def _stored_digest(self, number: int) -> str:
        return sha256_of(BytesIO(self.samples.read_encoded(number)))

    def _open(self, number: int) -> Image.Image:
        return self.samples.open_image(number)


class PackedCollater:
    """Items as a batch in which questions of one image share a row: ``layout`` and one image a row."""

    def __init__(self, packer: Callable[..., Any], *, share: bool, generation: bool = False) -> None:
        """Collate with a model's ``packer``; without ``share`` every question has a row of its own."""
        self.packer, self.share, self.generation = packer, share, generation

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        batch: dict[str, Any] = {key: [item[key] for item in items] for key in items[0] if key != "image"}
        layout, firsts = self.packer(
            batch["instruction_input"],
            None if self.generation else batch["answer"],
            batch["image_key"] if self.share else range(len(items)),
        )
        return {"image": torch.stack([items[number]["image"] for number in firsts]), "layout": layout, **batch}


def make_collater(model: Any, *, share: bool, generation: bool = False) -> Callable[[Any], dict[str, Any]]:
    """Function that makes batches for ``model``: packed where the model takes that (the bundled one), else plain.

    Raises:
        ConfigError: questions of one image are to ``share`` a row, and the model does not take that.
    """
    make_packer = getattr(model, "packer", None)
    packer = make_packer() if make_packer is not None else None
    if packer is None:
        if share:
            raise ConfigError(
                "run.questions_per_image needs the bundled toolkit, model.decoder: packed, and no FSDP; set it to 1"
            )
        return MedicalDataset.collater
    return PackedCollater(packer, share=share, generation=generation)


class Mixture(Dataset):
    """Several data sets behind the draws of one plan."""

    def __init__(self, datasets: Sequence[Any]) -> None:
        self.datasets = list(datasets)

    def __getitem__(self, draw: Draw) -> Item:
        return self.datasets[draw.dataset][draw]

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)


def existing_images(samples: Sequence[Sample], image_root: Path) -> tuple[list[Sample], list[Sample]]:
    """Samples whose image files all exist, and samples with a missing one; every file is looked for once."""
    found: dict[str, bool] = {}
    for image in (image for sample in samples for image in sample.images):
        if image not in found:
            found[image] = (Path(image_root) / image.partition("#")[0]).is_file()
    there = [all(found[image] for image in sample.images) for sample in samples]
    return (
        [sample for sample, is_there in zip(samples, there) if is_there],
        [sample for sample, is_there in zip(samples, there) if not is_there],
    )
