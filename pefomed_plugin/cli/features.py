"""``pefomed features``: fill the image cache of a run before it starts (it fills by itself when the run starts)."""

from __future__ import annotations

import argparse

from ..adapters.devices import make_accelerator, precision_of
from ..adapters.training.strategies import strategy_of
from ..launch import build_config, compose
from ..registration import register_all
from ..services.console import say
from .arguments import add_run_arguments
from .next_step import NextStep, with_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_run_arguments(parser, "the run whose images are made ready", "as for train: run.cache_dir=...")
    parser.add_argument(
        "--kind",
        choices=("features", "pixels"),
        default="features",
        help="what the frozen vision "
        "encoder makes (2.9 MB an image at 448 pixels) or resized pixels (0.6 MB) (default: features)",
    )
    parser.epilog = "example: pefomed features --cfg-path train_configs/pefomed_stage2.yaml"


def run(arguments: argparse.Namespace) -> int:
    """Build model and data as the run would, and make every image of its splits ready."""
    from ..adapters.data.image_cache import cache_folder, show_ready_made  # late: loads PIL
    from ..toolkit import Config, registry

    register_all()
    composed = compose(arguments.cfg_path, [*arguments.options, "run.image_cache=" + arguments.kind])
    cfg, options = build_config(composed.text, Config), composed.configuration.run
    task = registry.get_task_class(options.task).setup_task(cfg=cfg)
    splits = {*options.train_splits, *options.valid_splits, *options.test_splits}
    datasets = [
        build_dataset[split]
        for build_dataset in task.build_datasets(cfg).values()
        for split in sorted(splits)
        if len(build_dataset.get(split, ()))
    ]
    accelerator = make_accelerator(options)
    model = task.build_model(cfg)
    model = model.float() if accelerator.device.type == "cpu" else model
    model = strategy_of("ddp").place(model, accelerator.device, precision_of(accelerator))
    show_ready_made(accelerator, model, datasets, options)
    say(f"in {cache_folder(options)}; train with run.image_cache={arguments.kind}")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Train from them."""
    return with_options("train", arguments, f"run.image_cache={arguments.kind}")
