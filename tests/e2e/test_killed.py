"""Writers that are killed at each of their operations on files: what is left is what was, or what was to be."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from pefomed_plugin.atomic import as_one, move, remove, replacing, settle
from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.rubrics import VQA
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.scoring.ratings import judge_spec
from pefomed_plugin.services.judgements import write_judgements
from pefomed_plugin.storage import drop_half_line, read_predictions, write_json, write_records, write_text
from tests.killing import forks, killed_at_each

pytestmark = forks


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)


def files_of(folder):
    """Names below a folder and what they hold; ``metrics.json`` and others as text."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_newest_checkpoint_is_whole_whenever_its_writer_is_killed(tmp_path):
    torch = pytest.importorskip("torch")
    from pefomed_plugin.adapters.training.checkpoints import CheckpointKeeper

    def save(epoch, best=False):
        content = {"model": {"a": torch.full((4,), float(epoch))}, "epoch": epoch}
        return CheckpointKeeper(tmp_path / "run", keep_last=2).save(content, best=best)

    def begin():
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        (tmp_path / "run").mkdir()
        save(0, best=True)
        save(1)

    seen = set()
    for _ in killed_at_each(lambda: save(2, best=True), begin):
        keeper = CheckpointKeeper(tmp_path / "run", keep_last=2)
        path, content = keeper.newest()
        best = keeper.read(tmp_path / "run" / "checkpoint_best.pth")["epoch"]
        seen.add((content["epoch"], best, keeper.read(tmp_path / "run" / "checkpoint_last.1.pth")["epoch"]))
        assert path.name == "checkpoint_last.pth" and float(content["model"]["a"][0]) == content["epoch"]
        save(3, best=True)
        assert not [name for name in os.listdir(tmp_path / "run") if ".part" in name or name.startswith(".")]
    assert seen == {(1, 0, 0), (2, 2, 1)}  # as before, or as it was to be


def answer(number, text="yes"):
    return Prediction.from_json(
        {
            "id": f"s-{number}",
            "dataset": "d",
            "split": "test",
            "image": "i.png",
            "task": "vqa",
            "question": "Is there a fracture?",
            "answer": "yes",
            "prediction": text,
        }
    )


def all_or_nothing(folder, write):
    """Kill ``write`` at each operation, look at the folder as the next user would, write again, and begin anew.

    Returns what was found: False for what was before, True for what was to be.
    """
    again, seen = folder.with_name(folder.name + "-again"), set()
    shutil.copytree(folder, again)
    before = files_of(folder)
    write()
    after = files_of(folder)
    for number in killed_at_each(write, lambda: begin_anew(folder, again)):
        settle(folder)
        left = {name: text for name, text in files_of(folder).items() if not name.endswith(".part")}
        assert left in (before, after), f"killed at operation {number}: neither what was nor what was to be"
        seen.add(left == after)
        if left == before:
            write()
            assert files_of(folder) == after, f"killed at operation {number}: writing again leaves something else"
    return seen


def begin_anew(folder, again):
    shutil.rmtree(folder)
    shutil.copytree(again, folder)


@pytest.mark.parametrize("has_links", [True, False])
def test_several_files_change_as_one(tmp_path, monkeypatch, has_links):
    if not has_links:  # then copies are kept
        monkeypatch.setattr(os, "link", _no_links)
    folder = tmp_path / "results"
    (folder / "scores").mkdir(parents=True)
    for name in ("a", "b", "c", "scores/d"):
        (folder / name).write_text("old\n", encoding="utf-8")

    def write():
        with as_one(folder):
            write_text(folder / "a", "new\n")
            write_text(folder / "scores" / "fresh", "new\n")
            remove(folder / "b")
            move(folder / "c", folder / "e")
            write_text(folder / "a", "newer\n")
            with as_one(folder / "scores"):
                write_text(folder / "scores" / "d", "new\n")

    assert all_or_nothing(folder, write) == {False, True}


def test_judgements_are_written_as_a_whole(tmp_path):
    rows = [answer(number) for number in range(3)]
    write_records(tmp_path / "run" / "predictions.jsonl", rows)
    spec = judge_spec(VQA, "gpt-4o")

    def write(values=(1, 0, 1), runs=2):
        scores = [[Score(row.id, spec.name, "1", value) for row, value in zip(rows, values)] for _ in range(runs)]
        write_judgements(rows, VQA, spec, scores, tmp_path / "run", {"model": "gpt-4o"})

    write((0, 0, 0), runs=3)
    assert all_or_nothing(tmp_path / "run", write) == {False, True}


def test_after_an_error_all_is_as_it_was(tmp_path):
    write_text(tmp_path / "a", "old\n")

    def write():
        with as_one(tmp_path):
            write_text(tmp_path / "a", "new\n")
            write_text(tmp_path / "fresh", "new\n")
            write_json(tmp_path / "b.json", {"value": float("nan")})

    with pytest.raises(DataError, match="not a finite number"):
        write()
    assert files_of(tmp_path) == {"a": "old\n"}


def _no_links(*_):
    raise OSError(1, "Operation not permitted")


def test_scores_and_metrics_are_of_one_scoring(tmp_path):
    folder = tmp_path / "results"
    predictions = [answer(number, text) for number, text in enumerate(["yes", "no", "yes"])]
    write_records(folder / "predictions.jsonl", predictions)
    write_scores(predictions, ["exact_match"], folder, {"note": "before"})

    def write():
        write_scores(predictions, ["exact_match", "token_recall"], folder, {"note": "after"})

    assert all_or_nothing(folder, write) == {False, True}


def test_a_half_line_is_cut_and_nothing_else(tmp_path):
    """Killed while cutting, 0 of 40 answers were left."""
    path, folder = tmp_path / "answers" / "answers.rank0.jsonl", tmp_path / "answers"
    write_records(path, [answer(number, "ärzte") for number in range(40)])
    line = json.dumps({"prediction": "ä"}, ensure_ascii=False).encode("utf-8")
    torn = path.read_bytes() + line[: line.index(b"\xc3") + 1]
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    (again / path.name).write_bytes(torn)
    begin_anew(folder, again)
    for _ in killed_at_each(lambda: drop_half_line(path), lambda: begin_anew(folder, again)):
        drop_half_line(path)
        assert len(read_predictions(path)) == 40


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path):
    path = tmp_path / "a.json"
    for _ in killed_at_each(lambda: write_json(path, {"value": 1})):
        write_json(path, {"value": 2})
        assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_a_file_that_is_being_written_is_nobody_elses(tmp_path):
    path = tmp_path / "a"
    with replacing(path) as outer:
        outer.write(b"outer")
        write_text(path, "inner")
    assert path.read_text() == "outer"
