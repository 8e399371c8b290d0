"""Bad input, case by case: a named error, exit code 2, and every file of before as it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main

from ..reporting.made import answers, make_run, rate

RIGHT = [True, False, True, False]


def results_of(tmp_path: Path) -> Path:
    """A run that was scored, judged and rated."""
    rows = answers(RIGHT)
    folder = make_run(tmp_path / "run", rows) / "results/vqa_rad-test"
    rate(folder, rows, "judge/vqa/gpt-4o", [[1, 0, 1, 0]])
    rate(folder, rows, "human/vqa", [[1, 0, 1, 1]])
    return folder


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def put(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def duplicate_ids(path: Path) -> None:
    put(path, [*lines_of(path), lines_of(path)[0]])


def empty_file(path: Path) -> None:
    path.write_text("", encoding="utf-8")


def mixed_data_sets(path: Path) -> None:
    rows = lines_of(path)
    put(path, [*rows[:-1], {**rows[-1], "dataset": "slake"}])


def not_a_number(path: Path) -> None:
    rows = lines_of(path)
    put(path, [{**rows[0], "prediction": float("nan")}, *rows[1:]])


def interrupted_write(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")


def other_predictions(path: Path) -> None:
    rows = lines_of(path)
    put(path, [{**rows[0], "prediction": "another answer"}, *rows[1:]])


CASES = {
    duplicate_ids: "id 'vqa_rad-0' occurs 2 times",
    empty_file: "predictions.jsonl holds no predictions",
    mixed_data_sets: "the predictions are of 2 test sets",
    not_a_number: "predictions.jsonl, line 1: prediction is not a finite number",
    interrupted_write: "predictions.jsonl, line 4, column ",
    other_predictions: "holds the metrics of other predictions",
}
COMMANDS = {"score": ["score", "token_recall"], "judge": ["judge", "vqa"], "agree": ["agree"]}


def check_refused(arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err and "Traceback" not in shown.err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_predictions_that_are_wrong_change_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture, command: str, case: Any
) -> None:
    folder = results_of(tmp_path)
    path = folder / "predictions.jsonl"
    case(path)
    arguments = [*COMMANDS[command], str(path), *(["--judge", "offline"] if command == "judge" else [])]
    check_refused(arguments, CASES[case], folder, capsys)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("command", ["compare", "report"])
def test_what_is_read_back_is_checked_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture, command: str, case: Any
) -> None:
    folder = results_of(tmp_path)
    case(folder / "predictions.jsonl")
    out = tmp_path / "run" / ("out.md" if command == "compare" else "out.html")
    out.write_text("<!doctype html>of before", encoding="utf-8")
    arguments = [command, str(tmp_path / "run"), "--out", str(out), *(["--no-images"] if command == "report" else [])]
    check_refused(arguments, CASES[case], tmp_path, capsys)


def release(folder: Path, **changed: Any) -> Path:
    """The official layout of VQA-RAD with the first two questions of our predictions."""
    rows = [
        {
            "qid": number,
            "image_name": row.only_image,
            "question": row.question,
            "answer": row.answer,
            "answer_type": row.answer_type,
        }
        for number, row in enumerate(answers(RIGHT[:2]))
    ]
    rows[0].update(changed)
    (folder / "images").mkdir(parents=True)
    (folder / "testset.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "trainset.json").write_text(json.dumps([{**rows[0], "qid": 99}]), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, "vqa_rad-2: not in"),
        ({"answer": "maybe"}, "vqa_rad-0: answer is another one in"),
        ({"qid": 7}, "vqa_rad-7: in"),
    ],
)
def test_unknown_ids_and_references_of_another_version(
    tmp_path: Path, capsys: pytest.CaptureFixture, changed: dict[str, Any], message: str
) -> None:
    folder = results_of(tmp_path)
    arguments = [
        "score",
        "exact_match",
        str(folder / "predictions.jsonl"),
        "--data",
        str(release(tmp_path / "release", **changed)),
    ]
    check_refused(arguments, message, folder, capsys)


@pytest.mark.parametrize("command", ["compare", "report", "agree"])
def test_scores_of_unknown_ids(tmp_path: Path, capsys: pytest.CaptureFixture, command: str) -> None:
    folder = results_of(tmp_path)
    path = folder / "scores/judge-vqa-gpt-4o.run1.jsonl"
    rows = lines_of(path)
    put(path, [{**rows[0], "sample_id": "vqa_rad-17"}, *rows[1:]])
    arguments = {
        "compare": ["compare", str(folder)],
        "agree": ["agree", str(folder / "predictions.jsonl")],
        "report": ["report", str(folder), "--no-images", "--out", str(tmp_path / "report.html")],
    }[command]
    check_refused(arguments, "id 'vqa_rad-17' has a score but no prediction", tmp_path, capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_leaves_the_files_of_before(
    tmp_path: Path, capsys: pytest.CaptureFixture, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = results_of(tmp_path)

    move = os.replace

    def fail(source: Path, target: Path) -> None:
        if str(source).endswith(".part"):  # a new file; what was is put back by the same function
            raise OSError(28, "No space left on device")
        move(source, target)

    monkeypatch.setattr(os, "replace", fail)
    arguments = [
        *COMMANDS[command],
        str(folder / "predictions.jsonl"),
        *(["--judge", "offline"] if command == "judge" else []),
    ]
    check_refused(arguments, "No space left on device", folder, capsys)
