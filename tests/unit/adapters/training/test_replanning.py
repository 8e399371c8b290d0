"""A run resumed with other batches: every sample of the pass once over both parts."""

from __future__ import annotations

from collections import Counter

import pytest

from pefomed_plugin.adapters.data.sampling import MixturePlan
from pefomed_plugin.adapters.training.replanning import ContinuedPlan, Start, continue_elsewhere


def plan(sizes, batch_sizes, ranks, start=None, ratios=None, **settings):
    data = (sizes, batch_sizes, ratios or [1.0] * len(sizes))
    settings = {"seed": 5, "epochs": 3, **settings}
    if start is None:
        return ContinuedPlan.from_the_beginning(*data, world_size=ranks, **settings)
    return ContinuedPlan(*data, start, world_size=ranks, **settings)


def drawn(chosen, first, last):
    """(data set, pass, sample) of all ranks from iteration ``first`` to before ``last``."""
    return [
        (draw.dataset, draw.pass_number, draw.sample)
        for iteration in range(first, last)
        for rank in range(chosen.world_size)
        for draw in chosen.batch(iteration, rank)
    ]


def test_from_the_beginning_it_is_the_plan_that_it_was():
    own = plan([13, 29], [2, 3], 2, ratios=[1.0, 2.0])
    base = MixturePlan([13, 29], [2, 3], [1.0, 2.0], seed=5, epochs=3, world_size=2)
    assert [own.batch(number, rank) for number in range(own.iterations) for rank in range(2)] == [
        base.batch(number, rank) for number in range(base.iterations) for rank in range(2)
    ]


@pytest.mark.parametrize("stop", [1, 4, 7, 8, 12, 23])
@pytest.mark.parametrize(("ranks", "batch_size"), [(1, 3), (1, 5), (3, 2), (4, 4), (2, 3)])
def test_every_sample_of_every_epoch_comes_once_over_both_runs(stop, ranks, batch_size):
    """60 samples: 8 iterations of 2 x 4 an epoch, the last with 4; then other ranks and batches."""
    old = plan([60], [4], 2)
    new = continue_elsewhere(old, stop, lambda start: plan([60], [batch_size], ranks, start), 3)
    seen = Counter(drawn(old, 0, stop) + drawn(new, new.start.iteration, new.iterations))
    assert set(seen.values()) == {1}
    per_epoch = new.iterations // 3
    left_out = 3 * 60 - len(seen)
    assert left_out <= 3 * (ranks - 1)
    if ranks == 1:
        assert left_out == 0
    # an epoch ends with its pass, as without the change
    for epoch in range(stop // 8, 3):
        inside = drawn(new, max(new.start.iteration, epoch * per_epoch), (epoch + 1) * per_epoch)
        assert {pass_number for _, pass_number, _ in inside} <= {epoch}


def test_moved_three_times_and_stopped_within_one_pass():
    plans, stops = [plan([60], [4], 2)], [3]
    for ranks, batch_size, further in ((1, 7, 2), (3, 2, 1), (2, 4, None)):
        latest = continue_elsewhere(
            plans[-1], stops[-1], lambda start, r=ranks, b=batch_size: plan([60], [b], r, start), 3
        )
        plans.append(latest)
        stops.append(latest.start.iteration + further if further else latest.iterations // 3)
    seen = [each for chosen, stop in zip(plans, stops) for each in drawn(chosen, chosen.start.iteration, stop)]
    assert sorted(seen) == [(0, 0, sample) for sample in range(60)]


def test_several_data_sets_go_on_each_in_its_own_pass():
    old = plan([20, 50], [2, 2], 2, ratios=[1.0, 3.0], iterations=90)
    new = continue_elsewhere(
        old, 31, lambda start: plan([20, 50], [5, 3], 1, start, ratios=[1.0, 3.0], iterations=90), 3
    )
    assert new.start.iteration == 31
    seen = Counter(drawn(old, 0, 31) + drawn(new, 31, 90))
    assert set(seen.values()) == {1}
    for dataset, size in enumerate((20, 50)):
        passes = Counter(pass_number for number, pass_number, _ in seen if number == dataset)
        assert all(passes[number] == size for number in range(max(passes)))


@pytest.mark.parametrize("questions", [3, "auto"])
def test_groups_by_image_keep_the_order_that_the_pass_was_begun_with(questions):
    """The order of a pass depends on the batch size then; it must not change within the pass."""
    settings = {"questions_per_image": questions, "images": [[number // 3 for number in range(60)]]}
    old = plan([60], [4], 2, **settings)
    new = continue_elsewhere(old, 3, lambda start: plan([60], [7], 1, start, **settings), 3)
    seen = drawn(old, 0, 3) + drawn(new, new.start.iteration, new.iterations // 3)
    assert sorted(seen) == [(0, 0, sample) for sample in range(60)]


def test_the_position_of_a_continued_plan_is_where_it_starts():
    start = Start(4, (1, 0), (6, 9), (2, 2))
    chosen = plan([20, 30], [4, 4], 1, start, iterations=60)
    assert chosen.position(4)._replace(iteration=4) == start._replace(batch_sizes=(2, 2))
