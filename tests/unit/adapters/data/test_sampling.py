"""Which sample comes when depends on seed, iteration and rank alone."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pefomed_plugin.adapters.data.sampling import MixturePlan, PlannedBatches
from pefomed_plugin.errors import ConfigError


def whole_run(plan, ranks=1):
    return [draw for rank in range(ranks) for batch in plan.batches(rank) for draw in batch]


def test_every_sample_once_an_epoch():
    plan = MixturePlan([10], [4], [1], seed=1, epochs=3)
    assert plan.iterations == 9
    for epoch in range(3):
        draws = [draw for number in range(3) for draw in plan.batch(3 * epoch + number, 0)]
        assert sorted(draw.sample for draw in draws) == list(range(10))
        assert {draw.pass_number for draw in draws} == {epoch}


def test_passes_have_different_orders_and_the_seed_repeats_them():
    plan = MixturePlan([50], [50], [1], seed=1, epochs=2)
    assert plan.batch(0, 0) != plan.batch(1, 0)
    assert plan.batch(1, 0) == MixturePlan([50], [50], [1], seed=1, epochs=2).batch(1, 0)
    assert plan.batch(0, 0) != MixturePlan([50], [50], [1], seed=2, epochs=2).batch(0, 0)


@pytest.mark.parametrize("ranks", [2, 3, 16])
def test_ranks_share_an_epoch_without_overlap_and_with_equally_many_batches(ranks):
    plan = MixturePlan([101], [2], [1], seed=0, world_size=ranks)
    counts = Counter(draw.sample for draw in whole_run(plan, ranks))
    assert set(counts.values()) == {1}
    assert len(counts) == 101 - plan.left_out[0]
    assert all(len(plan.batch(number, rank)) >= 1 for number in range(plan.iterations) for rank in range(ranks))


def test_two_ranks_of_four_take_what_one_rank_of_eight_takes():
    one = MixturePlan([64], [8], [1], seed=3)
    two = MixturePlan([64], [4], [1], seed=3, world_size=2)
    for number in range(one.iterations):
        assert sorted(one.batch(number, 0)) == sorted(two.batch(number, 0) + two.batch(number, 1))


def test_a_resumed_run_continues_exactly():
    plan = MixturePlan([30, 20], [4, 2], [3, 1], seed=5, iterations=40)
    batches = list(PlannedBatches(plan, 0))
    assert list(PlannedBatches(plan, 0, start=17)) == batches[17:]
    assert len(PlannedBatches(plan, 0, start=17)) == 23


def test_a_longer_run_begins_like_a_shorter_one():
    short = MixturePlan([30, 20], [4, 2], [3, 1], seed=5, iterations=10)
    long = MixturePlan([30, 20], [4, 2], [3, 1], seed=5, iterations=100)
    assert [short.batch(n, 0) for n in range(10)] == [long.batch(n, 0) for n in range(10)]


def test_ratios_and_one_data_set_an_iteration():
    plan = MixturePlan([100, 100], [2, 3], [60, 20], seed=0, iterations=4000)
    batches = list(plan.batches(0))
    chosen = Counter(batch[0].dataset for batch in batches)
    assert chosen[0] / 4000 == pytest.approx(0.75, abs=0.02)
    assert all(len({draw.dataset for draw in batch}) == 1 for batch in batches)


def test_equal_ratios_over_unequal_data_sets_give_unequal_passes():
    """What ``sample_ratio: 1`` means for the sizes of VQA-RAD, SLAKE and PathVQA."""
    sizes, batches = [3064, 4919, 19755], [6, 6, 6]
    plan = MixturePlan(sizes, batches, [1, 1, 1], seed=42, epochs=50)
    assert plan.shares.tolist() == [1 / 3, 1 / 3, 1 / 3]
    first, second, third = plan.passes()
    assert first == pytest.approx(151, rel=0.02) and second == pytest.approx(94, rel=0.02)
    assert third == pytest.approx(23.4, rel=0.02)


SIZES = [3064, 4919, 19755, 2069]


def test_passes_are_exact_and_an_epoch_is_one_of_each():
    plan = MixturePlan(SIZES, [6, 6, 3, 6], 4 * [1], passes=4 * [50], seed=42, epochs=50)
    assert plan.passes() == [50, 50, 50, 50]
    assert plan.iterations == plan.in_full == 50 * sum(plan.iterations_per_pass)
    per_epoch = plan.iterations // 50
    for epoch in (0, 1, 49):
        batches = [plan.batch(number, 0) for number in range(epoch * per_epoch, (epoch + 1) * per_epoch)]
        seen = Counter((draw.dataset, draw.pass_number) for batch in batches for draw in batch)
        assert seen == {(number, epoch): size for number, size in enumerate(SIZES)}


def test_passes_of_one_data_set_may_be_others():
    plan = MixturePlan([60, 100], [6, 10], [1, 1], passes=[7, 2.5], seed=1, epochs=3)
    assert plan.iterations == 3 * -(-(70 + 25) // 3) == 96, "epochs of the same length: one batch more"
    first, second = plan.passes()
    assert first == pytest.approx(7, abs=0.11) and second == pytest.approx(2.5, abs=0.11)
    assert first >= 7 and second >= 2.5


def test_passes_are_mixed_evenly_and_in_an_order_of_the_seed():
    plans = [MixturePlan(SIZES, 4 * [6], 4 * [1], passes=4 * [2], seed=seed, epochs=2) for seed in (1, 1, 2)]
    orders = [[plan.batch(number, 0)[0].dataset for number in range(plan.iterations)] for plan in plans]
    assert orders[0] == orders[1] != orders[2]
    share = plans[0].shares[0]
    for start in range(0, plans[0].iterations - 500, 500):
        assert orders[0][start : start + 500].count(0) == pytest.approx(500 * share, abs=3)


def test_a_run_of_fewer_iterations_keeps_the_proportions_of_its_passes():
    plan = MixturePlan(SIZES, 4 * [6], 4 * [1], passes=4 * [50], seed=1, epochs=50, iterations=1000)
    assert plan.iterations == 1000 < plan.in_full
    assert sum(plan.passes()) / 4 == pytest.approx(1000 * 50 / plan.in_full, rel=0.01)


def test_file_order():
    plan = MixturePlan([6], [2], [1], seed=0, epochs=2, shuffle=False)
    assert [draw.sample for draw in whole_run(plan)] == [*range(6), *range(6)]


def test_fewer_samples_than_ranks():
    with pytest.raises(ConfigError, match="data set 1: 3 sample"):
        MixturePlan([10, 3], [1, 1], [1, 1], seed=0, world_size=4)


def test_in_a_mixture_a_data_set_is_gone_through_before_a_sample_of_it_comes_again():
    plan = MixturePlan([31, 7], [2, 1], [3, 1], seed=2, iterations=80, world_size=2)
    for number in range(plan.iterations):
        assert len({draw.dataset for rank in range(2) for draw in plan.batch(number, rank)}) == 1
    counts = Counter(whole_run(plan, ranks=2))
    assert set(counts.values()) == {1}, "once in each pass"
    passes = Counter((draw.dataset, draw.pass_number) for draw in counts)
    for (dataset, number), samples in passes.items():
        last = max(each for other, each in passes if other == dataset)
        assert samples == plan.sizes[dataset] - plan.left_out[dataset] or number == last


def grouped(images=60, most=11, at_most=4, batch_size=8, **settings):
    """A plan over images with 1 to ``most`` questions, and the image of each sample."""
    counts = np.random.default_rng(0).integers(1, most + 1, images)
    images = [number for number, count in enumerate(counts) for _ in range(count)]
    images = [images[each] for each in np.random.default_rng(1).permutation(len(images))]
    plan = MixturePlan(
        [len(images)], [batch_size], [1], seed=4, questions_per_image=at_most, images=[images], **settings
    )
    return plan, images


@pytest.mark.parametrize("ranks", [1, 2, 16])
def test_grouped_by_image_every_sample_still_comes_once_an_epoch(ranks):
    plan, images = grouped(images=200, world_size=ranks, epochs=2, batch_size=4)
    for epoch in range(2):
        first = epoch * plan.iterations // 2
        draws = [
            draw.sample
            for number in range(first, first + plan.iterations // 2)
            for rank in range(ranks)
            for draw in plan.batch(number, rank)
        ]
        assert len(draws) == len(set(draws)) == len(images) - plan.left_out[0]
    sizes = [len(plan.batch(number, rank)) for number in range(plan.iterations) for rank in range(ranks)]
    assert min(sizes) >= 1 and max(sizes) == 4


def test_questions_of_an_image_come_together_but_not_more_than_asked_for():
    plan, images = grouped(at_most=4, batch_size=8)
    rows = 0
    for batch in plan.batches(0):
        names = [images[draw.sample] for draw in batch]
        rows += len(set(names))
    fewest = sum(-(-count // 4) for count in Counter(images).values())
    assert fewest <= rows <= 1.1 * fewest
    assert rows < 0.5 * len(images)


def test_grouped_orders_differ_between_passes_and_repeat_with_the_seed():
    plan, _ = grouped(epochs=2)
    again, _ = grouped(epochs=2)
    half = plan.iterations // 2
    assert [plan.batch(n, 0) for n in range(plan.iterations)] == [again.batch(n, 0) for n in range(plan.iterations)]
    assert [draw.sample for draw in plan.batch(0, 0)] != [draw.sample for draw in plan.batch(half, 0)]
    assert list(plan.batches(0, start=3)) == list(plan.batches(0))[3:]


def test_auto_is_as_many_as_each_data_sets_batch_holds():
    images = [[number // 12 for number in range(120)]]
    for batch_size in (6, 24):
        plans = [
            MixturePlan([120], [batch_size], [1], seed=0, questions_per_image=chosen, images=images)
            for chosen in ("auto", batch_size)
        ]
        assert list(plans[0].batches(0)) == list(plans[1].batches(0))


def test_prefixes_of_a_pass_are_counted_over_all_ranks():
    plan, images = grouped(at_most=4, batch_size=4, world_size=2)
    batches = [batch for rank in range(2) for batch in plan.batches(rank)]
    assert plan.prefixes(0) == sum(len({images[draw.sample] for draw in batch}) for batch in batches)
    assert MixturePlan([10], [4], [1], seed=1).prefixes(0) == 10


def test_passes_are_those_of_the_page_about_mixtures():
    page = (Path(__file__).resolve().parents[4] / "docs" / "mixtures.md").read_text(encoding="utf-8")
    told = [
        list(map(int, re.findall(r"(\d+) passes", line))) for line in page.splitlines() if line.count(" passes |") == 3
    ]
    for ratios, asked, passes in zip(((1, 1, 1), (2, 2, 1), (1, 1, 1)), (None, None, (50, 50, 50)), told):
        plan = MixturePlan((3064, 4919, 19755), (6, 6, 6), ratios, seed=42, epochs=50, passes=asked)
        assert plan.iterations == 231_200
        expected = [share * plan.iterations / one for share, one in zip(plan.shares, plan.iterations_per_pass)]
        assert [round(number) for number in expected] == passes
    assert len(told) == 3 and plan.passes() == [50, 50, 50]
