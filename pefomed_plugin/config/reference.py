"""The page of all configuration keys, written from the fields: ``python -m pefomed_plugin.config.reference``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, is_dataclass
from typing import Any, get_origin

from .datasets import DatasetConfig
from .fields import Rule, alternatives_of, hints_of, options_of, rule_of
from .model import ModelConfig
from .run import RunConfig

_HEAD = """# All keys of a configuration

A run is a YAML with the sections `model`, `datasets` and `run`; `--options section.key=value` sets any key. What is
left out has its default. Where nothing else is said, whole numbers are at most 2,147,483,647, others a billion.
Mistakes are listed together, with the near names. A section `embedded` is laid over the others when the model is the
tiny one. (Written by `python -m pefomed_plugin.config.reference`, from the same declarations that are checked.)
"""
_KINDS = {bool: "true, false", int: "whole number", float: "number", str: "text"}


def reference() -> str:
    """The whole page."""
    sections = (("model", ModelConfig), ("datasets.NAME", DatasetConfig), ("run", RunConfig))
    parts = [_HEAD]
    for title, section in sections:
        parts.append(f"\n## `{title}`\n\n| key | value | default | meaning |\n|---|---|---|---|\n")
        parts += [f"| `{key}` | {kind} | {default} | {meaning} |\n" for key, kind, default, meaning in _rows(section)]
    return "".join(parts)


def _rows(section: type, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    hints = hints_of(section)
    for name, declared in options_of(section).items():
        rule = rule_of(declared)
        nested = next((kind for kind in alternatives_of(hints[name]) if is_dataclass(kind)), None)
        if nested is None:
            yield prefix + name, _kind(hints[name], rule), _default(declared), rule.help
        else:
            yield prefix + name, "section", _default(declared), rule.help
            yield from _rows(nested, f"{prefix}{name}.")  # type: ignore[arg-type]


def _kind(hint: Any, rule: Rule) -> str:
    kinds = [kind for kind in alternatives_of(hint) if kind is not type(None)]
    words = ", ".join(f"`{choice}`" for choice in rule.choices)
    if not words or kinds[0] is not str:
        words = " or ".join(
            filter(None, [_KINDS.get(kinds[0]) or ("list" if get_origin(kinds[0]) is tuple else "section"), words])
        )
    bounds = {"at least": rule.minimum, "more than": rule.above, "less than": rule.below, "at most": rule.maximum}
    return words + "".join(f", {word} {bound:,.10g}" for word, bound in bounds.items() if bound is not None)


def _default(declared: Field[Any]) -> str:
    rule = rule_of(declared)
    if rule.follows:
        return f"that of `{rule.follows.replace('oc.env:', '')}`"
    if declared.default is MISSING:
        return "" if declared.default_factory is not MISSING else "must be given"
    if is_dataclass(declared.default) or declared.default is None:
        return ""
    words = {True: "true", False: "false"} if isinstance(declared.default, bool) else {}
    shown = words.get(declared.default) or (
        f"[{', '.join(map(str, declared.default))}]" if isinstance(declared.default, tuple) else str(declared.default)
    )
    return f"`{shown}`" if shown else "empty"


if __name__ == "__main__":
    print(reference(), end="")
