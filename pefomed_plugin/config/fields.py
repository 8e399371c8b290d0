"""Fields of a configuration section: type, default, range, choices and help stand beside each other, in one place.

A section is a frozen dataclass whose fields are made with ``option``. ``read_section`` makes one of a plain mapping and
lists every mistake; ``default_layer`` gives its defaults as a mapping.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, Optional, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import ConfigError, near_names

_RULE = "rule"
Section = TypeVar("Section")


@dataclass(frozen=True)
class Rule:
    """What is declared for a field beside its type and its default."""

    help: str
    choices: tuple[str, ...] = ()
    """The words it may be; none: any."""
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    above: Optional[float] = None
    """More than this, not equal."""
    below: Optional[float] = None
    filled: bool = False
    """Whether a list or a mapping must hold something."""
    follows: str = ""
    """Where the default comes from: another key (``run.seed``) or a variable (``oc.env:PEFOMED_LLAMA``)."""
    upstream: bool = False
    """Whether MiniGPT-v2's ``runner_base`` does something with it."""


_LARGEST = {int: 2**31 - 1, float: 1e9}
"""Of a number for which nothing else is declared: what is larger is a slip, and takes more than there is."""
_BEYOND = 10**30
_NUMERAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""Of a number that is given as text, as YAML reads 3e-5."""
_NUMBERS = {int: "a whole number", float: "a number"}
"""Kinds that some fields take beside the names of their choices."""


def option(
    help: str,
    default: Any = MISSING,
    *,
    factory: Any = MISSING,
    choices: tuple[str, ...] = (),
    minimum: Optional[float] = None,
    maximum: Optional[float] = None,
    above: Optional[float] = None,
    below: Optional[float] = None,
    filled: bool = False,
    follows: str = "",
    upstream: bool = False,
) -> Any:
    """A field of a section; without ``default`` and ``factory`` the key has to be given."""
    metadata = {_RULE: Rule(help, choices, minimum, maximum, above, below, filled, follows, upstream)}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def options_of(section: type) -> dict[str, Field[Any]]:
    """Key -> field, for every key that a section may have."""
    return {declared.name: declared for declared in fields(section) if _RULE in declared.metadata}


def hints_of(section: type) -> dict[str, Any]:
    """Key -> type."""
    return get_type_hints(section)


def rule_of(declared: Field[Any]) -> Rule:
    """What is declared for a field."""
    rule: Rule = declared.metadata[_RULE]
    return rule


def read_section(section: type, given: Any, where: str, also: Iterable[str] = ()) -> tuple[Any, list[str]]:
    """A section of a mapping, and one line for each of its mistakes; None in place of the section if there are any.

    Args:
        where: its dotted name, for the messages.
        also: keys that are taken as they are, into the field ``other`` where the section has one.

    A section's ``renamed`` says where keys went that it had, or that others look for in it; null, they say nothing.
    """
    if not isinstance(given, Mapping):
        return None, [f"{where}: expected a section with {', '.join(options_of(section))}, found {shown(given)}"]
    known = options_of(section)
    keys, renamed = [*known, *also], getattr(section, "renamed", {})
    given = {key: value for key, value in given.items() if not (key in renamed and value is None)}
    problems = [
        f"{where}.{key}: no such key; {renamed.get(key) or near_names(str(key), keys)}"
        for key in given
        if key not in keys
    ]
    problems += [
        f"{where}.{name}: missing"
        for name, declared in known.items()
        if given.get(name, declared.default) is MISSING and declared.default_factory is MISSING
    ]
    problems += [
        f"{where}.{name}: ??? stands for a value that must be given"
        for name, value in given.items()
        if name in known and isinstance(value, str) and value == "???"
    ]
    hints = hints_of(section)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in known and not (isinstance(value, str) and value == "???"):
            values[name], wrong = _read_value(value, hints[name], rule_of(known[name]), f"{where}.{name}")
            problems += wrong
    if problems:
        return None, problems
    other = {name: given[name] for name in given if name not in known}
    if any(declared.name == "other" for declared in fields(section)):
        values["other"] = other
    made = section(**values)
    return made, made.problems(where) if hasattr(made, "problems") else []


def read_whole(section: type[Section], given: Any, where: str) -> Section:
    """One section by itself, from a plain mapping or OmegaConf's; references are followed.

    Raises:
        ConfigError: unknown or missing keys, wrong types, values out of range: one line for each mistake.
    """
    from omegaconf import OmegaConf  # late: heavy

    plain = OmegaConf.to_container(given, resolve=True) if OmegaConf.is_config(given) else given
    read, problems = read_section(section, plain, where)
    if problems:
        raise ConfigError(f"the {where} section has {len(problems)} mistake(s)", problems)
    made: Section = read
    return made


def default_layer(section: type) -> dict[str, Any]:
    """The defaults of a section as a mapping; one that follows another key is written ``${key}``."""
    layer: dict[str, Any] = {}
    for name, declared in options_of(section).items():
        rule = rule_of(declared)
        default = _default_of(declared)
        if rule.follows:
            layer[name] = f"${{{rule.follows}}}"
        elif is_dataclass(default):
            layer[name] = {**default_layer(type(default)), **_set_values(default)}
        elif default is not MISSING:
            layer[name] = list(default) if isinstance(default, tuple) else default
    return layer


def is_text(section: type, key: str) -> bool:
    """Whether a key's value is text and nothing else, so that an option's words are taken as they stand."""
    return key in options_of(section) and set(alternatives_of(hints_of(section)[key])) <= {str, type(None)}


def _set_values(made: Any) -> dict[str, Any]:
    """Values of a section that are not its class's defaults."""
    return {
        name: getattr(made, name)
        for name, declared in options_of(type(made)).items()
        if getattr(made, name) != _default_of(declared)
    }


def _default_of(declared: Field[Any]) -> Any:
    return declared.default if declared.default_factory is MISSING else declared.default_factory()


def alternatives_of(hint: Any) -> tuple[Any, ...]:
    """The types that a hint allows."""
    return get_args(hint) if get_origin(hint) is Union else (hint,)


def _read_value(value: Any, hint: Any, rule: Rule, where: str) -> tuple[Any, list[str]]:
    alternatives = alternatives_of(hint)
    if value is None and (is_dataclass(hint) or get_origin(hint) is dict):
        value = {}  # a section that says nothing
    if value is None:
        return None, [] if type(None) in alternatives else [f"{where}: expected a value, found nothing"]
    kinds = [kind for kind in alternatives if kind is not type(None)]
    if is_dataclass(kinds[0]):
        return read_section(kinds[0], value, where)  # type: ignore[arg-type]
    read, problem = None, ""
    for kind in kinds:
        read, problem = _coerce(value, kind)
        if not problem:
            break
    if rule.choices and isinstance(value, str) and (problem or (isinstance(read, str) and read not in rule.choices)):
        allowed = [*rule.choices, *(words for kind, words in _NUMBERS.items() if kind in kinds)]
        problem = f"{shown(value)} is none of {', '.join(allowed)}"
    problem = problem or _outside(read, rule)
    return (None, [f"{where}: {problem}"]) if problem else (read, [])


def _outside(read: Any, rule: Rule) -> str:
    """What is wrong with a value of the right type; of a list or a mapping, with what is in it."""
    if isinstance(read, (tuple, dict)):
        if rule.filled and not read:
            return "it is empty"
        values = read.values() if isinstance(read, dict) else read
        return next(filter(None, (_outside(value, rule) for value in values if not isinstance(value, dict))), "")
    if isinstance(read, str):
        if rule.choices and read not in rule.choices:
            return f"{shown(read)} is none of {', '.join(rule.choices)}"
        if "\0" in read or read != read.encode("utf-8", "replace").decode("utf-8"):
            return f"{shown(read)} is no text: it holds NUL or half a character"
        return "it is empty" if rule.filled and not read.strip() else ""
    if isinstance(read, bool) or not isinstance(read, (int, float)):
        return ""
    largest = _LARGEST[type(read)] if rule.maximum is None else rule.maximum
    if rule.minimum is not None and read < rule.minimum:
        return f"{read} is less than {rule.minimum:g}"
    if rule.above is not None and read <= rule.above:
        return f"{read} is not more than {rule.above:g}"
    if rule.below is not None and read >= rule.below:
        return f"{read} is not less than {rule.below:g}"
    if abs(read) > largest:
        return f"{read} is more than {largest:,.10g}" if read > 0 else f"{read} is less than {-largest:,.10g}"
    return ""


def _coerce(value: Any, kind: Any) -> tuple[Any, str]:
    """``value`` as a ``kind``, and what is wrong with it."""
    origin = get_origin(kind)
    if kind is Any:
        return value, ""
    if origin is tuple:
        return _coerce_list(value, get_args(kind))
    if origin is dict:
        return _coerce_mapping(value, get_args(kind)[1])
    if kind in (bool, str) and isinstance(value, kind):
        return value, ""
    if kind in (int, float) and not isinstance(value, bool):
        number = _number(value)
        if number is not None and kind is float:
            return float(number), ""
        if number is not None and number == int(number):
            return int(number), ""
    names_of_kinds = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    return None, f"expected {names_of_kinds[kind]}, found {shown(value)}"


def shown(value: Any, limit: int = 80) -> str:
    """A value as a message shows it: its beginning, on one line, without what a terminal would act on."""
    try:
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _number(value: Any) -> Union[float, int, None]:
    """A finite number, or text that is one, as YAML reads ``3e-5``; else None."""
    if isinstance(value, str):
        value = float(value) if _NUMERAL.fullmatch(value) else None
    if isinstance(value, int) and abs(value) > _BEYOND:
        return _BEYOND if value > 0 else -_BEYOND  # a float may not hold it, and it is out of any range
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


def _coerce_mapping(value: Any, kind: Any) -> tuple[Any, str]:
    if not isinstance(value, Mapping):
        return None, f"expected a section, found {shown(value)}"
    read = {str(key): _coerce(part, kind) for key, part in value.items()}
    wrong = next((f"{key}: {problem}" for key, (_, problem) in read.items() if problem), "")
    return (None, wrong) if wrong else ({key: part for key, (part, _) in read.items()}, "")


def _coerce_list(value: Any, kinds: tuple[Any, ...]) -> tuple[Any, str]:
    """A tuple of one kind (``tuple[str, ...]``) or of a fixed length (``tuple[int, int, int]``)."""
    kind, open_ended = kinds[0], kinds[-1] is Ellipsis
    values = [value] if isinstance(value, str) else value
    if isinstance(values, (list, tuple)) and (open_ended or len(values) == len(kinds)):
        read = [_coerce(part, kind) for part in values]
        if not any(problem for _, problem in read):
            return tuple(part for part, _ in read), ""
    words = "names" if kind is str else f"{'' if open_ended else f'{len(kinds)} '}numbers"
    return None, f"expected a list of {words}, found {shown(value)}"
