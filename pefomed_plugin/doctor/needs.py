"""What a run's settings need: packages, runner, judge, device, folders. Each is asked before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from .. import environment
from ..adapters.devices import has_bf16
from ..config.compose import Configuration
from ..config.datasets import DatasetConfig
from ..config.run import RunConfig
from ..errors import ConfigError, DataError, PefomedError
from ..launch import check_runner as require_runner
from ..readers import DATASETS
from ..readers.prepared import is_prepared, tasks_in
from ..requirements import missing
from ..services.judge.local_judge import check_local_judge
from ..toolkit.choice import CHECKOUT
from .findings import ERROR, OK, Finding, from_error
from .machine import check_judge, check_writable


def check_scoring(task_name: str, datasets: Mapping[str, DatasetConfig]) -> list[Finding]:
    """What the scorers of the run's data sets will need at its end; of own data by the samples' own task."""
    from ..adapters.tasks import MedicalTask  # late: loads torch
    from ..toolkit import registry  # late: loads torch

    task = registry.get_task_class(task_name)()
    if not isinstance(task, MedicalTask):
        return []
    try:
        kinds = [kind for name, section in datasets.items() for kind in _kinds_of(name, section) or [task.kind]]
        suited = [task.suited_to_kind(kind) for kind in dict.fromkeys(kinds)]
        absent = missing(need for scoring in suited for need in scoring.needs())
    except PefomedError as error:
        return from_error("configuration", "scoring", error, "docs/evaluation.md")
    return [
        Finding("configuration", "scoring", ERROR, f"{need.what} need {need.module}", f"pip install {need.install}")
        for need in absent
    ]


def _kinds_of(name: str, section: DatasetConfig) -> Sequence[str]:
    """Tasks of a data set's samples; empty where it may have several, and they cannot be asked now."""
    tasks = DATASETS[name].tasks if name in DATASETS else ()
    storage = Path(section.build_info.storage or "")
    if len(tasks) == 1 or not is_prepared(storage):
        return tasks if len(tasks) == 1 else ()
    try:
        return tasks_in(storage)
    except DataError:
        return ()  # said where the data are looked at


def check_runner(config: Configuration) -> list[Finding]:
    """Whether the toolkit has the runner, and whether it does all that the run asks for."""
    from ..toolkit import NAME  # late: loads torch

    try:
        require_runner(config.run.runner)
    except ConfigError as error:
        return from_error("configuration", "run.runner", error, "--options run.runner=runner_pefomed")
    if NAME != CHECKOUT or config.run.runner != "runner_base":
        return []
    from ..adapters.runner_base import refusals  # late: loads PIL

    remedy = "take it out, or --options run.runner=runner_pefomed"
    return [Finding("configuration", "run.runner", ERROR, problem, remedy) for problem in refusals(config)]


def check_judge_of(run: RunConfig) -> list[Finding]:
    """What judging needs, where the run says ``judge: api`` or ``local``."""
    if run.judge == "local":
        try:
            check_local_judge(run.judge_model)
        except ConfigError as error:
            return from_error("services", "local judge", error, "--options run.judge_model=FOLDER   (docs/judging.md)")
        return [Finding("services", "local judge", OK, run.judge_model)]
    if run.judge != "api":
        return []
    findings = check_judge(os.environ, needed=True)
    if not run.judge_model:
        findings.append(
            Finding(
                "services",
                "run.judge_model",
                ERROR,
                "no model is named; there is no default, because models are retired",
                "--options run.judge_model=NAME",
            )
        )
    return findings


def check_tracking(run: RunConfig) -> list[Finding]:
    """Whether W&B is installed, where the run logs to it."""
    if (run.wandb is None and not run.wandb_log) or find_spec("wandb") is not None:
        return []
    return [
        Finding("configuration", "run.wandb", ERROR, "wandb is not installed", "pip install wandb, or leave it out")
    ]


def check_caches(run: RunConfig) -> list[Finding]:
    """Folders that a run writes beside its own."""
    findings = check_writable("cache", environment.cache_folder(), "export XDG_CACHE_HOME=FOLDER")
    if run.image_cache != "none":
        from ..adapters.data.image_cache import cache_folder  # late: loads PIL

        findings += check_writable("run.cache_dir", cache_folder(run), "--options run.cache_dir=FOLDER")
    return findings


def check_device(run: RunConfig) -> list[Finding]:
    """Whether the device is there and has the precision that is asked for."""
    import torch

    has_gpu, asked = torch.cuda.is_available(), run.amp_precision
    if run.device == "cuda" and not has_gpu:
        return [Finding("machine", "run.device", ERROR, "cuda, but torch sees no GPU", "--options run.device=auto")]
    if asked == "fp16" and (run.device == "cpu" or not has_gpu):
        return [
            Finding(
                "machine",
                "run.precision",
                ERROR,
                "fp16 (run.amp), which the CPU cannot train in",
                "--options run.amp=null run.precision=fp32",
            )
        ]
    if asked == "bf16" and has_gpu and run.device != "cpu" and not has_bf16():
        return [
            Finding(
                "machine",
                "run.precision",
                ERROR,
                f"bf16, which {torch.cuda.get_device_name()} does not have of its own",
                "--options run.precision=fp16",
            )
        ]
    return []
