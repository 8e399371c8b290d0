from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from pefomed_plugin.scoring.coco_metrics import longest_common_subsequence, rouge_l


def by_table(first: Sequence[str], second: Sequence[str]) -> int:
    """The textbook's table, one row at a time."""
    above = [0] * (len(second) + 1)
    for one in first:
        row = [0]
        for place, other in enumerate(second):
            row.append(above[place] + 1 if one == other else max(above[place + 1], row[place]))
        above = row
    return above[-1]


def test_the_length_equals_that_of_the_textbook() -> None:
    draw = random.Random(0)
    for _ in range(500):
        first, second = ([draw.choice("abcdef") for _ in range(draw.randrange(90))] for _ in range(2))
        assert longest_common_subsequence(first, second) == by_table(first, second)


def test_rouge_l_by_hand() -> None:
    # Three common words of four wanted and three said: recall 3/4, precision 1.
    assert rouge_l("the lungs are clear", "the lungs clear") == pytest.approx(2.44 * 0.75 / (0.75 + 1.44))
    assert rouge_l("the lungs are clear", "no effusion") == 0
    assert rouge_l("the lungs are clear", "") == 0
    assert rouge_l("", "") == 1


def test_equals_pycocoevalcap() -> None:
    theirs = pytest.importorskip("pycocoevalcap.rouge.rouge").Rouge()
    draw = random.Random(1)
    for _ in range(100):
        reference, hypothesis = (" ".join(draw.choice("abcdef") for _ in range(draw.randrange(12))) for _ in range(2))
        assert rouge_l(reference, hypothesis) == pytest.approx(theirs.calc_score([hypothesis], [reference]), abs=1e-12)
