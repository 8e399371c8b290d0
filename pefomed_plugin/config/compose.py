"""How the layers of a configuration become one: defaults < YAML < its ``embedded`` section < ``--options``.

The one place where a run's YAML is read, whoever asks: train, evaluate, doctor, estimate, features. Needs a registry to
find models and data sets, and loads none of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Protocol

from ..environment import EMBEDDED, VARIABLES, embedded_parts, embedded_values, sample_folder
from ..errors import ConfigError, near_names
from .checks import KnownClasses, default_path, kind_problems, look_up, name_problems, place_problems, size_problems
from .datasets import DatasetConfig, mixture_problems
from .fields import read_section
from .given import load_yaml, parse_options
from .layers import MODEL, VARIABLE, defaults_in, leaves, merge_layers, plain, resolve, section_of, to_yaml, with_value
from .model import ModelConfig
from .run import RunConfig


@dataclass(frozen=True)
class Configuration:
    """A whole run, typed; every path is filled in."""

    model: ModelConfig
    datasets: Mapping[str, DatasetConfig]
    run: RunConfig
    evaluation_datasets: Mapping[str, Any]
    """Upstream's section of that name, handed on as it is."""

    def with_values(self, changes: Mapping[str, Any]) -> Configuration:
        """A copy with ``section.key`` (or ``datasets.name.key``) set; values are not checked."""
        changed: Configuration = self
        for key, value in changes.items():
            changed = with_value(changed, key.split("."), value)
        return changed


@dataclass(frozen=True)
class Composed:
    """What a YAML and its options say together."""

    configuration: Configuration
    text: str
    """The whole configuration as YAML, in which variables stay names: no path of this machine is in it."""
    embedded: tuple[str, ...]
    """Variables whose values come from the embedded default."""
    given: frozenset[str]
    """Dotted keys that the user's YAML or options set: ``model.lora_r``. All others are defaults."""
    left_out: tuple[str, ...] = ()
    """Data sets of the YAML that the options leave out (``datasets.slake=null``)."""

    def with_model(self, model: ModelConfig) -> Composed:
        """The same with another ``model`` section; the text gets the values that it had left open."""
        from omegaconf import OmegaConf  # late: heavy

        tree: Any = OmegaConf.create(self.text)
        for field_ in fields(model):
            value = getattr(model, field_.name)
            if value != getattr(self.configuration.model, field_.name):
                tree.model[field_.name] = _as_yaml(value)
        return replace(self, configuration=replace(self.configuration, model=model), text=to_yaml(tree))


def _as_yaml(value: Any) -> Any:
    """A value of a section as YAML has it; of a section within it the keys that say something."""
    if is_dataclass(value):
        return {key: _as_yaml(part) for key, part in vars(value).items() if part is not None}
    return list(value) if isinstance(value, tuple) else value


class Refusing(Protocol):
    """What is asked of a training strategy."""

    def refusals(self, configuration: Configuration) -> list[str]:
        """One line for each part of the run that the strategy cannot do."""


def compose_config(
    cfg_path: str,
    options: Sequence[str],
    registry: KnownClasses,
    strategies: Mapping[str, Refusing],
    environ: Mapping[str, str] = os.environ,
    *,
    nothing_has_to_be_set: bool = False,
) -> Composed:
    """The run that a YAML and its options describe.

    Args:
        environ: where the ``PEFOMED_*`` variables are looked up.
        nothing_has_to_be_set: a variable without a value makes None of what it stands for, in place of an error.

    Raises:
        ConfigError: mistakes in the YAML, the options or the environment; all of one kind together.
    """
    given, overrides = plain(load_yaml(cfg_path)), plain(parse_options(options))
    left_out = _take_left_out(given, overrides)
    overlay = _take_overlay(given)
    merged = merge_layers([given, overrides], registry)
    if nothing_has_to_be_set:
        parts = [name for name in VARIABLES if environ.get(name) == EMBEDDED]
    else:
        parts = embedded_parts(set(VARIABLE.findall(str(merged))), environ)
    if "PEFOMED_LLAMA" in parts:
        merged = merge_layers([given, overlay, overrides], registry)
    generated = embedded_values(sample_folder())
    values = {**environ, **{name: generated[name] for name in parts}}
    sections, problems = resolve(merged, values)
    configuration, wrong = _read(sections, registry)
    problems += wrong
    if configuration is not None:
        problems += refusals(configuration, strategies)
    _refuse(problems)
    keys = frozenset(key for layer in (given, overrides) for key in leaves(layer))
    assert configuration is not None
    return Composed(configuration, to_yaml(merged), tuple(parts), keys, left_out)


def compose_tree(cfg_path: str, options: Sequence[str], registry: KnownClasses) -> Any:
    """As ``compose_config``, as the OmegaConf tree that a toolkit's ``Config`` holds; variables stay names.

    Raises:
        ConfigError: as ``compose_config``; no variable has to be set.
    """
    from omegaconf import OmegaConf  # late: heavy

    given, overrides = plain(load_yaml(cfg_path)), plain(parse_options(options))
    _take_left_out(given, overrides)
    _take_overlay(given)
    merged = merge_layers([given, overrides], registry)
    sections, problems = resolve(merged, os.environ)
    _refuse(problems + _read(sections, registry)[1])
    return OmegaConf.create(merged)


def read_configuration(sections: Mapping[str, Any]) -> Configuration:
    """Plain mappings ``model``, ``datasets`` and ``run`` as a configuration; what they leave out is at its default.

    Raises:
        ConfigError: mistakes, all of them.
    """
    configuration, problems = _read(sections, None)
    _refuse(problems)
    assert configuration is not None
    return configuration


def _take_left_out(given: Any, overrides: Any) -> tuple[str, ...]:
    """Take data sets that the options set to null out of the YAML's sections; their names.

    Raises:
        ConfigError: the YAML has no such data set, or no other.
    """
    told = section_of(overrides, "datasets")
    asked = [str(name) for name, section in told.items() if section is None]
    named = [str(name) for name in section_of(given, "datasets")]
    problems = [
        f"datasets.{name}=null: the YAML has no such data set; {near_names(name, named)}"
        for name in asked
        if name not in named
    ]
    if asked and not {*named, *map(str, told)} - set(asked):
        problems.append(f"datasets: {', '.join(asked)} left out, and no other is there")
    if problems:
        raise ConfigError("a data set cannot be left out", problems)
    for name in asked:
        for layer in (given, section_of(given, "embedded"), overrides):
            section_of(layer, "datasets").pop(name, None)
    return tuple(asked)


def _take_overlay(given: Any) -> Any:
    """Take the ``embedded`` section out of the YAML.

    Raises:
        ConfigError: it is no section, or names data sets that the YAML does not train on.
    """
    overlay = given.pop("embedded", None) or {}
    named = [str(name) for name in section_of(given, "datasets")]
    problems = [] if isinstance(overlay, Mapping) else [f"embedded: expected a section, found {overlay!r}"]
    problems += [
        f"embedded.datasets.{name}: the YAML has no such data set; {near_names(str(name), named)}"
        for name in section_of(overlay, "datasets")
        if str(name) not in named
    ]
    if problems:
        raise ConfigError("the embedded section does not fit the YAML's others", problems)
    return overlay


def _read(sections: Mapping[str, Any], registry: KnownClasses | None) -> tuple[Configuration | None, list[str]]:
    """The typed configuration, or None and every mistake of all sections."""
    model, problems = _read_model(sections, registry)
    datasets, wrong = _read_datasets(sections, registry)
    problems += wrong
    run, wrong = read_section(RunConfig, sections.get("run") or {}, "run")
    problems += wrong
    others = sections.get("evaluation_datasets") or {}
    if not isinstance(others, Mapping):
        problems.append(f"evaluation_datasets: expected a section, found {others!r}")
    if registry is not None:
        problems += name_problems(run, datasets, registry)
    if not problems:
        problems = size_problems(model, datasets) + place_problems(model, datasets, run)
    return (None, problems) if problems else (Configuration(model, datasets, run, others), [])


def _read_model(sections: Mapping[str, Any], registry: KnownClasses | None) -> tuple[Any, list[str]]:
    given = sections.get("model") or {}
    section = section_of(sections, "model")
    arch, kind = section.get("arch", MODEL), section.get("model_type", "pretrain")
    model_class = look_up(registry.get_model_class, arch) if registry is not None else None
    # a checkout's model may have keys of its own beside ours
    also = defaults_in(default_path(model_class, kind)).get("model", {})
    model, problems = read_section(ModelConfig, given, "model", [str(key) for key in also])
    if registry is not None and isinstance(arch, str) and model_class is None:
        problems.append(f"model.arch: no model is registered as {arch!r}; {near_names(arch, registry.list_models())}")
    elif model_class is not None and isinstance(kind, str):
        problems += kind_problems(model_class, kind, "model.model_type")
    return model, problems


def _read_datasets(
    sections: Mapping[str, Any], registry: KnownClasses | None
) -> tuple[dict[str, DatasetConfig], list[str]]:
    datasets: dict[str, DatasetConfig] = {}
    problems: list[str] = []
    for name, section in ((str(key), value) for key, value in section_of(sections, "datasets").items()):
        builder_class = look_up(registry.get_builder_class, name) if registry is not None else None
        if registry is not None and builder_class is None:
            known = near_names(name, registry.list_datasets())
            problems.append(f"datasets.{name}: no builder is registered as {name!r}; {known}")
            continue
        given = {} if section is None else section
        datasets[name], wrong = read_section(DatasetConfig, given, f"datasets.{name}")
        problems += wrong
        kind = given.get("type", "default") if isinstance(given, Mapping) else "default"
        if builder_class is not None and isinstance(kind, str):
            problems += kind_problems(builder_class, kind, f"datasets.{name}.type")
    problems += mixture_problems({name: section for name, section in datasets.items() if section is not None})
    if not sections.get("datasets"):
        problems.append("datasets: no data set named")
    elif not isinstance(sections["datasets"], Mapping):
        problems.append(f"datasets: expected a section, found {sections['datasets']!r}")
    return datasets, problems


def _contradictions(configuration: Configuration) -> list[str]:
    """What two sections cannot ask for together."""
    run, model, found = configuration.run, configuration.model, []
    if run.shares_images and model.decoder == "plain":
        found.append(
            f"run.questions_per_image: {run.questions_per_image}: model.decoder: plain takes each question alone; set "
            "model.decoder=packed, or run.questions_per_image=1"
        )
    if run.drafts != "none" and run.test_splits and model.decoder == "plain":
        found.append(
            f"run.drafts: {run.drafts}: model.decoder: plain reads no guesses; set model.decoder=packed, or "
            "run.drafts=none"
        )
    if run.merge_lora and run.test_splits and model.quantisation != "none":
        found.append(
            f"run.merge_lora: weights in {model.quantisation} cannot take LoRA up; set it to false, or "
            "model.llm_quantization=none and model.low_resource=false"
        )
    begun = model.peft.init_lora_weights if model.peft else None
    if model.quantisation != "none" and isinstance(begun, str) and begun != "gaussian":
        found.append(
            f"model.peft.init_lora_weights: {begun}: the part that A and B begin as cannot be taken out of weights in "
            f"{model.quantisation}; leave it out, or set model.llm_quantization=none and model.low_resource=false"
        )
    if model.peft and model.peft.lora_plus_ratio is not None and run.runner == "runner_base":
        found.append(
            "model.peft.lora_plus_ratio: MiniGPT-v2's runner_base has one learning rate for all; set "
            "run.runner=runner_pefomed"
        )
    return found


def refusals(configuration: Configuration, strategies: Mapping[str, Refusing]) -> list[str]:
    """One line for each thing that a run cannot do, in training or in answering, though every section is valid."""
    name, problems = configuration.run.strategy, _contradictions(configuration)
    if name not in strategies:
        return [*problems, f"run.strategy: {name!r} is no training strategy; {near_names(name, strategies)}"]
    return problems + strategies[name].refusals(configuration)


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError(f"the configuration has {len(problems)} mistake(s)", problems)
