"""How the layers of a configuration become one: defaults of model and data sets < YAML < ``--options``.

Checks the keys against the defaults, so that a mistyped one is an error that names the near one. Needs a registry to
find the defaults, and knows no value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ToolkitError, near_names, one_line
from ..options import RunOptions, unknown_keys

MODEL_CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "models"
SHIPPED = MODEL_CONFIGS.parent / "runs"
"""The YAMLs of whole runs, for who has the package and not the repository."""
SECTIONS = ("model", "datasets", "run", "embedded", "evaluation_datasets")


def load_layers(cfg_path: str, options: Sequence[str], registry: Any) -> Any:
    """The merged configuration as an OmegaConf node.

    Raises:
        ConfigError: the file is missing or no YAML, or keys are unknown; all of them are listed.
        ToolkitError: a model or data set that is not registered.
    """
    from omegaconf import OmegaConf  # late: heavy

    return merge_defaults(OmegaConf.merge(load_yaml(cfg_path), parse_options(options)), registry)


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
        raise ConfigError(f"no configuration file {cfg_path}; shipped are {', '.join(shipped())}")
    try:
        config = OmegaConf.load(path)
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"{cfg_path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, DictConfig):
        raise ConfigError(f"{cfg_path}: expected the sections {', '.join(SECTIONS)}")
    problems = [f"no section {each!r}" for each in ("model", "datasets", "run") if each not in config]
    problems += [
        f"{each}: no such section; {near_names(each, SECTIONS)}" for each in map(str, config) if each not in SECTIONS
    ]
    if problems:
        raise ConfigError(f"{cfg_path} has {len(problems)} mistake(s)", problems)
    return config


def shipped() -> list[str]:
    """Names of the shipped YAMLs."""
    return sorted(str(path.relative_to(SHIPPED)) for path in SHIPPED.glob("*/*.yaml"))


def parse_options(options: Sequence[str]) -> Any:
    """``--options a.b=c d.e=f`` (or upstream's ``a.b c``) as a configuration.

    Raises:
        ConfigError: an option without a value.
    """
    from omegaconf import OmegaConf  # late: heavy
    from omegaconf.errors import OmegaConfBaseException  # late: heavy

    options = list(options)
    if len(options) % 2 == 0 and options and "=" not in options[0]:
        options = [f"{key}={value}" for key, value in zip(options[0::2], options[1::2])]
    wrong = [
        f"{option!r}: write it as section.key=value"
        for option in options
        if not re.match(r"(model|datasets|run)\.[^=]+=", option)
    ]
    if wrong:
        raise ConfigError("--options cannot be read", wrong)
    try:
        return OmegaConf.from_dotlist(options)
    except OmegaConfBaseException as error:
        raise ConfigError(f"--options cannot be read: {one_line(error)}") from error


def merge_defaults(config: Any, registry: Any) -> Any:
    """``config`` over the defaults of its model and data sets, keys checked.

    Raises:
        ConfigError: unknown keys, all of them.
    """
    from omegaconf import OmegaConf  # late: heavy

    arch = config.model.get("arch", "minigpt_v2")
    model_class = registry.get_model_class(arch)
    if model_class is None:  # a checkout's registry returns None
        raise ToolkitError(f"no model is registered as {arch!r}; {near_names(arch, registry.list_models())}")
    model = OmegaConf.load(model_class.default_config_path(config.model.get("model_type", "pretrain"))).model
    if (MODEL_CONFIGS / (arch + ".yaml")).is_file():  # ours knows every key; a checkout's file lacks many
        model = OmegaConf.merge(model, OmegaConf.load(MODEL_CONFIGS / (arch + ".yaml")).model)
    problems = unknown_keys(config.model, [*model, "arch", "model_type"], "model")
    problems += unknown_keys(config.run, RunOptions.__dataclass_fields__, "run")
    layers: list[Any] = [OmegaConf.create({"model": model})]
    for name, given in (config.datasets or {}).items():
        section = given or {}
        builder_class = registry.get_builder_class(name)
        if builder_class is None:
            raise ToolkitError(
                f"no builder is registered as {name!r}; {near_names(str(name), registry.list_datasets())}"
            )
        defaults = OmegaConf.load(builder_class.default_config_path(section.get("type", "default")))
        problems += unknown_keys(section, [*defaults.datasets[name], "type"], "datasets." + str(name))
        layers.append(defaults)
    if not config.datasets:
        problems.append("datasets: no data set named")
    if problems:
        raise ConfigError(f"the configuration has {len(problems)} mistake(s)", problems)
    return OmegaConf.merge(*layers, config)
