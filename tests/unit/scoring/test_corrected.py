"""Judges' figures corrected by people's ratings, on counts whose answer is known by hand."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.scoring.corrected import correct_difference, correct_mean
from pefomed_plugin.scoring.judged_and_rated import JudgedAndRated
from pefomed_plugin.scoring.prediction_powered import predict_mean


def counted(cells: dict[tuple[float, float | None], int]) -> JudgedAndRated:
    """(judge, people) -> how many answers."""
    rows = [row for row, count in cells.items() for _ in range(count)]
    return JudgedAndRated([row[0] for row in rows], [row[1] for row in rows])


# of the 40 rated: sensitivity 27 of 30, specificity 8 of 10; the judge calls 70 % of all 100 right
MADE = counted({(1, 1): 27, (0, 1): 3, (1, 0): 2, (0, 0): 8, (1, None): 41, (0, None): 19})


def test_rogan_gladen_and_the_judges_rates_by_hand() -> None:
    found = correct_mean(MADE, range(100))
    assert (found.n, found.rated, found.clusters, found.judge, found.people) == (100, 40, 40, 0.70, 0.75)
    assert found.sensitivity is not None and found.specificity is not None and found.rogan_gladen is not None
    assert found.sensitivity.value == pytest.approx(0.9) and found.specificity.value == pytest.approx(0.8)
    assert found.rogan_gladen.value == pytest.approx((0.7 + 0.8 - 1) / (0.9 + 0.8 - 1))


def test_prediction_powered_is_predict_mean_and_its_interval_narrower_than_peoples_alone() -> None:
    found = correct_mean(MADE, range(100))
    rated = [(j, p) for j, p in zip(MADE.judge, MADE.people) if p is not None]
    by_hand = predict_mean([p for _, p in rated], [j for j, _ in rated], [1] * 41 + [0] * 19)
    assert found.prediction_powered.value == pytest.approx(by_hand.value) and found.weight == by_hand.weight
    alone = correct_mean(JudgedAndRated([0.5] * 100, MADE.people), range(100))
    assert alone.prediction_powered.value == 0.75 and alone.weight == 0.0
    assert width(found) < width(alone)
    assert correct_mean(MADE, range(100)) == found  # the same input, the same interval


def width(found) -> float:
    interval = found.prediction_powered.interval
    return interval.high - interval.low


def test_twenty_ratings_without_a_mistake_of_the_judge_are_no_certainty() -> None:
    perfect = counted({(1, 1): 15, (0, 0): 5, (1, None): 300, (0, None): 100})
    found = correct_mean(perfect, range(420))
    low, high = found.prediction_powered.interval.low, found.prediction_powered.interval.high
    assert low is not None and high is not None and low < 0.70 and high > 0.80


@pytest.mark.parametrize(
    ("cells", "clusters", "reason"),
    [
        ({(1, 1): 10, (0, 0): 9, (1, None): 50}, range(69), "too few ratings: 19, needs 20"),
        ({(1, 1): 20, (0, 0): 20, (1, None): 50}, [k % 14 for k in range(90)], "of 14 studies or images, needs 15"),
    ],
)
def test_too_few_ratings_have_no_figure(cells, clusters, reason) -> None:
    found = correct_mean(counted(cells), clusters)
    for estimate in (found.prediction_powered, found.rogan_gladen, found.sensitivity):
        assert estimate is not None and estimate.value is None and reason in str(estimate.reason)
    assert found.judge is not None  # the judge's own stays


def test_a_judge_no_better_than_chance_has_no_rogan_gladen() -> None:
    found = correct_mean(counted({(1, 1): 10, (0, 1): 10, (1, 0): 10, (0, 0): 10, (1, None): 40}), range(80))
    assert found.rogan_gladen is not None and "no better than chance" in str(found.rogan_gladen.reason)
    assert found.prediction_powered.value == pytest.approx(0.5)


def test_answers_that_are_missing_are_wrong_for_certain_and_no_ratings() -> None:
    given = correct_mean(MADE, range(100))
    more = JudgedAndRated([*MADE.judge, *[0.0] * 25], [*MADE.people, *[0.0] * 25], [False] * 100 + [True] * 25)
    found = correct_mean(more, range(125))
    assert (found.n, found.rated, found.missing, found.people) == (125, 40, 25, 0.75)
    assert found.judge == pytest.approx(0.56)
    assert found.prediction_powered.value == pytest.approx(0.8 * float(given.prediction_powered.value or 0))
    assert found.rogan_gladen is not None and given.rogan_gladen is not None
    assert found.rogan_gladen.interval.high == pytest.approx(0.8 * float(given.rogan_gladen.interval.high or 0))
    assert found.sensitivity == given.sensitivity


def test_what_the_judge_has_no_verdict_on_is_counted() -> None:
    more = JudgedAndRated([*MADE.judge, None], [*MADE.people, 1.0])
    found = correct_mean(more, range(101))
    assert (found.n, found.rated, found.unjudged) == (100, 40, 1)


def test_ratings_of_one_image_are_worth_less() -> None:
    apart, together = correct_mean(MADE, range(100)), correct_mean(MADE, [k // 2 for k in range(100)])
    assert together.clusters == 20 and width(together) > width(apart)


def test_levels_have_one_estimate() -> None:
    answers = JudgedAndRated([3.0, 4.0, 2.0] * 20, [2.0, 4.0, 1.0] * 10 + [None] * 30)
    found = correct_mean(answers, range(60), 0, 4)
    assert found.rogan_gladen is None and found.judge == 3.0 and found.people == pytest.approx(7 / 3)
    assert found.prediction_powered.value == pytest.approx(7 / 3)
    assert found.prediction_powered.interval.high is not None and found.prediction_powered.interval.high <= 4


def test_a_difference_is_taken_question_by_question() -> None:
    people = [1.0, 1.0, 0.0, 1.0] * 10 + [None] * 40
    better, worse = (
        JudgedAndRated(people[:40] * 2, people),
        JudgedAndRated([0.0, 1.0] * 40, [0.0, 1.0] * 20 + [None] * 40),
    )
    found = correct_difference(better, worse, range(80))
    assert found.people == pytest.approx(0.25) and found.prediction_powered.value == pytest.approx(0.25)
    low, high = found.prediction_powered.interval.low, found.prediction_powered.interval.high
    assert low is not None and high is not None and 0 < low < 0.25 < high
    back = correct_difference(worse, better, range(80))
    assert back.prediction_powered.value == pytest.approx(-0.25) and back.rogan_gladen is not None
    assert back.rogan_gladen.value == pytest.approx(-0.25)


def test_a_model_does_not_differ_from_itself() -> None:
    found = correct_difference(MADE, MADE, range(100))
    assert found.prediction_powered.value == 0 == found.judge
    low, high = found.prediction_powered.interval.low, found.prediction_powered.interval.high
    assert low is not None and high is not None and low < 0 < high


def test_lists_of_one_length_within_the_scale() -> None:
    with pytest.raises(DataError, match="of the same answers"):
        correct_mean(JudgedAndRated([1.0], [1.0, 0.0]), [0])
    with pytest.raises(DataError, match="outside 0 to 1"):
        correct_mean(JudgedAndRated([3.0], [1.0]), [0])
