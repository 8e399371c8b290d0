"""Fields are what the annotations of a class say; what is found in their place is named, not quoted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pefomed_plugin.json_fields import fields_of, kind_of, wrong_fields, wrong_record
from pefomed_plugin.records import Prediction, Score


@dataclass
class Thing:
    name: str
    size: float | None
    count: int
    parts: tuple[str, ...]
    figures: Mapping[str, int]
    rest: Any
    is_new: bool = False


GOOD = {"name": "n", "size": 1, "count": 2, "parts": ["a"], "figures": {"a": 1}, "rest": object(), "is_new": True}


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("name", None, "name is null, expected a text"),
        ("name", ["John Doe"], "name is a list, expected a text"),
        ("size", "1", "size is a text, expected a number or null"),
        ("size", True, "size is true or false, expected a number or null"),
        ("count", 1.5, "count is a number, expected a whole number"),
        ("parts", "a", "parts is a text, expected a list"),
        ("parts", ["a", {}], "parts.1 is an object, expected a text"),
        ("figures", {"a": 1, "b\x1b": None}, "figures.b\\x1b is null, expected a whole number"),
        ("is_new", 1, "is_new is a number, expected true or false"),
    ],
)
def test_a_wrong_field_is_named_by_its_kind(field: str, value: object, problem: str) -> None:
    assert wrong_fields({**GOOD, field: value}, fields_of(Thing), fields_of(Thing)) == [problem]
    assert wrong_record({**GOOD, field: value}, Thing) == [problem]


def test_what_is_right_has_no_problem() -> None:
    assert wrong_fields({**GOOD, "unknown": 1, "size": None}, fields_of(Thing), fields_of(Thing)) == []


def test_all_of_them_come_together() -> None:
    assert wrong_fields({"name": 1, "parts": None}, fields_of(Thing), ("name", "size", "count")) == [
        "missing size, count",
        "name is a number, expected a text",
        "parts is null, expected a list",
    ]
    assert wrong_fields([], {}) == ["a list, expected an object"]


ROW = {"id": "a", "dataset": "d", "split": "test", "image": "i", "task": "vqa", "question": "q", "answer": "a"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata": None, "id": ["a"]}, "id is a list, expected a text; metadata is null, expected an object"),
        ({"image": None}, "images must be one path or several, not null"),
        ({"image": [None]}, "images must be one path or several, not a list"),
        ({"image": ""}, "images must be one path or several, not an empty path"),
        ({"answer": 7, "who": "John Doe"}, "unknown who; answer is a number, expected a text"),
        ({"producer": "m"}, "producer is a text, expected an object"),
        ({"question": False}, "question is true or false, expected a text or null"),
    ],
)
def test_records_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Prediction.from_json({**ROW, **changes})
    assert "John Doe" not in str(caught.value)


@pytest.mark.parametrize("record", [None, [], "text", 3, [["id", 1]]])
def test_what_is_no_object_is_no_record(record: Any) -> None:
    for kind in (Prediction, Score):
        with pytest.raises(ValueError, match=f"expected an object, found {kind_of(record)}"):
            kind.from_json(record)


def test_scores_are_checked() -> None:
    good = {"sample_id": "a", "scorer": "s", "version": "1", "value": 0.5}
    assert Score.from_json(good) == Score("a", "s", "1", 0.5)
    for field, value in (("value", True), ("value", "0.5"), ("sample_id", 3), ("reason", [])):
        with pytest.raises(ValueError, match=f"{field} is"):
            Score.from_json({**good, field: value})
