"""What a ``model`` section leaves to the weights it names: the LoRA of its checkpoint, the prompts of its family.

Filled in before anything heavy, for either toolkit, so that what cannot fit ends the run at its start. Builds no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.compose import Configuration
from ..errors import CheckpointError
from ..families import DEFAULT_FAMILY, family_in
from ..lora import FAMILY, LoraSettings, given_in, settle


def settle_model(section: Mapping[str, Any], checkpoint: str | None = None) -> dict[str, Any]:
    """Keys of a ``model`` section that were open, with their values; weights that are not there are passed over.

    Args:
        section: with defaults filled in; a LoRA key that is null leaves the decision to the checkpoint.
        checkpoint: the file that is loaded last (the one to resume from), in place of ``section["ckpt"]``.

    Raises:
        CheckpointError: the language model is of an unknown family, or the checkpoint is damaged.
        ConfigError: the section says another LoRA than the checkpoint was trained with; both values are named.
    """
    folder = Path(str(section.get("llama_model") or ""))
    there = bool(section.get("llama_model")) and (folder / "config.json").is_file()
    family = family_in(folder)[0] if there else DEFAULT_FAMILY
    style = family.prompt_style
    settled: dict[str, Any] = {
        "prompt_template": section.get("prompt_template") or style.system + style.turn,
        "end_sym": section.get("end_sym") or style.end,
    }
    given = given_in(section)
    if given.get("r") == 0:
        return settled
    source = checkpoint or section.get("ckpt")
    stated: dict[str, Any] = {}
    if source and Path(str(source)).is_file():
        from .checkpoint import read_checkpoint  # late: loads torch
        from .lora_tensors import stated_lora  # late: loads torch

        content = read_checkpoint(Path(str(source)), lazily=True)
        trained_on = content.get(FAMILY, DEFAULT_FAMILY.name)
        if there and trained_on != family.name:
            raise CheckpointError(
                f"{source} was trained on a language model of the family {trained_on!r}; {folder} is of "
                f"{family.name!r}. Set model.llama_model (PEFOMED_LLAMA) to the one it was trained on"
            )
        stated, _ = stated_lora(content, str(source), given)
    return {**settled, **settle(given, stated, str(source), family.lora_targets).yaml()}


def settled(configuration: Configuration) -> Configuration:
    """A run with what its ``model`` section left open filled in. Raises as ``settle_model``."""
    model = configuration.model
    values = settle_model(vars(model), configuration.run.resume_ckpt_path)
    if "lora_target_modules" in values:
        values["lora_target_modules"] = tuple(values["lora_target_modules"])
    return replace(configuration, model=replace(model, **values))


def lora_of_section(section: Mapping[str, Any]) -> LoraSettings | None:
    """The LoRA of a settled section; None where it has none."""
    return LoraSettings.from_section(section, DEFAULT_FAMILY.lora_targets)
