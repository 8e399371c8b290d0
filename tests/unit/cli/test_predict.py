"""``pefomed predict``: images and questions to a server, predictions back."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from pefomed_plugin.cli import main
from pefomed_plugin.records import Sample
from pefomed_plugin.services.judge.api_baseline import baseline_questions, collect_predictions
from pefomed_plugin.services.judge.ledger import Ledger
from pefomed_plugin.storage import read_predictions
from tests.chat_server import ChatServer, refused, reply
from tests.unit.adapters.vqa_rad_release import write_release

pytest.importorskip("openai")


@pytest.fixture
def predict(tmp_path, monkeypatch, capsys):
    """Runs the command on an invented release with three test questions; gives exit code, text and server."""
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    write_release(tmp_path / "vqa_rad")

    ports = [0]

    def run(*arguments, rule=lambda *_: reply(" Yes. ")):
        with ChatServer(rule, ports[-1]) as server:
            ports.append(server.port)  # the next one is the same server, started again
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            code = main(
                [
                    "predict",
                    "vqa_rad",
                    str(tmp_path / "vqa_rad"),
                    "--api",
                    "invented-eye",
                    "--out",
                    str(tmp_path / "out"),
                    *map(str, arguments),
                ]
            )
        captured = capsys.readouterr()
        return code, captured.out + captured.err, server

    return run


def test_every_question_with_its_image_resized_and_uncropped(predict, tmp_path):
    code, shown, server = predict("--image-size", 64, "--concurrency", 1)
    assert code == 0 and "3 answers, 0 of them missing" in shown
    predictions = read_predictions(tmp_path / "out" / "predictions.jsonl")
    assert [prediction.prediction for prediction in predictions] == ["Yes."] * 3
    assert predictions[0].producer["model"] == "invented-eye" and predictions[0].producer["zero_shot"]
    assert set(predictions[0].producer["origin"]["data"].values()) == {"real"}
    opened, text = server.requests[0]["messages"][0]["content"]
    image = Image.open(BytesIO(base64.b64decode(opened["image_url"]["url"].split(",")[1])))
    assert (image.size, image.mode) == ((64, 64), "RGB")
    assert text["text"] == "Based on the image, respond to this question with a short answer: Is it number 5?"


def test_nothing_is_asked_twice_and_a_dry_run_asks_nothing(predict):
    code, shown, server = predict("--dry-run")
    assert (code, server.requests) == (0, []) and "3 questions, 3 not in the ledger" in shown
    assert predict("--max-requests", 2)[0] == 1
    assert len(predict()[2].requests) == 1


def test_a_refusal_is_a_missing_prediction_and_counted(predict, tmp_path):
    def rule(body, _):
        return reply("<think>Which?</think>\nyes") if "number 5" in json.dumps(body) else reply(None, refusal="no")

    code, shown, _ = predict("--reasks", 0, rule=rule)
    assert code == 0 and "2 of them missing" in shown
    first, second, _ = read_predictions(tmp_path / "out" / "predictions.jsonl")
    assert (first.prediction, first.producer["fault"]) == ("yes", None)
    assert (second.prediction, second.producer["fault"]) == (None, "the model refused")


def test_an_image_that_is_refused_is_missing_and_the_others_are_answered(predict, tmp_path):
    def rule(body, _):
        return refused(400, message="no") if "number 6" in json.dumps(body) else reply("yes")

    code, shown, _ = predict(rule=rule)
    assert code == 0 and "1 of them missing" in shown


def test_an_answer_that_ends_inside_its_reasoning_is_none(predict, tmp_path):
    def rule(body, _):
        return reply("<think>Is it") if "number 5" in json.dumps(body) else reply("yes")

    code, shown, server = predict("--reasks", 1, rule=rule)
    assert code == 0 and "1 of them missing" in shown and len(server.requests) == 4
    first = read_predictions(tmp_path / "out" / "predictions.jsonl")[0]
    assert (first.prediction, first.producer["fault"]) == (None, "only reasoning, no answer")


def test_a_wrong_key_or_data_set_is_an_error(predict, tmp_path, capsys):
    assert predict(rule=lambda *_: refused(401))[0] == 2
    assert not (tmp_path / "out" / "predictions.jsonl").exists()
    assert main(["predict", "vqarad", str(tmp_path), "--api", "m", "--out", str(tmp_path)]) == 2
    assert "did you mean 'vqa_rad'" in capsys.readouterr().err


def test_every_image_of_a_study_is_sent_behind_its_name(tmp_path):
    views = {"frontal": 0, "lateral": 200}
    for name, grey in views.items():
        Image.new("L", (10, 10), grey).save(tmp_path / f"{name}.png")
    names = tuple(views)
    study = Sample("s", "iu_xray", "test", tuple(f"{name}.png" for name in names), "report", None, "x", views=names)
    several, one = baseline_questions([study, replace(study, images=study.images[:1], views=())], tmp_path, {}, 32)
    parts = several.messages[0]["content"]
    assert [part.get("text") for part in parts[:4]] == ["frontal:", None, "lateral:", None] and len(parts) == 5
    assert parts[1]["image_url"] != parts[3]["image_url"]
    assert one.messages[0]["content"] == [parts[1], parts[4]]
    several.parameters["model"] = "invented-eye"
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        (prediction,) = collect_predictions([study], [several], ledger, "real")
    assert prediction.producer["prompt"] == f"frontal: (image) lateral: (image) {parts[4]['text']}"


def test_other_answers_that_are_there_are_set_aside(predict, tmp_path):
    assert predict()[0] == 0
    before = (tmp_path / "out" / "predictions.jsonl").read_bytes()
    code, shown, _ = predict("--temperature", "0.5", rule=lambda *_: reply("No."))
    assert code == 0 and "there were other answers" in shown
    assert (tmp_path / "out" / "predictions.jsonl.1").read_bytes() == before
    assert "other answers" not in predict("--temperature", "0.5", rule=lambda *_: reply("No."))[1]


def test_what_may_not_leave_is_refused_with_a_way_that_this_command_has(tmp_path, monkeypatch, capsys):
    write_release(tmp_path / "vqa_rad")
    monkeypatch.setattr("pefomed_plugin.services.outbound.not_public", lambda *_: ["vqa_rad"])
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-invented")
    assert main(["predict", "vqa_rad", str(tmp_path / "vqa_rad"), "--api", "m", "--out", str(tmp_path / "out")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "vqa_rad: not a public data set, and its questions and images would go to 192.0.2.1" in said
    assert "--judge" not in said and "a server of your own" in said and not (tmp_path / "out").exists()
