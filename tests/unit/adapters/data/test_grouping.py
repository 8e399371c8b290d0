"""Questions of an image in as few batches as can be, every one of them once."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from pefomed_plugin.adapters.data.grouping import fill_batch, group_by_image, numbered

COUNTS = {1: 2, 2: 16, 3: 19, 4: 11, 5: 7, 6: 10, 7: 17, 8: 11, 9: 38, 10: 31, 11: 32, 12: 38, 13: 22, 14: 42, 15: 6}
COUNTS.update({16: 7, 17: 3, 18: 1, 22: 1})
"""Questions of an image -> images, of VQA-RAD's training split."""


def vqa_rad(seed=0):
    """(3064,) image of each sample, and an order."""
    sizes = [size for size, images in COUNTS.items() for _ in range(images)]
    images = np.repeat(np.arange(len(sizes)), sizes)
    return images, np.random.default_rng(seed).permutation(len(images))


def batches_of(images, order, at_most, batch_size, seed=1):
    dealt = group_by_image(order, images, at_most, batch_size, np.random.default_rng(seed))
    assert sorted(dealt) == sorted(order)
    return [dealt[start : start + batch_size] for start in range(0, len(dealt), batch_size)]


def pieces_of(images, batches):
    return [len(set(images[batch])) for batch in batches]


@pytest.mark.parametrize(
    ("at_most", "batch_size", "over_the_fewest"),
    [(6, 6, 1.05), (8, 8, 1.07), (24, 24, 1.04), (32, 32, 1.03), (4, 8, 1.01)],
)
def test_hardly_more_pieces_than_there_must_be(at_most, batch_size, over_the_fewest):
    for seed in range(3):
        images, order = vqa_rad(seed)
        pieces = pieces_of(images, batches_of(images, order, at_most, batch_size))
        fewest = sum(-(-count // at_most) for count in np.bincount(images))
        assert sum(pieces) <= over_the_fewest * fewest
        assert max(pieces) <= 4 or batch_size > 24 or at_most < batch_size, "small ones are not left to the end"


def test_a_batch_holds_no_more_of_an_image_than_asked_for_unless_there_is_no_other():
    images = np.repeat(np.arange(90), 10)
    batches = batches_of(images, np.random.default_rng(0).permutation(900), 4, 8)
    most = [max(Counter(images[batch].tolist()).values()) for batch in batches]
    assert max(most[:-4]) == 4
    assert fill_batch([10, 1], 8, 4) == [7, 1]


def test_the_order_within_an_image_is_kept_and_where_nothing_is_shared_all_of_it():
    images, order = vqa_rad()
    dealt = group_by_image(order, images, 8, 8, np.random.default_rng(0))
    for image in (3, 100, 313):
        assert dealt[images[dealt] == image].tolist() == order[images[order] == image].tolist()
    apart = np.arange(len(order))
    assert group_by_image(order, apart, 8, 8, np.random.default_rng(0)) is order


def test_images_of_a_batch_are_drawn_among_all():
    """The first of a batch comes in random order: many questions or few, at the beginning as at the end."""
    images, order = vqa_rad()
    sizes = np.bincount(images)
    batches = batches_of(images, order, 24, 24)
    mean = [np.mean([sizes[images[batch]].mean() for batch in half]) for half in (batches[:60], batches[60:120])]
    assert mean[0] == pytest.approx(mean[1], rel=0.1)


def test_a_batch_is_filled_exactly_where_it_can_be():
    """Against every choice of free pieces of five images."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        sizes, room, at_most = rng.integers(1, 9, 5).tolist(), int(rng.integers(2, 12)), int(rng.integers(2, 7))
        at_most = min(at_most, room)
        room = min(room, sum(sizes))
        taken = fill_batch(sizes, room, at_most)
        assert sum(taken) == room and all(0 <= count <= size for count, size in zip(taken, sizes))
        free = [
            [0, *(n for n in range(1, min(at_most, size) + 1) if -(-(size - n) // at_most) < -(-size // at_most))]
            for size in sizes
        ]
        possible = any(sum(choice) == room for choice in product(*free))
        assert possible == all(count in pieces for count, pieces in zip(taken, free))


def test_large_batches_of_images_with_hardly_more_than_one_question_are_full():
    images = np.concatenate([np.arange(200), np.arange(5)])
    batches = batches_of(images, np.random.default_rng(0).permutation(205), 64, 64)
    assert [len(batch) for batch in batches] == [64, 64, 64, 13]
    assert sum(pieces_of(images, batches)) == 200


def test_images_are_numbered_by_name():
    assert numbered([("a",), ("b",), ("a",)]).tolist() == [0, 1, 0]
