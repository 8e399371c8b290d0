"""Scorers as TRL calls reward functions: the scorer's own values, one a completion, and named errors."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.rewards import Reward, reward
from pefomed_plugin.scoring import SCORERS
from tests.unit.scoring.rows import predicted, reports


def said(*texts):
    return [[{"role": "assistant", "content": text}] for text in texts]


def test_values_are_the_scorers_and_several_completions_of_a_sample_are_told_apart():
    columns = {"answer": ["left lung"] * 3, "id": ["a"] * 3, "answer_type": ["OPEN"] * 3, "trainer_state": object()}
    found = reward("token_f1/corrected")(prompts=[""] * 3, completions=["left lung", "left", "heart"], **columns)
    assert found == [1.0, pytest.approx(2 / 3), 0.0]


def test_messages_parts_and_texts_are_read_alike():
    exact = reward("exact_match")
    asked = [[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Is it?"}]}]]
    parts = [[{"role": "assistant", "content": [{"type": "text", "text": "yes"}]}]]
    for completions in (["yes"], said("yes"), parts):
        assert exact(prompts=asked, completions=completions, answer=["yes"]) == [1.0]


def test_what_a_scorer_does_not_score_is_none():
    closed = reward("llava_med_closed")
    found = closed(completions=["yes or no", "left"], answer=["no", "left"], answer_type=["CLOSED", "OPEN"])
    assert found == [1.0, None]
    assert reward("exact_match").of(reports([("Clear.", "Clear.")])) == [None]


def test_a_distance_is_turned_round():
    spec = SCORERS["exact_match/pefomed"]
    distance = Reward(spec, type(spec)("d", "d", higher_is_better=False, high=2.0), spec.name, {})
    assert distance.range == (-2.0, 0.0)
    assert distance.of([predicted("yes", "yes")]) == [-1.0]


def usable():
    """Every metric of ours that can be a reward, but those that start Java."""
    for spec in SCORERS.own.values():
        for name, metric in spec.measured.items():
            if not (metric.pooled or metric.relative or spec.options or spec.unasked or spec.needs):
                yield name


@pytest.mark.parametrize("name", usable())
def test_an_answer_earns_the_same_alone_and_among_others(name):
    """A metric that looks at the whole set must be declared so: GRPO's batches are no test sets."""
    paid = reward(name)
    if "vqa" in paid.spec.tasks:
        rows = [predicted(*pair, n) for n, pair in enumerate((("yes", "yes no"), ("left lung", "lung"), ("x", "y")))]
    else:
        rows = reports([("No mass on the left.", "A mass on the left."), ("Clear lungs.", "Clear."), ("Nodule.", "x")])
    assert paid.of(rows) == [value for row in rows for value in paid.of([row])]
    low, high = paid.range
    assert all(value is None or low <= value <= high for value in paid.of(rows))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("exact_mach", "did you mean 'exact_match'"),
        ("lexical", "several metrics"),
        ("lexical/coco/cider", "take lexical/coco/rouge_l"),
        ("lexical/coco/bleu4", "figure of a whole set"),
        ("lexical/rouge", "has no metric 'rouge'"),
        ("lexical/r2gen60", "lexical/r2gen60 has several metrics"),
        ("lexical/r2gen60/rouge_l", "vocabulary must be given"),
    ],
)
def test_what_is_no_reward_is_refused_by_name(name, told):
    with pytest.raises(ConfigError, match=told):
        reward(name)


@pytest.mark.parametrize(
    ("completions", "columns", "error", "told"),
    [
        (["a"], {}, ConfigError, "remove_unused_columns"),
        (["a", "b"], {"answer": ["a"]}, ConfigError, "1 values for 2"),
        ([7], {"answer": ["a"]}, DataError, "completion 0 must be a text"),
        ([[{"role": "tool", "content": "a"}]], {"answer": ["a"], "id": ["q"]}, DataError, r"completion 0 \(q\)"),
        (["a"], {"answer": [None]}, DataError, "its answer must be a text"),
        (["a"], {"answer": ["a"], "answer_type": ["OPEM"]}, DataError, "OPEM"),
    ],
)
def test_batches_of_no_use_are_named(completions, columns, error, told):
    with pytest.raises(error, match=told):
        reward("token_recall")(prompts=[], completions=completions, **columns)
