"""Files are whole or absent, ids come once, and what is wrong is named with its line."""

from __future__ import annotations

import errno
import json
import os

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.storage import merge_ranks, read_predictions, write_json, write_records, write_text


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
    with pytest.raises(DataError, match="No space left"):
        write_text(path, "new")
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
