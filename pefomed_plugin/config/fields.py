"""Fields of a configuration section: type, default, range, choices and help stand beside each other, in one place.

A section is a frozen dataclass whose fields are made with ``option``. ``read_section`` makes one of a plain mapping and
lists every mistake; ``default_layer`` gives its defaults as a mapping.
"""

from __future__ import annotations

import math
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
    follows: str = ""
    """Where the default comes from: another key (``run.seed``) or a variable (``oc.env:PEFOMED_LLAMA``)."""
    upstream: bool = False
    """Whether MiniGPT-v2's ``runner_base`` does something with it."""


_NUMBERS = {int: "a whole number", float: "a number"}
"""Kinds that some fields take beside the names of their choices."""


def option(
    help: str,
    default: Any = MISSING,
    *,
    factory: Any = MISSING,
    choices: tuple[str, ...] = (),
    minimum: Optional[float] = None,
    follows: str = "",
    upstream: bool = False,
) -> Any:
    """A field of a section; without ``default`` and ``factory`` the key has to be given."""
    metadata = {_RULE: Rule(help, choices, minimum, follows, upstream)}
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
    """
    if not isinstance(given, Mapping):
        return None, [f"{where}: expected a section, found {given!r}"]
    known = options_of(section)
    keys = [*known, *also]
    problems = [f"{where}.{key}: no such key; {near_names(str(key), keys)}" for key in given if key not in keys]
    problems += [
        f"{where}.{name}: missing"
        for name, declared in known.items()
        if name not in given and _default_of(declared) is MISSING
    ]
    hints = hints_of(section)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in known:
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
        problem = f"{value!r} is none of {', '.join(allowed)}"
    if problem:
        return None, [f"{where}: {problem}"]
    if rule.minimum is not None and isinstance(read, (int, float)) and read < rule.minimum:
        return None, [f"{where}: {read} is less than {rule.minimum:g}"]
    return read, []


def _coerce(value: Any, kind: Any) -> tuple[Any, str]:
    """``value`` as a ``kind``, and what is wrong with it."""
    origin = get_origin(kind)
    if kind is Any:
        return value, ""
    if origin is tuple:
        return _coerce_list(value, get_args(kind))
    if origin is dict:
        return (dict(value), "") if isinstance(value, Mapping) else (None, f"expected a section, found {value!r}")
    if kind in (bool, str) and isinstance(value, kind):
        return value, ""
    if kind in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if kind is float and math.isfinite(number):
            return number, ""
        if kind is int and number == int(number if math.isfinite(number) else 0.5):
            return int(number), ""
    names_of_kinds = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    return None, f"expected {names_of_kinds[kind]}, found {value!r}"


def _coerce_list(value: Any, kinds: tuple[Any, ...]) -> tuple[Any, str]:
    """A tuple of one kind (``tuple[str, ...]``) or of a fixed length (``tuple[int, int, int]``)."""
    kind, open_ended = kinds[0], kinds[-1] is Ellipsis
    values = [value] if isinstance(value, str) else value
    if isinstance(values, (list, tuple)) and (open_ended or len(values) == len(kinds)):
        read = [_coerce(part, kind) for part in values]
        if not any(problem for _, problem in read):
            return tuple(part for part, _ in read), ""
    words = "names" if kind is str else f"{'' if open_ended else f'{len(kinds)} '}numbers"
    return None, f"expected a list of {words}, found {value!r}"
