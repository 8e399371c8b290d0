"""Which sample's images are shown with another one's question, so that what rests on them is lost. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ...records import Sample


def others_of_the_same_views(samples: Sequence[Sample], seed: str) -> list[int]:
    """For each sample the number of one with other images, of as many and of the same views.

    Samples of the same images get the same others. A sample whose views no other one shows gets its own.
    """
    numbers = {sample.images: number for number, sample in enumerate(samples)}
    by_views: dict[tuple[int, tuple[str, ...]], list[tuple[str, ...]]] = {}
    for images in sorted(numbers):
        by_views.setdefault((len(images), samples[numbers[images]].views), []).append(images)
    others: dict[tuple[str, ...], tuple[str, ...]] = {}
    for alike in by_views.values():
        Random(seed).shuffle(alike)
        others.update(zip(alike, alike[1:] + alike[:1]))
    return [numbers[others[sample.images]] for sample in samples]
