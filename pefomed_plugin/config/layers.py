"""Layers of a configuration, as plain mappings, laid over each other; and what their references lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from ..errors import PefomedError, one_line
from ..vision_encoders import DEFAULT_ENCODER, LARGEST_IMAGE, VisionEncoder, encoder_of
from .checks import KnownClasses, default_path, look_up
from .datasets import DatasetConfig
from .fields import default_layer, read_section
from .model import ModelConfig, VitConfig
from .run import RunConfig

MODEL = "minigpt_v2"
"""Architecture of a YAML that names none."""
VARIABLE = re.compile(r"\$\{oc\.env:(PEFOMED_[A-Z]+)\}")
"""A reference to one of our variables."""
_LEADS_NOWHERE = object()


def merge_layers(layers: Sequence[Mapping[str, Any]], registry: KnownClasses) -> dict[str, Any]:
    """The user's layers over the defaults of their model and data sets; unknown names and keys stay, to be reported."""
    config: dict[str, Any] = _over({}, *layers)
    defaults: list[Mapping[str, Any]] = [
        {"model": _model_defaults(section_of(config, "model"), registry), "run": default_layer(RunConfig)}
    ]
    for name, section in section_of(config, "datasets").items():
        builder_class = look_up(registry.get_builder_class, str(name))
        if builder_class is not None and isinstance(section or {}, Mapping):
            defaults.append({"datasets": {name: default_layer(DatasetConfig)}})
            defaults.append(defaults_in(default_path(builder_class, (section or {}).get("type", "default"))))
            defaults.append({"datasets": {name: _images_for(section_of(config, "model"), section or {})}})
    return _over({}, *defaults, config)


def _encoder_in(given: Mapping[str, Any]) -> VisionEncoder | None:
    """The vision encoder that a ``model`` section names, where it is another than MiniGPT-v2's; None too where there is
    no such encoder, which the section says."""
    if given.get("vit_model", DEFAULT_ENCODER) == DEFAULT_ENCODER:
        return None
    asked = {key: given[key] for key in ("vit_model", "vit", "image_size") if given.get(key) is not None}
    size, vit = asked.get("image_size", 1), read_section(VitConfig, asked.get("vit", {}), "model.vit")[0]
    if vit is None or not isinstance(size, int) or not 0 < size <= LARGEST_IMAGE:
        return None
    with suppress(PefomedError):
        return encoder_of(asked)
    return None


def _images_for(model: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What another vision encoder takes its images normalised by, for the processors that are ours."""
    encoder, processors = _encoder_in(model), section_of(given, "vis_processor")
    if encoder is None:
        return {}
    by = {"mean": list(encoder.mean), "std": list(encoder.std)}
    ours = [
        phase
        for phase in ("train", "eval")
        if str(section_of(processors, phase).get("name", "blip2_image")).startswith("blip2_image")
    ]
    return {"vis_processor": {phase: by for phase in ours}}


def _over(lower: Any, *layers: Any) -> Any:
    """Mappings merged key by key, anything else replaced: nothing is refused here that the sections can name."""
    for upper in layers:
        if isinstance(lower, Mapping) and isinstance(upper, Mapping):
            lower = {**lower, **{key: _over(lower.get(key), value) for key, value in upper.items()}}
        else:
            lower = upper
    return lower


def section_of(sections: Mapping[str, Any], name: str) -> Any:
    """A section; empty where there is none, or none that can be read."""
    found = sections.get(name)
    return found if isinstance(found, Mapping) else {}


def defaults_in(path: str) -> dict[str, Any]:
    from omegaconf import OmegaConf  # late: heavy

    return plain(OmegaConf.load(path)) if path else {}  # type: ignore[no-any-return]


def _model_defaults(given: Mapping[str, Any], registry: KnownClasses) -> Any:
    arch = given.get("arch", MODEL)
    path = default_path(look_up(registry.get_model_class, arch), given.get("model_type", "pretrain"))
    own = defaults_in(path).get("model", {})
    # ours knows every key; a checkout's file lacks many
    encoder = _encoder_in(given)
    size = {} if encoder is None else {"image_size": encoder.image_size}
    return _over(own, {**default_layer(ModelConfig), **size}) if arch == MODEL or not path else {**own, **size}


def resolve(merged: dict[str, Any], values: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The tree with every reference followed, and what is wrong with those that lead nowhere; a variable that is not
    set makes None of its value."""

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(value) for key, value in node.items()}
        if isinstance(node, list):
            return [filled(value) for value in node]
        if not isinstance(node, str) or not VARIABLE.search(node):
            return node
        if not all(values.get(name) for name in VARIABLE.findall(node)):
            return None
        return VARIABLE.sub(lambda match: values[match.group(1)].replace("${", r"\${"), node)

    return _follow(filled(merged))


def _follow(tree: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Every ``${...}`` followed, and a line for each that cannot be, whose key is then as if it were not there."""
    from omegaconf import OmegaConf  # late: heavy
    from omegaconf.errors import OmegaConfBaseException  # late: heavy

    whole: Any = None
    config: Any = OmegaConf.create(dict(tree))
    with suppress(OmegaConfBaseException, RecursionError, ValueError, TypeError):
        whole = OmegaConf.to_container(config, resolve=True)
        return whole, []
    problems: list[str] = []

    def followed(node: Any, path: tuple[str, ...]) -> Any:
        if isinstance(node, dict):
            found = {key: followed(value, (*path, str(key))) for key, value in node.items()}
            return {key: value for key, value in found.items() if value is not _LEADS_NOWHERE}
        try:
            parent = config
            for key in path[:-1]:
                parent = parent._get_node(key)
            value = parent[path[-1]]
            return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except RecursionError:
            problems.append(f"{'.'.join(path)}: it refers to itself")
        except Exception as error:  # a reference may call a resolver, which raises what it likes
            problems.append(f"{'.'.join(path)}: {one_line(error)}")
        return _LEADS_NOWHERE

    return followed(tree, ()), problems


def plain(tree: Any) -> Any:
    from omegaconf import OmegaConf  # late: heavy

    return OmegaConf.to_container(OmegaConf.create(tree))


def to_yaml(tree: Any) -> str:
    from omegaconf import OmegaConf  # late: heavy

    return str(OmegaConf.to_yaml(OmegaConf.create(tree)))


def leaves(node: Any, path: str = "") -> Iterator[str]:
    """Dotted keys of what a mapping sets; ``slake: {}`` sets ``datasets.slake`` itself."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif path:
        yield path


def with_value(node: Any, path: list[str], value: Any) -> Any:
    key, *rest = path
    if isinstance(node, Mapping):
        return {**node, key: with_value(node[key], rest, value) if rest else value}
    if key not in {field_.name for field_ in fields(node)}:
        raise KeyError(key)
    return replace(node, **{key: with_value(getattr(node, key), rest, value) if rest else value})
