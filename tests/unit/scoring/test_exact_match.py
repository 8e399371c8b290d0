from __future__ import annotations

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.exact_match import PEFOMED, score_exact_match
from pefomed_plugin.scoring.summary import summarise

from .rows import predicted


def answered(kind: str, right: int, n: int, first: int) -> list[Prediction]:
    """``n`` questions of one answer type, the first ``right`` of them answered rightly."""
    return [
        predicted("yes", "Yes." if number < right else "no", first + number, answer_type=kind) for number in range(n)
    ]


def test_vqa_rad_figures_of_the_paper() -> None:
    rows = answered("OPEN", 112, 179, 0) + answered("CLOSED ", 237, 272, 1000)
    figures = summarise(PEFOMED, rows, score_exact_match(rows))
    shown = {group: (figures[group]["correct"], figures[group]["n"], figures[group]["missing"]) for group in figures}
    assert shown == {"open": (112, 179, 0), "closed": (237, 272, 0), "overall": (349, 451, 0)}
    assert [round(figure["value"], 1) for figure in figures.values()] == [62.6, 87.1, 77.4]
    assert {figure["unit"] for figure in figures.values()} == {"%"}


def test_a_missing_prediction_is_wrong_and_counted_and_never_the_answer_none() -> None:
    rows = [predicted("none", None, 1), predicted("none", "none", 2), predicted("none", "", 3)]
    scores = score_exact_match(rows)
    assert [score.value for score in scores] == [0.0, 1.0, 0.0]
    assert [score.reason for score in scores] == ["no prediction", None, None]
    overall = summarise(PEFOMED, rows, scores)["overall"]
    assert (overall["n"], overall["correct"], overall["missing"]) == (3, 1, 1)


def test_scores_carry_rule_and_version() -> None:
    (score,) = score_exact_match([predicted("left lung", "the left lung")], "mumc")
    assert (score.sample_id, score.scorer, score.version, score.value) == ("invented-1", "exact_match/mumc", "1", 0.0)


def test_rows_without_answer_type_count_in_the_overall_figure_only() -> None:
    rows = [predicted(number=1), predicted(number=2, answer_type="OPEN"), predicted(number=3, answer_type=" ")]
    figures = summarise(PEFOMED, rows, score_exact_match(rows))
    assert {group: figure["n"] for group, figure in figures.items()} == {"open": 1, "overall": 3}


def test_an_unknown_answer_type_is_not_called_closed() -> None:
    rows = [predicted(answer_type="BOTH")]
    with pytest.raises(DataError, match="invented-1: answer_type 'BOTH'"):
        summarise(PEFOMED, rows, score_exact_match(rows))


def test_nothing_is_not_averaged() -> None:
    with pytest.raises(DataError, match="no predictions"):
        score_exact_match([])


def test_an_unknown_normalisation_names_the_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'pefomed'"):
        score_exact_match([predicted()], "pefomet")
