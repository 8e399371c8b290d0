"""``pefomed estimate``: what a run takes of one GPU's memory and of the disk, before anything is loaded."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..environment import EMBEDDED, embedded_values, sample_folder
from ..reporting.estimates import as_data, show_estimate
from ..services.memory.advice import best_options, changed, largest_batch
from ..services.memory.estimate import CARDS_GB, GIB, estimate
from ..toolkit.composition import load_yaml, merge_defaults, parse_options
from .output import Output, add_json_argument

_PACKAGED = Path(__file__).resolve().parents[1] / "configs"
TABLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as it is", {}),
    ("`use_grad_checkpoint_llm`", {"model.use_grad_checkpoint_llm": True}),
    ("`vit_on_cpu`", {"model.vit_on_cpu": True}),
    ("`llm_quantization: 8bit`", {"model.llm_quantization": "8bit"}),
    ("`llm_quantization: 4bit`", {"model.llm_quantization": "4bit"}),
    ("`4bit`, `use_grad_checkpoint_llm`", {"model.llm_quantization": "4bit", "model.use_grad_checkpoint_llm": True}),
    (
        "`4bit`, `use_grad_checkpoint_llm`, `vit_on_cpu`",
        {"model.llm_quantization": "4bit", "model.use_grad_checkpoint_llm": True, "model.vit_on_cpu": True},
    ),
)
"""Rows of ``--table``: what is said, and what is set."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--cfg-path", required=True, metavar="YAML", help="the run, for example train_configs/pefomed_stage2.yaml"
    )
    parser.add_argument("--options", nargs="+", default=[], metavar="KEY=VALUE", help="override: model.lora_r=16 ...")
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
    steps = best_options(config) if not all(map(found.fits, cards)) else []
    if arguments.table:
        lines = table_lines(config, cards)
        return Output({"table": lines}, lambda: print("\n".join(lines)))
    return Output(as_data(found, cards, steps), lambda: show_estimate(arguments.cfg_path, found, cards, steps))


def table_lines(config: Mapping[str, Any], cards: Sequence[float]) -> list[str]:
    """Markdown table: a row for each of ``TABLE``, a column for each card."""
    lines = [
        f"| options | GiB | {' | '.join(f'{card:g} GB: batch' for card in cards)} |",
        f"|---|---:|{'---:|' * len(cards)}",
    ]
    for words, changes in TABLE:
        each = changed(config, dict(changes))
        batches = [str(largest_batch(each, card) or "no") for card in cards]
        lines.append(f"| {words} | {estimate(each).peak / GIB:.1f} | {' | '.join(batches)} |")
    return lines


def read_config(cfg_path: str, options: list[str]) -> dict[str, dict[str, Any]]:
    """Sections of a run as plain mappings, defaults filled in. What no variable says is None: nothing has to be set.

    Raises:
        ConfigError: a mistake in the YAML or the options.
    """
    from omegaconf import OmegaConf  # late: heavy

    given = load_yaml(cfg_path)
    overlay = given.pop("embedded", None)
    layers = [given, parse_options(options)]
    if os.environ.get("PEFOMED_LLAMA") == EMBEDDED and overlay is not None:
        layers.insert(1, overlay)
    merged = merge_defaults(OmegaConf.merge(*layers), _Packaged())
    if os.environ.get("PEFOMED_LLAMA") == EMBEDDED:
        merged.model.llama_model = embedded_values(sample_folder())["PEFOMED_LLAMA"]
    return {
        "model": _values(merged, "model"),
        "run": _values(merged, "run"),
        "datasets": {name: _values(merged, "datasets." + str(name)) for name in merged.datasets},
    }


def _values(config: Any, section: str) -> dict[str, Any]:
    from omegaconf import OmegaConf  # late: heavy

    def value(key: Any) -> Any:
        node = OmegaConf.select(config, f"{section}.{key}", throw_on_resolution_failure=False)
        return OmegaConf.to_container(node) if OmegaConf.is_config(node) else node

    return {str(key): value(key) for key in OmegaConf.select(config, section)}


class _Packaged:
    """The defaults packaged with the plugin, as a registry has them: so that no toolkit and no torch is loaded."""

    def list_models(self) -> list[str]:
        return sorted(path.stem for path in (_PACKAGED / "models").glob("*.yaml"))

    def list_datasets(self) -> list[str]:
        return sorted(path.stem for path in (_PACKAGED / "datasets").glob("*.yaml"))

    def get_model_class(self, name: str) -> Any:
        return _Defaults(_PACKAGED / "models" / (name + ".yaml")) if name in self.list_models() else None

    def get_builder_class(self, name: str) -> Any:
        return _Defaults(_PACKAGED / "datasets" / (name + ".yaml")) if name in self.list_datasets() else None


class _Defaults:
    def __init__(self, path: Path) -> None:
        self._path = path

    def default_config_path(self, _: str) -> str:
        return str(self._path)
