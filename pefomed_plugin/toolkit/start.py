"""What a ``model`` section leaves to the weights it names: the LoRA of its checkpoint, the prompts of its family.

Filled in before anything heavy, for either toolkit, so that what cannot fit ends the run at its start. Builds no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..config.compose import Configuration
from ..config.fields import read_whole
from ..config.model import PeftConfig, VitConfig
from ..errors import CheckpointError, ToolkitError
from ..families import (
    DEFAULT_FAMILY,
    LanguageModelFamily,
    check_trained_modules,
    check_transformers,
    family_in,
    size_in,
)
from ..families.exported import is_exported_folder
from ..lora import FAMILY, LoraSettings, given_in, settings_of, settle
from ..services.console import say
from ..vision_encoders import DEFAULT_ENCODER, VisionEncoder, encoder_of, recorded_encoder, refuse_another_encoder
from . import NAME
from .choice import CHECKOUT

_BUNDLED = "PEFOMED_TOOLKIT=bundled"


def settle_model(section: Mapping[str, Any], checkpoint: str | None = None) -> dict[str, Any]:
    """Keys of a ``model`` section that were open, with their values; weights that are not there are passed over.

    Args:
        section: with defaults filled in; a LoRA key that is null leaves the decision to the checkpoint.
        checkpoint: the file that is loaded last (the one to resume from), in place of ``section["ckpt"]``.

    Raises:
        CheckpointError: the language model is of an unknown family or of one that transformers is too old for, or the
            checkpoint is damaged, was trained with another vision encoder or belongs to other weights of the language
            model; or ``vit_weights`` does not fill the
            encoder, where that is not MiniGPT-v2's.
        ToolkitError: a MiniGPT-4 checkout is to have another vision encoder than its own, or another language model
            than LLaMA-2 or Vicuna.
        ConfigError: the section says another LoRA than the checkpoint was trained with, and both values are named; or
            one that the language model in the folder cannot have.
    """
    whole = whole_model(section)
    section = {**section, **whole}
    language = _language_of(section)
    style = language.family.prompt_style
    settled: dict[str, Any] = {
        **whole,
        "prompt_template": section.get("prompt_template") or style.system + style.turn,
        "end_sym": section.get("end_sym") or style.end,
    }
    given = given_in(section, list(size_in(language.family, language.shape, language.folder).matrices()))
    encoder = encoder_of(section)
    _check_encoder(encoder, section.get("vit_weights"))
    source = str(checkpoint or section.get("ckpt"))
    content: Mapping[str, Any] = {}
    if (checkpoint or section.get("ckpt")) and Path(source).is_file():
        from .checkpoint import read_checkpoint  # late: loads torch

        content = read_checkpoint(Path(source), lazily=True)
        refuse_another_encoder(content, encoder, source)
        _require_weights(language, content, source)
    if given.get("r") == 0:
        return settled
    settings = _settled_lora(given, language, content, source)
    check_trained_modules(settings, language.family, language.shape, language.folder)
    return {**settled, **settings.yaml()}


class _Language(NamedTuple):
    """The language model that a section names."""

    folder: Path
    there: bool
    """Whether the folder holds one; if not, family and shape are MiniGPT-v2's own."""
    family: LanguageModelFamily
    shape: Any


def _language_of(section: Mapping[str, Any]) -> _Language:
    folder = Path(str(section.get("llama_model") or ""))
    there = bool(section.get("llama_model")) and (folder / "config.json").is_file()
    family, shape = family_in(folder) if there else (DEFAULT_FAMILY, None)
    if there:
        check_transformers(family)
    if NAME == CHECKOUT and family is not DEFAULT_FAMILY:
        raise ToolkitError(
            f"a MiniGPT-4 checkout knows LLaMA-2 and Vicuna only, and {folder} holds a {family.title}; set {_BUNDLED}"
        )
    return _Language(folder, there, family, shape)


def _check_encoder(encoder: VisionEncoder, weights: Any) -> None:
    if NAME == CHECKOUT and (encoder.name, encoder.group) != (DEFAULT_ENCODER, VisionEncoder.group):
        raise ToolkitError(
            f"a MiniGPT-4 checkout has one vision encoder, {DEFAULT_ENCODER} with four patches in a visual token, and "
            f"the YAML asks for {encoder.name} with {encoder.group}; set {_BUNDLED}"
        )
    if encoder.name != DEFAULT_ENCODER and weights and Path(str(weights)).exists():
        from .vision_weights import check_vision_weights  # late: loads torch

        check_vision_weights(encoder, Path(str(weights)))


def _require_weights(language: _Language, content: Mapping[str, Any], source: str) -> None:
    """Raises CheckpointError where a checkpoint belongs to other weights of the same family."""
    if language.there and language.family.name == content.get(FAMILY, DEFAULT_FAMILY.name):
        from .language_weights import require_language_weights  # late: loads torch

        require_language_weights(content, language.folder, source)


def _settled_lora(
    given: Mapping[str, Any], language: _Language, content: Mapping[str, Any], source: str
) -> LoraSettings:
    """The LoRA that the user and the checkpoint say; ``content`` is empty where there is no checkpoint."""
    stated: dict[str, Any] = {}
    untrained = False
    if content:
        from .checkpoint import begins_anew  # late: loads torch
        from .lora_tensors import stated_lora  # late: loads torch

        trained_on = content.get(FAMILY, DEFAULT_FAMILY.name)
        if language.there and trained_on != language.family.name:
            raise CheckpointError(
                f"{source} was trained on a language model of the family {trained_on!r}; {language.folder} is of "
                f"{language.family.name!r}. Set model.llama_model (PEFOMED_LLAMA) to the one it was trained on, or "
                "start projection and LoRA untrained: model.ckpt=null"
            )
        stated, _ = stated_lora(content, source, given)
        untrained = bool(begins_anew(content, given, stated, source))
    return settle(given, stated, source, language.family.lora_targets, untrained=untrained)


def whole_model(section: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a section whose ``ckpt`` is an exported transformers folder, which has everything in it: with another
    language model than its own its projection would mean nothing. Empty for every other checkpoint.

    Raises:
        ToolkitError: a checkout reads no such folder.
        CheckpointError: the folder is damaged.
    """
    folder = str(section.get("ckpt") or "")
    if not folder or not is_exported_folder(Path(folder)):
        return {}
    if NAME == CHECKOUT:
        raise ToolkitError(f"a MiniGPT-4 checkout reads no transformers folder, as {folder} is; set {_BUNDLED}")
    from .checkpoint import read_checkpoint  # late: loads torch

    encoder = recorded_encoder(read_checkpoint(Path(folder), lazily=True), folder)
    return {"llama_model": folder, "vit_weights": folder, **(encoder.section() if encoder else {})}


def settled(configuration: Configuration) -> Configuration:
    """A run with what its ``model`` section left open filled in. Raises as ``settle_model``."""
    model = configuration.model
    values = settle_model(vars(model), configuration.run.resume_ckpt_path)
    if "lora_target_modules" in values:
        values["lora_target_modules"] = tuple(values["lora_target_modules"])
        values["peft"] = read_whole(PeftConfig, values["peft"], "model.peft") if "peft" in values else None
    if isinstance(values.get("vit"), Mapping):
        values["vit"] = read_whole(VitConfig, values["vit"], "model.vit")
    if values.get("llama_model", model.llama_model) != model.llama_model:
        say(f"model.ckpt={model.ckpt} is a whole model: its own language model and vision encoder are used")
    return replace(configuration, model=replace(model, **values))


def lora_of_section(section: Mapping[str, Any]) -> LoraSettings | None:
    """The LoRA of a settled section; None where it has none."""
    return settings_of(section, DEFAULT_FAMILY.lora_targets)
