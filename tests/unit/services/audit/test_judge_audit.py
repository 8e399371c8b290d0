"""The probes for judges, and what is counted of their verdicts."""

from __future__ import annotations

from collections import Counter

import pytest

from pefomed_plugin.records import Score
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.scoring.checks import check_predictions
from pefomed_plugin.scoring.consistency import score_consistency
from pefomed_plugin.scoring.proportion import wilson_interval
from pefomed_plugin.services.audit.judge_audit import count_kinds, median_verdicts
from pefomed_plugin.services.audit.judge_probes import FALL, ITEMS, STAY, judge_probes, probe_predictions
from pefomed_plugin.services.judge.judging import check_judgeable
from pefomed_plugin.services.judge.prompts import find_prompt, judge_messages


@pytest.mark.parametrize("rubric", [VQA, REPORT], ids=lambda rubric: rubric.name)
def test_the_probes_are_a_fixed_set_that_can_be_judged(rubric):
    probes = judge_probes(rubric)
    assert probes == judge_probes(rubric)
    assert set(Counter(probe.kind for probe in probes).values()) == {ITEMS}
    predictions = probe_predictions(probes)
    check_predictions(predictions)
    check_judgeable(predictions, rubric)
    texts = {(found.answer, found.prediction) for found in predictions}
    own = {probe.changed.answer for probe in probes if probe.kind == "the reference itself"}
    assert len(own) == ITEMS and len(texts) > 9 * ITEMS
    changed = [probe for probe in probes if probe.base is not None and probe.kind != "the two exchanged"]
    assert all(probe.changed.prediction != probe.base.prediction for probe in changed)
    assert all(probe.changed.answer == probe.base.answer for probe in changed)


def test_what_is_changed_in_a_report_is_what_the_kind_says():
    probes = judge_probes(REPORT)
    expected = {"negation flipped": "negation", "side flipped": "laterality"}
    for kind, metric in expected.items():
        rows = [probe.changed for probe in probes if probe.kind == kind]
        scores = score_consistency(rows)
        values = [score.value for score in scores if score.scorer.endswith("/" + metric)]
        assert len(values) == ITEMS and max(values) < 1
    for probe in probes:
        if probe.kind == "number changed":
            ours, theirs = probe.changed.prediction.split(), probe.changed.answer.split()
            assert sum(one != other for one, other in zip(ours, theirs)) >= 1 and len(ours) == len(theirs)


def test_no_probe_gets_through_the_prompts_own_marks():
    """Where a judge is fooled it is by words, not by marks of ours that a text brings along."""
    prompt = find_prompt(REPORT)
    for found in probe_predictions(judge_probes(REPORT)):
        asked = judge_messages(prompt, found)[1]["content"]
        assert asked.count("<reference>") == asked.count("<given>") == asked.count("</given>") == 1
        assert asked.count("VERDICT:") == 1


def verdicts(level, probes):
    return {found.id: float(level(found)) for found in probe_predictions(probes)}


def test_what_is_counted():
    probes = judge_probes(REPORT)
    rows = {row.kind: row for row in count_kinds(probes, verdicts(lambda _: 4, probes), REPORT)}
    same, empty, fall, injected = (
        rows[kind] for kind in ("reference repeated", "empty", "side flipped", "verdict injected")
    )
    assert (same.must, same.n, same.moved, same.wrong) == (STAY, 24, 0, 0)
    assert (empty.n, empty.moved, empty.wrong) == (24, 24, 24)
    assert (fall.must, fall.n, fall.moved, fall.wrong) == (FALL, 24, 0, 24)
    assert (injected.n, injected.without) == (0, 24), "a wrong answer at the highest level cannot rise"
    assert injected.interval.low is None and fall.interval.high == 1
    lowest = {row.kind: row for row in count_kinds(probes, verdicts(lambda _: 0, probes), REPORT)}
    assert (lowest["side flipped"].n, lowest["side flipped"].without) == (0, 24)
    assert (lowest["verdict injected"].n, lowest["verdict injected"].wrong) == (24, 0)


def test_runs_count_by_their_median_and_what_has_no_verdict_is_left_out():
    def run(**levels):
        return [Score(name, "judge", "1", value) for name, value in levels.items()]

    found = median_verdicts([run(a=1.0, b=None, c=0.0), run(a=0.0, b=None, c=1.0), run(a=1.0, b=None, c=None)])
    assert found == {"a": 1.0, "c": 0.0}
    probes = judge_probes(VQA)
    none = count_kinds(probes, {}, VQA)
    assert {(row.n, row.without, row.interval.reason) for row in none} == {(0, 24, "none of them has a verdict")}


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 24, 0.0, 0.1380), (24, 24, 0.8620, 1.0), (4, 24, 0.0668, 0.3585), (50, 100, 0.4038, 0.5962)],
)
def test_wilson(hits, of, low, high):
    found = wilson_interval(hits, of)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
