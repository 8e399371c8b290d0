from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.cli import COMMANDS, main

from ..reporting.made import answers, make_images, make_run

RIGHT = [True, True, False, False] * 4


def predictions_of(folder: Path) -> Path:
    return make_run(folder, answers(RIGHT), scorers=()) / "results/vqa_rad-test/predictions.jsonl"


def test_score_writes_beside_the_predictions(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = predictions_of(tmp_path / "run")
    assert main(["score", "exact_match", str(path), "--by", "organ"]) == 0
    shown = capsys.readouterr().out
    assert "8 of 16" in shown and "CHEST" in shown
    assert json.loads((path.parent / "metrics.json").read_text())["scores"]["exact_match/pefomed"]["overall"]["n"] == 16
    assert (path.parent / "scores" / "exact_match-pefomed.jsonl").is_file()


def test_score_with_out_makes_a_folder_that_can_be_reported(tmp_path: Path) -> None:
    path = predictions_of(tmp_path / "run")
    assert main(["score", "exact_match", str(path), "--out", str(tmp_path / "scored")]) == 0
    assert not (path.parent / "metrics.json").exists()
    assert main(["report", str(tmp_path / "scored"), "--no-images", "--out", str(tmp_path / "report.html")]) == 0
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["exact_mach"], "did you mean 'exact_match'"),
        (["exact_match", "--by", "organs"], "did you mean 'organ'"),
    ],
)
def test_mistyped_names_are_told_the_near_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list, message: str
) -> None:
    path = predictions_of(tmp_path / "run")
    assert main(["score", arguments[0], str(path), *arguments[1:]]) == 2
    assert message in capsys.readouterr().err
    assert not (path.parent / "metrics.json").exists()


def test_a_scorer_for_other_tasks_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = predictions_of(tmp_path / "run")
    assert main(["score", "clinical", str(path)]) == 0
    assert "note: clinical/radeval is meant for report; these predictions are vqa" in capsys.readouterr().out


def test_score_checks_against_the_release(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    release = tmp_path / "vqa_rad"
    (release / "images").mkdir(parents=True)
    row = {
        "qid": 0,
        "image_name": "image0.png",
        "question": "Is there an invented shadow?",
        "answer": "maybe",
        "answer_type": "CLOSED",
    }
    (release / "testset.json").write_text(json.dumps([row]))
    (release / "trainset.json").write_text(json.dumps([{**row, "qid": 99}]))
    path = predictions_of(tmp_path / "run")
    assert main(["score", "exact_match", str(path), "--data", str(release)]) == 2
    shown = capsys.readouterr().err
    assert "answer is another one in" in shown and "maybe" not in shown and "vqa_rad-1: not in" in shown
    assert not (path.parent / "metrics.json").exists()


def test_compare_writes_markdown_and_json(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    first, second = make_run(tmp_path / "a", answers(RIGHT)), make_run(tmp_path / "b", answers(RIGHT[::-1]))
    for name in ("compare.md", "compare.json"):
        assert (
            main(
                [
                    "compare",
                    str(first),
                    str(second),
                    "--label",
                    "none",
                    "--label",
                    "both",
                    "--out",
                    str(tmp_path / name),
                ]
            )
            == 0
        )
    assert "| both | 1 + 2 |" in (tmp_path / "compare.md").read_text()
    (table,) = json.loads((tmp_path / "compare.json").read_text())["tables"]
    assert table["rows"][1]["difference"]["n"] == 16
    assert main(["compare", str(first), str(second), "--label", "none"]) == 2
    assert main(["compare", str(first), "--out", str(tmp_path / "compare.html")]) == 2
    assert main(["compare", str(tmp_path / "nowhere")]) == 2
    assert "no run" in capsys.readouterr().err


def test_report_shows_images_of_the_given_root(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = answers(RIGHT)
    run, root = make_run(tmp_path / "run", rows), make_images(tmp_path / "images", rows)
    (root / "image3.png").write_bytes(b"<html>log in</html>")
    assert main(["report", str(run), "--image-root", str(root), "--out", str(tmp_path / "report.html")]) == 0
    assert "1 image(s) cannot be shown" in capsys.readouterr().out
    assert main(["report", str(run), "--out", str(tmp_path / "report.html")]) == 2
    assert "--no-images" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["score", "compare", "report", "import-predictions"])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture) -> None:
    assert name in COMMANDS
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0 and "example: pefomed " + name in capsys.readouterr().out
