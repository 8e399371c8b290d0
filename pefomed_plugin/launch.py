"""From a YAML to a finished run: compose the configuration, prepare the embedded default, build the parts, run.

What ``train.py``, ``evaluate.py`` and ``pefomed train`` share.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Callable

from . import environment
from .adapters.devices import leave_processes
from .adapters.judge import find_judge
from .adapters.training.strategies import STRATEGIES
from .config.compose import Composed, Configuration, compose_config, refusals
from .config.given import SHIPPED, given_twice
from .errors import ConfigError, near_names
from .origins import Origins, configured_origins
from .registration import register_all
from .reporting.figures import metrics_table
from .reporting.reliance import reliance_table
from .reporting.rendering import show_panel, show_table
from .reporting.summary import summary_panel
from .scoring.reliance import SECTION
from .services import outbound
from .services.console import is_first_rank, quote_words, say, say_next, say_once, write_out_what_cannot_be_shown
from .services.continuing import CONTINUE, RESUME, continuing_command
from .services.memory.advice import explain_out_of_memory, is_out_of_memory
from .services.parallel import locked
from .services.ranks import report_errors
from .services.run_folder import RunFolder
from .services.terminal import folded_output, lasting_output, open_closed_streams, working
from .toolkit.choice import BUNDLED, CHECKOUT
from .toolkit.start import settled

FRESH = "start over, though the folder holds a run that is not finished (it is renamed, not deleted)"


def main(arguments: Sequence[str] | None = None, *, evaluate: bool = False) -> int:
    """Command line of ``train.py`` and ``evaluate.py``; returns the exit code."""
    write_out_what_cannot_be_shown()
    open_closed_streams()
    parser = argparse.ArgumentParser(description="Evaluate." if evaluate else "Train, then evaluate.")
    parser.add_argument("--cfg-path", required=True, help="YAML of the run, for example train_configs/...yaml")
    parser.add_argument(
        "--options", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help="override: run.max_epoch=3 ..."
    )
    parser.add_argument("--fresh", action="store_true", help=FRESH)
    parser.add_argument(
        outbound.FLAG, action="store_true", help="a judge or tracker elsewhere may get what is not public"
    )
    given = parser.parse_args(arguments)
    options = [*given.options, *(["run.fresh=true"] if given.fresh else [])]
    options += ["run.evaluate=true"] if evaluate else []
    for line in [] if os.environ.get(CONTINUE) else given_twice(options):  # pefomed train has said it
        say_once(line)
    outbound.begin("evaluate" if evaluate else "train", given.i_have_permission)

    def to_the_end() -> None:
        run(given.cfg_path, options)
        leave_processes()

    with lasting_output(), folded_output():
        return report_errors(to_the_end)


def run(cfg_path: str, options: Sequence[str] = ()) -> dict[str, Any]:
    """One run; returns the metrics of the test splits (on the first rank).

    Raises:
        PefomedError: anything the user can fix.
    """
    from .toolkit import Config

    register_all()
    launched = configure(cfg_path, options, Config)
    with launched.folder.held():
        return _run(launched)


def _run(launched: Launched) -> dict[str, Any]:
    from .toolkit import registry

    cfg, configuration = launched.cfg, launched.composed.configuration
    task = registry.get_task_class(configuration.run.task).setup_task(cfg=cfg)
    with doing("reading the data"):
        datasets = task.build_datasets(cfg)
    with explaining_memory(configuration):
        with doing("loading the model"):
            model = task.build_model(cfg)
        with launched.folder.used(launched.composed.text):
            runner = registry.get_runner_class(configuration.run.runner)(
                cfg=cfg, job_id="", task=task, model=model, datasets=datasets
            )
            metrics = runner.train() or {}
    launched.show_end(metrics)
    return metrics


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Show that a step goes on, on the first rank."""
    with working(what) if is_first_rank() else nullcontext():
        yield


@dataclass(frozen=True)
class Launched:
    """A run that is about to begin."""

    cfg: Any
    """The toolkit's configuration."""
    composed: Composed
    """The same, typed."""
    folder: RunFolder
    notice: str
    """What must be said at the end too: that data or model are generated, or nothing."""
    cfg_path: str = ""
    """YAML that it was started with."""
    begun: float = field(default_factory=time.monotonic)

    def show_end(self, metrics: Mapping[str, Any]) -> None:
        """What the run has found, in tables and a panel, and what to do next."""
        if metrics:
            show_table(metrics_table(metrics))
            for key, found in metrics.items():
                if SECTION in found:
                    show_table(reliance_table(key, {key: found[SECTION]}))
        configuration, folder = self.composed.configuration, self.folder.path
        if is_first_rank():
            seconds = time.monotonic() - self.begun
            show_panel(summary_panel(configuration, origins_of(configuration), metrics, folder, seconds, self.notice))
            say_next(self._next_words(bool(metrics)))

    def _next_words(self, answered: bool) -> str:
        """After answers their page; after stage 1 stage 2, where the YAML has a neighbour of that name."""
        folder = self.folder.path
        if answered:
            return quote_words(["pefomed", "report", folder, "--out", folder / "report.html"])
        ckpt = max(folder.glob("checkpoint_*.pth"), key=lambda path: path.stat().st_mtime, default=folder)
        second = self.cfg_path.replace("stage1", "stage2")
        if second != self.cfg_path and any((place / second).is_file() for place in (Path(), SHIPPED)):
            return quote_words(["pefomed", "train", "--cfg-path", second, "--options", f"model.ckpt={ckpt}"])
        return quote_words(["pefomed", "checkpoint", "inspect", ckpt])


@contextmanager
def explaining_memory(configuration: Configuration) -> Iterator[None]:
    """Turn a GPU that is out of memory into a PefomedError with the options that would help most, in order."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        cannot = partial(refusals, strategies=STRATEGIES)
        raise explain_out_of_memory(error, configuration, cannot) from error


def configure(cfg_path: str, options: Sequence[str], make: Callable[[argparse.Namespace], Any]) -> Launched:
    """The run's configuration, built by ``make`` (the toolkit's ``Config``), and its folder, not yet touched.

    Raises:
        PefomedError: as ``compose``; processes that the strategy cannot use; a run there that is not finished.
    """
    from .toolkit import NAME, WHY

    composed = compose(cfg_path, options)
    run_config = composed.configuration.run
    notice = notice_of(composed)
    if composed.left_out:
        say(f"left out: {', '.join(composed.left_out)} (datasets.NAME=null)")
    say(f"toolkit: {NAME} ({WHY})")
    if notice:
        say(notice)
    check_ways_out(composed.configuration)
    _check_processes(run_config.strategy)
    check_runner(run_config.runner)
    folder = run_folder(composed, cfg_path, options)
    folder.check()
    cfg = build_config(composed.text, make)
    if NAME == CHECKOUT and run_config.runner == "runner_base":
        from .adapters.runner_base import prepare_runner_base  # late: loads PIL

        prepare_runner_base(cfg, composed.configuration)
        folder.command = folder.command.replace(RESUME, "run.resume_ckpt_path=CHECKPOINT")  # its only way to resume
    seed_everything(run_config.seed)
    return Launched(cfg, composed, folder, notice, cfg_path)


def check_ways_out(configuration: Configuration) -> None:
    """Ask the gate now whether what a run sends at its end may leave this machine.

    Raises:
        ConfigError: as ``outbound.open_passage``.
    """
    from .adapters.judge_tasks import JUDGE_TASKS  # late: loads torch
    from .adapters.training.tracking import tracker_passage

    run_config = configuration.run
    storages = {name: section.build_info.storage for name, section in configuration.datasets.items()}
    origins = configured_origins(None, storages).data
    if run_config.task in JUDGE_TASKS and run_config.judge == "api" and run_config.judge_model:
        find_judge("api", run_config.judge_model, [], datasets=storages, origins=origins)
    if not run_config.evaluate:
        tracker_passage(run_config, storages, origins)


def origins_of(configuration: Configuration) -> Origins:
    """Of the data and the model that a run names."""
    storages = {name: section.build_info.storage for name, section in configuration.datasets.items()}
    return configured_origins(configuration.model.llama_model, storages)


def notice_of(composed: Composed) -> str:
    """That data or model of a run are generated, and what to set for a real one; empty where all is real."""
    notice = origins_of(composed.configuration).notice
    return f"{notice} For a real run set {', '.join(composed.embedded)}." if notice and composed.embedded else notice


def run_folder(composed: Composed, cfg_path: str, options: Sequence[str]) -> RunFolder:
    """The folder that a run is about to use; nothing is changed in it yet."""
    run_config = composed.configuration.run
    return RunFolder(
        Path(run_config.output_dir),
        evaluate=run_config.evaluate,
        resume=bool(run_config.resume_ckpt_path) or run_config.resume != "no",
        fresh=run_config.fresh,
        command=continuing_command(cfg_path, options),
    )


def check_runner(name: str) -> None:
    """Raises ConfigError: no runner is registered under that name, or it is one of a checkout that is not there."""
    from .toolkit import NAME, registry

    names = registry.list_runners()
    if name in names:
        return
    if name == "runner_base" and NAME == BUNDLED:
        raise ConfigError(
            "run.runner: runner_base is MiniGPT-v2's own and needs its checkout: pefomed link, then its train.py "
            "(docs/drop-in.md); here set run.runner=runner_pefomed"
        )
    raise ConfigError(f"run.runner: no runner is registered as {name!r}; {near_names(name, names)}")


def _check_processes(strategy: str) -> None:
    problems = STRATEGIES[strategy].refusals_here(int(os.environ.get("WORLD_SIZE", "1")))
    if problems:
        raise ConfigError(f"run.strategy={strategy} cannot be used", problems)


def build_config(composed: str, make: Callable[[argparse.Namespace], Any]) -> Any:
    """The toolkit's ``Config`` (``make``) of a whole configuration, which it wants as a file."""
    with tempfile.TemporaryDirectory(prefix="pefomed-") as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(composed, encoding="utf-8")
        return make(argparse.Namespace(cfg_path=str(path), options=[]))


def compose(cfg_path: str, options: Sequence[str]) -> Composed:
    """The run's configuration, with what it needs of the embedded default in place and the variables pointing at it.

    Raises:
        ConfigError: as ``compose_config``.
    """
    from .toolkit import registry

    composed = compose_config(cfg_path, options, registry, STRATEGIES)
    if composed.embedded:
        ensure_embedded(composed.embedded)
        environment.point_at_embedded(list(composed.embedded), os.environ)
    composed = composed.with_model(settled(composed.configuration).model)
    problems = refusals(composed.configuration, STRATEGIES)  # of what the checkpoint brings besides
    if problems:
        raise ConfigError("the run cannot do what its checkpoint was trained with", problems)
    return composed


def ensure_embedded(parts: Sequence[str], family: str | None = None) -> None:
    """Make what of the embedded default is needed and not there; processes started together wait for the first.

    Args:
        family: of the tiny model; None: ``environment.tiny_family()``.
    """
    from .embedded import DRAWN, make_sample  # late: loads PIL

    model = environment.tiny_part(family or environment.tiny_family())
    environment.check_sample_folder()
    folder = environment.sample_folder()
    with locked(folder.parent / (folder.name + ".lock")):
        make_sample(
            folder,
            parts=[*(DRAWN if "PEFOMED_DATA" in parts else ()), *((model,) if "PEFOMED_LLAMA" in parts else ())],
        )


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch for this rank (upstream's ``setup_seeds``)."""
    import numpy as np  # late: heavy
    import torch

    seed += int(os.environ.get("RANK", "0"))
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
