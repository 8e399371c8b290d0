"""What the user gives of a configuration: a YAML file, their own or a shipped one, and ``--options``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import ConfigError, near_names, one_line, why
from .datasets import DatasetConfig
from .fields import is_text, options_of
from .model import ModelConfig
from .run import RunConfig

DEFAULTS = Path(__file__).resolve().parents[1] / "configs"
SHIPPED = DEFAULTS / "runs"
"""The YAMLs of whole runs, for an installation without the repository."""
SECTIONS = ("model", "datasets", "run", "embedded", "evaluation_datasets")
_MOST_VALUES = 100_000
_OPTION = re.compile(r"(model|datasets|run)(\.[^.=\[\]\s]+)+=")
_OTHER_BASE = re.compile(r"[-+]?(?:0[0-7_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)")
"""Numbers that YAML 1.1 reads to the base 8 (``042`` is 34) or 60 (``1:30`` is 90)."""
_SECTION_TYPES: dict[str, type] = {"model": ModelConfig, "run": RunConfig}


def load_yaml(cfg_path: str) -> Any:
    """One YAML file, the user's or a shipped one: ``train_configs/pefomed_stage2.yaml`` is found from anywhere.

    Raises:
        ConfigError: it is missing, no YAML, or no mapping of the known sections.
    """
    import yaml  # late: heavy
    from omegaconf import DictConfig, OmegaConf  # late: heavy
    from omegaconf.errors import OmegaConfBaseException  # late: heavy

    path = Path(cfg_path) if Path(cfg_path).is_file() else SHIPPED / cfg_path
    if not path.is_file():
        if Path(cfg_path).is_dir():
            raise ConfigError(f"{cfg_path} is a folder; name the YAML of a run in it")
        near = get_close_matches(cfg_path, shipped(), n=3, cutoff=0.7)
        meant = f"did you mean {' or '.join(near)}?" if near else f"shipped are {', '.join(shipped())}"
        raise ConfigError(f"no configuration file {cfg_path}; {meant}")
    try:
        _refuse_what_surprises(path)
        config = OmegaConf.load(path)
        plain: Any = OmegaConf.to_container(config)
    except OSError as error:
        raise ConfigError(f"cannot read {cfg_path}: {why(error)}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {cfg_path}: {why(error)}") from error
    except RecursionError as error:
        raise ConfigError(f"{cfg_path} is not YAML of a run: it is nested too deeply") from error
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, TypeError) as error:
        raise ConfigError(f"{cfg_path} is not YAML: {' '.join(str(error).split())[:500]}") from error
    if not isinstance(config, DictConfig) or not isinstance(plain, dict):
        raise ConfigError(f"{cfg_path}: expected the sections {', '.join(SECTIONS)}")
    problems = [f"no section {name!r}" for name in ("model", "datasets", "run") if name not in plain]
    problems += [
        f"{name}: no such section; {near_names(name, SECTIONS)}" for name in map(str, plain) if name not in SECTIONS
    ]
    sections = {name: plain[name] for name in SECTIONS if plain.get(name) is not None}
    embedded = sections.get("embedded")
    if isinstance(embedded, dict):
        sections.update({f"embedded.{name}": section for name, section in embedded.items() if section is not None})
    problems += [
        f"{name}: expected a section, found {section!r}"
        for name, section in sections.items()
        if not isinstance(section, dict)
    ]
    datasets = sections.get("datasets")
    problems += [
        f"datasets.{name}: nothing behind it; write {name}: {{}} for its defaults, or take the line out"
        for name, section in (datasets if isinstance(datasets, dict) else {}).items()
        if section is None
    ]
    if problems:
        raise ConfigError(f"{cfg_path} has {len(problems)} mistake(s)", problems)
    return config


def _refuse_what_surprises(path: Path) -> None:
    """Refuse a file whose aliases, each written out, make it a bomb: ``b: [*a, *a]``, ``c: [*b, *b]`` and so on; and
    numbers to another base, which nobody means.

    Raises:
        ConfigError: a number is to another base.
        ValueError: it is a bomb.
        yaml.YAMLError: it is no YAML.
    """
    import yaml  # late: heavy

    with open(path, encoding="utf-8") as file:
        root = yaml.compose(file, yaml.SafeLoader)
    sizes: dict[int, int] = {}

    def size_of(node: Any) -> int:
        if id(node) not in sizes:
            if isinstance(node, yaml.ScalarNode) and node.style is None and _OTHER_BASE.fullmatch(node.value):
                raise ConfigError(f"{path}, line {node.start_mark.line + 1}: {_says_other_base(node.value)}")
            sizes[id(node)] = 1  # of a node within itself, which is refused later
            inside = [
                part for item in getattr(node, "value", ()) for part in (item if isinstance(item, tuple) else [item])
            ]
            sizes[id(node)] = 1 + sum(size_of(part) for part in inside if isinstance(part, yaml.Node))
        return sizes[id(node)]

    if size_of(root) > _MOST_VALUES:
        raise ValueError(f"with its aliases written out it has more than {_MOST_VALUES:,} values")


def _says_other_base(value: str) -> str:
    base = "60" if ":" in value else "8"
    return f"YAML reads {value} as a number to the base {base}; write it to the base 10, or in quotes if it is a text"


def shipped_files() -> dict[str, Path]:
    """Every shipped YAML by its name (``projects/pefomed/stage2_slake.yaml``), in order."""
    # links are followed one folder at a time: in a clone these folders are links to its own
    found = [*SHIPPED.glob("*/*.yaml"), *SHIPPED.glob("*/*/*.yaml")]
    return {path.relative_to(SHIPPED).as_posix(): path for path in sorted(found)}


def shipped() -> list[str]:
    """Names of the shipped YAMLs of whole runs."""
    return [name for name, path in shipped_files().items() if "\nrun:" in path.read_text(encoding="utf-8")]


def parse_options(options: Sequence[str]) -> Any:
    """``--options a.b=c d.e=f`` (or upstream's ``a.b c``) as a configuration.

    The value of a key that is text is taken as it stands: ``run.output_dir=out/a #1`` names the folder ``a #1``.

    Raises:
        ConfigError: an option without a value, or of no section.
    """
    import yaml  # late: heavy
    from omegaconf import OmegaConf  # late: heavy
    from omegaconf.errors import OmegaConfBaseException  # late: heavy

    options = _with_equals(options)
    wrong = [_what_is_wrong(option, options) for option in options if not _OPTION.match(option)]
    if wrong:
        raise ConfigError("--options cannot be read", wrong)
    parsed: Any = OmegaConf.create({})
    for option in options:
        key, _, value = option.partition("=")
        try:
            if _is_text(key) and value not in ("null", "~", "") and value[0] not in "'\"":
                OmegaConf.update(parsed, key, value)
            elif _OTHER_BASE.fullmatch(value):
                raise ValueError(_says_other_base(value))
            else:
                parsed = OmegaConf.merge(parsed, OmegaConf.from_dotlist([option]))
        except (OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigError("--options cannot be read", [f"{option!r}: {one_line(error)}"]) from error
    return parsed


def _with_equals(options: Sequence[str]) -> list[str]:
    if len(options) % 2 == 0 and options and "=" not in options[0]:
        return [f"{key}={value}" for key, value in zip(options[0::2], options[1::2])]
    return list(options)


def given_twice(options: Sequence[str]) -> list[str]:
    """A line for each key that options give different values, of which the last is used."""
    values: dict[str, list[str]] = {}
    for key, _, value in (option.partition("=") for option in _with_equals(options)):
        values.setdefault(key, []).append(value)
    return [
        f"--options {key} is given {len(given)} times; the last is used: {given[-1]}"
        for key, given in values.items()
        if len(set(given)) > 1
    ]


def _what_is_wrong(option: str, options: Sequence[str]) -> str:
    key, equals, _ = option.partition("=")
    section = key.split(".")[0]
    if any(word.startswith("=") or word.endswith("=") for word in options):
        return f"{option!r}: write it as section.key=value, without blanks around the ="
    if "." in key and section not in ("model", "datasets", "run"):
        known = near_names(section, ("model", "datasets", "run"))
        return f"{option!r}: no section {section!r}; {known}"
    if not equals and "." in key:
        return f"{option!r}: it has no value; write it as section.key=value"
    if section in _SECTION_TYPES or section == "datasets":
        return f"{option!r}: a whole section; write it as section.key=value"
    of = [name for name, declared in _SECTION_TYPES.items() if key in options_of(declared)]
    meant = f", such as {of[0]}.{key}={option.partition('=')[2] or 'VALUE'}" if of else ""
    return f"{option!r}: write it as section.key=value{meant}"


def _is_text(key: str) -> bool:
    section, *path = key.split(".")
    declared = DatasetConfig if section == "datasets" and path[1:] else _SECTION_TYPES.get(section)
    path = path[1:] if section == "datasets" else path
    while declared is not None and len(path) > 1:
        declared, path = _nested(declared, path[0]), path[1:]
    return declared is not None and is_text(declared, path[0])


def _nested(section: type, key: str) -> type | None:
    """The section that a key of a section holds."""
    field_ = options_of(section).get(key)
    default = None if field_ is None else field_.default
    return type(default) if is_dataclass(default) else None  # type: ignore[return-value]
