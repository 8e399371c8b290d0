"""Sentences on comparisons: right where intervals touch 0, n is tiny, nothing differs, and less is better."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.reporting.comparison.compare import compare_runs
from pefomed_plugin.reporting.comparison.power import power_table, what_is_seen
from pefomed_plugin.reporting.comparison.verdicts import (
    BETTER,
    NONE_FOUND,
    TOO_FEW,
    UNSETTLED,
    WORSE,
    Verdict,
    group_verdicts,
    overall_verdicts,
    sentence,
    verdict_lines,
)
from pefomed_plugin.reporting.results import Run, read_run
from pefomed_plugin.scoring.intervals import Interval
from pefomed_plugin.scoring.paired import Difference
from pefomed_plugin.scoring.spec import MetricSpec, ScoredColumn

from ..made import answers, make_run, rate

POINTS = ScoredColumn("overall", MetricSpec("exact", "right", unit="%"), "exact")
ERRORS = ScoredColumn("edits", MetricSpec("edits", "edits", unit="edits", high=90, higher_is_better=False), "edits")
MADE = Verdict("set-test", "exact", POINTS, "accuracy", "B", "A", Difference(0, Interval(0, 0), 1, 1, 1), 1.0, 1)


def verdict(value: float, low: float | None, high: float | None, p: float, **other: Any) -> Verdict:
    fields = {"clusters": 200, "error": 1.5, **{key: other.pop(key) for key in ("clusters", "error") if key in other}}
    difference = Difference(value, Interval(low, high), p, 400, **fields)
    return replace(MADE, difference=difference, adjusted_p=other.pop("adjusted_p", p), **other)


def test_a_gain_and_a_loss() -> None:
    found = verdict(3.14, 1.2, 5.0, 0.002, adjusted_p=0.004, tests=2)
    assert (found.conclusion, sentence(found)) == (
        BETTER,
        "B is better than A by 3.1 points (1.2 to 5.0; p = 0.004 adjusted for 2 tests).",
    )
    found = verdict(-3.14, -5.0, -1.2, 0.0001)
    assert (found.conclusion, sentence(found)) == (
        WORSE,
        "B is worse than A by 3.1 points (1.2 to 5.0; p < 0.001).",
    )


def test_less_is_better_where_it_is() -> None:
    found = verdict(-2.0, -3.0, -1.0, 0.001, column=ERRORS, kind="mean")
    assert sentence(found) == "B is better than A by 2.000 edits (1.000 to 3.000; p = 0.001)."
    assert verdict(2.0, 1.0, 3.0, 0.001, column=ERRORS, kind="mean").conclusion == WORSE


@pytest.mark.parametrize(
    ("found", "conclusion"),
    [
        (verdict(3.0, 0.0, 6.0, 0.03), UNSETTLED),  # the interval touches 0
        (verdict(3.0, 0.1, 6.0, 0.03, adjusted_p=0.09, tests=3), UNSETTLED),  # only before the adjustment
        (verdict(3.0, 0.1, 6.0, 0.06), UNSETTLED),  # interval and test differ
        (verdict(3.0, -0.2, 6.0, 0.06), NONE_FOUND),
        (verdict(0.0, -2.0, 2.0, 1.0), NONE_FOUND),
        (verdict(100.0, None, None, 0.002), BETTER),  # all clusters differ alike: no interval
        (verdict(60.0, 20.0, 80.0, 0.0625, clusters=5), TOO_FEW),
        (verdict(60.0, None, None, 1.0, clusters=1, error=None), TOO_FEW),
        (verdict(60.0, 20.0, 80.0, 0.0312, adjusted_p=0.0312, clusters=6, tests=2), BETTER),  # as Holm's second
        (verdict(60.0, 20.0, 80.0, 0.0312, adjusted_p=0.0624, clusters=6, tests=2), TOO_FEW),
    ],
)
def test_what_is_concluded(found: Verdict, conclusion: str) -> None:
    assert found.conclusion == conclusion
    said = sentence(found)
    assert ("is better than" in said) == (conclusion == BETTER)
    assert ("not settled" in said) == (conclusion == UNSETTLED)
    assert ("No difference was found" in said) == (conclusion == NONE_FOUND)


def test_where_nothing_was_found_it_says_what_would_have_been_missed() -> None:
    said = sentence(verdict(1.0, -1.9, 3.9, 0.5))
    assert said == (
        "No difference was found between B and A (1.0 points better here, -1.9 to 3.9; p = 0.500); a difference "
        "below 4.2 points would probably have been missed."
    )
    assert "-1.0 to 2.0" in sentence(verdict(-0.5, -2.0, 1.0, 0.5)) and "worse here" in sentence(
        verdict(-0.5, -2.0, 1.0, 0.5)
    )
    assert "(equal on average here, -2.0 to 2.0; p = 1.000)" in sentence(verdict(0.0, -2.0, 2.0, 1.0))
    # no sample differs: the test would need 6 on one side, so 8 expected, of 400
    same = verdict(0.0, None, None, 1.0, error=0.0)
    assert sentence(same) == (
        "B and A have the same score on every one of 400 samples; a difference below 2.0 points would probably have "
        "been missed."
    )
    assert "any difference would probably have been missed" in sentence(verdict(1.0, -90.0, 90.0, 0.9, error=60.0))


def test_too_few_says_how_many_are_needed() -> None:
    assert sentence(verdict(60.0, 20.0, 80.0, 0.0625, clusters=5)) == (
        "Too few to tell B from A: 5 independent studies or images, no test can find a difference below 6."
    )
    assert "no test with 4 tests can find a difference below 8." in sentence(
        verdict(60.0, 20.0, 80.0, 0.0625, adjusted_p=0.25, clusters=5, tests=4)
    )


RIGHT = [number % 4 != 3 for number in range(80)]


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    one = [number % 4 == 0 for number in range(80)]
    two = [right or number == 3 for number, right in enumerate(RIGHT)]
    made = {"a": one, "b": RIGHT, "c": two}
    return [read_run(make_run(tmp_path / name, answers(right)), name) for name, right in made.items()]


def test_p_is_adjusted_over_all_tests_of_a_call(runs: list[Run]) -> None:
    (table,) = compare_runs(runs)
    plain = [row.difference.p_value for row in table.rows if row.difference]
    assert table.tests == 2 and [row.adjusted_p for row in table.rows[1:]] == [2 * min(plain), 2 * min(plain)]
    (alone,) = compare_runs(runs[:2])
    assert alone.tests == 1 and alone.rows[1].adjusted_p == plain[0]


def test_groups_have_a_line_below_the_table(runs: list[Run]) -> None:
    overall = overall_verdicts(compare_runs(runs))
    groups = group_verdicts(runs, overall, ["organ"])
    assert [(found.run, found.group, found.tests) for found in groups] == [
        ("b", "CHEST", 4),
        ("b", "HEAD", 4),
        ("c", "CHEST", 4),
        ("c", "HEAD", 4),
    ]
    lines = verdict_lines(runs, overall, groups)["vqa_rad-test", "exact_match/pefomed"]
    assert lines[0].startswith("b is better than a by 50.0 points")
    assert lines[1].startswith("  b against a by organ (p adjusted for 4 tests): CHEST: better by 33.3 points (")
    assert lines[1].endswith("; HEAD: better by 100.0 points (p < 0.001).")
    assert len(lines) == 4


def test_no_difference_by_group_in_one_clause(tmp_path: Path) -> None:
    right = [number % 3 != 0 for number in range(80)]
    others = [number % 3 != 1 for number in range(80)]
    runs = [
        read_run(make_run(tmp_path / "a", answers(right)), "a"),
        read_run(make_run(tmp_path / "b", answers(others)), "b"),
    ]
    overall = overall_verdicts(compare_runs(runs))
    groups = group_verdicts(runs, overall, ["organ"])
    line = verdict_lines(runs, overall, groups)["vqa_rad-test", "exact_match/pefomed"][1]
    assert "no difference found: CHEST, HEAD (differences below " in line and line.endswith("points would be missed).")


def test_the_power_of_a_test_set(runs: list[Run]) -> None:
    found = what_is_seen(compare_runs(runs), runs)
    assert [seen.samples for seen in found] == [80, 80] and not any(seen.is_bound for seen in found)
    assert not found[0].chances  # every image differs alike
    assert found[1].chances[0] < found[1].chances[1] < found[1].chances[2] <= 1
    (alone,) = what_is_seen(compare_runs(runs[:1]), runs[:1])
    assert alone.is_bound and alone.least is not None and found[0].least is not None
    (table,) = power_table([alone])
    assert "at most" in table.notes[0] and power_table([]) == []


def test_the_command_says_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture, runs: list[Run]) -> None:
    for run, right in ((runs[0], 2), (runs[1], 3)):
        (answered,) = run.answered.values()
        folder = run.folder / "results" / answered.key
        rate(folder, answered.predictions, "judge/vqa/invented", [[float(k % 4 < right) for k in range(80)]])
        rate(folder, answered.predictions, "human/vqa", [[float(k % 4 < right) if k < 60 else None for k in range(80)]])
    out = tmp_path / "compare.json"
    assert main(["compare", *(str(run.folder) for run in runs), "--by", "organ", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "b is better than a by 50.0 points" in shown and "What the tests can show" in shown
    assert "differences corrected by people's ratings" in shown and "p is adjusted for these" in shown
    content = json.loads(out.read_text())
    assert content["verdicts"][0]["conclusion"] == "better" and content["power"][0]["clusters"] == 40
    (judge,) = content["corrected_differences"]
    corrected = judge["differences"]["b against a"]
    assert corrected["prediction_powered"]["value"] == pytest.approx(25.0)
    assert sorted(corrected["groups"]) == ["organ CHEST", "organ HEAD"]
