"""Arrays by key: several writers, a writer that is killed, damage, and a full disk."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.services import tensor_store
from pefomed_plugin.services.tensor_store import TensorStore

SHAPE = (3, 4)


def array(number):
    return np.full(SHAPE, number, dtype=np.float16)


def store(folder, **settings):
    return TensorStore(folder, SHAPE, "float16", **settings)


def filled(folder, *keys):
    with store(folder).writer() as writer:
        writer.add({str(key): array(key) for key in keys})
    return store(folder)


def test_what_is_written_is_read_by_a_later_process(tmp_path):
    found = filled(tmp_path, 1, 2)
    assert len(found) == 2 and "1" in found and "3" not in found
    assert found.missing(["3", "1", "3", "4"]) == ["3", "4"]
    assert np.array_equal(found["2"], array(2))
    assert np.array_equal(pickle.loads(pickle.dumps(found))["1"], array(1)), "sent to a process that loads data"


def test_two_writers_at_once(tmp_path):
    one, two = store(tmp_path), store(tmp_path)
    with one.writer() as first, two.writer() as second:
        first.add({"a": array(1), "both": array(5)})
        second.add({"b": array(2), "both": array(5)})
        first.add({"c": array(3)})
    one.reload()
    assert sorted(key for key in ("a", "b", "c", "both") if key in one) == ["a", "b", "both", "c"]
    assert [one[key][0, 0] for key in ("a", "b", "c", "both")] == [1, 2, 3, 5]


def test_reading_while_a_file_grows(tmp_path):
    reader = store(tmp_path)
    with store(tmp_path).writer() as writer:
        for number in range(3):
            writer.add({str(number): array(number)})
            reader.reload()
            assert reader[str(number)][0, 0] == number


def test_a_killed_writer_leaves_whole_arrays_only(tmp_path):
    filled(tmp_path, 1, 2)
    (index,) = tmp_path.glob("part-*.jsonl")
    index.write_text(index.read_text() + '["3", 2, 0]\n["4", 3')
    found = store(tmp_path)
    assert found.missing("1234") == ["3", "4"]


def test_a_damaged_array_is_named(tmp_path):
    filled(tmp_path, 1, 2)
    (data,) = tmp_path.glob("part-*.bin")
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    found = store(tmp_path)
    assert found["1"][0, 0] == 1
    with pytest.raises(DataError, match=r"part-.*\.bin: array 1 is damaged; remove this file"):
        found["2"]


def test_arrays_of_another_shape(tmp_path):
    filled(tmp_path, 1)
    with pytest.raises(DataError, match=r"holds arrays \[3, 4\] of float16, not \[9\] of uint8"):
        TensorStore(tmp_path, (9,), "uint8")
    with pytest.raises(ValueError, match="into a store of"), store(tmp_path).writer() as writer:
        writer.add({"x": np.zeros((2, 2), dtype=np.float16)})


def test_files_of_a_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(tensor_store, "_PART_BYTES", 2 * 24)
    with store(tmp_path).writer() as writer:
        for number in range(5):
            writer.add({str(number): array(number)})
    assert sorted(path.stat().st_size for path in tmp_path.glob("*.bin")) == [24, 48, 48]
    assert [store(tmp_path)[str(number)][0, 0] for number in range(5)] == list(range(5))


def test_a_full_disk_loses_nothing_that_was_written(tmp_path, monkeypatch):
    filled(tmp_path, 1)

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_store.os, "fsync", no_space)
    with pytest.raises(DataError, match="No space left on device.*run.cache_dir"):
        filled(tmp_path, 2)
    assert store(tmp_path).missing("12") == ["2"]


def test_facts_are_written_beside(tmp_path):
    store(tmp_path, facts={"what": "features"})
    assert json.loads((tmp_path / "meta.json").read_text()) == {
        "schema": 1,
        "shape": [3, 4],
        "dtype": "float16",
        "what": "features",
    }
