"""What a training run says before its first step: how often it goes through which data, what it trains and on what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..devices import describe_precision

if TYPE_CHECKING:
    from .trainer import Trainer


def start_lines(trainer: Trainer) -> Iterator[str]:
    """One sentence each."""
    plan, options = trainer.plan, trainer.options
    for train_set, left_out in zip(trainer.train_sets, plan.left_out):
        if left_out:
            yield f"{train_set.name}: each pass leaves out {left_out} sample(s), fewer than ranks"
    for train_set, share, passes in zip(trainer.train_sets, plan.shares, plan.passes()):
        yield (
            f"{train_set.name}: {share:.0%} of the batches, {_number(passes)} passes over {len(train_set):,} "
            f"samples in {options.max_epoch} epoch(s)"
        )
    if plan.asked_passes is not None and plan.iterations != plan.in_full:
        yield (
            f"warning: run.iters_per_epoch makes {plan.iterations:,} iterations of the {plan.in_full:,} that "
            "datasets.*.passes ask for: the passes are those above"
        )
    if options.shares_images:
        for number, train_set in enumerate(trainer.train_sets):
            yield (
                f"{train_set.name}: up to {options.questions_together(train_set.batch_size)} questions of an image in "
                f"a batch; a pass is {len(train_set):,} samples behind {plan.prefixes(number):,} "
                f"{'images' if getattr(train_set, 'most_images', 1) == 1 else 'sets of images'}"
            )
    trained = [parameter for parameter in trainer.own.parameters() if parameter.requires_grad]
    accelerator, strategy = trainer.accelerator, trainer.strategy
    yield (
        f"training {sum(parameter.numel() for parameter in trained):,} parameters in {len(trained):,} tensors on "
        f"{accelerator.num_processes} x {accelerator.device.type} in "
        f"{describe_precision(accelerator, options, trainer.own)}"
        f"{', ' + strategy.words if strategy.words else ''}: {options.max_epoch} epoch(s) of "
        f"{trainer.per_epoch} iterations"
    )


def passes_in_words(trainer: Trainer) -> str:
    """How often the run goes through each data set."""
    counted = zip(trainer.train_sets, trainer.plan.passes())
    return ", ".join(f"{train_set.name} {passes:.1f}" for train_set, passes in counted)


def _number(passes: float) -> str:
    """``49.7``; of less than one the first figures, lest a short run have made none."""
    return f"{passes:.1f}" if passes >= 1 or not passes else f"{passes:.2g}"
