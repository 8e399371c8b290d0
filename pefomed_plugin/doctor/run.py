"""The whole check-up: the machine, then every path of one run, or of the ``PEFOMED_*`` variables where none is named.

Composes the configuration as the launcher does, but generates nothing and leaves the environment as it is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import environment
from ..adapters.training.strategies import STRATEGIES
from ..config.compose import Composed, Configuration, compose_config
from ..config.datasets import DatasetConfig
from ..config.model import ModelConfig
from ..config.run import RunConfig
from ..errors import ConfigError, PefomedError
from ..families import family_in, read_model_size
from ..launch import run_folder
from ..lora import ALL_LINEAR, given_in
from ..readers import DATASETS
from ..registration import register_all
from ..services.memory.estimate import estimate
from ..vision_encoders import encoder_of
from .data import check_data
from .findings import ERROR, NOTE, OK, Finding, from_error, is_broken
from .images import check_images
from .machine import GB, check_disk, check_gpus, check_java, check_judge, check_memory, check_privacy
from .needs import check_caches, check_device, check_judge_of, check_runner, check_scoring, check_tracking
from .packages import check_plugins, check_toolkit
from .weights import Sizes, check_checkpoint, check_language_model, check_modules, check_vit, no_checkpoint

_JUDGED = ("gpt4_judge", "wasm")


def check_up(cfg_path: str | None = None, options: Sequence[str] = ()) -> list[Finding]:
    """Everything that can be checked before a run starts, in the order in which the run would fail."""
    toolkit = check_toolkit()
    findings = [*toolkit, *check_gpus(), *check_java()]
    findings += check_privacy()
    if cfg_path is None:
        return [*findings, *check_judge(os.environ), *check_plugins(), *check_variables()]
    if is_broken(toolkit):
        return [*findings, Finding("configuration", "YAML", NOTE, "not looked at: the toolkit comes first")]
    return [*findings, *check_plugins(), *check_run(cfg_path, options)]


def check_variables() -> list[Finding]:
    """What the ``PEFOMED_*`` variables point at, against the paper's sizes."""
    values = {name: os.environ[name] for name in environment.VARIABLES if os.environ.get(name)}
    if not values:
        place = [] if environment.sample_folder().is_dir() else [_check_sample_folder()]
        return [
            *place,
            Finding(
                "configuration",
                "PEFOMED_...",
                NOTE,
                "none is set: runs use the embedded default",
                f"export {' '.join(name + '=...' for name in environment.VARIABLES)}   (docs/quick-start.md)",
            ),
        ]
    findings = [
        Finding("configuration", name, NOTE, f"not set: {text}", f"export {name}=...")
        for name, text in environment.VARIABLES.items()
        if name not in values
    ]
    real = {name: Path(value) for name, value in values.items() if value != environment.EMBEDDED}
    findings += check_weights(real.get("PEFOMED_LLAMA"), real.get("PEFOMED_VIT"), real.get("PEFOMED_CKPT"), Sizes())
    root = real.get("PEFOMED_DATA")
    if root is not None:
        there = [name for name in DATASETS if (root / name).is_dir()]
        findings += [finding for name in there for finding in check_data(name, str(root / name))]
        if not there:
            findings.append(
                Finding(
                    "data",
                    "PEFOMED_DATA",
                    ERROR,
                    f"{root} has none of the folders {', '.join(DATASETS)}",
                    "docs/data.md",
                )
            )
    return findings


def check_run(cfg_path: str, options: Sequence[str] = ()) -> list[Finding]:
    """The configuration, its weights, its data sets, its judge and its room on the disk."""
    try:
        composed = compose(cfg_path, options)
    except PefomedError as error:
        if "PEFOMED_" not in str(error):
            return from_error("configuration", "YAML", error, "docs/troubleshooting.md#the-configuration")
        remedy = "export it, or unset all PEFOMED_ variables for the embedded default"
        return [
            *from_error("configuration", "variables", error, remedy),
            *(finding for finding in check_variables() if finding.area != "configuration"),
        ]
    config, parts = composed.configuration, composed.embedded
    run = config.run
    of_embedded = f"; from the embedded default: {', '.join(parts)}" if parts else ""
    findings = [
        Finding("configuration", "YAML", OK, f"{cfg_path}: {run.task} on {', '.join(config.datasets)}{of_embedded}")
    ]
    drawn = "PEFOMED_DATA" in parts
    to_draw = [
        name
        for name, one in config.datasets.items()
        if drawn and _is_drawn(one.build_info.storage) and not Path(one.build_info.storage or "").is_dir()
    ]
    of_weights, tiny_is_to_be_made = _check_weights_of(config.model, parts)
    if to_draw or tiny_is_to_be_made:
        findings.append(_check_sample_folder())
    findings += of_weights
    findings += _check_data_of({name: one for name, one in config.datasets.items() if name not in to_draw}, run)
    if run.test_splits:
        findings += check_scoring(run.task, config.datasets)
    if run.task in _JUDGED:
        findings += check_judge_of(run)
    findings += check_runner(config)
    findings += [*check_tracking(run), *check_caches(run)]
    return findings + check_device(run) + _check_folder(composed, cfg_path, options) + _check_room(cfg_path, config)


def _check_weights_of(model: ModelConfig, parts: Collection[str]) -> tuple[list[Finding], bool]:
    """The weights of a run, those of the embedded default where they are there; and whether they are still to be
    made."""
    section, is_tiny = {**vars(model), **_whole_model(model)}, "PEFOMED_LLAMA" in parts
    sizes, given = Sizes(None if is_tiny else 4096, encoder=encoder_of(section)), given_in(vars(model))
    llama, vit = (Path(str(section[name] or "")) for name in ("llama_model", "vit_weights"))
    ckpt = Path(model.ckpt) if model.ckpt else None
    if not is_tiny or llama.is_dir():
        return check_weights(llama, vit, ckpt, sizes, starts=True, given=given), False
    return check_weights(None, None, None if "PEFOMED_CKPT" in parts else ckpt, sizes, given=given), True


def _check_data_of(datasets: Mapping[str, DatasetConfig], run: RunConfig) -> list[Finding]:
    """The data sets of a run and their images; where some are broken, what the run is without them."""
    found: dict[str, list[Finding]] = {}
    for name, dataset in datasets.items():
        found[name] = check_data(name, dataset.build_info.storage or "", dataset.build_info.images)
        found[name] += [] if is_broken(found[name]) else check_images(name, dataset, run)
    broken = [name for name in found if is_broken(found[name])]
    findings = [finding for of_set in found.values() for finding in of_set]
    if broken and len(broken) < len(found):
        others = f"trains on {', '.join(name for name in found if name not in broken)} alone"
        remedy = f"--options {' '.join(f'datasets.{name}=null' for name in broken)}"
        findings.append(Finding("data", "without them", NOTE, others, remedy))
    return findings


def _is_drawn(storage: str | None) -> bool:
    """Whether the embedded default has it, and not a folder that the options name."""
    return environment.sample_folder() in Path(storage or "").parents


def compose(cfg_path: str, options: Sequence[str]) -> Composed:
    """The run's configuration, as the launcher composes it. Raises ConfigError."""
    from ..toolkit import registry

    register_all()
    return compose_config(cfg_path, options, registry, STRATEGIES)


def check_weights(
    llama: Path | None,
    vit: Path | None,
    ckpt: Path | None,
    sizes: Sizes,
    starts: bool = False,
    given: Mapping[str, Any] | None = None,
) -> list[Finding]:
    """Language model, vision encoder and checkpoint, those that are given.

    The checkpoint must fit the language model that is there, be it the paper's or another.

    Args:
        starts: without a checkpoint the run starts untrained.
        given: what the run's YAML says of LoRA, under peft's names.
    """
    findings = [] if llama is None else check_language_model(llama, sizes)
    if llama is not None and not is_broken(findings):
        size = read_model_size(ModelConfig(llama_model=str(llama))).language
        sizes = replace(sizes, hidden=size.hidden_size, family=family_in(llama)[0].name)
        if (given or {}).get("target_modules") == (ALL_LINEAR,):
            given = {**(given or {}), "target_modules": tuple(sorted(size.matrices()))}
        findings += check_modules(llama, (given or {}).get("modules_to_save", ()))
    findings += [] if vit is None else check_vit(vit, sizes)
    if ckpt is not None:
        there = None if llama is None or is_broken(findings) else llama
        return findings + check_checkpoint(ckpt, sizes, given, there)
    return [*findings, no_checkpoint()] if starts else findings


def _check_folder(composed: Composed, cfg_path: str, options: Sequence[str]) -> list[Finding]:
    try:
        run_folder(composed, cfg_path, options).check()
    except ConfigError as error:
        return [Finding("configuration", "run.output_dir", ERROR, error.summary, "; ".join(error.problems))]
    return []


def _check_room(cfg_path: str, config: Configuration) -> list[Finding]:
    run = config.run
    try:
        needed = estimate(config)
    except PefomedError:  # told where the weights were looked at
        return check_disk(Path(run.output_dir), 0.0)
    on_gpu = [] if run.device == "cpu" else check_memory(needed.peak, cfg_path)
    return on_gpu + check_disk(Path(run.output_dir), sum(needed.disk.values()) / GB)


def _whole_model(model: ModelConfig) -> dict[str, Any]:
    """Where language model and vision encoder lie if the checkpoint is an exported transformers folder."""
    try:
        from ..toolkit.start import whole_model  # late: loads torch

        return whole_model(vars(model))
    except (ImportError, PefomedError):
        return {}  # said where the checkpoint is looked at


def _check_sample_folder() -> Finding:
    try:
        environment.check_sample_folder()
    except ConfigError as error:
        return Finding("data", "embedded default", ERROR, str(error), "export PEFOMED_SAMPLE=FOLDER")
    words = f"will be generated in {environment.sample_folder()}, in about a minute"
    return Finding("data", "embedded default", OK, words)
