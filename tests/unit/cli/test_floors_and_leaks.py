"""Floors and leaks beside a run: written by a command, shown by every table, refused where they would be guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pefomed_plugin.cli import main
from pefomed_plugin.readers import read_data
from pefomed_plugin.records import Prediction
from pefomed_plugin.reporting.cards import write_card
from pefomed_plugin.reporting.cards.model_card import model_card
from pefomed_plugin.reporting.cards.model_facts import ModelFacts
from pefomed_plugin.reporting.page.explorer_data import page_data
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.storage import read_predictions, write_records


def row(number: int, image: str, question: str, answer: str, kind: str = "CLOSED", phrase: str = "freeform") -> dict:
    return {
        "qid": number,
        "image_name": image,
        "question": question,
        "answer": answer,
        "answer_type": kind,
        "image_organ": "CHEST",
        "question_type": "PRES",
        "phrase_type": phrase,
    }


TRAIN = [
    row(1, "a.png", "Is it large?", "yes"),
    row(3, "b.png", "Is it small?", "no"),
    row(6, "a.png", "On which side is the drawn thing?", "left", "OPEN", "frame"),
]
TEST = [
    row(5, "a.png", "Where is the drawn thing?", "left", "OPEN"),
    row(7, "b.png", "is it SMALL?", "no"),
    row(8, "c.png", "Is it there?", "yes"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A release in VQA-RAD's layout: of its test questions one has a twin in training, one stands there itself, and one
    is about an image of its own."""
    folder = tmp_path / "vqa_rad"
    (folder / "images").mkdir(parents=True)
    for number, name in enumerate("abc"):
        drawn = Image.linear_gradient("L").rotate(90 * number)
        drawn.save(folder / "images" / f"{name}.png")
    (folder / "trainset.json").write_text(json.dumps(TRAIN))
    (folder / "testset.json").write_text(json.dumps(TEST))
    return folder


@pytest.fixture
def run(tmp_path: Path, data: Path) -> Path:
    """A run that says yes to everything, scored."""
    samples = read_data("vqa_rad", data).splits()["test"]
    answers = [Prediction.of(sample, "yes", {}) for sample in samples]
    write_records(place(tmp_path / "run") / "predictions.jsonl", answers)
    write_scores(answers, ["exact_match"], place(tmp_path / "run"), {})
    return tmp_path / "run"


def place(run: Path) -> Path:
    return run / "results" / "vqa_rad-test"


def metrics(run: Path) -> dict[str, Any]:
    return json.loads((place(run) / "metrics.json").read_text())


def test_the_strongest_predictor_of_each_scorer_is_its_floor(run: Path, data: Path, capsys) -> None:
    assert main(["floors", str(run), "--data", str(data)]) == 0
    assert "framed_twin" in capsys.readouterr().out
    floor = metrics(run)["floors"]["exact_match/pefomed"]
    assert floor["predictor"] == "framed_twin" and round(floor["figures"]["overall"]["value"], 1) == 66.7
    assert floor["train_samples"] == 3 and floor["others"]["most_frequent"] < 50
    folder = place(run) / "floors" / "framed_twin"
    assert {path.name for path in folder.iterdir()} == {"predictions.jsonl", "metrics.json", "scores"}
    # whatever scores the answers later scores the floors too, by the same groups
    assert main(["score", "token_recall", str(place(run) / "predictions.jsonl"), "--by", "organ"]) == 0
    figures = metrics(run)["floors"]["token_recall/llava_med"]["figures"]
    assert figures["overall"]["n"] == 1 and "organ CHEST" in figures
    assert "floor" in capsys.readouterr().out


def test_the_card_of_the_run_is_called_older_than_its_floors(run: Path, data: Path, capsys) -> None:
    write_card(run, model_card(ModelFacts("run")))
    assert main(["floors", str(run), "--data", str(data)]) == 0
    assert "README.md is from before these floors: pefomed checkpoint export" in " ".join(
        capsys.readouterr().out.split()
    )
    (run / "README.md").write_text("by hand")
    assert main(["floors", str(run), "--data", str(data)]) == 0
    assert "from before these floors" not in capsys.readouterr().out


def test_a_table_of_runs_has_a_floor_row_and_bars_have_ticks(run: Path, data: Path, capsys) -> None:
    main(["floors", str(run), "--data", str(data)])
    capsys.readouterr()
    assert main(["compare", str(run), "--by", "organ,answer_type"]) == 0
    shown = capsys.readouterr().out
    assert "floor: framed_twin" in shown and "floor: framed_twin, exact_match/pefomed" in shown
    assert "knows 3 training samples" in shown
    assert main(["compare", str(run), "--no-floor"]) == 0
    assert "floor" not in capsys.readouterr().out

    found = page_data([read_run(run)])
    (of_set,) = found["sets"]
    assert [figure["floor"] for figure in of_set["figures"][:2]] == [100.0, 50.0]  # open, closed
    (kinds,) = [axis for axis in of_set["breakdowns"] if axis["axis"] == "answer_type"]
    assert {cell["group"]: cell["floor"] for cell in kinds["cells"]} == {"OPEN": 100.0, "CLOSED": 50.0}
    assert "framed_twin" in of_set["floors"]["exact_match/pefomed"]
    assert page_data([read_run(run, floors=False)])["sets"][0]["figures"][0]["floor"] is None


def test_a_judge_has_a_floor_once_it_judged_the_floors(run: Path, data: Path, capsys) -> None:
    main(["floors", str(run), "--data", str(data), "--predictor", "most_frequent"])
    floor = place(run) / "floors" / "most_frequent" / "predictions.jsonl"
    judging = ["judge", "vqa", "--judge", "offline"]
    assert main([*judging, str(place(run) / "predictions.jsonl")]) == 0
    assert list(metrics(run)["floors"]) == ["exact_match/pefomed"]
    assert main([*judging, str(floor)]) == 0
    (name,) = set(metrics(run)["floors"]) - {"exact_match/pefomed"}
    assert name.startswith("judge/") and metrics(run)["floors"][name]["predictor"] == "most_frequent"
    capsys.readouterr()
    assert main([*judging, str(place(run) / "predictions.jsonl")]) == 0
    assert "Floor, without looking: most_frequent." in capsys.readouterr().out


def test_where_there_is_no_training_split_nothing_is_guessed(run: Path, data: Path, capsys) -> None:
    (data / "trainset.json").write_text("[]")
    for command in ("floors", "leaks"):
        assert main([command, str(run), "--data", str(data)]) == 2
        assert "train" in capsys.readouterr().err
    assert not (place(run) / "floors").exists() and not (place(run) / "leaks.json").exists()


def test_what_training_has_is_an_axis_and_a_filter(run: Path, data: Path, capsys) -> None:
    assert main(["leaks", str(run), "--data", str(data), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["leaks"]
    assert found["found"] == {"twin": 1, "question_in_training": 1, "image_in_training": 2, "near_duplicate": 0}
    assert set(found["not_examined"]) == {"study_in_training", "patient_in_training"}

    assert main(["score", "exact_match", str(place(run) / "predictions.jsonl"), "--by", "leak,twin"]) == 0
    figures = metrics(run)["scores"]["exact_match/pefomed"]
    assert [figures[f"leak {group}"]["n"] for group in ("framed twin", "same question", "none found")] == [1, 1, 1]
    assert figures["twin no"]["value"] == 50.0

    fields = {field["name"]: number for number, field in enumerate(page_data([read_run(run)])["fields"])}
    found = page_data([read_run(run)])
    rows, groups = found["samples"], found["columns"].index("groups")
    assert [sample[groups][fields["leak"]] for sample in rows] == [
        ("framed twin",),
        ("same question",),
        ("none found",),
    ]
    assert "study_in_training" not in fields


def test_the_answers_stay_as_they_were(run: Path, data: Path) -> None:
    before = (place(run) / "predictions.jsonl").read_bytes()
    main(["leaks", str(run), "--data", str(data)])
    main(["floors", str(run), "--data", str(data)])
    assert (place(run) / "predictions.jsonl").read_bytes() == before
    floor = read_predictions(place(run) / "floors" / "framed_twin" / "predictions.jsonl")[0]
    assert "leaks" not in floor.metadata


def test_without_opening_images_no_difference_is_claimed(run: Path, data: Path, capsys) -> None:
    assert main(["leaks", str(run), "--data", str(data), "--no-images", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["leaks"]
    assert found["found"]["image_in_training"] == 2 and found["unknown"] == {"image_in_training": 1}
    assert found["not_examined"]["near_duplicate"] == "no image was opened"
    main(["score", "exact_match", str(place(run) / "predictions.jsonl"), "--by", "leak"])
    assert "leak not examined" in metrics(run)["scores"]["exact_match/pefomed"]


def test_leaks_that_nobody_looked_for_are_not_examined(run: Path, capsys) -> None:
    assert main(["score", "exact_match", str(place(run) / "predictions.jsonl"), "--by", "twin"]) == 0
    shown = capsys.readouterr().out
    assert "not examined" in shown and "\nno " not in shown


def test_a_comparison_shows_both_parts(run: Path, data: Path, tmp_path: Path, capsys) -> None:
    samples = read_data("vqa_rad", data).splits()["test"]
    other = place(tmp_path / "other")
    answers = [Prediction.of(sample, sample.answer, {}) for sample in samples]
    write_records(other / "predictions.jsonl", answers)
    write_scores(answers, ["exact_match"], other, {})
    main(["leaks", str(run), "--data", str(data)])
    capsys.readouterr()
    assert main(["compare", str(run), str(tmp_path / "other")]) == 0
    assert "framed twin" not in capsys.readouterr().out  # of the other run nothing is known
    main(["score", "exact_match", str(other / "predictions.jsonl"), "--data", str(data)])
    capsys.readouterr()
    assert main(["compare", str(run), str(tmp_path / "other"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    parts = [verdict["group"] for verdict in told["verdicts"] if verdict.get("axis") == "twin"]
    assert parts == ["with framed twin", "without framed twin"]
    assert [column["name"] for column in told["groups"][0]["columns"]] == ["evaluation", *parts]


def test_scores_in_another_folder_keep_what_training_has(run: Path, data: Path, tmp_path: Path) -> None:
    main(["leaks", str(run), "--data", str(data)])
    path = place(run) / "predictions.jsonl"
    assert main(["score", "exact_match", str(path), "--out", str(tmp_path / "out"), "--by", "twin"]) == 0
    assert (tmp_path / "out" / "leaks.json").read_bytes() == (place(run) / "leaks.json").read_bytes()
    assert (tmp_path / "out" / "predictions.jsonl").read_bytes() == path.read_bytes()


def test_floors_and_leaks_of_other_samples_are_refused(run: Path, data: Path, capsys) -> None:
    main(["leaks", str(run), "--data", str(data)])
    main(["floors", str(run), "--data", str(data)])
    path = place(run) / "predictions.jsonl"
    write_records(path, read_predictions(path)[:2])
    assert main(["score", "token_recall", str(path)]) == 2
    assert "about other samples" in capsys.readouterr().err


def test_data_of_another_version_are_refused(run: Path, data: Path, capsys) -> None:
    (data / "testset.json").write_text(json.dumps([{**TEST[0], "answer": "right"}, *TEST[1:]]))
    assert main(["floors", str(run), "--data", str(data)]) == 2
    assert "vqa_rad-5: answer is another one" in capsys.readouterr().err
