"""Pickles of plain values are read; a pickle that names anything else is refused before it can do a thing."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.textfiles import read_json, read_json_lines, read_plain_pickle, read_rows

PLAIN = [{"image": "train_9999", "label": {"a made-up cell": 1}, "weights": [0.5, True, None]}]


class Runs:
    """Unpickling it by ``pickle.load`` would make the file of its name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def write(path: Path, value: Any, protocol: int = pickle.DEFAULT_PROTOCOL) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back(tmp_path: Path, protocol: int) -> None:
    assert read_plain_pickle(write(tmp_path / "a.pkl", PLAIN, protocol)) == PLAIN


def test_byte_strings_of_python_2_are_text(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"(lp0\nS'K\\xc3\\xb6hler'\np1\na.")
    assert read_plain_pickle(tmp_path / "a.pkl") == ["Köhler"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_class_is_named_and_nothing_runs(tmp_path: Path, protocol: int) -> None:
    path = write(tmp_path / "a.pkl", [Runs(tmp_path / "made")], protocol)
    with pytest.raises(DataError, match=r"a\.pkl: names \w+\.mkdir, but only lists"):
        read_plain_pickle(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("value", "name"), [(collections.OrderedDict(a=1), "collections.OrderedDict"), ({1, 2}, "set"), (Path("a"), "Path")]
)
def test_harmless_classes_are_refused_too(tmp_path: Path, value: Any, name: str) -> None:
    with pytest.raises(DataError, match=name):
        read_plain_pickle(write(tmp_path / "a.pkl", value, protocol=2))


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", pickle.dumps(PLAIN)[:-9], b"\x80\x04]e.", b"(lp0\nS'\\xff'\na."]
)
def test_damage_names_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.pkl: not a pickle"):
        read_plain_pickle(tmp_path / "a.pkl")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*absent\.pkl"):
        read_plain_pickle(tmp_path / "absent.pkl")


@pytest.mark.parametrize(
    ("name", "read", "content"),
    [
        ("a.json", read_json, b'[{"a": "no \\ud83d"}, {"a": "\\ud83d\\ude00"}, {"a": {"b": ["\\udc00"]}}]'),
        ("b.json", read_json, b'{"1": {"a": "no \\ud83d"}, "2": {"a": "yes"}, "3": {"a": "\\udc00"}}'),
        (
            "c.jsonl",
            lambda path: list(read_json_lines(path)),
            b'{"a": "no \\ud83d"}\n{"a": "\\ud83d\\ude00"}\n["\\udc00"]\n',
        ),
        ("d.json", read_rows, b'[{"a": "no \\ud83d"}, {"a": "\\ud83d\\ude00"}, {"a": {"b": ["\\udc00"]}}]'),
        ("e.pkl", read_plain_pickle, pickle.dumps([{"a": ("no \ud83d", 1)}, {2: "yes"}, {"a\udc00": b"c"}])),
    ],
    ids=["list", "mapping", "lines", "rows", "pickle"],
)
def test_half_a_character_is_marked_and_counted_in_every_kind_of_file(
    tmp_path: Path, capsys: pytest.CaptureFixture, name: str, read: Any, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    value = repr(read(tmp_path / name))
    assert value.count("\ufffd") == 2 and "\\ud" not in value
    assert f"{name}: 2 records hold half a character" in capsys.readouterr().err
