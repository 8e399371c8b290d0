"""MiniGPT-v2's own ``runner_base`` on our data sets: what it needs, what it cannot do. For a checkout only.

Its loop, loaders and checkpoints are its own; only the answering of test splits, which it cannot do, is ours.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..config.fields import options_of, rule_of
from ..config.run import RunConfig
from ..errors import ConfigError
from ..toolkit import registry
from ..toolkit.workarounds import adapt_runner_base
from .runner import RunnerPefomed
from .tasks import MedicalTask


def prepare_runner_base(cfg: Any, options: RunConfig) -> None:
    """Complete the ``run`` section with what ``runner_base`` and the checkout's ``train.py`` read, and let it run.

    Raises:
        ConfigError: options that it would ignore, or processes that it cannot use; all of them.
    """
    has_gpu = torch.cuda.is_available() and options.device != "cpu"
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    problems = refusals(options)
    if processes > 1 and not has_gpu:
        problems.append(f"torchrun --nproc-per-node {processes}: runner_base needs a GPU for each process")
    if problems:
        raise ConfigError(
            "MiniGPT-v2's runner_base cannot do this; use run.runner=runner_pefomed, or leave it out", problems
        )
    cfg.config.run = {
        **asdict(options),
        "output_dir": str(Path(options.output_dir).resolve()),  # else below minigpt4/
        "device": "cuda" if has_gpu else "cpu",
        "distributed": has_gpu and processes > 1,
        "amp": has_gpu and options.amp_precision != "fp32",
    }
    adapt_runner_base()
    _answer_with_ours(registry.get_runner_class("runner_base"))


def refusals(options: RunConfig) -> list[str]:
    """One line for each set option that ``runner_base`` would ignore."""
    plain = RunConfig(task=options.task, output_dir=options.output_dir)
    problems = [
        f"run.{name}: {getattr(options, name)!r} would do nothing under runner_base"
        for name, declared in options_of(RunConfig).items()
        if not rule_of(declared).upstream and getattr(options, name) != getattr(plain, name)
    ]
    if options.precision == "bf16":
        problems.append("run.precision: runner_base has fp16 and fp32")
    return problems


def _answer_with_ours(runner_base: Any) -> None:
    """``evaluate`` of ``runner_base`` by ``runner_pefomed`` where the task is ours; ``train`` returns the metrics."""
    if getattr(runner_base, "_pefomed_train", None) is not None:
        return
    runner_base._pefomed_train = runner_base.train
    runner_base._pefomed_evaluate = runner_base.evaluate

    def evaluate(self: Any, cur_epoch: Any = "best", skip_reload: bool = False) -> Any:
        if not isinstance(self.task, MedicalTask):
            return self._pefomed_evaluate(cur_epoch, skip_reload)
        drop_foreign_keys(self.config.run_cfg)
        runner = RunnerPefomed(self.config, self.task, self._model, by_name(self.datasets))
        if not skip_reload:
            runner.checkpoint = str(Path(self.output_dir) / f"checkpoint_{cur_epoch}.pth")
        self.metrics = runner.evaluate()
        return self.metrics

    def train(self: Any) -> dict[str, Any]:
        self.metrics = {}
        self._pefomed_train()
        return self.metrics

    runner_base.evaluate, runner_base.train = evaluate, train


def drop_foreign_keys(run: MutableMapping[str, Any]) -> None:
    """Take out what the checkout wrote into the ``run`` section (``rank``, ``gpu``, ``dist_backend``)."""
    for key in [key for key in run if key not in options_of(RunConfig)]:
        del run[key]


def by_name(datasets: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Data sets as name -> split -> data set, whether or not ``runner_base`` has turned them into split -> list."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in datasets.items():
        if not isinstance(value, list):
            return datasets
        for dataset in value:
            found.setdefault(dataset.name, {})[key] = dataset
    return found
