"""``pefomed checkpoint export`` and ``merge``: checkpoints as folders for other programs, each with its card."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CheckpointError, ConfigError, near_names
from ..origins import TINY, is_generated, read_origins
from ..reporting.cards import write_card
from ..reporting.cards.model_card import model_card
from ..reporting.cards.model_facts import gather_facts
from ..services.console import say

if TYPE_CHECKING:
    from ..adapters.exports.contents import Contents, Lora
    from ..adapters.exports.transformers_folder import Parts
    from ..reporting.cards.model_facts import ModelFacts

FORMATS = {
    "peft": "LoRA as a PEFT adapter of its LLaMA, with the projection beside it",
    "transformers": "the whole model, which transformers loads by itself",
}
"""``--format`` -> what it writes."""
_PROJECTION = "projection of visual tokens into LLaMA: llama_proj.weight, llama_proj.bias"
_CARD = "model card: training data, licences, limits, figures"


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that ``export`` has and ``merge`` has not."""
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        default="peft",
        help="; ".join(f"{name}: {text}" for name, text in FORMATS.items()) + " (default: peft)",
    )
    parser.add_argument(
        "--adapter",
        action="store_true",
        help="with --format transformers: LoRA is not merged; DIR/base is the model, DIR/adapter a PEFT adapter on it",
    )
    parser.add_argument(
        "--adapter-base",
        metavar="NAME",
        help="with --adapter: where DIR/base will lie, a path or a name on the hub (default: its path)",
    )
    parser.add_argument(
        "--llama", type=Path, metavar="DIR", help="with --format transformers: its LLaMA (default: PEFOMED_LLAMA)"
    )
    parser.add_argument(
        "--vit", type=Path, metavar="FILE", help="with --format transformers: eva_vit_g.pth (default: PEFOMED_VIT)"
    )


def check_export_arguments(arguments: argparse.Namespace) -> None:
    """Before the file is read. Raises ConfigError: no such format, or flags that it does not have."""
    if arguments.format not in FORMATS:
        raise ConfigError(f"--format {arguments.format}: {near_names(arguments.format, FORMATS)}")
    if arguments.format == "peft":
        given = [
            f"--{name.replace('_', '-')}"
            for name in ("adapter", "adapter_base", "llama", "vit")
            if getattr(arguments, name)
        ]
        if given:
            raise ConfigError(f"{', '.join(given)}: that is for --format transformers; give it, or leave the flag out")
    elif arguments.adapter_base and not arguments.adapter:
        raise ConfigError("--adapter-base is for --adapter; give it, or leave --adapter-base out")


def merge(contents: Contents, arguments: argparse.Namespace) -> int:
    """LoRA worked into its LLaMA."""
    from ..adapters.exports.merge import write_merged  # late: loads torch
    from ..adapters.exports.writing import fresh_folder  # late: loads torch
    from ..toolkit.language_folder import open_language_folder  # late: loads torch

    if arguments.llama is None:
        raise ConfigError(
            "merging needs the LLaMA that the checkpoint was trained on; give its folder with --llama, "
            "or set PEFOMED_LLAMA"
        )
    lora, notes = _prepared(contents, arguments)
    llama = open_language_folder(Path(arguments.llama))
    files = {
        "model*.safetensors": f"{llama.family.title} with the LoRA worked in, and its configuration and tokenizer "
        "beside it",
        **_projection_file(),
    }
    facts = _facts(contents, arguments, "merged", notes, files, llama.folder)
    with fresh_folder(arguments.out) as folder:
        write_merged(contents, lora, llama, folder)
        write_card(folder, model_card(facts))
    say(f"{lora.tensors} of {len(llama.shapes)} tensors merged; written to {arguments.out}")
    _say_upload(facts, arguments.out)
    return 0


def export(contents: Contents, arguments: argparse.Namespace) -> int:
    """A folder for other programs."""
    return (
        _export_transformers(contents, arguments)
        if arguments.format == "transformers"
        else _export_peft(contents, arguments)
    )


def _export_peft(contents: Contents, arguments: argparse.Namespace) -> int:
    from ..adapters.exports.adapter import write_adapter  # late: loads torch
    from ..adapters.exports.contents import ADAPTER_CONFIG, ADAPTER_WEIGHTS  # late: loads torch
    from ..adapters.exports.writing import fresh_folder  # late: loads torch

    lora, notes = _prepared(contents, arguments)
    lora = lora.for_whole_weights()
    whole = f", and {', '.join(lora.settings.modules_to_save)}" if lora.whole else ""
    files = {
        ADAPTER_WEIGHTS: f"LoRA of the language model, rank {lora.settings.r}{whole}",
        ADAPTER_CONFIG: "what PeftModel.from_pretrained needs",
        **_projection_file(),
    }
    facts = _facts(contents, arguments, "adapter", notes, files)
    with fresh_folder(arguments.out) as folder:
        write_adapter(contents, lora, facts.base_model, folder)
        write_card(folder, model_card(facts))
    say(f"adapter of rank {lora.settings.r} on {', '.join(lora.settings.target_modules)} written to {arguments.out}")
    _say_upload(facts, arguments.out)
    return 0


def _export_transformers(contents: Contents, arguments: argparse.Namespace) -> int:
    from ..adapters.exports.contents import ADAPTER, BASE  # late: loads torch
    from ..adapters.exports.transformers_folder import write_transformers, write_with_adapter  # late: loads torch
    from ..adapters.exports.writing import fresh_folder  # late: loads torch

    parts, notes = _parts(contents, arguments)
    out = Path(os.path.abspath(arguments.out))
    base = arguments.adapter_base or str(out / BASE)
    if arguments.adapter and not arguments.adapter_base:
        notes.append(
            "The adapter names its base by a path of the machine that wrote it: set base_model_name_or_path in "
            f"{ADAPTER}/adapter_config.json where it lies elsewhere, or export with --adapter-base."
        )
        say(notes[-1])
    form = "transformers_adapter" if arguments.adapter else "transformers"
    facts = _facts(contents, arguments, form, notes, _files(arguments.adapter), parts.base.folder)
    with fresh_folder(out) as folder:
        if arguments.adapter:
            write_with_adapter(parts, folder, base)
        else:
            write_transformers(parts, folder)
        write_card(folder, model_card(facts))
    what = f"{BASE} and {ADAPTER} written to" if arguments.adapter else "transformers model written to"
    say(f"{what} {arguments.out}; answers of up to {parts.max_new_tokens} tokens, as in evaluation")
    say(
        "transformers loads it with trust_remote_code=True: it runs the Python files in the folder, which are this "
        "package's"
    )
    _say_upload(facts, arguments.out)
    return 0


def _parts(contents: Contents, arguments: argparse.Namespace) -> tuple[Parts, list[str]]:
    """What a transformers model is made of, and notes that are printed and written on the card."""
    from ..adapters.exports.contents import projector_of  # late: loads torch
    from ..adapters.exports.transformers_folder import Parts  # late: loads torch
    from ..adapters.exports.writing import refuse_to_overwrite  # late: loads torch
    from ..adapters.prompting import trained_templates  # late: loads torch
    from ..loading import places_of, section_of  # late: loads torch
    from ..lora import APART, MERGED  # late: beside its use
    from ..registration import register_all  # late: loads torch
    from ..toolkit.language_folder import open_language_folder  # late: loads torch
    from ..vision_encoders import encoder_of  # late: beside its use

    refuse_to_overwrite(arguments.out)
    projector_of(contents)
    if contents.content.get(MERGED):
        is_apart = contents.content.get(APART)
        lora, notes = (
            None,
            [f"LoRA: {'in no part of this base of an adapter' if is_apart else 'in the language model already'}."],
        )
        say(notes[0])
    else:
        lora, notes = _prepared(contents, arguments)
    origin = TINY if is_generated(contents.path) else read_origins(contents.training).model
    section = section_of(contents, arguments.lora_alpha, origin)
    places = places_of(contents, arguments.llama, arguments.vit, origin)
    register_all()
    base = open_language_folder(Path(places["llama_model"]))
    style = base.family.prompt_style
    turn = section.get("prompt_template") or style.system + style.turn
    parts = Parts(
        contents,
        lora,
        base,
        encoder_of(section),
        Path(places["vit_weights"]),
        trained_templates(contents.training.get("prompts"), str(contents.path)),
        turn if section.get("chat_template", True) else "{}",
        section.get("end_sym") or style.end,
    )
    if len(parts.tasks) < len(parts.templates):
        names = ", ".join(parts.templates[task].name for task in parts.tasks)
        notes.append(f"It was last trained on {names} alone; what it says to other tasks is not known.")
        say(notes[-1])
    others = " or ".join(one.name for task, one in parts.templates.items() if task != parts.default_task)
    notes.append(
        f"A text is taken as {parts.templates[parts.default_task].name} unless {others} stands in front of it. "
        "Prompts, images and tokens are those of training."
    )
    return parts, notes


def _files(with_adapter: bool) -> dict[str, str]:
    model = {
        "model*.safetensors": "vision encoder, projection and language model"
        + ("" if with_adapter else " with the LoRA worked in"),
        "config.json, *_minigpt_v2.py": "the model for transformers, which needs trust_remote_code=True",
        "processor_config.json, tokenizer.json, chat_template.jinja": "images and prompts as in training",
        "generation_config.json": "greedy, as in evaluation",
    }
    if not with_adapter:
        return model
    return {
        **{f"base/{name}": text for name, text in model.items()},
        "adapter/adapter_model.safetensors": "LoRA of the language model, for peft",
        "adapter/adapter_config.json": "which names base/",
    }


def _projection_file() -> dict[str, str]:
    from ..adapters.exports.contents import PROJECTOR  # late: loads torch

    return {PROJECTOR: _PROJECTION}


def _prepared(contents: Contents, arguments: argparse.Namespace) -> tuple[Lora, list[str]]:
    """The LoRA, and notes on it, which are printed and written on the card."""
    from ..adapters.exports.contents import find_lora, left_out  # late: loads torch
    from ..adapters.exports.writing import refuse_to_overwrite  # late: loads torch
    from ..toolkit.checkpoint import refuse_nonfinite  # late: loads torch

    is_whole = getattr(arguments, "format", "") == "transformers"
    refuse_to_overwrite(arguments.out)
    lora = find_lora(contents, arguments.lora_alpha)
    if lora is None:
        raise CheckpointError(f"{contents.path} holds no LoRA; pefomed checkpoint inspect shows what it holds")
    refuse_nonfinite(contents.tensors, str(contents.path))
    notes = [f"LoRA: {lora.settings} ({lora.alpha_from})."]
    is_adapter = arguments.adapter if is_whole else arguments.action == "export"
    if lora.parts.starts and is_adapter:
        notes.append(
            "It began as a part of the weights. So that it fits them as they are published, it is written as a LoRA of "
            f"rank {lora.for_whole_weights().settings.r} that computes the same."
        )
    lost = [] if is_whole else left_out(contents, lora)
    if lost:
        notes.append(
            f"{len(lost)} tensors of the checkpoint are neither LoRA nor projection and are not here: "
            f"{', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}."
        )
    for note in notes:
        say(note)
    return lora, notes


def _facts(
    contents: Contents,
    arguments: argparse.Namespace,
    form: str,
    notes: list[str],
    files: dict[str, str],
    folder: Path | None = None,
) -> ModelFacts:
    """What the card says."""
    beside = arguments.file if arguments.file.is_dir() else arguments.file.absolute().parent
    return gather_facts(
        beside,
        contents.config,
        contents.training,
        arguments.file,
        form=form,
        notes=notes,
        name=arguments.out.absolute().name,
        family=contents.family,
        language_folder=folder,
        encoder=contents.encoder,
        base_model=arguments.base_model or contents.family.hub_names.get(contents.width or 0),
        files={**files, "README.md": _CARD},
    )


def _say_upload(facts: ModelFacts, out: Path) -> None:
    for term in facts.terms():
        say("do not forget: " + term)
    if not facts.whole_history:
        say("what the checkpoint it started from was trained on could not be followed: complete README.md")
    say(f"to publish it, read README.md there, then: hf upload YOUR_NAME/{out.absolute().name} {out} .")
