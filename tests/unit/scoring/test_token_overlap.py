from __future__ import annotations

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.scoring.token_overlap import corrected_overlap, llava_med_overlap, score_token_overlap

from .rows import predicted


def test_both_agree_where_no_word_is_repeated() -> None:
    for overlap in (llava_med_overlap, corrected_overlap):
        assert overlap("left upper lobe", "upper lobe nodule") == pytest.approx((2 / 3, 2 / 3))
        assert overlap("left upper lobe", "spleen") == (0, 0)
        assert overlap("left upper lobe", "Left upper lobe.") == (1, 1)


def test_a_repeated_word_raises_the_published_recall_and_not_ours() -> None:
    assert llava_med_overlap("left lobe", "left left left left")[0] == 4 / 5
    assert corrected_overlap("left lobe", "left left left left")[0] == 1 / 2
    assert corrected_overlap("left lobe", "left left left left")[1] == 2 / 6


def test_a_word_the_answer_repeats_must_be_said_as_often() -> None:
    assert llava_med_overlap("left left", "left")[0] == 1
    assert corrected_overlap("left left", "left")[0] == 1 / 2


def test_the_published_measure_loses_articles_and_ours_keeps_letters() -> None:
    assert llava_med_overlap("hepatitis a", "hepatitis")[0] == 1
    assert corrected_overlap("hepatitis a", "hepatitis")[0] == 1 / 2
    assert llava_med_overlap("the", "the") == (0, 0)
    assert corrected_overlap("the", "the") == (1, 1)


def test_scores_cover_open_questions_and_reports_but_not_closed_ones() -> None:
    rows = [
        predicted("left lobe", "lobe", 1, answer_type="OPEN"),
        predicted("yes", "yes", 2, answer_type="CLOSED "),
        predicted("left lobe", None, 3),
        predicted("left lobe", "", 4),
    ]
    scores = score_token_overlap(rows, "token_f1", "corrected")
    assert [score.value for score in scores] == [pytest.approx(2 / 3), None, 0.0, 0.0]
    assert [score.reason for score in scores] == [None, "closed question", "no prediction", None]
    assert {(score.scorer, score.version) for score in scores} == {("token_f1/corrected", "2")}


def test_mistaken_names_and_nothing_to_score() -> None:
    with pytest.raises(ConfigError, match="token_recall"):
        score_token_overlap([predicted()], "token_recal")
    with pytest.raises(ConfigError, match="corrected"):
        score_token_overlap([predicted()], "token_f1", "correct")
    with pytest.raises(DataError):
        score_token_overlap([], "token_f1")
