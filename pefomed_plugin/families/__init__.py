"""Language model families: one object each, which says everything in which it differs from the others.

A folder of weights is read by the family that names its ``model_type`` and recognises it (LLaMA-2 and LLaMA-3 are both
``llama``); one that none does is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from math import prod
from pathlib import Path
from typing import Any

from ..config.model import ModelConfig
from ..errors import CheckpointError, ConfigError, near_names, one_line
from ..json_text import parse_json
from ..lora import LoraSettings, settings_of
from ..plugins import Registry, declared_in
from ..vision_encoders import encoder_of
from .byte_level import is_byte_level
from .exported import is_exported
from .family import LanguageModelFamily, Licence, Tokenizer
from .llama import LLAMA
from .llama3 import LLAMA3
from .qwen import QWEN2, QWEN3
from .sizes import LanguageSize, ModelSize

__all__ = [
    "DEFAULT_FAMILY",
    "FAMILIES",
    "LLAMA3",
    "QWEN2",
    "QWEN3",
    "LanguageModelFamily",
    "LanguageSize",
    "Licence",
    "ModelSize",
    "Tokenizer",
    "canonical_name",
    "check_trained_modules",
    "check_transformers",
    "family_in",
    "family_of_config",
    "modules_of",
    "read_config",
    "read_model_size",
    "size_in",
    "upstream_name",
]

FAMILIES: Registry[LanguageModelFamily] = Registry(
    "language model family", LanguageModelFamily, declared_in(__name__, LanguageModelFamily)
)
DEFAULT_FAMILY = LLAMA
"""MiniGPT-v2's: of files that were written before a family was named in them."""


def family_of_config(config: Mapping[str, Any], source: str, folder: Path | None = None) -> LanguageModelFamily:
    """The family that reads a ``config.json``.

    Args:
        folder: that it lies in; families of one ``model_type`` are told apart by what it holds.

    Raises:
        CheckpointError: none does, and the known ones are named; several do; or it is of a kind that the family does
            not compute.
        PluginError: a family of another package cannot be used.
    """
    model_type = config.get("model_type")
    of_type = [family for family in FAMILIES.values() if model_type in family.model_types]
    if not of_type:
        known = dict.fromkeys(name for family in FAMILIES.values() for name in family.model_types)
        experts = " (a mixture of experts)" if "moe" in str(model_type) else ""
        raise CheckpointError(
            f"{source} is a language model of type {model_type!r}{experts}, which is not supported; "
            f"{near_names(str(model_type), known)} (another package can add a family: docs/extending.md)"
        )
    found = [family for family in of_type if family.recognises(config, folder)]
    if len(found) != 1:
        names = ", ".join(family.title for family in of_type)
        tokenizer = "; its tokenizer.json is byte-level and not LLaMA-3's" if is_byte_level(folder) else ""
        raise CheckpointError(
            f"{source} is of type {model_type!r}, but no {names} that is supported{tokenizer}"
            if not found
            else f"{source} is claimed by several families: {', '.join(family.name for family in found)}; remove all "
            "packages but one"
        )
    problems = found[0].refuses(config)
    if problems:
        raise CheckpointError(f"{source} is a {found[0].title} of a kind that is not supported", problems)
    return found[0]


def check_transformers(family: LanguageModelFamily) -> None:
    """Raises CheckpointError: transformers is here, but too old to have the family's model."""
    try:
        own = metadata.version("transformers")
    except metadata.PackageNotFoundError:
        return  # said where it is needed
    if family.least_transformers and _numbers(own) < _numbers(family.least_transformers):
        raise CheckpointError(
            f"transformers {own} has no {family.model_class}, which {family.title} needs; "
            f"pip install 'transformers>={family.least_transformers}'"
        )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2] if part.isdigit()]


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a folder of weights.

    Raises:
        CheckpointError: no such folder, no such file, or no JSON object in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"no folder {folder}; set PEFOMED_LLAMA (model.llama_model) to the language model's")
    path = folder / "config.json"
    if not path.is_file():
        raise CheckpointError(
            f"{folder} is no folder of a language model: it has no config.json; give the folder that Hugging Face has"
        )
    try:
        config = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({one_line(error)}); download it again") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds no JSON object; download it again")
    return config


def family_in(folder: Path) -> tuple[LanguageModelFamily, dict[str, Any]]:
    """The family that reads a folder of weights, and the folder's ``config.json``. Raises as the two above."""
    config = read_config(folder)
    if is_exported(config):  # a whole model, of which the language model is a part
        config = dict(config["text_config"])
    return family_of_config(config, f"{folder}/config.json", Path(folder)), config


def canonical_name(key: str) -> str:
    """A tensor's name with what MiniGPT-v2's own files spell otherwise in our spelling."""
    for family in FAMILIES.own.values():  # MiniGPT-v2 itself knows no family of another package
        key = family.canonical(key)
    return key


def size_in(family: LanguageModelFamily, config: Mapping[str, Any] | None, folder: Path) -> LanguageSize:
    """Proportions of a folder's language model; the published ones where there is no folder (``config`` is None)."""
    return family.published_size if config is None else family.size_of(config, Path(folder) / "config.json")


def modules_of(family: LanguageModelFamily, config: Mapping[str, Any] | None) -> dict[str, int]:
    """Modules of the language model that have weights, by name, and how many parameters each has."""
    shapes = family.tensor_shapes(asdict(family.published_size) if config is None else config)
    found: dict[str, int] = {}
    for key, shape in shapes.items():
        module = key.rpartition(".")[0]
        found[module] = found.get(module, 0) + prod(shape)
    return found


def check_trained_modules(
    settings: LoraSettings, family: LanguageModelFamily, config: Mapping[str, Any] | None, folder: Path
) -> None:
    """Raises ConfigError: what LoRA begins as, or a module that is to be trained whole, cannot be there."""
    if not (settings.modules_to_save or settings.splits_weights):
        return
    size, modules, problems = size_in(family, config, folder), modules_of(family, config), []
    matrices = size.matrices()
    for name in settings.modules_to_save:
        where = f"model.peft.modules_to_save: {name!r}"
        found = [module for module in modules if module.endswith(name)]
        table = any(module.endswith(("lm_head", "embed_tokens")) for module in (*found, name))
        if size.tie_word_embeddings and table:
            problems.append(f"{where}: embedding and output layer are one tensor here; leave it out")
        elif not found:
            ends = {module.rpartition(".")[2] for module in modules} - set(matrices)
            problems.append(f"{where}: no module of the {family.title} is called so; {near_names(name, sorted(ends))}")
        elif any(module.rpartition(".")[2] in matrices for module in found):
            problems.append(f"{where} is a matrix of a layer; LoRA is for those: model.lora_target_modules")
    if settings.splits_weights:
        adapted = {target.rpartition(".")[2] for target in settings.target_modules} & set(matrices)
        small = {
            (name, min(matrices[name]))
            for module in modules
            for name in adapted & {module.rpartition(".")[2]}
            if settings.rank_of(module) > min(matrices[name])
        }
        problems += [
            f"model.peft.init_lora_weights: {settings.init_lora_weights}: {name} is of rank {rank}; set model.lora_r "
            "(or model.peft.rank_pattern) to that or less"
            for name, rank in sorted(small)
        ]
    if problems:
        raise ConfigError(f"the model section has {len(problems)} mistake(s)", problems)


def read_model_size(model: ModelConfig) -> ModelSize:
    """Sizes of the ``model`` section; those of ``llama_model`` where the folder is there.

    Raises:
        CheckpointError: the folder is of an unknown family, or its ``config.json`` is damaged.
        ConfigError: a LoRA target that does not exist.
    """
    folder = Path(model.llama_model or "")
    family, published = DEFAULT_FAMILY, True
    config: dict[str, Any] | None = None
    if model.llama_model and (folder / "config.json").is_file():
        family, config = family_in(folder)
        published = False
    language = size_in(family, config, folder)
    lora = settings_of(vars(model), family.lora_targets, list(language.matrices()))
    wrong = lora.unknown_targets(language.matrices()) if lora else []
    if wrong:
        raise ConfigError(f"the model section has {len(wrong)} mistake(s)", wrong)
    vision = encoder_of(vars(model))
    if lora is None:
        return ModelSize(language, vision, 0, (), published=published)
    check_trained_modules(lora, family, config, folder)
    names = modules_of(family, config) if lora.modules_to_save or lora.rank_pattern else {}
    whole = sum(parameters for module, parameters in names.items() if lora.saves(module))
    ranks = {module: lora.rank_of(module) for module in names} if lora.rank_pattern else {}
    return ModelSize(
        language, vision, lora.r, lora.target_modules, published, lora.use_dora, whole, lora.splits_weights, ranks
    )
