"""``pefomed predict --images``: every image of a folder, or a reason."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.storage import read_predictions
from tests.unit.services.small import small_image


@pytest.fixture
def predict(files, scans, tmp_path, capsys):
    """Runs the command; gives exit code and text."""

    def run(*arguments, out="out/p.jsonl", task="report"):
        code = main(
            [
                "predict",
                "--images",
                str(scans),
                "--task",
                task,
                "--ckpt",
                str(files["checkpoint"]),
                "--llama",
                str(files["llama"]),
                "--vit",
                str(files["vit"]),
                "--max-new-tokens",
                "8",
                "--out",
                str(tmp_path / out),
                *map(str, arguments),
            ]
        )
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_every_image_gets_a_report_in_our_schema(predict, model, scans, tmp_path):
    code, shown = predict()
    assert code == 0 and "2 images below" in shown and "2 answers; written to" in shown
    first, second = read_predictions(tmp_path / "out/p.jsonl")
    assert (first.id, first.only_image, second.only_image) == ("images-a.png", "a.png", "old/b.jpg")
    assert (first.dataset, first.split, first.task, first.question) == ("images", "test", "report", None)
    assert first.prediction == model.report(scans / "a.png", max_new_tokens=8)
    assert (first.answer, first.metadata) == ("", {"reference": "none"})
    assert first.producer["max_new_tokens"] == 8 and len(first.producer["checkpoint_sha256"]) == 64
    assert first.producer["prompt"].startswith("[INST] <Img><ImageHere></Img> [report] ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p.jsonl"]


def test_an_answer_without_reference_is_not_scored(predict, tmp_path, capsys):
    predict(out="out")
    assert main(["score", "lexical", str(tmp_path / "out" / "predictions.jsonl")]) == 2
    assert "images-a.png: no reference answer to score against" in capsys.readouterr().err


def test_images_that_cannot_be_used_are_told_together(predict, scans, tmp_path):
    (scans / "cut.png").write_bytes((scans / "a.png").read_bytes()[:200])
    (scans / "page.jpg").write_text("<html>log in</html>")
    (scans / "notes.txt").write_text("hello")
    (scans / ".hidden.png").write_text("")
    code, shown = predict()
    assert code == 1 and "4 images below" in shown and "left alone, no images by their ending: 1 .txt" in shown
    assert "2 image(s) could not be used" in shown
    assert "cut.png: truncated" in shown and "page.jpg: an HTML page" in shown
    assert len(read_predictions(tmp_path / "out/p.jsonl")) == 2
    listed = [json.loads(line) for line in (tmp_path / "out/p.jsonl.skipped.jsonl").read_text().splitlines()]
    assert [each["where"].split(" ")[0] for each in listed] == ["cut.png", "page.jpg"]
    small_image(5).save(scans / "cut.png")
    (scans / "page.jpg").unlink()
    code, shown = predict()
    assert code == 0 and "3 answers, 2 of them from an earlier start" in shown
    assert not (tmp_path / "out/p.jsonl.skipped.jsonl").exists()


def test_a_killed_run_goes_on_where_it_stopped(predict, tmp_path):
    predict()
    whole = (tmp_path / "out/p.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "out/p.jsonl").unlink()
    (tmp_path / "out/p.jsonl.part").write_text(lines[0] + lines[1][:40])
    assert "2 answers, 1 of them from an earlier start" in predict()[1]
    assert (tmp_path / "out/p.jsonl").read_text() == whole
    assert not (tmp_path / "out/p.jsonl.part").exists()


def test_answers_to_something_else_are_set_aside(predict, tmp_path):
    predict()
    before = (tmp_path / "out/p.jsonl").read_text()
    code, shown = predict("--question", "Name the organ.")
    assert code == 0 and "it is now" in shown and "earlier start" not in shown
    assert (tmp_path / "out/p.jsonl.1").read_text() == before


def test_questions_of_a_table(predict, tmp_path):
    table = tmp_path / "q.csv"
    table.write_text(
        "image,question,answer,id\na.png,Is it left?,yes,7\nold/b.jpg,Is it left?,,8\ngone.png,Is it?,,9\n"
    )
    code, shown = predict("--questions", table, task="vqa")
    assert code == 1 and "gone.png: no such file" in shown
    assert [
        (prediction.id, prediction.answer, prediction.metadata)
        for prediction in read_predictions(tmp_path / "out/p.jsonl")
    ] == [
        ("images-a.png-7", "yes", {}),
        ("images-old/b.jpg-8", "", {"reference": "none"}),
    ]
    table.write_text("question\nIs it left?\nIs it right?\n")
    assert "2 to be asked about; 4 questions" in predict("--questions", table, task="vqa", out="out/all")[1]


def test_reports_of_studies(predict, model, scans, tmp_path):
    table = tmp_path / "s.csv"
    table.write_text("id,images\none,frontal=a.png; lateral=old/b.jpg\ntwo,a.png\n")
    code, shown = predict("--studies", table)
    assert code == 0 and "2 to be asked about; 2 studies" in shown
    both, one = read_predictions(tmp_path / "out/p.jsonl")
    assert (both.id, both.task, both.views, one.images) == ("images-one", "report", ("frontal", "lateral"), ("a.png",))
    views = {"frontal": scans / "a.png", "lateral": scans / "old/b.jpg"}
    assert both.prediction == model.report(views, max_new_tokens=8)
    assert predict("--studies", table, "--question", "Is it left?", task="vqa", out="out/q.jsonl")[0] == 0
    assert read_predictions(tmp_path / "out/q.jsonl")[0].question == "Is it left?"
    table.write_text('images,id\n"",1\na=a.png;b.png,2\n')
    code, shown = predict("--studies", table)
    assert code == 2 and "line 2: the image" in shown and "line 3: images: name all of them or none" in shown


def test_questions_about_several_images(predict, model, scans, tmp_path):
    table = tmp_path / "q.csv"
    rows = ("frontal=a.png; lateral=old/b.jpg,Is it left?", "a.png,Is it left?", "x=a.png; y=gone.png,Is it?")
    table.write_text("\n".join(("images,question", *rows)))
    code, shown = predict("--questions", table, task="vqa")
    assert code == 1 and "gone.png: no such file" in shown
    both, one = read_predictions(tmp_path / "out/p.jsonl")
    assert (both.images, both.views, one.images, one.views) == (
        ("a.png", "old/b.jpg"),
        ("frontal", "lateral"),
        ("a.png",),
        (),
    )
    assert both.prediction == model.ask(
        {"frontal": scans / "a.png", "lateral": scans / "old/b.jpg"}, "Is it left?", max_new_tokens=8
    ) and both.producer["prompt"].startswith("[INST] frontal: <Img>")
    (skip,) = (tmp_path / "out/p.jsonl.skipped.jsonl").read_text().splitlines()
    assert "gone.png (images-a.png-4)" in skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image,images,question\na.png,b.png,x\n", "image and images; name all in images"),
        ("images,question\na=a.png;b.png,x\n", "name all of them or none"),
        ("images,question\n,x\n", "line 2: the image is empty"),
        ("frage\nx\n", "missing column(s) question"),
        ('question\n""\n', "line 2: the question is empty"),
        ("image,question\n,x\n", "line 2: the image is empty"),
        ("image,question,answer_type\na.png,x,maybe\n", "line 2: answer_type 'MAYBE' is neither OPEN nor CLOSED"),
        ("question\n", "no question in it"),
        ("image,question,id\na.png,x,1\na.png,y,1\n", "asked twice under one id"),
    ],
)
def test_a_table_that_cannot_be_used(predict, tmp_path, text, told):
    (tmp_path / "q.csv").write_text(text)
    code, shown = predict("--questions", tmp_path / "q.csv", task="vqa")
    assert code == 2 and told in shown and not (tmp_path / "out").exists()


def test_a_question_that_the_model_cannot_read_whole_is_refused(predict, tmp_path):
    """It would be cut behind, and what is left answered."""
    code, shown = predict("--question", "  ", task="vqa")
    assert code == 2 and "--question is empty" in shown and not (tmp_path / "out").exists()
    code, shown = predict("--question", "word " * 4000, task="vqa")
    assert code == 2 and "max_context_len); ask shorter" in shown


def test_mistakes_are_told_together(tmp_path, capsys):
    assert main(["predict", "vqa_rad", "--images", str(tmp_path), "--out", "x"]) == 2
    shown = capsys.readouterr().err
    assert all(each in shown for each in ("--task is missing", "--ckpt is missing", "DATASET, FOLDER and --api"))
    assert main(["predict", "--out", "x"]) == 2
    assert "give DATASET FOLDER --api MODEL" in capsys.readouterr().err
    for folder, told in ((tmp_path, "holds no image"), (tmp_path / "no", "no folder")):
        assert (
            main(["predict", "--images", str(folder), "--task", "vqa", "--question", "?", "--ckpt", "c", "--out", "x"])
            == 2
        )
        assert told in capsys.readouterr().err
