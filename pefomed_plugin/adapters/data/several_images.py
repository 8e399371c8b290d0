"""Samples of several images: what a run must be able to do with them, asked before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...config.run import FURTHER_SHUFFLED, RunConfig
from ...errors import ConfigError, DataError
from ...prompts import QUESTION
from ...records import Sample, numbered_images
from ...services.console import say
from ...toolkit import registry
from ..prompting import tasks_of

_ARCH = "minigpt_v2"
_REFUSED = (
    "MiniGPT-v2's checkout takes one; set PEFOMED_TOOLKIT=bundled, or show one (views: first, or one image a record)"
)


def require_several(dataset: str, split: str, samples: Sequence[Sample]) -> None:
    """Refuse samples of several images where the MiniGPT-v2 underneath takes one.

    Raises:
        DataError: with a line for each of these samples.
    """
    several = [sample for sample in samples if len(sample.images) > 1]
    if several and not _takes_several():
        raise DataError(
            f"{dataset}: {len(several):,} of {len(samples):,} {split} samples have several images, and {_REFUSED}",
            [f"{sample.id}: {', '.join(sample.images)}" for sample in several],
        )


def require_several_in_shards(dataset: str, most_images: int) -> None:
    """As ``require_several`` for shards, whose samples are not all read. Raises DataError."""
    if most_images > 1 and not _takes_several():
        raise DataError(f"{dataset}: the shards hold samples of up to {most_images} images, and {_REFUSED}")


def _takes_several() -> bool:
    return bool(getattr(registry.get_model_class(_ARCH), "takes_several_images", False))


def check_images(model: Any, datasets: Mapping[str, Mapping[str, Any]], options: RunConfig) -> None:
    """Check before a run begins that its prompts have room for all images, and that there are images to exchange.

    Raises:
        ConfigError: the longest prompt of several images exceeds ``model.max_context_len``, or ``run.images`` exchanges
            further images and a test split has none.
    """
    problems = []
    splits = {*options.test_splits, *(() if options.evaluate else (*options.train_splits, *options.valid_splits))}
    for name, found in datasets.items():
        for split in (split for split in found if split in splits and len(found[split])):
            most = getattr(found[split], "most_images", 1)
            if most > 1:
                tokens = model.prompt_length(_longest_prompt(found[split], most))
                if tokens > model.max_context_len:
                    problems.append(
                        f"{name}, {split}: {most} images make prompts of {tokens:,} tokens and more, and "
                        f"model.max_context_len is {model.max_context_len:,}"
                    )
            elif options.images == FURTHER_SHUFFLED and split in options.test_splits:
                problems.append(
                    f"{name}, {split}: every sample shows one image: run.images={FURTHER_SHUFFLED} would change nothing"
                )
    if problems:
        raise ConfigError("samples of several images cannot be shown like this", problems)


def images_a_prompt(datasets: Iterable[Any]) -> dict[str, int]:
    """``Sample.task`` -> images of the prompt that shows most, of the tasks that show several; for a checkpoint."""
    found: dict[str, int] = {}
    for dataset in datasets:
        most = getattr(dataset, "most_images", 1)
        for task in tasks_of(dataset) if most > 1 else ():
            found[task] = max(most, found.get(task, 1))
    return found


def say_other_images(recorded: Any, datasets: Iterable[Any], source: str) -> None:
    """Warn where prompts are about to show more or fewer images than a checkpoint learnt, or says that it did."""
    datasets = list(datasets)
    asked, learnt = images_a_prompt(datasets), recorded if isinstance(recorded, Mapping) else {}
    if not asked and not learnt:
        return
    for task in sorted({task for dataset in datasets for task in tasks_of(dataset)}):
        now, then = asked.get(task, 1), learnt.get(task, 1)
        if now != then:
            say(f"warning: {source} learnt {task} prompts of {_images(then)}, and is asked with {_images(now)}")


def _images(count: int) -> str:
    return "one image" if count == 1 else f"up to {count} images"


def _longest_prompt(dataset: Any, most: int) -> str:
    """The longest of a data set without a question, or about that."""
    samples = dataset.samples if isinstance(getattr(dataset, "samples", None), list) else []
    names = max((sample.image_names for sample in samples if len(sample.images) == most), key=_letters, default=None)
    texts = [
        template.instruction_input(instruction.replace(QUESTION, ""), names or numbered_images(most))
        for template in dataset.templates.values()
        for instruction in template.pool
    ]
    return max(texts, key=len)


def _letters(names: Iterable[str]) -> int:
    return sum(map(len, names))
