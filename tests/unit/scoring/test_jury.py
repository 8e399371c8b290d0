"""Votes of several judges."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Score
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.scoring.jury import jury_verdicts


def runs(name, *values):
    return [[Score(f"q{place}", f"judge/vqa/{name}", "1", value) for place, value in enumerate(run)] for run in values]


def test_most_votes_count_and_a_tie_has_no_verdict():
    found = jury_verdicts(
        VQA,
        {
            "judge/vqa/a": runs("a", [1, 1, 0, None]),
            "judge/vqa/b": runs("b", [1, 0, 0, None]),
            "judge/vqa/c": runs("c", [0, None, 0, None]),
        },
    )
    assert [score.value for score in found.scores] == [1, None, 0, None]
    assert [score.reason for score in found.scores] == [
        None,
        "a tie: 1 for 0, 1 for 1",
        None,
        "no judge gave a verdict",
    ]
    assert (found.ties, found.incomplete) == (1, 0)
    assert (found.spec.name, found.spec.kind) == ("jury/vqa/a+b+c", "accuracy")


def test_a_judge_has_one_vote_whatever_the_number_of_its_runs():
    many = runs("a", [1, 1, 1], [1, 0, 1], [1, 0, None])
    found = jury_verdicts(
        VQA, {"judge/vqa/a": many, "judge/vqa/b": runs("b", [0, 0, 1]), "judge/vqa/c": runs("c", [0, 1, None])}
    )
    assert found.votes["judge/vqa/a"] == [1, 0, 1]
    assert [score.value for score in found.scores] == [0, 0, 1]
    assert found.incomplete == 1
    split = jury_verdicts(VQA, {"judge/vqa/a": runs("a", [1], [0]), "judge/vqa/b": runs("b", [1])})
    assert split.votes["judge/vqa/a"] == [None] and split.scores[0].value == 1, "as many of each run: no vote"


def test_levels_are_voted_on_too():
    found = jury_verdicts(
        REPORT, {f"judge/report/{name}": runs(name, [level]) for name, level in zip("abc", (4, 2, 2))}
    )
    assert (found.scores[0].value, found.spec.levels) == (2, (0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("judges", "message"),
    [
        ({"judge/vqa/a": runs("a", [1])}, "two judges or more, not 1"),
        ({"judge/vqa/a": runs("a", [1, 1]), "judge/vqa/b": runs("b", [1])}, "judge/vqa/b judged other predictions"),
    ],
)
def test_what_is_no_jury(judges, message):
    with pytest.raises(DataError, match=message):
        jury_verdicts(VQA, judges)
