"""MiniGPT-v2's own ``runner_base`` on our data sets: what it needs, what it cannot do. For a checkout only.

Its loop, loaders and checkpoints are its own; validation and the answering of test splits, which it cannot do, are
ours.
"""

from __future__ import annotations

import math
import os
from collections.abc import MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from ..config.compose import Configuration
from ..config.fields import options_of, rule_of
from ..config.run import RunConfig, read_run_config
from ..errors import CheckpointError, ConfigError
from ..services.console import say
from ..toolkit import registry
from ..toolkit.checkpoint import load_checkpoint, read_checkpoint
from ..toolkit.workarounds import adapt_runner_base
from .data.collating import make_collater
from .data.streams import StreamedDataset, draw_from_streams
from .devices import make_accelerator
from .runner import RunnerPefomed
from .tasks import MedicalTask
from .training.validation import validate


def prepare_runner_base(cfg: Any, configuration: Configuration) -> None:
    """Complete the ``run`` section with what ``runner_base`` and the checkout's ``train.py`` read, and let it run.

    Raises:
        ConfigError: options that it would ignore, or processes that it cannot use; all of them.
    """
    options = configuration.run
    has_gpu = torch.cuda.is_available() and options.device != "cpu"
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    problems = refusals(configuration)
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
    _bring_ours(registry.get_runner_class("runner_base"))


def refusals(configuration: Configuration) -> list[str]:
    """One line for each thing that is set and that ``runner_base`` would ignore."""
    options = configuration.run
    plain = RunConfig(task=options.task, output_dir=options.output_dir)
    problems = [
        f"run.{name}: {getattr(options, name)!r} would do nothing under runner_base"
        for name, declared in options_of(RunConfig).items()
        if not rule_of(declared).upstream and getattr(options, name) != getattr(plain, name)
    ]
    if options.precision == "bf16":
        problems.append("run.precision: runner_base has fp16 and fp32")
    if options.train_splits != ("train",):
        problems.append(f"run.train_splits: {', '.join(options.train_splits)}: runner_base trains on train alone")
    if options.valid_splits and "val" not in options.valid_splits:
        problems.append(
            f"run.valid_splits: {', '.join(options.valid_splits)}: runner_base keeps a checkpoint by val alone"
        )
    problems += [
        f"datasets.{name}.passes: {section.passes:g}: runner_base goes through all equally often, run.max_epoch "
        f"({options.max_epoch}) times"
        for name, section in configuration.datasets.items()
        if section.passes not in (None, options.max_epoch)
    ]
    return problems


def _bring_ours(runner_base: Any) -> None:
    """Where the task is ours, validation and test splits are ours as well; ``train`` returns the metrics."""
    if getattr(runner_base, "_pefomed_train", None) is not None:
        return
    runner_base._pefomed_train = runner_base.train
    runner_base._pefomed_evaluate = runner_base.evaluate
    runner_base._pefomed_eval_epoch = runner_base.eval_epoch

    def eval_epoch(self: Any, split_name: str, cur_epoch: Any, skip_reload: bool = False) -> Any:
        if not isinstance(self.task, MedicalTask):
            return self._pefomed_eval_epoch(split_name, cur_epoch, skip_reload)
        return _validate(self, split_name, cur_epoch)

    def evaluate(self: Any, cur_epoch: Any = "best", skip_reload: bool = False) -> Any:
        if not isinstance(self.task, MedicalTask):
            return self._pefomed_evaluate(cur_epoch, skip_reload)
        drop_foreign_keys(self.config.run_cfg)
        runner = RunnerPefomed(self.config, self.task, self._model, _datasets_of(self))
        if not skip_reload:
            runner.checkpoint = str(Path(self.output_dir) / f"checkpoint_{cur_epoch}.pth")
            if cur_epoch == "best":
                _reload(self, runner.checkpoint)
        self.metrics = runner.evaluate()
        return self.metrics

    def train(self: Any) -> dict[str, Any]:
        self.metrics = {}
        if isinstance(self.task, MedicalTask):
            _look_ahead(self)
        self._pefomed_train()
        return self.metrics

    runner_base.evaluate, runner_base.train, runner_base.eval_epoch = evaluate, train, eval_epoch


def _look_ahead(runner: Any) -> None:
    """Say what the run will do, and take out of it what would end it later.

    Raises:
        ConfigError: a data set that does not fill one batch, from which its loader would never get any.
    """
    run, named = runner.config.run_cfg, draw_from_streams(_datasets_of(runner))
    there = [split for split in run.valid_splits if any(len(splits.get(split, ())) for splits in named.values())]
    run.valid_splits = [] if run.evaluate else there  # ours has said which have none
    if run.evaluate:
        return
    train_sets = {name: splits["train"] for name, splits in named.items() if len(splits.get("train", ()))}
    at_once = {name: train_set.batch_size * _processes(run) for name, train_set in train_sets.items()}
    small = [
        f"{name}: {len(train_sets[name]):,} training samples, and {size:,} are taken at once; set "
        f"datasets.{name}.batch_size lower"
        for name, size in at_once.items()
        if len(train_sets[name]) < size
    ]
    if small:
        raise ConfigError("MiniGPT-v2's runner_base needs a whole batch of every data set", small)
    _say_mixture(run, train_sets, at_once)
    if run.valid_splits:
        say("runner_base saves the epoch with the lowest validation loss (checkpoint_best.pth), and no other")


def _say_mixture(run: Any, train_sets: dict[str, Any], at_once: dict[str, int]) -> None:
    whole = {name: len(train_set) // at_once[name] for name, train_set in train_sets.items()}
    ratios = {name: float(train_set.sample_ratio) for name, train_set in train_sets.items()}
    iterations = run.max_epoch * (run.iters_per_epoch or sum(whole.values()))
    for name, train_set in train_sets.items():
        share = ratios[name] / sum(ratios.values())
        left = 0 if isinstance(train_set, StreamedDataset) else len(train_set) % at_once[name]
        say(
            f"{name}: {share:.0%} of the batches, about {iterations * share / whole[name]:.2g} passes over "
            f"{len(train_set):,} samples in {run.max_epoch} epoch(s); runner_base draws them at random"
            + (f", and a pass leaves {left} out" if left else "")
        )


def _processes(run: Any) -> int:
    return int(os.environ.get("WORLD_SIZE", "1")) if run.distributed else 1


def _validate(runner: Any, split: str, epoch: Any) -> dict[str, Any]:
    """What ``runner_base`` wants of a validation: the larger ``agg_metrics``, above 0, the better the epoch."""
    section: Any = OmegaConf.to_container(runner.config.run_cfg)
    drop_foreign_keys(section)
    options = read_run_config(section)
    accelerator = make_accelerator(options)
    valid_sets = [splits[split] for splits in _datasets_of(runner).values() if len(splits.get(split, ()))]
    collate = make_collater(runner._model, share=False)
    found = validate(accelerator, runner.task, runner._model, valid_sets, options, collate)
    say(f"epoch {int(epoch) + 1}: validation loss {found}")
    return {"agg_metrics": math.exp(-found.loss), **found.to_json()}


def _reload(runner: Any, checkpoint: str) -> None:
    """Raises CheckpointError: no epoch was the best one, as their losses were no numbers."""
    if not Path(checkpoint).is_file():
        raise CheckpointError(f"{checkpoint} was never written: no epoch had a validation loss that is a number")
    say(str(load_checkpoint(runner._model, read_checkpoint(Path(checkpoint)), checkpoint)))


def drop_foreign_keys(run: MutableMapping[str, Any]) -> None:
    """Take out what the checkout wrote into the ``run`` section (``rank``, ``gpu``, ``dist_backend``)."""
    for key in [key for key in run if key not in options_of(RunConfig)]:
        del run[key]


def _datasets_of(runner: Any) -> dict[str, dict[str, Any]]:
    """Its data sets by name, in the order of the YAML, in which it does not keep them."""
    found = by_name(runner.datasets)
    return {name: found[name] for name in runner.config.datasets_cfg if name in found}


def by_name(datasets: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Data sets as name -> split -> data set, whether or not ``runner_base`` has turned them into split -> list."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in datasets.items():
        if not isinstance(value, list):
            return datasets
        for dataset in value:
            found.setdefault(dataset.name, {})[key] = dataset
    return found
