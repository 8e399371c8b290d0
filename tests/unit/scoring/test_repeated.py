"""Mean and SD over runs, intervals over samples, and what was not scored."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Score
from pefomed_plugin.rubrics import REPORT
from pefomed_plugin.scoring.repeated import sample_means, summarise_answers, summarise_groups, summarise_levels

from .rows import predicted, reports


def scores(*values: float | None) -> list[Score]:
    return [Score(f"invented-{number}", "judge/vqa/invented", "1", value) for number, value in enumerate(values, 1)]


def test_percentages_over_runs_by_kind_of_question() -> None:
    predictions = [predicted(number=number, answer_type="OPEN" if number < 3 else "CLOSED") for number in (1, 2, 3, 4)]
    figures = summarise_answers(predictions, [scores(1, 0, 1, 1), scores(1, 1, 1, 0)])
    assert (figures["open"]["value"], figures["open"]["n"]) == (75.0, 2)
    assert figures["open"]["sd"] == pytest.approx(50 / 2**0.5)
    assert figures["closed"]["value"] == 75.0
    overall = figures["overall"]
    assert (overall["value"], overall["sd"], overall["runs"], overall["unscored"]) == (75.0, 0.0, 2, 0)
    assert overall["unit"] == "%"
    assert overall["interval"]["low"] < 75 < overall["interval"]["high"]


def test_what_was_not_scored_is_counted_and_in_no_mean() -> None:
    figures = summarise_answers([predicted(number=1), predicted(number=2)], [scores(1, None), scores(1, 0)])
    assert (figures["overall"]["value"], figures["overall"]["unscored"], figures["overall"]["n"]) == (75.0, 1, 2)
    nothing = summarise_answers([predicted(number=1)], [scores(None)])["overall"]
    assert (nothing["value"], nothing["reason"]) == (None, "nothing was scored")


def test_a_run_without_any_score_is_no_run() -> None:
    figures = summarise_answers([predicted(number=1)], [scores(None), scores(1)])["overall"]
    assert (figures["value"], figures["runs"], figures["sd"]) == (100.0, 1, None)


def test_wasm_is_the_mean_of_the_runs_and_levels_are_mean_counts() -> None:
    views = [
        predicted(number=number, task="report", question=None, metadata={"study": number // 3})
        for number in (1, 2, 3, 4)
    ]
    figures = summarise_levels(views, [scores(4, 4, 0, 0), scores(4, 3, 1, None)], REPORT.values)
    assert figures["overall"]["value"] == pytest.approx((2 + 8 / 3) / 2)
    assert [figures[f"level {level}"]["value"] for level in range(5)] == [1.0, 0.5, 0.0, 0.5, 1.5]
    assert figures["level 4"]["sd"] == pytest.approx(0.5**0.5) and figures["level 2"]["sd"] == 0
    assert figures["level 4"]["percent"] == pytest.approx(100 * 1.5 / 3.5)
    assert figures["overall"]["unscored"] == 1


def test_peoples_wasm_of_table_6_is_the_mean_of_eight_raters_own() -> None:
    # The table's mean counts, times its eight raters, are whole numbers of 795 ratings: five were left empty. Divided
    # among raters by 100 the mean is 2.24, by what was rated 2.25; the mean of the raters' own WASMs can be 2.24 too,
    # as here, where the strictest of them left the five.
    ratings = [level for level, count in enumerate((62, 187, 175, 233, 138)) for _ in range(count)]
    raters = [
        scores(*ratings[:95], *[None] * 5),
        *(scores(*ratings[start : start + 100]) for start in range(95, 795, 100)),
    ]
    figures = summarise_levels(reports([("a", "a")] * 100), raters, REPORT.values)
    assert round(figures["overall"]["value"], 2) == 2.24
    assert (figures["overall"]["runs"], figures["overall"]["unscored"]) == (8, 5)
    assert [figures[f"level {level}"]["value"] for level in range(5)] == [
        pytest.approx(printed, abs=0.0051) for printed in (7.75, 23.38, 21.88, 29.13, 17.25)
    ]


def test_images_of_one_study_are_one_cluster_for_answers_too() -> None:
    rows = [predicted(number=number, metadata={"study": "s"}) for number in (1, 2)]
    assert summarise_answers(rows, [scores(0, 1)])["overall"]["interval"]["reason"] == "one cluster only"
    assert (
        summarise_groups(rows, [scores(0, 1)], "vqa", ["overall"])["overall all"]["interval"]["reason"]
        == "one cluster only"
    )


def test_reports_of_one_study_are_one_cluster() -> None:
    one_study = reports([("a", "a"), ("b", "b")], metadata={"study": "s"})
    assert (
        summarise_levels(one_study, [scores(0, 4)], REPORT.values)["overall"]["interval"]["reason"]
        == "one cluster only"
    )


def test_values_that_are_no_levels() -> None:
    with pytest.raises(DataError, match="must be one of 0, 1, 2, 3, 4"):
        summarise_levels(reports([("a", "a")]), [scores(3.5)], REPORT.values)


@pytest.mark.parametrize("runs", [[], [scores(1)], [scores(1, 1, 1)]])
def test_runs_that_do_not_fit(runs: Sequence[Sequence[Score]]) -> None:
    with pytest.raises(DataError):
        summarise_answers([predicted(number=1), predicted(number=2)], runs)


def test_means_of_samples() -> None:
    assert sample_means([scores(1, None, None), scores(0, 1, None)]) == [0.5, 1.0, None]
