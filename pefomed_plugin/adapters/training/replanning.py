"""A plan that goes on with other batches: what is left of each data set's pass is dealt out anew, nothing twice.

For a run that is resumed with another number of processes or another batch size (``run.resume_elsewhere``). The order
of samples within a pass depends on the seed and the pass alone, so what is behind is known: its first part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

import numpy as np

from ..data.sampling import Draw, MixturePlan


class Start(NamedTuple):
    """Where in the data a plan begins."""

    iteration: int
    """Number of its first batch."""
    passes: tuple[int, ...]
    """Of each data set, the pass that is under way, from 0."""
    offsets: tuple[int, ...]
    """Of each data set, how many samples of that pass are behind."""
    batch_sizes: tuple[int, ...]
    """Of each data set, samples that a rank took at once when that pass was begun: its order may depend on them."""


class ContinuedPlan(MixturePlan):
    """``MixturePlan`` that continues from a given start; from the beginning it is the same plan."""

    def __init__(
        self,
        sizes: Sequence[int],
        batch_sizes: Sequence[int],
        ratios: Sequence[float],
        start: Start,
        **settings: Any,
    ) -> None:
        super().__init__(sizes, batch_sizes, ratios, **settings)
        self.start = start
        self.global_batches = list(self._global_batch)
        """Samples of each data set that all ranks together take at once."""
        self.batches_left = [
            rest // batch + (rest % batch >= self.world_size)
            for rest, batch in zip((size - offset for size, offset in zip(sizes, start.offsets)), self._global_batch)
        ]
        """Of each data set, batches that are left of the pass under way at the start."""
        self._first = [
            (number + 1) * whole - left
            for number, whole, left in zip(start.passes, self.iterations_per_pass, self.batches_left)
        ]
        """Of each data set, the number of its first batch, counted as if every pass had been dealt like the coming."""
        self._under_way = MixturePlan(sizes, start.batch_sizes, ratios, **settings)
        """Has the order of the passes under way."""
        for dataset, first in enumerate(self._first):
            here = np.flatnonzero(self._chosen[start.iteration :] == dataset) + start.iteration
            self._earlier[here] = first + np.arange(len(here))

    @classmethod
    def from_the_beginning(
        cls, sizes: Sequence[int], batch_sizes: Sequence[int], ratios: Sequence[float], **settings: Any
    ) -> ContinuedPlan:
        """The plan of a run that starts."""
        nothing = (0,) * len(sizes)
        return cls(sizes, batch_sizes, ratios, Start(0, nothing, nothing, tuple(batch_sizes)), **settings)

    def batch(self, iteration: int, rank: int) -> list[Draw]:
        """Draws of one rank at one iteration, which is not before the start."""
        dataset = int(self._chosen[iteration])
        number = int(self._earlier[iteration])
        pass_number = number // self.iterations_per_pass[dataset]
        if pass_number != self.start.passes[dataset]:
            return super().batch(iteration, rank)
        first = self._offset(dataset, number)
        order = self._under_way._permutation(dataset, pass_number)[first : first + self._global_batch[dataset]]
        return [Draw(dataset, int(sample), pass_number) for sample in self._share(order, rank)]

    def position(self, iteration: int) -> Start:
        """How far the data sets are before batch number ``iteration``."""
        behind = self._chosen[self.start.iteration : iteration]
        numbers = [first + int((behind == dataset).sum()) for dataset, first in enumerate(self._first)]
        passes = tuple(number // whole for number, whole in zip(numbers, self.iterations_per_pass))
        ordered_by = tuple(
            then if one_pass == begun else own
            for one_pass, begun, then, own in zip(passes, self.start.passes, self.start.batch_sizes, self._batch_sizes)
        )
        return Start(iteration, passes, tuple(map(self._offset, range(len(numbers)), numbers)), ordered_by)

    def _offset(self, dataset: int, number: int) -> int:
        """Samples of its pass before a data set's batch ``number``."""
        pass_number, in_pass = divmod(number, self.iterations_per_pass[dataset])
        if pass_number == self.start.passes[dataset]:
            return self.start.offsets[dataset] + (number - self._first[dataset]) * self._global_batch[dataset]
        return in_pass * self._global_batch[dataset]


def continue_elsewhere(
    old: ContinuedPlan, iteration: int, fresh: Callable[[Start], ContinuedPlan], epochs: int
) -> ContinuedPlan:
    """The plan that goes on where ``old`` was before the batch ``iteration``.

    Its iterations are numbered so that the epoch under way ends where it would have: for one data set whose epoch is
    one pass, with the last sample of the pass; else after the same share of the epoch.

    Args:
        fresh: makes a plan of the new batches from a start.
        epochs: of the run.
    """
    position = old.position(iteration)
    new = fresh(position._replace(iteration=0))
    then, now = old.iterations // epochs, new.iterations // epochs
    epoch = iteration // then
    left = -(-((epoch + 1) * then - iteration) * now // then)
    if then == old.iterations_per_pass[0] and now == new.iterations_per_pass[0] and position.passes == (epoch,):
        left = new.batches_left[0]
    return fresh(position._replace(iteration=(epoch + 1) * now - left))
