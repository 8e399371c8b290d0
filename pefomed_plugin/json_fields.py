"""What a JSON object should hold, by the annotations of the class that it becomes: every wrong field is named at once.

Messages say the kind of what was found, not the value: it may be a patient's text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from .errors import quoted

TEXT, NUMBER, COUNT, LIST, OBJECT = "str", "float", "int", "list", "Mapping"
_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "str": ("a text", (str,)),
    "float": ("a number", (int, float)),
    "int": ("a whole number", (int,)),
    "bool": ("true or false", (bool,)),
    "None": ("null", (type(None),)),
    **dict.fromkeys(("list", "tuple", "Sequence"), ("a list", (list, tuple))),
    **dict.fromkeys(("dict", "Mapping"), ("an object", (Mapping,))),
}
"""Name of an annotation -> what it is called, and the types it stands for; any other name is not looked at."""


def kind_of(value: Any) -> str:
    """What a JSON value is, in words: ``a list``, ``null``."""
    if isinstance(value, bool):
        return "true or false"
    return next((words for words, types in _KINDS.values() if isinstance(value, types)), f"a {type(value).__name__}")


def wrong_fields(content: Any, kinds: Mapping[str, str], needed: Iterable[str] = ()) -> list[str]:
    """A line for each field that is not of its kind or is missing, as ``metadata is null, expected an object``.

    Args:
        content: what should be an object; fields without a kind are not looked at.
        kinds: field -> annotation: ``str``, ``float | None``, ``Mapping[str, int]``, ``tuple[str, ...]``.
        needed: fields that must be there.
    """
    if not isinstance(content, Mapping):
        return [f"{kind_of(content)}, expected an object"]
    missing = [name for name in needed if name not in content]
    found = [f"missing {', '.join(missing)}"] if missing else []
    return found + [
        problem for name, kind in kinds.items() if name in content for problem in _wrong(content[name], kind, name)
    ]


def wrong_record(content: Mapping[str, Any], record: type) -> list[str]:
    """As ``wrong_fields``, by the annotations of a dataclass; fast where nothing is wrong."""
    plain, others = _by_type(record)
    if all(isinstance(content[name], plain[name]) for name in content if name in plain) and not any(
        name in content for name in others
    ):
        return []
    return wrong_fields(content, fields_of(record))


@cache
def fields_of(record: Any) -> Mapping[str, str]:
    """Field -> annotation of a dataclass whose annotations are texts (``from __future__ import annotations``)."""
    return {field.name: str(field.type) for field in fields(record)}


@cache
def _by_type(record: type) -> tuple[dict[str, tuple[type, ...]], list[str]]:
    """Types of the fields for which a type says it all, and the names of the others."""
    plain, others = {}, []
    for name, annotation in fields_of(record).items():
        kinds = _alternatives(annotation)
        if any(inner or outer in ("int", "float") for outer, inner in kinds):  # true is an int to Python
            others.append(name)
        elif all(outer in _KINDS for outer, _ in kinds):
            plain[name] = tuple(type_ for outer, _ in kinds for type_ in _KINDS[outer][1])
    return plain, others


def _wrong(value: Any, annotation: str, name: str) -> list[str]:
    kinds = _alternatives(annotation)
    fitting = [inner for outer, inner in kinds if _fits(value, outer)]
    if not fitting:
        return [f"{name} is {kind_of(value)}, expected {' or '.join(_KINDS[outer][0] for outer, _ in kinds)}"]
    inner = fitting[0]
    if not inner or value is None:
        return []
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [problem for key, item in items for problem in _wrong(item, inner, f"{name}.{quoted(key, bare=True)}")]


def _fits(value: Any, kind: str) -> bool:
    if kind not in _KINDS:
        return True
    return isinstance(value, _KINDS[kind][1]) and (not isinstance(value, bool) or kind == "bool")


@cache
def _alternatives(annotation: str) -> tuple[tuple[str, str], ...]:
    """The outer name and the annotation of what is within it: ``tuple[str, ...] | None`` is tuple of str, or None."""
    found = []
    for part in _split(annotation, "|"):
        outer, _, within = part.partition("[")
        names = _split(within[:-1], ",") if within else [""]
        inner = names[-1] if outer in ("dict", "Mapping") else names[0]
        found.append((outer, "" if inner == "Any" else inner))
    return tuple(found)


def _split(text: str, mark: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == mark and not depth:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]
