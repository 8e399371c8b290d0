"""How the layers of a configuration become one: defaults < YAML < its ``embedded`` section < ``--options``.

The one place where a run's YAML is read, whoever asks: train, evaluate, doctor, estimate, features. Needs a registry to
find models and data sets, and loads none of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from ..environment import EMBEDDED, VARIABLES, embedded_parts, embedded_values, sample_folder
from ..errors import ConfigError, ToolkitError, near_names
from .datasets import DatasetConfig, mixture_problems
from .fields import default_layer, read_section
from .given import load_yaml, parse_options
from .model import ModelConfig
from .run import RunConfig

_MODEL = "minigpt_v2"
_VARIABLE = re.compile(r"\$\{oc\.env:(PEFOMED_[A-Z]+)\}")


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
            changed = _with_value(changed, key.split("."), value)
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
                tree.model[field_.name] = list(value) if isinstance(value, tuple) else value
        return replace(self, configuration=replace(self.configuration, model=model), text=_to_yaml(tree))


class KnownClasses(Protocol):
    """What is asked of a toolkit's registry."""

    def get_model_class(self, name: str) -> Any:
        """Class of that name; None or an error where there is none."""

    def get_builder_class(self, name: str) -> Any:
        """Builder class of a data set; None or an error where there is none."""

    def list_models(self) -> list[str]:
        """Known names."""

    def list_datasets(self) -> list[str]:
        """Known names."""


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
    given, overrides = load_yaml(cfg_path), parse_options(options)
    left_out = _take_left_out(given, overrides)
    overlay = given.pop("embedded", None) or {}
    merged = merge_layers([given, overrides], registry)
    if nothing_has_to_be_set:
        parts = [name for name in VARIABLES if environ.get(name) == EMBEDDED]
    else:
        parts = embedded_parts(set(_VARIABLE.findall(str(_plain(merged)))), environ)
    if "PEFOMED_LLAMA" in parts:
        merged = merge_layers([given, overlay, overrides], registry)
    generated = embedded_values(sample_folder())
    values = {**environ, **{name: generated[name] for name in parts}}
    configuration, problems = _read(_resolved(merged, values, cfg_path), registry)
    if configuration is not None:
        problems += refusals(configuration, strategies)
    _refuse(problems)
    keys = frozenset(key for layer in (given, overrides) for key in _leaves(_plain(layer)))
    assert configuration is not None
    return Composed(configuration, _to_yaml(merged), tuple(parts), keys, left_out)


def compose_tree(cfg_path: str, options: Sequence[str], registry: KnownClasses) -> Any:
    """As ``compose_config``, as the OmegaConf tree that a toolkit's ``Config`` holds; variables stay names.

    Raises:
        ConfigError: as ``compose_config``; no variable has to be set.
    """
    given, overrides = load_yaml(cfg_path), parse_options(options)
    _take_left_out(given, overrides)
    given.pop("embedded", None)
    merged = merge_layers([given, overrides], registry)
    _refuse(_read(_resolved(merged, os.environ, cfg_path), registry)[1])
    return merged


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
    asked = [str(name) for name, section in (overrides.get("datasets") or {}).items() if section is None]
    named = [str(name) for name in given.datasets or {}]
    problems = [
        f"datasets.{name}=null: the YAML has no such data set; {near_names(name, named)}"
        for name in asked
        if name not in named
    ]
    if asked and not set(named) - set(asked):
        problems.append(f"datasets: {', '.join(asked)} left out, and no other is there")
    if problems:
        raise ConfigError("a data set cannot be left out", problems)
    for name in asked:
        for layer in (given, (given.get("embedded") or {}), overrides):
            (layer.get("datasets") or {}).pop(name, None)
    return tuple(asked)


def merge_layers(layers: Sequence[Any], registry: KnownClasses) -> Any:
    """The user's layers over the defaults of their model and data sets; unknown names and keys stay, to be reported."""
    from omegaconf import OmegaConf  # late: heavy

    config: Any = OmegaConf.merge(*layers)
    defaults: list[Any] = [{"model": _model_defaults(config.model or {}, registry), "run": default_layer(RunConfig)}]
    for name, section in (config.datasets or {}).items():
        builder_class = _look_up(registry.get_builder_class, str(name))
        if builder_class is not None:
            path = builder_class.default_config_path((section or {}).get("type", "default"))
            defaults.append({"datasets": {name: default_layer(DatasetConfig)}})
            defaults += [OmegaConf.load(path)] if path else []
    return OmegaConf.merge(*defaults, config)


def _model_defaults(given: Mapping[str, Any], registry: KnownClasses) -> Any:
    from omegaconf import OmegaConf  # late: heavy

    arch = given.get("arch", _MODEL)
    model_class = _look_up(registry.get_model_class, arch)
    path = model_class and model_class.default_config_path(given.get("model_type", "pretrain"))
    own = OmegaConf.load(path).model if path else {}
    # ours knows every key; a checkout's file lacks many
    return OmegaConf.merge(own, default_layer(ModelConfig)) if arch == _MODEL or not path else own


def _read(sections: Mapping[str, Any], registry: KnownClasses | None) -> tuple[Configuration | None, list[str]]:
    """The typed configuration, or None and every mistake of all sections."""
    model_section = sections.get("model") or {}
    model, problems = read_section(ModelConfig, model_section, "model", _foreign_keys(model_section, registry))
    if registry is not None and _look_up(registry.get_model_class, model_section.get("arch", _MODEL)) is None:
        arch = str(model_section.get("arch"))
        problems.append(f"model.arch: no model is registered as {arch!r}; {near_names(arch, registry.list_models())}")
    datasets: dict[str, DatasetConfig] = {}
    for name, section in (sections.get("datasets") or {}).items():
        if registry is not None and _look_up(registry.get_builder_class, str(name)) is None:
            problems.append(
                f"datasets.{name}: no builder is registered as {name!r}; "
                + near_names(str(name), registry.list_datasets())
            )
            continue
        datasets[str(name)], wrong = read_section(DatasetConfig, section or {}, f"datasets.{name}")
        problems += wrong
    problems += mixture_problems({name: section for name, section in datasets.items() if section is not None})
    if not sections.get("datasets"):
        problems.append("datasets: no data set named")
    run, wrong = read_section(RunConfig, sections.get("run") or {}, "run")
    problems += wrong
    if run is not None and run.evaluate and not run.test_splits:
        problems.append("the run neither trains nor answers: run.evaluate is true and run.test_splits is empty")
    if problems:
        return None, problems
    return Configuration(model, datasets, run, sections.get("evaluation_datasets") or {}), []


def _foreign_keys(model: Mapping[str, Any], registry: KnownClasses | None) -> list[str]:
    """Keys of the model's own default file, which a checkout's model may have beside ours."""
    from omegaconf import OmegaConf  # late: heavy

    model_class = _look_up(registry.get_model_class, model.get("arch", _MODEL)) if registry is not None else None
    if model_class is None:
        return []
    path = model_class.default_config_path(model.get("model_type", "pretrain"))
    return [str(key) for key in OmegaConf.load(path).model] if path else []


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
    return found


def refusals(configuration: Configuration, strategies: Mapping[str, Refusing]) -> list[str]:
    """One line for each thing that a run cannot do, in training or in answering, though every section is valid."""
    name, problems = configuration.run.strategy, _contradictions(configuration)
    if name not in strategies:
        return [*problems, f"run.strategy: {name!r} is no training strategy; {near_names(name, strategies)}"]
    return problems + strategies[name].refusals(configuration)


def _look_up(get: Any, name: str) -> Any:
    try:
        return get(name)
    except ToolkitError:
        return None  # a checkout's registry returns None, ours raises


def _resolved(merged: Any, values: Mapping[str, str], cfg_path: str) -> dict[str, Any]:
    """The tree as plain mappings, every reference followed; a variable that is not set makes None of its value."""
    from omegaconf import OmegaConf  # late: heavy
    from omegaconf.errors import OmegaConfBaseException  # late: heavy

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(value) for key, value in node.items()}
        if isinstance(node, list):
            return [filled(value) for value in node]
        if not isinstance(node, str) or not _VARIABLE.search(node):
            return node
        if not all(values.get(name) for name in _VARIABLE.findall(node)):
            return None
        return _VARIABLE.sub(lambda match: values[match.group(1)].replace("${", r"\${"), node)

    try:
        whole: Any = OmegaConf.to_container(OmegaConf.create(filled(_plain(merged))), resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{cfg_path}: {' '.join(str(error).split())}") from error
    return whole  # type: ignore[no-any-return]


def _plain(tree: Any) -> Any:
    from omegaconf import OmegaConf  # late: heavy

    return OmegaConf.to_container(OmegaConf.create(tree))


def _to_yaml(tree: Any) -> str:
    from omegaconf import OmegaConf  # late: heavy

    return str(OmegaConf.to_yaml(tree))


def _leaves(node: Any, path: str = "") -> Iterator[str]:
    """Dotted keys of what a mapping sets; ``slake: {}`` sets ``datasets.slake`` itself."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif path:
        yield path


def _with_value(node: Any, path: list[str], value: Any) -> Any:
    key, *rest = path
    if isinstance(node, Mapping):
        return {**node, key: _with_value(node[key], rest, value) if rest else value}
    if key not in {field_.name for field_ in fields(node)}:
        raise KeyError(key)
    return replace(node, **{key: _with_value(getattr(node, key), rest, value) if rest else value})


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError(f"the configuration has {len(problems)} mistake(s)", problems)
