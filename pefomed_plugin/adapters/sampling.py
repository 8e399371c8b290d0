"""Which samples come at which iteration, on which rank: a function of seed, iteration and rank alone.

So a resumed run continues exactly, and a test can say what must come. Works on indices; knows no sample.

Every iteration takes its batch from one data set, chosen by the mixture's ratios (MiniGPT-v2's ``sample_ratio``).
Within a data set, each pass is a new permutation in which every sample comes once.
"""

from functools import lru_cache
from typing import Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from ..errors import ConfigError


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

    def __init__(self, sizes: Sequence[int], batch_sizes: Sequence[int], ratios: Sequence[float], *, seed: int,
                 iterations: Optional[int] = None, epochs: int = 1, world_size: int = 1, shuffle: bool = True) -> None:
        """Plan ``iterations`` (or ``epochs`` passes over all data) of batches.

        Args:
            sizes: samples of each data set.
            batch_sizes: samples of each data set that one rank takes at once.
            ratios: how often each data set is chosen, relative to the others.

        Raises:
            ConfigError: a data set with fewer samples than ranks.
        """
        small = ["data set {}: {} sample(s)".format(number, size) for number, size in enumerate(sizes)
                 if size < world_size]
        if small:
            raise ConfigError("every one of {} ranks needs a sample".format(world_size), small)
        self.sizes, self.seed, self.world_size, self.shuffle = tuple(sizes), seed, world_size, shuffle
        self._global_batch = [each * world_size for each in batch_sizes]
        self.iterations_per_pass = [size // batch + (size % batch >= world_size)
                                    for size, batch in zip(sizes, self._global_batch)]
        self.left_out = [size % batch if size % batch < world_size else 0
                         for size, batch in zip(sizes, self._global_batch)]
        """Samples of each data set that one pass leaves out because they are fewer than ranks."""
        self.iterations = iterations or epochs * sum(self.iterations_per_pass)
        weights = np.asarray(ratios, dtype=float) / np.sum(ratios)
        self._chosen = np.random.default_rng([seed, 1]).choice(len(sizes), size=self.iterations, p=weights)
        self._earlier = np.zeros(self.iterations, dtype=np.int64)
        for number in range(len(sizes)):
            here = self._chosen == number
            self._earlier[here] = np.arange(here.sum())
        self._permutation = lru_cache(maxsize=2 * len(sizes))(self._draw_permutation)

    def batch(self, iteration: int, rank: int) -> List[Draw]:
        """Draws of one rank at one iteration; the ranks' batches differ by one sample at most."""
        dataset = int(self._chosen[iteration])
        pass_number, number = divmod(int(self._earlier[iteration]), self.iterations_per_pass[dataset])
        size = self._global_batch[dataset]
        order = self._permutation(dataset, pass_number)[number * size:(number + 1) * size]
        return [Draw(dataset, int(sample), pass_number) for sample in order[rank::self.world_size]]

    def batches(self, rank: int, start: int = 0) -> Iterator[List[Draw]]:
        """Batches of one rank from iteration ``start`` to the end."""
        return (self.batch(iteration, rank) for iteration in range(start, self.iterations))

    def _draw_permutation(self, dataset: int, pass_number: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(self.sizes[dataset])
        return np.random.default_rng([self.seed, 2, dataset, pass_number]).permutation(self.sizes[dataset])


class PlannedBatches:
    """A plan as the ``batch_sampler`` of a torch ``DataLoader``."""

    def __init__(self, plan: MixturePlan, rank: int, start: int = 0) -> None:
        self.plan, self.rank, self.start = plan, rank, start

    def __iter__(self) -> Iterator[List[Draw]]:
        return self.plan.batches(self.rank, self.start)

    def __len__(self) -> int:
        return self.plan.iterations - self.start
