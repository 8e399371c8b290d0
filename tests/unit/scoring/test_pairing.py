from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Score
from pefomed_plugin.scoring.pairing import mean, pair_scores

from .rows import predicted


def scored(number: int, scorer: str = "invented") -> Score:
    return Score(f"invented-{number}", scorer, "1", 1.0)


def test_pairs_follow_the_predictions() -> None:
    rows = [predicted(number=2), predicted(number=1)]
    assert [score.sample_id for _, score in pair_scores(rows, [scored(1), scored(2)])] == ["invented-2", "invented-1"]


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    rows = [predicted(number=each) for each in (1, 2, 2, 3)]
    with pytest.raises(DataError) as caught:
        pair_scores(rows, [scored(1), scored(1), scored(2), scored(9)])
    assert len(caught.value.problems) == 4
    for told in (
        "'invented-1' was scored twice",
        "'invented-2' was predicted twice",
        "'invented-3' has no score",
        "'invented-9' has a score but no prediction",
    ):
        assert any(told in problem for problem in caught.value.problems)


def test_scores_of_two_scorers_are_not_mixed() -> None:
    with pytest.raises(DataError, match="2 scorers are mixed"):
        pair_scores([predicted(number=1), predicted(number=2)], [scored(1), scored(2, "other")])


def test_mean() -> None:
    assert mean([1, 2, 6]) == 3
    with pytest.raises(DataError):
        mean([])
