"""Whose word counts of LoRA's settings: the user's and the file's put together, or refused with both values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from ..errors import ConfigError
from ..vision_encoders import ENCODER
from .settings import (
    ALL_LINEAR,
    DEFAULTS,
    FAMILY,
    LANGUAGE_WEIGHTS,
    OF_TRAINING,
    RECORD,
    YAML_KEYS,
    LoraSettings,
    plain_number,
)


def recorded(model: Any) -> dict[str, Any]:
    """What a checkpoint of ``model`` keeps beside its tensors, so that it can be used without the run's YAML."""
    settings, family = getattr(model, "lora_settings", None), getattr(model, "family", None)
    encoder, weights = getattr(model, "encoder", None), getattr(model, "language_weights", None)
    return {
        **({} if settings is None else {RECORD: settings.record()}),
        **({} if family is None else {FAMILY: family.name}),
        **({} if weights is None else {LANGUAGE_WEIGHTS: weights}),
        **(
            {}
            if encoder is None
            else {ENCODER: {**encoder.record(), "weights": getattr(model, "encoder_weights", None)}}
        ),
    }


def given_in(section: Mapping[str, Any], linear: Sequence[str] = ()) -> dict[str, Any]:
    """What a ``model`` section says of the settings, under peft's names; nothing of what is null or absent.

    Args:
        linear: names of the linear modules of a decoder layer, which ``all-linear`` stands for.
    """
    nested = section.get("peft") or {}
    sections = {"": section, "peft": asdict(nested) if is_dataclass(nested) else nested}  # type: ignore[arg-type, call-overload]
    found = {}
    for name, key in YAML_KEYS.items():
        where, _, last = key.rpartition(".")
        value = sections[where].get(last)
        if value is not None:
            found[name] = value
    for name in ("target_modules", "modules_to_save"):
        if name in found:
            found[name] = tuple(sorted(map(str, found[name])))
    if found.get("target_modules") == (ALL_LINEAR,) and linear:
        found["target_modules"] = tuple(sorted(linear))
    if "lora_alpha" in found:
        found["lora_alpha"] = plain_number(found["lora_alpha"])
    for name in ("rank_pattern", "alpha_pattern"):
        if name in found:
            found[name] = dict(found[name])
    return found


def settings_of(section: Mapping[str, Any], targets: Sequence[str], linear: Sequence[str] = ()) -> LoraSettings | None:
    """Of a ``model`` section, what it leaves open at its default; None where ``lora_r`` is 0.

    Args:
        targets: of the language model's family, where the section names none.
        linear: as ``given_in``.
    """
    given = given_in(section, linear)
    if given.get("r") == 0:
        return None
    return LoraSettings.of({**DEFAULTS, "target_modules": targets, **given})


def differences(given: Mapping[str, Any], stated: Mapping[str, Any]) -> list[str]:
    """Names of settings that user and file both name, with different values."""
    return [
        name
        for name in YAML_KEYS
        if name not in OF_TRAINING and name in given and name in stated and given[name] != stated[name]
    ]


def settle(
    given: Mapping[str, Any],
    stated: Mapping[str, Any],
    source: str,
    targets: Sequence[str],
    flags: bool = False,
    untrained: bool = False,
) -> LoraSettings:
    """The settings of a run that loads a file: the file's, what it leaves open as given, else the defaults.

    Args:
        given: by the user, under peft's names.
        stated: by the file.
        targets: of the language model's family.
        flags: name settings in messages as options of a command line, not as keys of a YAML.
        untrained: the file's LoRA adds nothing to the weights yet, so that another kind may begin in its place.

    Raises:
        ConfigError: user and file say different things; both values of each are named.
    """
    named = {
        name: f"--{key.replace('_', '-')}" if flags and "." not in key else f"model.{key}"
        for name, key in YAML_KEYS.items()
    }
    wrong = [] if untrained else differences(given, stated)
    problems = [
        f"{named[name]}: {_shown(given[name])} is given, but {source} was trained with {_shown(stated[name])}"
        for name in wrong
    ]
    if problems:
        raise ConfigError(
            f"the LoRA settings are not those of the checkpoint; leave {', '.join(named[name] for name in wrong)} out "
            "and the checkpoint's are taken (to begin another kind on what it has learned: docs/peft-variants.md)",
            problems,
        )
    return LoraSettings.of({**DEFAULTS, "target_modules": targets, **stated, **given})


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)
