"""The lexical judge: deterministic, in range, and plainly named."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.scoring.pairing import NO_PREDICTION
from pefomed_plugin.services.judge.offline_judge import judge_offline

from ..judged import answers, written_reports


@pytest.mark.parametrize(
    ("answer", "prediction", "value"),
    [
        ("yes", "Yes.", 1),
        ("x-ray", "chest x-ray", 1),
        ("left lung", "the lung, left", 1),
        ("yes", "no", 0),
        ("left", "", 0),
        ("no", "there is no doubt that an invented mass is in the left lung", 0),
    ],
)
def test_answers(answer, prediction, value):
    [[score]] = judge_offline(answers(1, answer=answer, prediction=prediction), VQA)
    assert (score.value, score.scorer) == (value, "judge/vqa/offline-lexical")


def test_reports_go_from_0_to_4_with_the_words_they_share():
    reference = "alpha beta gamma delta epsilon"
    texts = ["omega", "alpha omega psi chi", "alpha beta omega psi", "alpha beta gamma omega", reference + "."]
    scores = [judge_offline(written_reports(1, answer=reference, prediction=text), REPORT)[0][0] for text in texts]
    assert [score.value for score in scores] == [0, 1, 2, 3, 4]


def test_all_runs_are_the_same_and_nothing_is_lost():
    predictions = [*answers(2), *answers(3, prediction=None)[2:]]
    runs = judge_offline(predictions, VQA, runs=3)
    assert len(runs) == 3 and runs[0] == runs[2]
    assert (runs[0][2].value, runs[0][2].reason) == (0.0, NO_PREDICTION)
    with pytest.raises(DataError):
        judge_offline([], VQA)
