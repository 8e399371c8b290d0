"""``pefomed estimate``: what a run takes of one GPU's memory, of the disk and of time, before anything is loaded."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Union

from ..adapters.training.strategies import STRATEGIES
from ..config.compose import Configuration, compose_config, refusals
from ..config.given import DEFAULTS
from ..errors import ConfigError, ToolkitError
from ..plugins import find_entry_points
from ..readers import DATASETS
from ..reporting.durations import hours_data, hours_view
from ..reporting.estimates import as_data, estimate_view
from ..reporting.rendering import to_data, to_markdown
from ..reporting.table import COUNT, FIGURE, Code, Column, Table
from ..services.memory.advice import best_options, largest_batch
from ..services.memory.cards import CARDS, Card, find_cards
from ..services.memory.estimate import CARDS_GB, GIB, estimate
from ..services.memory.operations import UTILISATION
from ..toolkit.start import settled
from .arguments import above_0, add_run_arguments, any_number, count_from_1
from .next_step import NextStep, with_options
from .output import Output, add_json_argument
from .parsing import refuse_flags

_Savings = dict[str, Union[bool, str]]
SAVINGS: tuple[_Savings, ...] = (
    {},
    {"use_grad_checkpoint_llm": True},
    {"vit_on_cpu": True},
    {"llm_quantization": "8bit"},
    {"llm_quantization": "4bit"},
    {"llm_quantization": "4bit", "use_grad_checkpoint_llm": True},
    {"llm_quantization": "4bit", "use_grad_checkpoint_llm": True, "vit_on_cpu": True},
)
"""Rows of ``--table``: keys of section ``model`` that save memory."""


_OF_HOURS = ("--gpus", "--utilisation", "--price")
_LEAST_PART, _HIGHEST_PRICE = 0.001, 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_run_arguments(parser, options="override: model.lora_r=16 ...")
    parser.add_argument("--card", type=above_0, nargs="+", metavar="GB", help="cards to ask for (default: 24 48 80)")
    parser.add_argument(
        "--gpu", nargs="+", metavar="NAME", help=f"hours on cards of these kinds: {', '.join(CARDS)} (any capitals)"
    )
    parser.add_argument("--gpus", type=count_from_1, default=1, metavar="N", help="how many of them (default: 1)")
    parser.add_argument(
        "--utilisation",
        type=_part,
        default=UTILISATION,
        metavar="PART",
        help=f"part of their 16-bit operations a second that training reaches (default: {UTILISATION:.2f})",
    )
    parser.add_argument("--price", type=_price, metavar="P", help="of one card for an hour, in any currency")
    parser.add_argument(
        "--table",
        action="store_true",
        help="Markdown: what each saving option needs, and the largest batch on each card",
    )
    add_json_argument(parser)
    parser.epilog = (
        "example: pefomed estimate --cfg-path train_configs/pefomed_stage2.yaml --options model.llm_quantization=4bit"
    )


def run(arguments: argparse.Namespace) -> Output:
    """Estimate, and say what would help where a card is too small."""
    if arguments.table:
        refuse_flags(arguments, (*_OF_HOURS, "--gpu"), "the table of --table has no hours; leave one of them out")
    elif not arguments.gpu:
        refuse_flags(arguments, _OF_HOURS, "no card is named; add --gpu A100-80, for example")
    config = read_config(arguments.cfg_path, arguments.options)
    kinds = find_cards(arguments.gpu or [])
    cards = arguments.card or list(dict.fromkeys(card.gb for card in kinds)) or CARDS_GB
    found = estimate(config)
    cannot = partial(refusals, strategies=STRATEGIES)
    steps = best_options(config, cannot) if not all(map(found.fits, cards)) else []
    if arguments.table:
        table = savings_table(config, cards)
        return Output({"table": to_data(table)}, [to_markdown(table)])
    data, shown = as_data(found, cards, steps), estimate_view(arguments.cfg_path, found, cards, steps)
    if not kinds:
        return Output(data, [*shown, "Hours: name a card, for example --gpu A100-80 --gpus 4 --price 2.50"])
    from ..adapters.training.duration import duration, unknown_samples  # late: loads numpy and PIL

    _check_hours(config, unknown_samples(config), kinds)
    part, price = arguments.utilisation, arguments.price
    hours = [duration(config, found.size, card, arguments.gpus, part) for card in kinds]
    data["hours"] = hours_data(hours, part, price)
    return Output(data, [*shown, *hours_view(hours, part, price, config.run.shares_images)])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Look whether everything that the run needs is there."""
    return with_options("doctor", arguments)


def _check_hours(config: Configuration, unknown: Sequence[str], kinds: Sequence[Card]) -> None:
    """Refuse what the arithmetic of hours does not hold for."""
    problems = [
        f"{name}: how many samples it has is not known; prepare it first (pefomed prepare {name} ...) and point "
        f"datasets.{name}.build_info.storage at it"
        for name in unknown
    ]
    if config.run.amp_precision == "fp32":
        problems.append("run.precision is fp32, and cards are compared by what they compute in 16 bits; set it to bf16")
    if config.run.amp_precision == "bf16":
        problems += [
            f"run.precision is bf16, which {card.name} does not have; run.precision=fp16"
            for card in kinds
            if not card.has_bf16
        ]
    if problems:
        raise ConfigError("hours cannot be told", problems)


def _part(text: str) -> float:
    if text.endswith("%"):
        raise argparse.ArgumentTypeError(f"{text}: write it as a part of 1, such as 0.4 for 40 %")
    number = any_number(text)
    if not _LEAST_PART <= number <= 1:
        raise argparse.ArgumentTypeError(f"{number:g} is not between {_LEAST_PART} and 1, all that a card can do")
    return number


def _price(text: str) -> float:
    number = above_0(text)
    if number > _HIGHEST_PRICE:
        raise argparse.ArgumentTypeError(f"{number:g} is more than {_HIGHEST_PRICE:,} for an hour")
    return number


def savings_table(config: Configuration, cards: Sequence[float]) -> Table:
    """A row for each of ``SAVINGS``, a column for each card."""

    def with_savings(keys: _Savings) -> Configuration:
        return config.with_values({f"model.{key}": value for key, value in keys.items()})

    def batch_on(card: float) -> Column:
        return Column(f"{card:g} GB: batch", lambda keys: largest_batch(with_savings(keys), card) or "no", COUNT)

    columns = [
        Column(
            "options",
            lambda keys: Code(", ".join(f"{key}: {str(value).lower()}" for key, value in keys.items())) or "as it is",
        ),
        Column("memory", lambda keys: estimate(with_savings(keys)).peak / GIB, FIGURE, unit="GiB", digits=1),
        *map(batch_on, cards),
    ]
    return Table("", columns, SAVINGS)


def read_config(cfg_path: str, options: list[str]) -> Configuration:
    """A run with its defaults. Variables need not be set: what they stand for is then None.

    Raises:
        ConfigError: a mistake in the YAML or the options.
    """
    composed = compose_config(cfg_path, options, _Declared(), STRATEGIES, nothing_has_to_be_set=True)
    return settled(composed.configuration)


_NAMES = {
    "task": ("exact_match", "gpt4_judge", "lexical", "medical_caption", "medical_vqa", "report_generation", "wasm"),
    "runner": ("runner_base", "runner_pefomed"),
    "lr_scheduler": ("linear_warmup_cosine_lr", "linear_warmup_step_lr"),
    "processor": ("blip2_image_eval", "blip2_image_train", "blip_caption", "medical_text"),
}
"""What the registries of both toolkits hold, without loading either; a test compares."""


class _Declared:
    """Models and data sets by their declarations, as a registry has them: no toolkit and no torch is loaded."""

    def list_models(self) -> list[str]:
        return sorted(path.stem for path in (DEFAULTS / "models").glob("*.yaml"))

    def list_datasets(self) -> list[str]:
        return sorted(DATASETS)

    def list_tasks(self) -> list[str]:
        return sorted({*_NAMES["task"], *(point.name for point in find_entry_points("task"))})

    def list_runners(self) -> list[str]:
        return list(_NAMES["runner"])

    def list_lr_schedulers(self) -> list[str]:
        return list(_NAMES["lr_scheduler"])

    def list_processors(self) -> list[str]:
        return list(_NAMES["processor"])

    def get_model_class(self, name: str) -> Any:
        known = name in self.list_models()
        return _Defaults(DEFAULTS / "models" / (name + ".yaml"), "pretrain") if known else None

    def get_builder_class(self, name: str) -> Any:
        return _Defaults(DEFAULTS / "datasets" / (name + ".yaml"), "default") if name in DATASETS else None


class _Defaults:
    """Says where a class of the registry has its defaults; a data set of another package has no such file."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path, self._kind = path, kind

    def default_config_path(self, kind: str) -> str:
        if kind != self._kind:
            raise ToolkitError(f"unknown {kind!r}; known: {self._kind}")
        return str(self._path) if self._path.is_file() else ""
