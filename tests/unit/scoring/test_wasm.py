"""The paper's own figures, from the counts it prints."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Score
from pefomed_plugin.rubrics import REPORT
from pefomed_plugin.scoring.repeated import summarise_runs
from pefomed_plugin.scoring.wasm import summarise_wasm, wasm_from_counts


def rated(*levels: float | None) -> list[Score]:
    return [Score(f"invented-{number}", "wasm", "1", level) for number, level in enumerate(levels)]


@pytest.mark.parametrize(
    ("counts", "printed"),
    [
        ((1048, 79, 33, 20, 0), 0.17),
        ((51, 170, 192, 318, 449), 2.80),
        ((39, 125, 193, 447, 376), 2.84),
        ((22, 118, 267, 449, 324), 2.79),
    ],
)
def test_table_11(counts: list[float], printed: float) -> None:
    summary = wasm_from_counts(counts, REPORT.values)
    assert summary.scored == 1180
    assert round(summary.value, 2) == printed


def test_table_7_percentages() -> None:
    assert [
        round(percentage, 1) for percentage in wasm_from_counts((22, 118, 267, 449, 324), REPORT.values).percentages
    ] == [
        1.9,
        10.0,
        22.6,
        38.1,
        27.5,
    ]


def test_table_6_divides_by_what_was_rated() -> None:
    by_gpt4 = wasm_from_counts((2.8, 7.8, 17.1, 22.6, 48.7), REPORT.values, unscored=1)
    assert by_gpt4.scored == pytest.approx(99)
    assert round(by_gpt4.value, 2) == 3.08
    # Eight people rated; the table's means are multiples of 1/8. The mean of their eight own WASMs, 2.24 in the table,
    # need not be the WASM of the mean counts to the last digit.
    by_people = wasm_from_counts((7.75, 23.375, 21.875, 29.125, 17.25), REPORT.values)
    assert by_people.value == pytest.approx(2.24, abs=0.01)


def test_unrated_reports_are_counted_and_stay_out_of_the_mean() -> None:
    summary = summarise_wasm(rated(4, None, 2, 0, None), REPORT.values)
    assert (summary.counts, summary.unscored, summary.value) == ((1, 0, 1, 0, 1), 2, 2.0)


def test_what_is_no_level_is_named() -> None:
    with pytest.raises(DataError) as caught:
        summarise_wasm(rated(4, 3.5, 5, -1, float("nan")), REPORT.values)
    assert len(caught.value.problems) == 4
    assert "invented-1: 3.5 is not a level" in caught.value.problems[0]


@pytest.mark.parametrize("counts", [(1, 2, 3, 4), (1, 2, 3, 4, -5), (0, 0, 0, 0, 0), (1, 2, 3, 4, float("nan"))])
def test_counts_that_make_no_mean(counts: list[float]) -> None:
    with pytest.raises(DataError):
        wasm_from_counts(counts, REPORT.values)


def test_nothing_rated_is_an_error_and_not_zero() -> None:
    for scores in (rated(), rated(None, None)):
        with pytest.raises(DataError, match="no text was rated"):
            summarise_wasm(scores, REPORT.values)


def test_mean_and_sample_standard_deviation_over_runs() -> None:
    over = summarise_runs([3.0, 3.1, 3.2])
    assert (over.mean, over.sd, over.runs) == (pytest.approx(3.1), pytest.approx(0.1), 3)
    assert summarise_runs([3.0]).sd is None


def test_runs_without_a_figure() -> None:
    with pytest.raises(DataError, match=r"run\(s\) 2"):
        summarise_runs([3.0, float("nan")])
    with pytest.raises(DataError):
        summarise_runs([])
