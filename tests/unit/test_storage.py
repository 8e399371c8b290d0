"""Files are whole or absent, ids come once, and what is wrong is named with its line."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.storage import (
    merge_ranks,
    read_predictions,
    share_with,
    write_json,
    write_pieces,
    write_records,
    write_text,
)


def prediction(number, **changes):
    return Prediction.from_json(
        {
            **{
                "id": f"s-{number}",
                "dataset": "d",
                "split": "test",
                "image": "i.png",
                "task": "vqa",
                "question": "q",
                "answer": "a\u2028b",
                "prediction": "p",
            },
            **changes,
        }
    )


def test_round_trip_keeps_line_separators_inside_texts(tmp_path):
    records = [prediction(1, prediction="a\nb\rc\u2028\u0085"), prediction(2, prediction=None)]
    write_records(tmp_path / "p.jsonl", records)
    assert read_predictions(tmp_path / "p.jsonl") == records


def test_ranks_are_merged_in_the_order_of_the_test_set(tmp_path):
    write_records(tmp_path / "0", [prediction(2), prediction(0)])
    write_records(tmp_path / "1", [prediction(1)])
    merged = merge_ranks([tmp_path / "0", tmp_path / "1"], ["s-0", "s-1", "s-2"])
    assert [each.id for each in merged] == ["s-0", "s-1", "s-2"]


@pytest.mark.parametrize(
    ("order", "message"), [(["s-0", "s-1"], "s-1: no rank answered it"), ([], "s-0: not in the test set")]
)
def test_a_lost_or_foreign_answer_stops_the_merge(tmp_path, order, message):
    write_records(tmp_path / "0", [prediction(0)])
    with pytest.raises(DataError, match=message):
        merge_ranks([tmp_path / "0"], order)


def test_an_answer_given_twice_stops_the_merge(tmp_path):
    for rank in ("0", "1"):
        write_records(tmp_path / rank, [prediction(0)])
    with pytest.raises(DataError, match="'s-0' occurs 2 times"):
        merge_ranks([tmp_path / "0", tmp_path / "1"], ["s-0"])


def test_duplicate_ids_are_refused_when_written(tmp_path):
    with pytest.raises(DataError, match="'s-0' occurs 2 times"):
        write_records(tmp_path / "p.jsonl", [prediction(0), prediction(0)])
    with pytest.raises(DataError, match="'x' occurs 2 times"):
        write_records(tmp_path / "s.jsonl", [Score("x", "e", "1", 1.0), Score("x", "e", "1", 0.0)])
    assert os.listdir(tmp_path) == []


def test_every_bad_line_is_named(tmp_path):
    good = json.dumps(prediction(0).to_json())
    (tmp_path / "p.jsonl").write_text(good + "\n{cut\n\n[1]\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_predictions(tmp_path / "p.jsonl")
    assert ["line 2" in caught.value.problems[0], "line 4" in caught.value.problems[1]] == [True, True]


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "p.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds no predictions"):
        read_predictions(tmp_path / "p.jsonl")


def test_records_are_written_one_by_one(tmp_path):
    path, sizes = tmp_path / "p.jsonl", []

    def taken():
        for number in range(2_000):
            sizes.append(sum(part.stat().st_size for part in tmp_path.iterdir()))
            yield prediction(number, answer="a" * 100)

    write_records(path, taken())
    assert 0 < sizes[-1] < path.stat().st_size and len(read_predictions(path)) == 2_000


def test_a_record_too_many_leaves_the_old_file(tmp_path):
    write_records(tmp_path / "p.jsonl", [prediction(7)])
    with pytest.raises(DataError, match="occurs 2 times"):
        write_records(tmp_path / "p.jsonl", [prediction(0), prediction(0)])
    assert [found.id for found in read_predictions(tmp_path / "p.jsonl")] == ["s-7"]


def test_what_records_share_is_one_object_once_read(tmp_path):
    producer = {"model": "m", "decoding": {"beams": 1}}
    write_records(
        tmp_path / "p.jsonl",
        [prediction(0, producer=producer), prediction(1, producer=producer), prediction(2, producer={"model": "m"})],
    )
    first, second, third = read_predictions(tmp_path / "p.jsonl")
    assert first.producer is second.producer and first.dataset is third.dataset
    assert [first.producer, third.producer] == [producer, {"model": "m"}]


@pytest.mark.parametrize(
    ("before", "content"),
    [
        ({"a": 1}, {"a": True}),
        ({"b": None}, {"a": None}),
        ({"a": {"b": "c"}}, {"a": {}}),
        ({"a": "1"}, {"a": [1]}),
        (7, {}),
    ],
)
def test_sharing_changes_nothing(before, content):
    found = share_with(before, json.loads(json.dumps(content)))
    assert (found, json.dumps(found)) == (content, json.dumps(content))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(tmp_path, value):
    with pytest.raises(DataError, match="not a finite number"):
        write_json(tmp_path / "metrics.json", {"value": value})
    with pytest.raises(DataError, match="not a finite number"):
        write_records(tmp_path / "s.jsonl", [Score("x", "e", "1", value)])


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_json(path, {"n": 1})

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"No space left.*; make room.*; metrics\.json is as it was before"):
        write_text(path, "new")
    with pytest.raises(DataError, match=r"No space left.*; nothing was written"):
        write_text(tmp_path / "other.json", "new")
    assert json.loads(path.read_text())["n"] == 1
    assert os.listdir(tmp_path) == ["metrics.json"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_others_may_read_what_the_umask_lets_them(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "new.txt", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == mode


ANSWER = {
    "id": "a-1",
    "dataset": "a",
    "split": "test",
    "image": "a.png",
    "task": "vqa",
    "question": "Is it drawn?",
    "answer": "yes",
    "answer_type": "CLOSED",
    "prediction": "yes",
}


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("is_list", [False, True])
def test_predictions_with_a_bom_or_as_a_list(tmp_path: Path, bom: str, is_list: bool) -> None:
    rows = [ANSWER, {**ANSWER, "id": "a-2"}]
    text = json.dumps(rows, indent=1) if is_list else "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "p.jsonl").write_text(bom + text, encoding="utf-8")
    assert [prediction.id for prediction in read_predictions(tmp_path / "p.jsonl")] == ["a-1", "a-2"]


def test_wrong_lists_of_predictions_are_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps([ANSWER, 7, [1]]))
    with pytest.raises(DataError) as caught:
        read_predictions(tmp_path / "p.json")
    assert [problem.partition(": ")[0].rpartition(", ")[2] for problem in caught.value.problems] == [
        "record 1",
        "record 2",
    ]
    (tmp_path / "p.json").write_text("[" + json.dumps(ANSWER))
    with pytest.raises(DataError, match="neither JSON lines nor a JSON list"):
        read_predictions(tmp_path / "p.json")


def test_half_a_character_is_marked_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [
        {**ANSWER, "prediction": "yes \ud83d"},
        {**ANSWER, "id": "a-2", "prediction": "\U0001f600"},
        {**ANSWER, "id": "a-3"},
    ]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_predictions(tmp_path / "p.jsonl")
    assert [prediction.prediction for prediction in found] == ["yes \ufffd", "\U0001f600", "yes"]
    assert "p.jsonl: 1 records hold half a character" in capsys.readouterr().err
    write_records(tmp_path / "again.jsonl", [replace(found[0], prediction="no \udc00"), found[1]])
    assert "again.jsonl: 1 records hold half a character" in capsys.readouterr().err
    assert read_predictions(tmp_path / "again.jsonl")[0].prediction == "no \ufffd"


def test_a_number_that_is_not_finite_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(json.dumps(ANSWER))
    (found,) = read_predictions(tmp_path / "p.jsonl")
    with pytest.raises(DataError, match=r"not a finite number\n  - a-1: metadata\.age"):
        write_records(tmp_path / "out.jsonl", [replace(found, metadata={"age": float("nan")})])


def test_a_file_that_cannot_be_read_is_not_said_to_be_one_that_cannot_be_written(tmp_path):
    def pieces():
        yield "begun"
        yield (tmp_path / "absent").read_text()

    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(DataError, match=r"cannot read .*absent: No such file") as failed:
        write_pieces(path, pieces())
    assert "page.html" not in str(failed.value)
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["page.html"]


def test_a_table_for_people_names_the_lines_beside_it(tmp_path):
    (tmp_path / "a.csv").write_text("id,answer\n1,yes\n")
    with pytest.raises(DataError) as caught:
        read_predictions(tmp_path / "a.csv")
    assert "programs read" not in caught.value.summary
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(DataError, match="a table for people; programs read .*a.jsonl"):
        read_predictions(tmp_path / "a.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_keeps_its_place(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"cannot write .*pipe: it is a named pipe, not a file; name a file"):
        write_text(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]
    (tmp_path / "null").symlink_to(os.devnull)
    with pytest.raises(DataError, match="it is a device"):
        write_text(tmp_path / "null", "text")


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_folder_without_a_name_of_its_own_is_told_as_any_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="it is a folder where a file is needed"):
        write_text(Path(name), "text")
