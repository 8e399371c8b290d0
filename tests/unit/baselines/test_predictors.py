"""Predictors that do not look: what each says, what it falls back on, and that it never sees a reference."""

from __future__ import annotations

from random import Random

import pytest

from pefomed_plugin.baselines import PREDICTORS, Predictor, predict_all
from pefomed_plugin.baselines.counting import Neighbours, most_frequent, words_of
from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Sample


def sample(number, split, question, answer, kind="OPEN", image="a.png", task="vqa", **metadata):
    return Sample(f"s-{number}", "made", split, (image,), task, question, answer, kind, metadata=metadata)


TRAIN = [
    sample(0, "train", "Is the heart large?", "Yes", "CLOSED"),
    sample(1, "train", "Is the lung clear?", "no", "CLOSED", "b.png"),
    sample(2, "train", "Is it drawn?", "no", "CLOSED"),
    sample(3, "train", "Which plane is it?", "Axial"),
    sample(4, "train", "Which organ is that?", "lung", frame_of="s-9"),
    sample(5, "train", "is the HEART  large?", "yes", "CLOSED"),
    sample(6, "train", "Is that?", "no", "CLOSED"),
]
ASKED = [
    sample(7, "test", "Is the heart large?", "no", "CLOSED"),
    sample(8, "test", "Which plane?", "sagittal", "OPEN", "elsewhere.png"),
    sample(9, "test", "Name it", "lung"),
]


def texts(name):
    (found,) = predict_all(TRAIN, ASKED, names=[name])
    return [prediction.prediction for prediction in found.predictions], found.own


def test_each_says_what_training_says():
    assert texts("most_frequent") == (["no", "no", "no"], 3)
    assert texts("most_frequent_of_type") == (["no", "Axial", "Axial"], 3)
    assert texts("most_frequent_of_question") == (["Yes", "Axial", "Axial"], 1)  # case and blanks do not tell apart
    assert texts("nearest_question")[0][:2] == ["Yes", "Axial"]
    assert texts("nearest_question_of_image")[1] == 2  # no training question is about the image of the second
    assert texts("framed_twin")[0][2] == "lung" and texts("framed_twin")[1] == 1


def test_rare_words_count_more_or_as_any_other():
    train = [
        sample(0, "train", "Is the lung of this patient clear?", "shared"),
        sample(1, "train", "Is pneumothorax drawn?", "rare"),
        *(sample(number, "train", f"Is the {part} of this patient?", "else") for number, part in enumerate("abc", 2)),
    ]
    asked = [sample(9, "test", "Is the pneumothorax of this patient clear?", "-")]
    said = {
        name: predict_all(train, asked, names=[name])[0].predictions[0].prediction
        for name in ("nearest_question", "most_like_question")
    }
    assert said["most_like_question"] == "shared"  # six of eight words
    near = {by: Neighbours([words_of(each.question) for each in train], by) for by in (True, False)}
    assert near[True].nearest(words_of("pneumothorax drawn this patient of")) == [1]
    assert near[False].nearest(words_of("pneumothorax this patient of the")) != [1]


def test_no_predictor_sees_a_reference():
    told = []
    spy = Predictor("spy", "spy", lambda train, asked: told.extend(asked) or ["x"] * len(asked))
    PREDICTORS.own["spy"] = spy
    try:
        predict_all(TRAIN, ASKED, names=["spy"])
    finally:
        del PREDICTORS.own["spy"]
    assert [sample.answer for sample in told] == [""] * 3


def test_ordinary_predictions_that_name_their_predictor():
    found = {each.predictor.name: each for each in predict_all(TRAIN, ASKED)}
    assert list(found) == [name for name, each in PREDICTORS.items() if "vqa" in each.tasks]
    first = found["framed_twin"].predictions[0]
    assert first.answer == "no" and first.producer["predictor"] == "framed_twin"
    assert first.producer["own_answers"] == 1 and first.producer["train_samples"] == len(TRAIN)


def test_reports_by_what_is_known_of_the_study():
    train = [
        sample(n, "train", None, text, None, task="report", view=view)
        for n, (text, view) in enumerate([("clear", "front"), ("clear", "front"), ("from the side", "side")])
    ]
    asked = [sample(9, "test", None, "large heart", None, task="report", view="side")]
    found = {each.predictor.name: each.predictions[0].prediction for each in predict_all(train, asked)}
    assert found["most_frequent_report"] == "clear" and found["nearest_study"] == "from the side"
    assert found == {each.predictor.name: each.predictions[0].prediction for each in predict_all(train, asked)}


def test_nothing_to_go_by_is_no_prediction():
    found = predict_all(TRAIN, [ASKED[0]], names=["framed_twin"])
    assert found[0].predictions == [] and found[0].own == 0


def test_mistakes_are_named():
    with pytest.raises(DataError, match="no training sample"):
        predict_all([], ASKED)
    with pytest.raises(ConfigError, match="nearest_question"):
        predict_all(TRAIN, ASKED, names=["nearest_questions"])
    with pytest.raises(DataError, match="random_report answers report and caption"):
        predict_all(TRAIN, ASKED, names=["random_report"])


def test_ties_do_not_hang_on_the_order_of_training():
    assert most_frequent(["b", "a"]) == most_frequent(["a", "b"]) == "a"
    assert most_frequent([]) is None


def test_nearest_is_jaccard_by_rarity():
    near = Neighbours([words_of(text) for text in ("is it so", "is it axial", "is it so")])
    assert near.nearest(words_of("IT is so?")) == [0, 2]
    assert near.nearest(words_of("axial")) == [1]
    assert near.nearest(words_of("other")) == []


def test_the_command_writes_a_folder_for_each(tmp_path, capsys):
    from pefomed_plugin.embedded.releases_vqa import write_vqa_rad  # late: draws

    release = tmp_path / "vqa_rad"
    write_vqa_rad(release, Random(0), train=12, test=6)
    assert main(["baseline", "vqa_rad", "--data", str(release), "--out", str(tmp_path / "out")]) == 0
    assert "framed_twin: training holds nothing" in capsys.readouterr().out
    path = tmp_path / "out" / "nearest_question" / "predictions.jsonl"
    assert main(["score", "exact_match", str(path)]) == 0
