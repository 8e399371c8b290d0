"""``pefomed checkpoint``: what a weights file holds, and the file in the forms that others need."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ..environment import EMBEDDED
from ..errors import ConfigError, near_names
from ..origins import read_origins
from ..reporting.rendering import Panel, Shown
from ..reporting.table import COUNT, Column, Table
from ..services.console import say
from ._export import add_export_arguments, check_export_arguments, export, merge
from .arguments import count_from_1
from .next_step import NextStep, again, pefomed
from .output import Output, add_json_argument

if TYPE_CHECKING:
    from ..adapters.exports.contents import Contents

_FILE = ".pth or .safetensors of this plugin, of MiniGPT-v2 or PeFoMed; or an exported folder; or embedded"


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
    merged = action(
        "merge",
        "LoRA worked into its LLaMA: a plain LLaMA folder",
        "merge checkpoint_last.pth --llama Llama-2-7b-chat-hf --out merged",
    )
    merged.add_argument(
        "--llama",
        type=Path,
        metavar="DIR",
        default=os.environ.get("PEFOMED_LLAMA"),
        help="LLaMA that it was trained on (default: PEFOMED_LLAMA)",
    )
    exported = action(
        "export",
        "a folder for peft or for transformers with a model card, for the Hugging Face hub",
        "export checkpoint_last.pth --format transformers --out model",
    )
    add_export_arguments(exported)
    for action_parser, what in ((merged, "merged model"), (exported, "export")):
        action_parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
        action_parser.add_argument(
            "--lora-alpha", type=count_from_1, metavar="N", help="where the file does not say (default: 16)"
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
        "merge": merge,
        "export": export,
    }
    if arguments.action == "export":
        check_export_arguments(arguments)
    is_beside = arguments.action == "convert" and not arguments.out  # nothing is written beside the sample
    if str(arguments.file) == EMBEDDED and not arguments.file.exists() and not is_beside:
        from ..loading import embedded_checkpoint  # late: loads torch

        arguments.file = embedded_checkpoint()
    contents = read_contents(arguments.file, may_be_damaged=arguments.action == "inspect")
    return actions[arguments.action](contents, arguments)


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep:
    """Try the model; look at what was written."""
    if arguments.action == "inspect":
        return again(arguments) if exit_code else pefomed("chat", "--ckpt", arguments.file)
    if arguments.action == "convert":
        return pefomed("checkpoint", "inspect", arguments.out or arguments.file)
    return NextStep(["cat", arguments.out / "README.md"])


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
        Panel(
            "the file", [("path", summary["path"]), ("size", f"{_size(summary['bytes'])}, {digest}"), *_rows(summary)]
        ),
        "",
        tensors,
        *(f"WRONG: {problem}" for problem in summary["problems"]),
    ]


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    lora, training, done = summary["lora"], summary["training"], summary["run"]
    words = read_origins(training).words
    rows = [("written by", summary["written_by"] + (f"; {words}" if words else ""))]
    if lora:
        where = f"{', '.join(lora['targets'])} of {lora['layers']} layers"
        alpha = f"alpha {lora['alpha']} ({lora['alpha_from']})"
        rows.append(("LoRA", f"rank {lora['rank']} on {where}; {alpha}{_beyond_plain(lora)}"))
    rows.append(("spelling", summary["spelling_words"]))
    if summary["llama_width"]:
        rows.append(("trained on", f"{summary['language_model']} of width {summary['llama_width']}"))
    encoder = summary["vision_encoder"]
    if isinstance(encoder, Mapping):
        rows.append(("encoder", f"{encoder.get('name')}, {encoder.get('image_size')} pixels"))
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
        rows.append(("run", "; ".join(told)))
    if training:
        epoch = training.get("epoch")
        noted = [] if epoch is None else [f"epoch {epoch + 1} of {done.get('max_epoch', '?')}"]
        noted += [f"{key} {training[key]}" for key in ("iteration", "seed") if key in training]
        rows.append(("training", ", ".join(noted)))
    also, negation = ", ".join(summary["also"]) or "nothing", "" if summary["resumable"] else "not "
    return [*rows, ("holds also", f"{also}; training can {negation}be resumed from it")]


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
    arguments.out = out  # for the next step
    convert(contents, arguments.to, out, weights_only=arguments.weights_only)
    say(f"{len(contents.tensors)} tensors written to {out} ({_size(out.stat().st_size)})")
    return 0


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
