"""Which samples come at which iteration, on which rank: a function of seed, iteration and rank alone.

So a resumed run continues exactly, and a test can say what must come. Works on indices, never on samples.

Every iteration takes its batch from one data set: drawn by the mixture's ratios (MiniGPT-v2's ``sample_ratio``), or
dealt so that each data set comes exactly as often as its passes say, evenly over the run.
Within a data set, each pass is a new permutation in which every sample comes once; with ``questions_per_image`` the
samples of one image come next to each other in it, so that they can share its visual prefix.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...config.run import questions_together
from ...errors import ConfigError
from .grouping import group_by_image, numbered


class Draw(NamedTuple):
    """One sample to be loaded; what is random about it (its instruction) is seeded with these three numbers."""

    dataset: int
    """Index of the data set in the mixture."""
    sample: int
    """Index in the data set."""
    pass_number: int
    """How often the data set has been gone through before."""


class MixturePlan:
    """The order of a whole run."""

    def __init__(
        self,
        sizes: Sequence[int],
        batch_sizes: Sequence[int],
        ratios: Sequence[float],
        *,
        seed: int,
        iterations: int | None = None,
        epochs: int = 1,
        passes: Sequence[float] | None = None,
        world_size: int = 1,
        shuffle: bool = True,
        questions_per_image: int | str = 1,
        images: Sequence[Sequence[Hashable]] = (),
        names: Sequence[str] = (),
    ) -> None:
        """Plan ``iterations`` (else what ``passes`` make, else ``epochs`` passes over all data) of batches.

        Args:
            sizes: samples of each data set.
            batch_sizes: samples of each data set that one rank takes at once.
            ratios: how often each data set is drawn, relative to the others.
            passes: how often each data set is gone through, in place of ``ratios``. With ``iterations`` of another
                number only their proportions hold; without, epochs are made equally long by fewer than ``epochs``
                batches more.
            questions_per_image: the most samples of one image that come together, or ``auto``.
            images: of each data set the image of every sample; needed for more than one question an image.
            names: of the data sets, for messages.

        Raises:
            ConfigError: a data set with fewer samples than ranks.
        """
        _require_enough(sizes, names, world_size)
        self.sizes, self.seed, self.world_size, self.shuffle = tuple(sizes), seed, world_size, shuffle
        self._batch_sizes = tuple(batch_sizes)
        self._images = [numbered(names) for names in images] if questions_per_image != 1 else []
        self._together = [questions_together(questions_per_image, batch_size) for batch_size in batch_sizes]
        self._global_batch = [batch_size * world_size for batch_size in batch_sizes]
        self.iterations_per_pass = [
            size // batch + (size % batch >= world_size) for size, batch in zip(sizes, self._global_batch)
        ]
        self.left_out = [
            size % batch if size % batch < world_size else 0 for size, batch in zip(sizes, self._global_batch)
        ]
        """Samples of each data set that one pass leaves out because they are fewer than ranks."""
        self.asked_passes = None if passes is None else [float(value) for value in passes]
        weights = np.asarray(ratios, dtype=float)
        whole = sum(self.iterations_per_pass)
        if passes is not None:
            weights = np.round(np.asarray(passes, dtype=float) * self.iterations_per_pass)
            whole = -(-int(weights.sum()) // epochs)
        self.in_full = epochs * whole
        """Iterations of a run that nothing cuts short."""
        self.iterations = iterations or self.in_full
        self.shares = weights / weights.sum()
        """Of each data set, the share of batches that come from it."""
        rng = np.random.default_rng([seed, 1])
        self._chosen = (
            rng.choice(len(sizes), size=self.iterations, p=self.shares)
            if passes is None
            else deal_evenly(weights, self.iterations, rng)
        )
        self._earlier = _count_earlier(self._chosen, len(sizes))
        self._permutation = lru_cache(maxsize=2 * len(sizes))(self._draw_permutation)

    def passes(self) -> list[float]:
        """Of each data set, how often the whole run goes through it."""
        batches = np.bincount(self._chosen, minlength=len(self.sizes))
        return [float(count) / one_pass for count, one_pass in zip(batches, self.iterations_per_pass)]

    def prefixes(self, dataset: int) -> int:
        """Rows of a data set's first pass, on all ranks: images of a batch, or samples where each has its own row."""
        if not self._images:
            return self.sizes[dataset]
        order, size = self._permutation(dataset, 0), self._global_batch[dataset]
        batches = (order[number * size : (number + 1) * size] for number in range(self.iterations_per_pass[dataset]))
        shares = (self._share(batch, rank) for batch in batches for rank in range(self.world_size))
        return sum(len(np.unique(self._images[dataset][share])) for share in shares)

    def batch(self, iteration: int, rank: int) -> list[Draw]:
        """Draws of one rank at one iteration; the ranks' batches differ by one sample at most."""
        dataset = int(self._chosen[iteration])
        pass_number, number = divmod(int(self._earlier[iteration]), self.iterations_per_pass[dataset])
        size = self._global_batch[dataset]
        order = self._permutation(dataset, pass_number)[number * size : (number + 1) * size]
        return [Draw(dataset, int(sample), pass_number) for sample in self._share(order, rank)]

    def _share(self, order: np.ndarray, rank: int) -> np.ndarray:
        """A rank's part of a step: every W-th sample of W ranks, or one stretch where neighbours share an image."""
        return np.array_split(order, self.world_size)[rank] if self._images else order[rank :: self.world_size]

    def batches(self, rank: int, start: int = 0) -> Iterator[list[Draw]]:
        """Batches of one rank from iteration ``start`` to the end."""
        return (self.batch(iteration, rank) for iteration in range(start, self.iterations))

    def _draw_permutation(self, dataset: int, pass_number: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(self.sizes[dataset])
        rng = np.random.default_rng([self.seed, 2, dataset, pass_number])
        order = rng.permutation(self.sizes[dataset])
        if not self._images:
            return order
        return group_by_image(order, self._images[dataset], self._together[dataset], self._batch_sizes[dataset], rng)


def deal_evenly(weights: np.ndarray, total: int, rng: np.random.Generator) -> np.ndarray:
    """(total,) data set of each batch: by the weights to less than one batch, and no data set ahead of the others.

    The k-th of the n batches of a data set comes at a random place in the k-th of n equal parts of the run. So where
    ``weights`` are whole epochs of batches, each epoch holds each data set's share exactly.
    """
    quotas = weights * (total / weights.sum())
    counts = np.floor(quotas + 1e-9).astype(np.int64)
    behind = np.argsort(counts - quotas, kind="stable")
    counts[behind[: total - counts.sum()]] += 1
    places = np.concatenate([(np.arange(count) + rng.random(count)) / max(count, 1) for count in counts])
    return np.repeat(np.arange(len(weights)), counts)[np.argsort(places, kind="stable")]


def _count_earlier(chosen: np.ndarray, datasets: int) -> np.ndarray:
    """(iterations,) how many batches of the same data set came before."""
    earlier = np.zeros(len(chosen), dtype=np.int64)
    for number in range(datasets):
        here = chosen == number
        earlier[here] = np.arange(here.sum())
    return earlier


def _require_enough(sizes: Sequence[int], names: Sequence[str], world_size: int) -> None:
    """Raises ConfigError: a data set with fewer samples than ranks."""
    called = names or [f"data set {number}" for number in range(len(sizes))]
    small = [f"{name}: {size:,} sample(s)" for name, size in zip(called, sizes) if size < world_size]
    if small:
        raise ConfigError(
            f"{world_size:,} processes, one a GPU, and each needs a sample of every data set; take fewer", small
        )


class PlannedBatches:
    """A plan as the ``batch_sampler`` of a torch ``DataLoader``."""

    def __init__(self, plan: MixturePlan, rank: int, start: int = 0) -> None:
        self.plan, self.rank, self.start = plan, rank, start

    def __iter__(self) -> Iterator[list[Draw]]:
        return self.plan.batches(self.rank, self.start)

    def __len__(self) -> int:
        return self.plan.iterations - self.start
