"""``pefomed estimate``: what a run takes of one GPU's memory and of the disk, before anything is loaded."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Union

from ..adapters.training.strategies import STRATEGIES
from ..config.compose import Configuration, compose_config, refusals
from ..config.given import DEFAULTS
from ..errors import ToolkitError
from ..plugins import find_entry_points
from ..readers import DATASETS
from ..reporting.estimates import as_data, estimate_view
from ..reporting.rendering import to_data, to_markdown
from ..reporting.table import COUNT, FIGURE, Code, Column, Table
from ..services.memory.advice import best_options, largest_batch
from ..services.memory.estimate import CARDS_GB, GIB, estimate
from ..toolkit.start import settled
from .arguments import add_run_arguments
from .output import Output, add_json_argument

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_run_arguments(parser, options="override: model.lora_r=16 ...")
    parser.add_argument("--card", type=float, nargs="+", metavar="GB", help="cards to ask for (default: 24 48 80)")
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
    config = read_config(arguments.cfg_path, arguments.options)
    cards = arguments.card or CARDS_GB
    found = estimate(config)
    cannot = partial(refusals, strategies=STRATEGIES)
    steps = best_options(config, cannot) if not all(map(found.fits, cards)) else []
    if arguments.table:
        table = savings_table(config, cards)
        return Output({"table": to_data(table)}, [to_markdown(table)])
    return Output(as_data(found, cards, steps), estimate_view(arguments.cfg_path, found, cards, steps))


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
