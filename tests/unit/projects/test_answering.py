"""What the benchmark of answering counts without a model."""

from __future__ import annotations

import pytest

from projects.benchmarks.answering import END, Asked, calls, confirmed, steps, thinned, words_of


def test_who_has_answered_leaves_and_a_waiting_one_enters() -> None:
    assert steps([5], 4) == 5
    assert steps([9, 1, 1, 1, 1, 1, 1, 1], 4) == 9  # seven short ones beside one long one
    assert steps([3, 3, 3, 3, 3], 4) == 6
    assert steps([1] * 8, 1) == 8


def test_calls_of_a_split() -> None:
    texts = [[7, 8, 9, END], [7, END], [7, END], [7, 8, 9, END]]
    found = calls(Asked("reports", [0, 1, 2, 3], texts, [[7, 8, 9, END]]), 2)
    assert found["batches"] == 6 and found["batches: part for nobody"] == pytest.approx(1 - 8 / 12, abs=1e-3)
    assert found["slots"] == 5
    assert found["drafts"] == 2 and found["drafts: words a call"] == 2.0


def test_what_is_confirmed() -> None:
    assert [confirmed([1, 2, 3], said) for said in ([1, 2, 3, 4], [1, 5, 3], [9], [])] == [3, 1, 0, 0]


def test_words_and_images() -> None:
    known: dict[str, int] = {}
    assert words_of(["No. Acute, disease", "acute"], known, 100) == [[3, 4, 5, END], [4, END]]
    asked = Asked("questions", [0, 0, 1, 2], [[1], [2], [3], [4]], [])
    assert thinned(asked, 2).texts == [[1], [2], [4]]
