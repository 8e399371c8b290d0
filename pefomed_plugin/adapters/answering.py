"""A model asked many questions of a data set: in slots where the model has them, else batch by batch.

It writes nothing and knows no folder; which questions are left, and what becomes of an answer, is the caller's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import DataLoader, Subset

from ..config.run import RunConfig
from .data.datasets import MedicalDataset, make_collater

Groups = Sequence[Sequence[int]]
"""Numbers of samples; those of a group show one image."""


class Answerer:
    """``answerer(groups, size)``: number, answer and ``instruction_input`` of every sample, as they come."""

    def __init__(self, accelerator: Any, task: Any, model: Any, dataset: MedicalDataset, options: RunConfig) -> None:
        self.accelerator, self.task, self.model, self.dataset = accelerator, task, model, dataset
        self.options = options
        self.has_slots = options.num_beams == 1 and hasattr(model, "answers") and model.packer() is not None
        """Whether a question that is answered makes room for another: the bundled toolkit's own order of work."""

    def __call__(self, groups: Groups, size: int) -> Iterator[tuple[int, str, str]]:
        """Answer them, ``size`` at a time.

        Raises:
            torch.cuda.OutOfMemoryError: so many do not fit; what was not given back can be asked again.
        """
        return self._as_they_end(groups, size) if self.has_slots else self._in_batches(groups, size)

    def _in_batches(self, groups: Groups, size: int) -> Iterator[tuple[int, str, str]]:
        """Beams, transformers' own order of work, a checkout: a batch ends with its longest answer."""
        options = self.options
        loader = DataLoader(
            Subset(self.dataset, [number for group in groups for number in group]),
            batch_size=size,
            shuffle=False,
            num_workers=options.loading_processes,
            collate_fn=self.dataset.collater
            if options.num_beams > 1
            else make_collater(self.model, share=options.shares_images, generation=True),
        )
        for batch in loader:
            with self.accelerator.autocast():
                answers = self.task.valid_step(self.model, to_device(batch, self.accelerator.device), options)
            yield from zip(batch["index"], answers, batch["instruction_input"])

    def _as_they_end(self, groups: Groups, size: int) -> Iterator[tuple[int, str, str]]:
        """Each answer when it has ended; a waiting question takes its place."""
        waiting = _Waiting(self, groups, size)
        slots = min(size, sum(map(len, groups)))
        with self.accelerator.autocast():
            for number, answer in self.model.answers(waiting, slots, max_new_tokens=self.task.limit(self.options)):
                yield number, answer, waiting.prompts.pop(number)


class _Waiting:
    """Questions in their order, handed out as there is room; those of one image together."""

    def __init__(self, answerer: Answerer, groups: Groups, size: int) -> None:
        self._groups = deque(
            list(group[start : start + size]) for group in groups for start in range(0, len(group), size)
        )
        options = answerer.options
        loader = DataLoader(
            answerer.dataset,
            batch_sampler=list(self._groups),
            num_workers=options.loading_processes,
            collate_fn=list,
        )
        self._items = iter(loader)
        self._collate = make_collater(answerer.model, share=options.shares_images, generation=True)
        self._device = answerer.accelerator.device
        self.prompts: dict[int, str] = {}
        """``instruction_input`` of the questions under way, by number."""

    def __call__(self, room: int) -> dict[str, Any] | None:
        """A batch of as many of the next groups as there is room for, on the device; None for none."""
        items: list[Any] = []
        while self._groups and len(items) + len(self._groups[0]) <= room:
            items += next(self._items)
            self._groups.popleft()
        if not items:
            return None
        batch = self._collate(items)
        self.prompts.update(zip(batch["index"], batch["instruction_input"]))
        return to_device(batch, self._device)


def group_for_answering(dataset: MedicalDataset, numbers: list[int], questions_per_image: int) -> list[list[int]]:
    """Samples in groups that share an image, with similar groups (size, length) next to each other."""
    length = {number: len(dataset.samples[number].question or "") for number in numbers}
    by_length = sorted(numbers, key=lambda number: (length[number], number))
    if questions_per_image == 1:
        return [[number] for number in by_length]
    images: dict[tuple[str, ...], list[int]] = {}
    for number in by_length:
        images.setdefault(dataset.images_of(number), []).append(number)
    groups = [
        numbers[start : start + questions_per_image]
        for numbers in images.values()
        for start in range(0, len(numbers), questions_per_image)
    ]
    return sorted(groups, key=lambda group: (-len(group), sum(length[number] for number in group), group))


def to_device(batch: Mapping[str, Any], device: Any) -> dict[str, Any]:
    """Batch with its tensors on ``device``."""
    return {key: value.to(device, non_blocking=True) if hasattr(value, "to") else value for key, value in batch.items()}
