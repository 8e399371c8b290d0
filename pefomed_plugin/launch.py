"""From a YAML to a finished run: compose the configuration, prepare the embedded default, build the parts, go.

What ``train.py``, ``evaluate.py`` and ``pefomed train`` share. Knows no model and no data set.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from . import environment
from .errors import DataError
from .options import read_run_options
from .registration import register_all
from .reporting.tables import show_metrics
from .services.console import is_first_rank, say
from .services.locks import locked
from .services.memory.advice import explain_out_of_memory, is_out_of_memory
from .services.ranks import report_errors
from .storage import set_aside, write_text
from .toolkit.choice import CHECKOUT
from .toolkit.composition import load_yaml, merge_defaults, parse_options

_EMBEDDED_NOTICE = (
    "EMBEDDED DEFAULT: {} come from the generated sample ({}); the figures say nothing about "
    "medicine. Set {} for a real run."
)


def main(arguments: Sequence[str] | None = None, *, evaluate: bool = False) -> int:
    """Command line of ``train.py`` and ``evaluate.py``; returns the exit code."""
    parser = argparse.ArgumentParser(description="Evaluate." if evaluate else "Train, then evaluate.")
    parser.add_argument("--cfg-path", required=True, help="YAML of the run, for example train_configs/...yaml")
    parser.add_argument("--options", nargs="+", default=[], metavar="KEY=VALUE", help="override: run.max_epoch=3 ...")
    given = parser.parse_args(arguments)
    options = [*given.options, *(["run.evaluate=true"] if evaluate else [])]
    return report_errors(lambda: run(given.cfg_path, options))


def run(cfg_path: str, options: Sequence[str] = ()) -> dict[str, Any]:
    """One run; returns the metrics of the test splits (on the first rank).

    Raises:
        PefomedError: anything the user can mend.
    """
    from .toolkit import Config, registry

    register_all()
    cfg, notice = configure(cfg_path, options, Config)
    task = registry.get_task_class(cfg.run_cfg.task).setup_task(cfg=cfg)
    datasets = task.build_datasets(cfg)
    with explaining_memory(cfg):
        model = task.build_model(cfg)
        runner = registry.get_runner_class(cfg.run_cfg.get("runner", "runner_pefomed"))(
            cfg=cfg, job_id="", task=task, model=model, datasets=datasets
        )
        metrics = runner.train() or {}
    show_end(metrics, cfg, notice)
    return metrics


@contextmanager
def explaining_memory(cfg: Any) -> Iterator[None]:
    """Turn a GPU that is out of memory into a PefomedError with the options that would help most, in order."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise explain_out_of_memory(error, cfg.to_dict()) from error


def configure(cfg_path: str, options: Sequence[str], make: Callable[[argparse.Namespace], Any]) -> tuple[Any, str]:
    """The run's configuration, built by ``make`` (the toolkit's ``Config``), and the folder of its results made ready.

    Returns:
        The configuration, and what must be said at the end too: the notice of the embedded default, or nothing.

    Raises:
        PefomedError: as ``compose``; a mistake in the ``run`` section; a folder that cannot be written.
    """
    from omegaconf import OmegaConf  # late: heavy

    from .toolkit import NAME, WHY

    composed, parts = compose(cfg_path, options)
    notice = _EMBEDDED_NOTICE.format(", ".join(parts), environment.sample_folder(), ", ".join(environment.VARIABLES))
    say(f"toolkit: {NAME} ({WHY})")
    if parts:
        say(notice)
    cfg = build_config(composed, make)
    cfg.run_cfg.embedded = bool(parts)
    section: Any = OmegaConf.to_container(cfg.run_cfg, resolve=True)
    run_options = read_run_options(section)  # its mistakes show before anything is written or loaded
    if NAME == CHECKOUT and run_options.runner == "runner_base":
        from .adapters.runner_base import prepare_runner_base  # late: loads PIL

        prepare_runner_base(cfg, run_options)
    seed_everything(int(cfg.run_cfg.get("seed", 42)))
    output_dir = Path(cfg.run_cfg.output_dir)
    if is_first_rank():
        prepare_output(
            output_dir,
            evaluate=bool(cfg.run_cfg.get("evaluate")),
            resume=bool(cfg.run_cfg.get("resume_ckpt_path")) or cfg.run_cfg.get("resume", "no") != "no",
        )
        write_text(output_dir / "config.yaml", composed)
    return cfg, notice if parts else ""


def build_config(composed: str, make: Callable[[argparse.Namespace], Any]) -> Any:
    """The toolkit's ``Config`` (``make``) of a whole configuration, which it wants as a file."""
    with tempfile.TemporaryDirectory(prefix="pefomed-") as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(composed, encoding="utf-8")
        return make(argparse.Namespace(cfg_path=str(path), options=[]))


def show_end(metrics: Mapping[str, Any], cfg: Any, notice: str) -> None:
    """What a run has found, where it is, and the notice once more."""
    for name, metric in metrics.items():
        show_metrics(name, metric)
    say(f"written to {cfg.run_cfg.output_dir}")
    if notice:
        say(notice)


def compose(cfg_path: str, options: Sequence[str]) -> tuple[str, list[str]]:
    """The run's whole configuration as YAML text, and which variables come from the embedded default.

    Layers: defaults < YAML < its ``embedded`` section (where the model is the embedded one) < ``options``.

    Raises:
        ConfigError: a mistake in the YAML, the options or the environment; all of one kind together.
    """
    from omegaconf import OmegaConf  # late: heavy

    from .toolkit import registry

    given, overrides = load_yaml(cfg_path), parse_options(options)
    overlay = given.pop("embedded", None) or OmegaConf.create({})
    merged = merge_defaults(OmegaConf.merge(given, overrides), registry)
    parts = environment.embedded_parts(_variables_in(OmegaConf.to_yaml(merged)), os.environ)
    if parts:
        ensure_embedded(parts)
        environment.point_at_embedded(parts, os.environ)
    if "PEFOMED_LLAMA" in parts:
        merged = merge_defaults(OmegaConf.merge(given, overlay, overrides), registry)
    return OmegaConf.to_yaml(merged), parts


def ensure_embedded(parts: Sequence[str]) -> None:
    """Make what of the embedded default is needed and not there; processes started together wait for the first."""
    from .embedded import DRAWN, MODEL, make_sample  # late: loads PIL

    folder = environment.sample_folder()
    with locked(folder.parent / (folder.name + ".lock")):
        make_sample(
            folder,
            parts=[*(DRAWN if "PEFOMED_DATA" in parts else ()), *((MODEL,) if "PEFOMED_LLAMA" in parts else ())],
        )


def prepare_output(output_dir: Path, *, evaluate: bool, resume: bool) -> None:
    """Make room for a run: what an earlier one left is renamed, so that nothing that was computed is overwritten.

    Training sets the earlier run's folder aside, evaluation only its results, resuming nothing.
    """
    if resume:
        return
    if evaluate:
        _put_aside(output_dir / "results")
    elif (output_dir / "config.yaml").is_file():
        _put_aside(output_dir)


def _put_aside(path: Path) -> None:
    if path.exists():
        try:
            say(f"{path} was there already; it is now {set_aside(path)}")
        except OSError as error:
            raise DataError(
                f"cannot rename {path} ({error.strerror}), which holds an earlier run; make its folder writable, or "
                "choose "
                "another run.output_dir"
            ) from error


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch for this rank (upstream's ``setup_seeds``)."""
    import numpy as np  # late: heavy
    import torch

    seed += int(os.environ.get("RANK", "0"))
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _variables_in(text: str) -> set[str]:
    return set(re.findall(r"\$\{oc\.env:(PEFOMED_[A-Z]+)\}", text)) & set(environment.VARIABLES)
