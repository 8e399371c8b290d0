"""``pefomed checkpoint``: what a weights file holds, and the file in the forms that others need."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ..errors import CheckpointError, ConfigError, near_names
from ..origins import read_origins
from ..reporting.cards import write_card
from ..reporting.cards.model_card import model_card
from ..reporting.cards.model_facts import gather_facts
from ..reporting.rendering import Shown
from ..reporting.table import COUNT, Column, Table
from ..services.console import say
from .output import Output, add_json_argument

if TYPE_CHECKING:
    from ..adapters.exports.contents import Contents, Lora
    from ..reporting.cards.model_facts import ModelFacts

_FILE = ".pth or .safetensors of this plugin, of MiniGPT-v2 or PeFoMed; or an exported adapter folder"
_PROJECTION = "projection of visual tokens into LLaMA: llama_proj.weight, llama_proj.bias"
_CARD = "model card: training data, licences, limits, figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str, example: str) -> argparse.ArgumentParser:
        added = actions.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog="example: pefomed checkpoint " + example,
        )
        added.add_argument("file", type=Path, metavar="FILE", help=_FILE)
        return added

    inspect = action("inspect", "what a file holds: tensors, LoRA, spelling, training", "inspect checkpoint_last.pth")
    add_json_argument(inspect)
    convert = action(
        "convert", "the same tensors in another spelling or file format", "convert checkpoint_last.pth --to peft"
    )
    convert.add_argument(
        "--to", required=True, metavar="FORM", help="minigpt4 (MiniGPT-v2's spelling), peft (today's) or safetensors"
    )
    convert.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: beside FILE)")
    convert.add_argument(
        "--weights-only", action="store_true", help="leave out what only resuming needs: optimizer, scaler"
    )
    merge = action(
        "merge",
        "LoRA worked into its LLaMA: a plain LLaMA folder",
        "merge checkpoint_last.pth --llama Llama-2-7b-chat-hf --out merged",
    )
    merge.add_argument(
        "--llama",
        type=Path,
        metavar="DIR",
        default=os.environ.get("PEFOMED_LLAMA"),
        help="LLaMA that it was trained on (default: PEFOMED_LLAMA)",
    )
    export = action(
        "export",
        "a PEFT adapter folder with the projection and a model card, for the Hugging Face hub",
        "export checkpoint_last.pth --out adapter",
    )
    for action_parser, what in ((merge, "merged model"), (export, "adapter")):
        action_parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
        action_parser.add_argument(
            "--lora-alpha", type=int, metavar="N", help="where the file does not say (default: 16)"
        )
        action_parser.add_argument(
            "--base-model",
            metavar="NAME",
            help=f"of the LLaMA on the Hugging Face hub, for the {what}'s card (default: by its width)",
        )
    parser.epilog = "example: pefomed checkpoint inspect output/stage2/checkpoint_last.pth"


def run(arguments: argparse.Namespace) -> int | Output:
    """Run one of the four actions; ``inspect`` exits with 1 if something is wrong with the file."""
    from ..adapters.exports.contents import read_contents  # late: loads torch

    actions: dict[str, Callable[..., int | Output]] = {
        "inspect": _inspect,
        "convert": _convert,
        "merge": _merge,
        "export": _export,
    }
    contents = read_contents(arguments.file, may_be_damaged=arguments.action == "inspect")
    return actions[arguments.action](contents, arguments)


def _inspect(contents: Contents, arguments: argparse.Namespace) -> Output:
    from ..adapters.exports.summary import summarise  # late: loads torch

    summary = summarise(contents)
    return Output(summary, _shown(summary), 1 if summary["problems"] else 0)


def _shown(summary: Mapping[str, Any]) -> list[Shown]:
    digest = {
        "ok": "digest ok",
        "differs": "DAMAGED: not the file its digest was written with",
        "none": "no digest beside it",
    }[summary["digest"]]
    tensors = Table(
        "tensors",
        [
            Column("part", lambda item: item[0]),
            Column("tensors", lambda item: item[1]["tensors"], COUNT),
            Column("parameters", lambda item: item[1]["parameters"], COUNT),
            Column("type", lambda item: ", ".join(item[1]["dtypes"])),
        ],
        list(summary["parts"].items()),
    )
    return [
        f"{summary['path']} ({_size(summary['bytes'])}, {digest})",
        "",
        *(f"{name:<12} {text}" for name, text in _lines(summary)),
        "",
        tensors,
        *(f"WRONG: {problem}" for problem in summary["problems"]),
    ]


def _lines(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    lora, training, done = summary["lora"], summary["training"], summary["run"]
    words = read_origins(training).words
    lines = [("written by", summary["written_by"] + (f"; {words}" if words else ""))]
    if lora:
        where = f"{', '.join(lora['targets'])} of {lora['layers']} layers"
        alpha = f"alpha {lora['alpha']} ({lora['alpha_from']})"
        lines.append(("LoRA", f"rank {lora['rank']} on {where}; {alpha}{_beyond_plain(lora)}"))
    lines.append(("spelling", summary["spelling_words"]))
    if summary["llama_width"]:
        lines.append(("trained on", f"{summary['language_model']} of width {summary['llama_width']}"))
    encoder = summary["vision_encoder"]
    if isinstance(encoder, Mapping):
        lines.append(("encoder", f"{encoder.get('name')}, {encoder.get('image_size')} pixels"))
    told = [
        introduction + (", ".join(done[key]) if isinstance(done[key], list) else str(done[key]))
        for key, introduction in (
            ("task", ""),
            ("datasets", "on "),
            ("started_from", "from "),
            ("image_size", "image size "),
        )
        if done.get(key)
    ]
    if told:
        lines.append(("run", "; ".join(told)))
    if training:
        epoch = training.get("epoch")
        noted = [] if epoch is None else [f"epoch {epoch + 1} of {done.get('max_epoch', '?')}"]
        noted += [f"{key} {training[key]}" for key in ("iteration", "seed") if key in training]
        lines.append(("training", ", ".join(noted)))
    also, negation = ", ".join(summary["also"]) or "nothing", "" if summary["resumable"] else "not "
    return [*lines, ("holds also", f"{also}; training can {negation}be resumed from it")]


def _beyond_plain(lora: Mapping[str, Any]) -> str:
    """What a LoRA has beside rank and alpha."""
    words = "; rank-stabilised" if lora["rank_stabilised"] else ""
    for what in ("rank", "alpha"):
        words += "".join(f"; {what} {value} on {module}" for module, value in lora[f"{what}_pattern"].items())
    words += "; weight-decomposed (DoRA)" if lora["use_dora"] else ""
    words += "" if lora["init_lora_weights"] is True else f"; begun with {lora['init_lora_weights']}"
    return words + (f"; {', '.join(lora['modules_to_save'])} trained whole" if lora["modules_to_save"] else "")


def _convert(contents: Contents, arguments: argparse.Namespace) -> int:
    from ..adapters.exports.convert import FORMS, convert  # late: loads torch

    if arguments.to not in FORMS:
        raise ConfigError(f"--to {arguments.to}: {near_names(arguments.to, FORMS)}")
    out = arguments.out or Path(str(arguments.file.with_suffix("")) + FORMS[arguments.to])
    suffix = Path("any" + FORMS[arguments.to]).suffix
    if out.suffix != suffix:
        raise ConfigError(f"--out {out}: --to {arguments.to} writes a {suffix} file")
    convert(contents, arguments.to, out, weights_only=arguments.weights_only)
    say(f"{len(contents.tensors)} tensors written to {out} ({_size(out.stat().st_size)})")
    return 0


def _merge(contents: Contents, arguments: argparse.Namespace) -> int:
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
    facts = _facts(
        contents,
        arguments,
        "merged",
        notes,
        {
            "model*.safetensors": f"{llama.family.title} with the LoRA worked in, and its configuration and tokenizer "
            "beside it"
        },
        llama.folder,
    )
    with fresh_folder(arguments.out) as folder:
        write_merged(contents, lora, llama, folder)
        write_card(folder, model_card(facts))
    say(f"{lora.tensors} of {len(llama.shapes)} tensors merged; written to {arguments.out}")
    _say_upload(facts, arguments.out)
    return 0


def _export(contents: Contents, arguments: argparse.Namespace) -> int:
    from ..adapters.exports.adapter import write_adapter  # late: loads torch
    from ..adapters.exports.contents import ADAPTER_CONFIG, ADAPTER_WEIGHTS  # late: loads torch
    from ..adapters.exports.writing import fresh_folder  # late: loads torch

    lora, notes = _prepared(contents, arguments)
    lora = lora.for_whole_weights()
    facts = _facts(
        contents,
        arguments,
        "adapter",
        notes,
        {
            ADAPTER_WEIGHTS: f"LoRA of the language model, rank {lora.settings.r}"
            + (f", and {', '.join(lora.settings.modules_to_save)}" if lora.whole else ""),
            ADAPTER_CONFIG: "what PeftModel.from_pretrained needs",
        },
    )
    with fresh_folder(arguments.out) as folder:
        write_adapter(contents, lora, facts.base_model, folder)
        write_card(folder, model_card(facts))
    say(f"adapter of rank {lora.settings.r} on {', '.join(lora.settings.target_modules)} written to {arguments.out}")
    _say_upload(facts, arguments.out)
    return 0


def _prepared(contents: Contents, arguments: argparse.Namespace) -> tuple[Lora, list[str]]:
    """The LoRA, and notes on it, which are printed and written on the card."""
    from ..adapters.exports.contents import find_lora, left_out  # late: loads torch
    from ..adapters.exports.writing import refuse_to_overwrite  # late: loads torch
    from ..toolkit.checkpoint import refuse_nonfinite  # late: loads torch

    refuse_to_overwrite(arguments.out)
    lora = find_lora(contents, arguments.lora_alpha)
    if lora is None:
        raise CheckpointError(f"{contents.path} holds no LoRA; pefomed checkpoint inspect shows what it holds")
    refuse_nonfinite(contents.tensors, str(contents.path))
    notes = [f"LoRA: {lora.settings} ({lora.alpha_from})."]
    if lora.parts.starts and arguments.action == "export":
        notes.append(
            "It began as a part of the weights. So that it fits them as they are published, it is written as a LoRA of "
            f"rank {lora.for_whole_weights().settings.r} that computes the same."
        )
    lost = left_out(contents, lora)
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
    from ..adapters.exports.contents import PROJECTOR  # late: loads torch

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
        files={**files, PROJECTOR: _PROJECTION, "README.md": _CARD},
    )


def _say_upload(facts: ModelFacts, out: Path) -> None:
    for term in facts.terms():
        say("do not forget: " + term)
    if not facts.whole_history:
        say("what the checkpoint it started from was trained on could not be followed: complete README.md")
    say(f"to publish it, read README.md there, then: hf upload YOUR_NAME/{out.absolute().name} {out} .")


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
