"""A model asked many questions of a data set: in slots where the model has them, else batch by batch.

It writes nothing and knows no folder; which questions are left, and what becomes of an answer, is the caller's.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import DataLoader, Subset

from ..config.run import RunConfig
from ..errors import ConfigError
from ..services.console import say
from ..services.parallel import leave_the_group
from .data.collating import make_collater
from .data.datasets import MedicalDataset

Groups = Sequence[Sequence[int]]
"""Numbers of samples; those of a group show one image."""


class Answerer:
    """``answerer(groups, size)``: number, answer and ``instruction_input`` of every sample, as they come."""

    def __init__(
        self,
        accelerator: Any,
        task: Any,
        model: Any,
        dataset: MedicalDataset,
        options: RunConfig,
        training: Sequence[MedicalDataset] = (),
    ) -> None:
        """``training``: what ``run.drafts: training_answers`` guesses from."""
        self.accelerator, self.task, self.model, self.dataset = accelerator, task, model, dataset
        self.options = options
        self.has_slots = options.num_beams == 1 and has_slots(model)
        self.counted: Counter[str] = Counter(answers=0)
        """What drafts brought: ``answers``, their ``tokens``, ``calls`` that an answer took part in, ``drafted``
        tokens; without drafts nothing."""
        self._training = training
        self._drafts: Any = None

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
            worker_init_fn=leave_the_group,
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
            settings = {"drafts": self._drafts_made(), "told": self._count} if self.options.drafts != "none" else {}
            limit = self.task.limit(self.options)
            for number, answer in self.model.answers(waiting, slots, max_new_tokens=limit, **settings):
                self.counted["answers"] += 1
                yield number, answer, waiting.prompts.pop(number)

    def _drafts_made(self) -> Any:
        if self._drafts is None:
            texts = (dataset.text_processor(sample.answer) for dataset in self._training for sample in dataset.samples)
            self._drafts = self.model.drafts_of(texts)
            count = sum(map(len, self._training))
            say(f"{self.dataset.name}: drafts from {self._drafts.answers:,} of {count:,} training answers")
        return self._drafts

    def _count(self, told: Any) -> None:
        self.counted.update({name: getattr(told, name) for name in ("tokens", "calls", "drafted")})


def has_slots(model: Any) -> bool:
    """Whether a question that is answered makes room for another: the bundled toolkit's own order of work."""
    return hasattr(model, "answers") and model.packer() is not None


def check_drafts(model: Any, options: RunConfig, datasets: Mapping[str, Mapping[str, MedicalDataset]]) -> None:
    """Check before a run begins that it can guess from training answers, if it is to.

    Raises:
        ConfigError: another toolkit or decoder, or a data set without training answers.
    """
    if options.drafts == "none" or not options.test_splits:
        return
    problems = []
    if not has_slots(model):
        problems.append("the bundled toolkit (PEFOMED_TOOLKIT=bundled) with model.decoder: packed, and no FSDP")
    asked = [name for name, splits in datasets.items() if any(len(splits.get(it, ())) for it in options.test_splits)]
    problems += [
        f"{name}: a training split ({', '.join(options.train_splits)}); it has none"
        for name in asked
        if not training_sets(datasets[name], options)
    ]
    if problems:
        raise ConfigError(f"run.drafts: {options.drafts} needs the following, or set it to none", problems)


def training_sets(splits: Mapping[str, MedicalDataset], options: RunConfig) -> list[MedicalDataset]:
    """Those splits of a data set that a run trains on, or would."""
    return [splits[split] for split in options.train_splits if len(splits.get(split, ()))]


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
            worker_init_fn=leave_the_group,
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
