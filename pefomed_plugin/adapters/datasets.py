"""Samples as torch data sets in the form MiniGPT-v2 expects: image tensor, ``instruction_input``, ``answer``.

Knows no layout of a release and no model.
"""

from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import torch
from PIL import Image
from torch.utils.data import Dataset

from ..prompts import draw_instruction, instruction_input
from ..records import Sample
from ..services.images import DEFAULT_POLICY, ImagePolicy, open_image
from .sampling import Draw

Item = Dict[str, Any]
_GREY = (128, 128, 128)
_BLIND_SIZE_PX = (448, 448)


class MedicalDataset(Dataset):
    """One split of one data set.

    An item holds ``image`` (3, S, S) float, ``instruction_input`` (no turn template), ``answer``, ``image_id`` (the
    sample's id) and ``index``.
    """

    def __init__(self, name: str, samples: Sequence[Sample], image_root: Path, vis_processor: Callable[[Any], Any],
                 text_processor: Callable[[str], str], *, draws_instructions: bool, seed: int = 0,
                 policy: ImagePolicy = DEFAULT_POLICY) -> None:
        self.name = name
        self.samples = samples
        self.image_root = Path(image_root)
        self.vis_processor = vis_processor
        self.text_processor = text_processor
        self.draws_instructions = draws_instructions
        self.seed = seed
        self.policy = policy
        self.sample_ratio = 1.0
        self.batch_size = 1
        self.keep_in_memory = False
        """Whether images are kept once they are processed: for small data sets, in each worker's memory."""
        self._kept: Dict[str, Any] = {}
        self._exchanged: Optional[Sequence[int]] = None
        self._blind = False

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Union[int, Draw]) -> Item:
        """Item ``index``; the instruction is drawn by sample and pass, so that it can be drawn again.

        Raises:
            ImageError: the image is missing, unreadable or outside its root.
        """
        number, pass_number = (index.sample, index.pass_number) if isinstance(index, Draw) else (int(index), 0)
        sample = self.samples[number]
        rng = Random("{} {} {} {}".format(self.seed, self.name, number, pass_number)) \
            if self.draws_instructions else None
        question = self.text_processor(sample.question) if sample.question is not None else None
        return {
            "image": self._image(number),
            "instruction_input": instruction_input(sample.task, draw_instruction(sample.task, question, rng)),
            "answer": self.text_processor(sample.answer),
            "image_id": sample.id,
            "index": number,
        }

    def shuffle_images(self, seed: int) -> None:
        """Give every image's questions another image's picture: what can be answered without looking."""
        numbers = {each.image: number for number, each in enumerate(self.samples)}
        images = sorted(numbers)
        Random("{} shuffled images".format(seed)).shuffle(images)
        others = dict(zip(images, images[1:] + images[:1]))
        self._exchanged = [numbers[others[each.image]] for each in self.samples]

    def blind_images(self) -> None:
        """Give every question the same uniform grey picture: what can be answered without any."""
        self._blind = True

    def open_picture(self, number: int) -> Image.Image:
        """Picture of sample ``number``, in mode RGB. Raises ImageError as ``__getitem__``."""
        return open_image(self.image_root, self.samples[number].image, policy=self.policy)

    def _image(self, number: int) -> Any:
        if self._blind:
            return self.vis_processor(Image.new("RGB", _BLIND_SIZE_PX, _GREY))
        number = number if self._exchanged is None else self._exchanged[number]
        name = self.samples[number].image
        image = self._kept.get(name)
        if image is None:
            image = self.vis_processor(self.open_picture(number))
            if self.keep_in_memory:
                self._kept[name] = image
        return image

    @staticmethod
    def collater(items: Sequence[Item]) -> Dict[str, Any]:
        """Items as a batch: images stacked to (B, 3, S, S), everything else in lists."""
        batch: Dict[str, Any] = {key: [item[key] for item in items] for key in items[0] if key != "image"}
        return {"image": torch.stack([item["image"] for item in items]), **batch}


class Mixture(Dataset):
    """Several data sets behind the draws of one plan."""

    def __init__(self, datasets: Sequence[Any]) -> None:
        self.datasets = list(datasets)

    def __getitem__(self, draw: Draw) -> Item:
        return self.datasets[draw.dataset][draw]

    def __len__(self) -> int:
        return sum(len(each) for each in self.datasets)


def existing_images(samples: Sequence[Sample], image_root: Path) -> Tuple[List[Sample], List[Sample]]:
    """Samples whose image file is there, and those whose image is not; each file is looked for once."""
    found: Dict[str, bool] = {}
    for sample in samples:
        if sample.image not in found:
            found[sample.image] = (Path(image_root) / sample.image.partition("#")[0]).is_file()
    return [each for each in samples if found[each.image]], [each for each in samples if not found[each.image]]
