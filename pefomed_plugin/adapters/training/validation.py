"""The loss of validation sets, each by itself and all together, whichever runner trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple

from torch.utils.data import DataLoader, Subset

from ...config.run import RunConfig
from ...services.parallel import leave_the_group
from ..answering import to_device
from .arithmetic import validation_sums


class Validation(NamedTuple):
    """What one look at the validation sets found."""

    loss: float
    """Mean over all their answer tokens: long answers weigh more. The best epoch is the one where it is lowest."""
    by_set: dict[str, float]
    """The same of each data set."""

    def __str__(self) -> str:
        own = ", ".join(f"{name} {loss:.4f}" for name, loss in self.by_set.items())
        return f"{self.loss:.4f}" + (f" ({own})" if len(self.by_set) > 1 else "")

    def to_json(self) -> dict[str, float]:
        """Names as trackers and logs have them."""
        own = self.by_set if len(self.by_set) > 1 else {}
        return {"valid/loss": self.loss, **{f"valid/loss/{name}": loss for name, loss in own.items()}}


class Halted(Exception):
    """Validation was told to stop, on all ranks at the same batch."""


def validate(
    accelerator: Any,
    task: Any,
    model: Any,
    valid_sets: Sequence[Any],
    options: RunConfig,
    collate: Callable[..., Any],
    stops: Callable[[], bool] = lambda: False,
) -> Validation:
    """Loss of every validation set, on all ranks together; the model is in training mode behind it.

    Args:
        collate: makes batches of their items, as ``make_collater`` of the model does.
        stops: whether to stop, asked before each batch on every rank; on all of them the same.

    Raises:
        Halted: it stops.
    """
    sums: dict[str, tuple[float, float]] = {}
    for valid_set in valid_sets:
        batches = _until(stops, _batches(accelerator, valid_set, options, collate))
        loss, tokens = validation_sums(accelerator, task, model, batches)
        before = sums.get(valid_set.name, (0.0, 0.0))
        sums[valid_set.name] = (before[0] + loss, before[1] + tokens)
    losses, counts = zip(*sums.values())
    # every answer has its end token; only a stand-in for a card, which computes nothing, counts none
    return Validation(
        sum(losses) / max(sum(counts), 1), {name: loss / max(tokens, 1) for name, (loss, tokens) in sums.items()}
    )


def _until(stops: Callable[[], bool], batches: Iterator[Any]) -> Iterator[Any]:
    for batch in batches:
        if stops():
            raise Halted
        yield batch


def _batches(accelerator: Any, valid_set: Any, options: RunConfig, collate: Callable[..., Any]) -> Iterator[Any]:
    """This rank's share; equally many batches on all ranks, filled up with the last one marked as padding."""
    rank, ranks = accelerator.process_index, accelerator.num_processes
    share = list(range(rank, len(valid_set), ranks)) or [0]
    loader = DataLoader(
        Subset(valid_set, share),
        collate_fn=collate,
        batch_size=options.batch_size_eval,
        num_workers=options.loading_processes,
        worker_init_fn=leave_the_group,
    )
    for batch in loader:
        on_device = to_device(batch, accelerator.device)
        yield {**on_device, "padding": rank >= len(valid_set)}
    most = -(-len(valid_set) // ranks)
    if len(loader) < -(-most // options.batch_size_eval):
        yield {**on_device, "padding": True}
