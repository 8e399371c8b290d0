"""Typed run options: what the ``run`` section of a YAML may say. All mistakes of a section are reported together.

Knows no toolkit and no file; a section comes in as a plain mapping.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Optional, get_type_hints

from .errors import ConfigError, near_names

PRECISIONS = ("fp32", "fp16", "bf16")


@dataclass(frozen=True)
class RunOptions:
    """The ``run`` section. Names are MiniGPT-v2's where it has them."""

    task: str
    """Registry name of the task: ``medical_caption``, ``medical_vqa``, ``report_generation``, ``gpt4_judge``,
    ``wasm``."""
    output_dir: str
    """Folder for checkpoints, logs, predictions and metrics."""
    runner: str = "runner_pefomed"
    """Registry name of the runner."""
    job_name: str = ""
    """Name of the run in logs and trackers."""

    lr_sched: str = "linear_warmup_cosine_lr"
    """Registry name of the learning-rate schedule; it moves with every step."""
    init_lr: float = 1e-4
    """Learning rate after the warm-up."""
    min_lr: float = 0.0
    """Learning rate at the end."""
    warmup_lr: float = -1.0
    """Learning rate of the first warm-up step; negative: ``init_lr``."""
    warmup_steps: int = 0
    """Steps of linear warm-up."""
    lr_decay_rate: float = 1.0
    """Factor an epoch, for ``linear_warmup_step_lr``."""
    weight_decay: float = 0.05
    """AdamW's, not on tensors of fewer than two dimensions."""
    beta2: float = 0.999
    """AdamW's second moment."""
    max_grad_norm: Optional[float] = None
    """Clip the gradient to this norm; absent: no clipping, as upstream."""
    accum_grad_iters: int = 1
    """Batches whose gradients make one step."""

    max_epoch: int = 1
    """Epochs to train."""
    iters_per_epoch: Optional[int] = None
    """Steps an epoch; absent: one pass over the training data."""
    seed: int = 42
    """Of sample order, instructions, dropout and generation."""
    shuffle: bool = True
    """Draw the training samples in a new order each pass; false: in file order."""
    num_workers: int = 0
    """Processes that load data, on each rank; none are started where ``image_cache`` has the images ready."""

    questions_per_image: int = 1
    """Up to so many questions of one image come in one batch and share what they begin with, image and instruction; the
    losses stay what they are, a step costs a fraction (docs/speed.md). 1: every question by itself."""
    image_cache: str = "none"
    """``pixels``: images are decoded and resized once and kept; ``features``: they go through the frozen vision encoder
    once (2.9 MB an image at 448 pixels in fp16). In ``cache_dir``."""
    cache_dir: Optional[str] = None
    """Folder of ``image_cache``; absent: ``PEFOMED_CACHE``, or one in the user's cache."""

    device: str = "auto"
    """``auto``, ``cuda`` or ``cpu``."""
    amp: Optional[bool] = None
    """Upstream's switch: true means ``precision: fp16``."""
    precision: Optional[str] = None
    """``fp32``, ``fp16`` or ``bf16``; absent: bf16 on GPUs that have it, else fp16; fp32 on the CPU."""
    distributed: bool = True
    """Kept for upstream's YAMLs; processes come from ``torchrun``."""
    world_size: int = 1
    """Kept for upstream's YAMLs; processes come from ``torchrun``."""
    dist_url: str = "env://"
    """Kept for upstream's YAMLs."""
    strategy: str = "ddp"
    """``ddp``: every rank holds the whole model; ``fsdp``: the ranks share it, for one that no GPU holds."""
    timeout_minutes: float = 10.0
    """A rank that hears nothing of the others for so long gives up."""

    evaluate: bool = False
    """Evaluate only."""
    train_splits: tuple[str, ...] = ("train",)
    """Splits to train on."""
    valid_splits: tuple[str, ...] = ()
    """Splits whose loss is computed after each epoch; the best epoch is kept."""
    test_splits: tuple[str, ...] = ()
    """Splits to answer and score after training."""
    batch_size_eval: int = 16
    """Samples generated for together, on each rank."""
    merge_lora: bool = False
    """Add LoRA to the weights while answering, instead of beside each layer: faster; in fp16 the sums are rounded
    elsewhere. The weights are put back as they were."""
    num_beams: int = 1
    """Beam width; the paper uses 1."""
    max_new_tokens: Optional[int] = None
    """Limit of an answer; absent: the task's own (a report is not cut at 20)."""
    images: str = "own"
    """``own``; ``shuffled`` gives each test question another one's image, ``blind`` a uniform grey one (what the model
    knows without looking)."""
    judge: str = "api"
    """Who judges in ``gpt4_judge`` and ``wasm``: ``api``, ``local`` or ``offline`` (docs/judging.md)."""
    judge_model: str = ""
    """Model that judges; there is no default, because models are retired."""
    judge_runs: int = 10
    """Judgements of each answer; the paper has ten."""

    log_freq: int = 50
    """Steps between two lines of the log."""
    resume_ckpt_path: Optional[str] = None
    """Checkpoint to continue from."""
    resume: str = "no"
    """``auto``: continue from the newest whole checkpoint of ``output_dir``, or start where there is none."""
    resume_elsewhere: bool = False
    """Resume with another number of processes or another batch size: not bit for bit, but each sample of the epoch
    still comes once."""
    save_every_steps: Optional[int] = None
    """Checkpoint within an epoch after so many iterations; one is always written at the end of an epoch."""
    save_every_minutes: Optional[float] = None
    """Checkpoint within an epoch after so many minutes."""
    keep_last: int = 2
    """How many of the newest checkpoints stay; the best one stays besides."""
    max_nonfinite: int = 0
    """Iterations whose loss is no finite number that are left out before the run stops."""
    wandb_log: bool = False
    """Upstream's switch: log to Weights & Biases, project ``pefomed``."""
    wandb: Optional[dict[str, str]] = None
    """Log to Weights & Biases: ``project``, ``entity``, ``group``, ``mode`` (``online`` or ``offline``). Never a
    key."""
    embedded: bool = False
    """Set by the launcher when the run uses the embedded default; written into every result."""

    @property
    def loading_processes(self) -> int:
        """``num_workers``, or none where images are ready: handing them from process to process takes longer than
        reading them (``projects.benchmarks.data_path --workers``)."""
        return self.num_workers if self.image_cache == "none" else 0

    @property
    def amp_precision(self) -> Optional[str]:
        """``precision``, or what ``amp`` says, or None for the device's own."""
        if self.precision is not None:
            return self.precision
        return {True: "fp16", False: "fp32", None: None}[self.amp]


def read_run_options(section: Mapping[str, Any]) -> RunOptions:
    """Options of a ``run`` section.

    Raises:
        ConfigError: unknown or missing keys, wrong types, values out of range: all of them, one line each.
    """
    hints = get_type_hints(RunOptions)
    known = {field_.name: field_ for field_ in fields(RunOptions)}
    problems = unknown_keys(section, known, "run")
    problems += [
        f"run.{name}: missing"
        for name, each in known.items()
        if each.default is MISSING and each.default_factory is MISSING and name not in section
    ]
    values: dict[str, Any] = {}
    for name, value in section.items():
        if name in known:
            values[name], problem = _coerce(value, hints[name])
            if problem:
                problems.append(f"run.{name}: {problem}")
    problems += _out_of_range(values) if not problems else []
    if problems:
        raise ConfigError(f"the run section has {len(problems)} mistake(s)", problems)
    return RunOptions(**values)


def unknown_keys(section: Mapping[str, Any], known: Iterable[str], where: str) -> list[str]:
    """One line for each key of ``section`` that is not ``known``, with the near ones."""
    known = list(known)
    return [f"{where}.{key}: no such key; {near_names(str(key), known)}" for key in section if key not in known]


def _coerce(value: Any, hint: Any) -> tuple[Any, str]:
    """``value`` as the type of ``hint``, and what is wrong with it."""
    alternatives = getattr(hint, "__args__", None) or (hint,)
    if hint == tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
            return tuple(names), ""
        return None, f"expected a list of names, found {value!r}"
    if alternatives[0] == dict[str, str] and value is not None:
        return (dict(value), "") if isinstance(value, Mapping) else (None, "expected a section")
    if value is None:
        return (None, "") if type(None) in alternatives else (None, "expected a value, found nothing")
    kind = alternatives[0]
    if kind is bool and isinstance(value, bool):
        return value, ""
    if kind is str and isinstance(value, str):
        return value, ""
    if kind in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if kind is float and math.isfinite(number):
            return number, ""
        if kind is int and number == int(number if math.isfinite(number) else 0.5):
            return int(number), ""
    names_of_kinds = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    return None, f"expected {names_of_kinds[kind]}, found {value!r}"


_AT_LEAST = {
    "max_epoch": 1,
    "iters_per_epoch": 1,
    "accum_grad_iters": 1,
    "batch_size_eval": 1,
    "num_beams": 1,
    "max_new_tokens": 1,
    "judge_runs": 1,
    "warmup_steps": 0,
    "num_workers": 0,
    "log_freq": 1,
    "init_lr": 0.0,
    "min_lr": 0.0,
    "weight_decay": 0.0,
    "save_every_steps": 1,
    "save_every_minutes": 0.0,
    "keep_last": 1,
    "max_nonfinite": 0,
    "timeout_minutes": 0.1,
    "questions_per_image": 1,
}
_CHOICES = {
    "precision": (*PRECISIONS, None),
    "images": ("own", "shuffled", "blind"),
    "device": ("auto", "cuda", "cpu"),
    "judge": ("api", "local", "offline"),
    "resume": ("no", "auto"),
    "strategy": ("ddp", "fsdp"),
    "image_cache": ("none", "pixels", "features"),
}
_WANDB = ("project", "entity", "group", "mode")


def _out_of_range(values: Mapping[str, Any]) -> list[str]:
    problems = [
        f"run.{name}: {values[name]} is less than {least}"
        for name, least in _AT_LEAST.items()
        if values.get(name) is not None and values[name] < least
    ]
    problems += [
        f"run.{name}: {values[name]!r} is none of {', '.join(filter(None, choices))}"
        for name, choices in _CHOICES.items()
        if name in values and values[name] not in choices
    ]
    if values.get("strategy") == "fsdp" and (values.get("test_splits") or values.get("evaluate")):
        problems.append(
            "run.strategy: fsdp only trains; leave run.test_splits empty and answer the test split with "
            "evaluate.py and run.strategy=ddp"
        )
    return problems + _wandb_problems(values.get("wandb") or {})


def _wandb_problems(section: Mapping[str, Any]) -> list[str]:
    """What is wrong with ``run.wandb``; a value is not repeated, as it may be a key that belongs elsewhere."""
    problems = [
        "run.wandb.{}: {}".format(
            key,
            "no key in a configuration; set WANDB_API_KEY or run `wandb login`"
            if "key" in str(key).lower()
            else f"no such key; {near_names(str(key), _WANDB)}",
        )
        for key in section
        if key not in _WANDB
    ]
    problems += [
        f"run.wandb.{key}: expected text"
        for key, value in section.items()
        if key in _WANDB and not isinstance(value, str)
    ]
    if section.get("mode", "online") not in ("online", "offline"):
        problems.append("run.wandb.mode: neither online nor offline")
    return problems
