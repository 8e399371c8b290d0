"""How a pass is cut into batches so that questions of one image come together: the fewest prefixes, in random order.

A batch whose questions lie behind P different prefixes costs P times image and instruction, so a pass is dealt with as
few pieces of images as it can be: a batch is filled to the last place with pieces that cut no image more often than it
must be. Works on indices, never on samples.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

GROUPING = 2
"""Version of what this module does with a seed. A run is resumed with the one it was begun with, or not at all."""
_LOOK_AHEAD = 32
"""Images among which a batch is filled. 16 do nearly as well, 128 no better (``projects.benchmarks.batches``)."""


def numbered(images: Iterable[Hashable]) -> np.ndarray:
    """(N,) the image of each sample as an integer, equal ones where images are equal."""
    numbers: dict[Hashable, int] = {}
    return np.asarray([numbers.setdefault(image, len(numbers)) for image in images], dtype=np.int64)


def group_by_image(
    order: np.ndarray, images: np.ndarray, at_most: int, batch_size: int, rng: np.random.Generator
) -> np.ndarray:
    """``order`` dealt anew: every ``batch_size`` samples in a row are a batch that holds few different images.

    Images come in random order. A batch takes the first of those waiting that leave it a rest which others fill
    exactly; what an image has more than its piece waits again, at a random place. Where nothing fills a batch an image
    is cut once more.

    Args:
        order: a permutation of N samples; the order within an image is kept.
        images: (N,) image of each sample, as integers.
        at_most: samples of an image in a batch.
    """
    by_image = order[np.argsort(images[order], kind="stable")]
    starts = np.flatnonzero(np.diff(images[by_image], prepend=-1))
    if len(starts) == len(order):
        return order  # nothing shares an image
    parts = np.split(by_image, starts[1:])
    waiting = [parts[number] for number in rng.permutation(len(parts))[::-1]]
    dealt: list[np.ndarray] = []
    left = len(order)
    look_ahead = max(_LOOK_AHEAD, batch_size)  # as many images have a batch of samples, one each
    while waiting:
        near = [waiting.pop() for _ in range(min(look_ahead, len(waiting)))]
        taken = fill_batch([len(part) for part in near], min(batch_size, left), min(at_most, batch_size))
        left -= sum(taken)
        dealt += [part[:count] for part, count in zip(near, taken) if count]
        waiting += [part for part, count in zip(near, taken) if not count][::-1]
        for part, count in zip(near, taken):
            if 0 < count < len(part):
                waiting.insert(int(rng.integers(len(waiting) + 1)), part[count:])
    return np.concatenate(dealt)


def fill_batch(sizes: Sequence[int], room: int, at_most: int) -> list[int]:
    """How many samples of each image a batch of ``room`` takes: ``room`` together.

    An image of n samples makes ``ceil(n / at_most)`` pieces at least. A piece is free if the rest needs one piece
    less. The first images that can be part of an exact filling with free pieces are taken; where there is none, the
    fullest filling, and what it lacks from the first images that have more: more than ``at_most`` of one only where
    the images hold no others.

    Args:
        sizes: samples of each image, ``room`` or more together.
    """
    free = [range(size - at_most * (-(-size // at_most) - 1), min(at_most, size) + 1) for size in sizes]
    within = (1 << room + 1) - 1
    reached = [1]
    """Reversed: for the images from each on, the sums that their free pieces make, sum s as bit s."""
    for pieces in reversed(free):
        sums = reached[-1]
        for piece in pieces:
            sums |= reached[-1] << piece
        reached.append(sums & within)
    left = reached[-1].bit_length() - 1
    lacking = room - left
    taken = []
    for pieces, others in zip(free, reached[-2::-1]):
        fitting = (piece for piece in reversed(pieces) if piece <= left and others >> (left - piece) & 1)
        taken.append(next(fitting, 0))
        left -= taken[-1]
    for limit in (at_most, room):
        for number, size in enumerate(sizes):
            more = min(lacking, max(0, min(size, limit) - taken[number]))
            taken[number] += more
            lacking -= more
    return taken
