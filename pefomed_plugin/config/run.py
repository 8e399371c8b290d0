"""The ``run`` section: how a run trains, answers and saves. Names are MiniGPT-v2's where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from ..errors import near_names
from ..records import SPLITS
from .fields import option, read_whole

PRECISIONS = ("fp32", "fp16", "bf16")
AUTO = "auto"
"""Of ``questions_per_image``: as many as the batch holds."""
FURTHER_SHUFFLED = "further_shuffled"
"""Of ``images``: of samples that show several, the first stays."""
_MOST_ITERATIONS = 100_000_000
"""Of a run: its order is drawn whole, 16 bytes each."""
_WANDB = ("project", "entity", "group", "mode")


@dataclass(frozen=True)
class RunConfig:
    """The ``run`` section."""

    task: str = option(
        "Registry name of the task: `medical_caption`, `medical_vqa`, `report_generation`, `gpt4_judge`, `wasm`.",
        filled=True,
        upstream=True,
    )
    output_dir: str = option("Folder for checkpoints, logs, predictions and metrics.", filled=True, upstream=True)
    runner: str = option("Registry name of the runner.", "runner_pefomed", filled=True, upstream=True)
    job_name: str = option("Name of the run in logs and trackers.", "", upstream=True)

    lr_sched: str = option(
        "Registry name of the learning-rate schedule; it moves with every step.",
        "linear_warmup_cosine_lr",
        filled=True,
        upstream=True,
    )
    init_lr: float = option("Learning rate after the warm-up.", 1e-4, above=0, maximum=1000, upstream=True)
    min_lr: float = option("Learning rate at the end.", 0.0, minimum=0, maximum=1000, upstream=True)
    warmup_lr: float = option(
        "Learning rate of the first warm-up step; negative: `init_lr`.", -1.0, maximum=1000, upstream=True
    )
    warmup_steps: int = option("Steps of linear warm-up.", 0, minimum=0, upstream=True)
    lr_decay_rate: float = option(
        "Factor an epoch, for `linear_warmup_step_lr`.", 1.0, above=0, maximum=1, upstream=True
    )
    weight_decay: float = option(
        "AdamW's, not on tensors of fewer than two dimensions.", 0.05, minimum=0, maximum=1000, upstream=True
    )
    beta2: float = option("AdamW's second moment.", 0.999, minimum=0, below=1, upstream=True)
    max_grad_norm: Optional[float] = option(
        "Clip the gradient to this norm; absent: no clipping, as upstream.", None, above=0
    )
    accum_grad_iters: int = option("Batches whose gradients make one step.", 1, minimum=1, upstream=True)

    max_epoch: int = option("Epochs to train.", 1, minimum=1, maximum=1_000_000, upstream=True)
    iters_per_epoch: Optional[int] = option(
        "Steps an epoch; absent: one pass over the training data.", None, minimum=1, upstream=True
    )
    seed: int = option("Of sample order, instructions, dropout and generation.", 42, minimum=0, upstream=True)
    shuffle: bool = option("Draw the training samples in a new order each pass; false: in file order.", True)
    num_workers: int = option(
        "Processes that load data, on each rank; none are started where `image_cache` has the images ready.",
        0,
        minimum=0,
        maximum=1024,
        upstream=True,
    )

    questions_per_image: Union[int, str] = option(
        "Up to so many questions of one image come in one batch and share what they begin with, image and "
        "instruction; the losses stay what they are, a step costs a fraction (docs/speed.md). `auto`: as many as the "
        "batch holds. 1: every question by itself.",
        1,
        minimum=1,
        choices=(AUTO,),
    )
    image_cache: str = option(
        "`pixels`: images are decoded and resized once and kept; `features`: they go through the frozen "
        "vision encoder once (2.9 MB an image at 448 pixels in fp16). In `cache_dir`.",
        "none",
        choices=("none", "pixels", "features"),
    )
    cache_dir: Optional[str] = option(
        "Folder of `image_cache`; absent: `PEFOMED_CACHE`, or one in the user's cache.", None
    )

    device: str = option("`auto`, `cuda` or `cpu`.", "auto", choices=("auto", "cuda", "cpu"), upstream=True)
    amp: Optional[bool] = option("Upstream's switch: true means `precision: fp16`.", None, upstream=True)
    precision: Optional[str] = option(
        "`fp32`, `fp16` or `bf16`; absent: bf16 on GPUs that have it of their own, else fp16; fp32 on the CPU.",
        None,
        choices=PRECISIONS,
        upstream=True,
    )
    distributed: bool = option("Kept for upstream's YAMLs; processes come from `torchrun`.", True, upstream=True)
    world_size: int = option("Kept for upstream's YAMLs; processes come from `torchrun`.", 1, minimum=1, upstream=True)
    dist_url: str = option("Kept for upstream's YAMLs.", "env://", upstream=True)
    strategy: str = option(
        "`ddp`: every rank holds the whole model; `fsdp`: the ranks share it, for one that no GPU holds.", "ddp"
    )
    timeout_minutes: float = option(
        "A rank that hears nothing of the others for so long gives up.", 10.0, minimum=0.1, maximum=525_600
    )

    evaluate: bool = option("Evaluate only.", False, upstream=True)
    train_splits: tuple[str, ...] = option("Splits to train on.", ("train",), choices=SPLITS, upstream=True)
    valid_splits: tuple[str, ...] = option(
        "Splits whose loss is computed after each epoch; the best epoch is kept.", (), choices=SPLITS, upstream=True
    )
    test_splits: tuple[str, ...] = option(
        "Splits to answer and score after training.", (), choices=SPLITS, upstream=True
    )
    batch_size_eval: int = option("Samples generated for together, on each rank.", 16, minimum=1, upstream=True)
    merge_lora: bool = option(
        "Add LoRA to the weights while answering, instead of beside each layer: fewer products a token, no faster on a "
        "CPU; in fp16 the sums are rounded elsewhere. The weights are put back as they were.",
        False,
    )
    drafts: str = option(
        "`training_answers`: while answering, guess several tokens from the answers of the training split and read "
        "them in one call; what the model does not say itself is thrown away, so that answers are what they are "
        "without. Fewer calls where reports repeat each other; on a CPU a call costs more with each token "
        "(docs/speed.md).",
        "none",
        choices=("none", "training_answers"),
    )
    num_beams: int = option("Beam width; the paper uses 1.", 1, minimum=1, maximum=1000, upstream=True)
    max_new_tokens: Optional[int] = option(
        "Limit of an answer; absent: the task's own (a report is not cut at 20).", None, minimum=1, upstream=True
    )
    images: str = option(
        "`own`; `shuffled` gives each test question another one's image, `blind` a uniform grey one (what the "
        "model knows without looking), `mirrored` its own with left and right exchanged; `further_shuffled` leaves the "
        "first of several images and exchanges the others (what a second view brings).",
        "own",
        choices=("own", "shuffled", "blind", "mirrored", FURTHER_SHUFFLED),
        upstream=True,
    )
    reliance: bool = option(
        "Answer each test question three times more, about another image, none, and its own mirrored, and measure what "
        "changes (docs/does-it-look.md).",
        False,
        upstream=True,
    )
    judge: str = option(
        "Who judges in `gpt4_judge` and `wasm`: `api`, `local` or `offline` (docs/judging.md).",
        "api",
        choices=("api", "local", "offline"),
        upstream=True,
    )
    judge_model: str = option("Model that judges; there is no default, because models are retired.", "", upstream=True)
    judge_runs: int = option(
        "Judgements of each answer; the paper has ten.", 10, minimum=1, maximum=1000, upstream=True
    )

    log_freq: int = option("Steps between two lines of the log.", 50, minimum=1, upstream=True)
    resume_ckpt_path: Optional[str] = option("Checkpoint to continue from.", None, upstream=True)
    resume: str = option(
        "`auto`: continue from the newest whole checkpoint of `output_dir`, or of the run that was set aside from "
        "it unfinished, or start where there is none.",
        "no",
        choices=("no", "auto"),
    )
    fresh: bool = option(
        "Start over though `output_dir` holds a run that is not finished; it is renamed, not deleted.",
        False,
        upstream=True,
    )
    resume_elsewhere: bool = option(
        "Resume with another number of processes or another batch size: not bit for bit, but each sample of "
        "the epoch still comes once.",
        False,
    )
    save_every_steps: Optional[int] = option(
        "Checkpoint within an epoch after so many iterations; one is always written at the end of an epoch.",
        None,
        minimum=1,
    )
    save_every_minutes: Optional[float] = option("Checkpoint within an epoch after so many minutes.", None, minimum=0)
    keep_last: int = option(
        "How many of the newest checkpoints stay; the best one stays besides.", 2, minimum=1, maximum=1000
    )
    max_nonfinite: int = option(
        "Iterations whose loss is no finite number that are left out before the run stops; in fp16 the loss scaling "
        "leaves out steps of its own, of which 25 in a row stop it.",
        0,
        minimum=0,
    )
    wandb_log: bool = option("Upstream's switch: log to Weights & Biases, project `pefomed`.", False, upstream=True)
    wandb: Optional[dict[str, Any]] = option(
        "Log to Weights & Biases: `project`, `entity`, `group`, `mode` (`online` or `offline`). Never a key.", None
    )

    @property
    def shares_images(self) -> bool:
        """Whether questions of one image come together."""
        return self.questions_per_image != 1

    def questions_together(self, batch_size: int) -> int:
        """The most questions of one image in a batch of ``batch_size``."""
        return questions_together(self.questions_per_image, batch_size)

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

    def problems(self, where: str) -> list[str]:
        """What is wrong with keys that are valid one by one."""
        problems = _wandb_problems(self.wandb or {}, where)
        for key in ("train_splits", "valid_splits", "test_splits"):
            twice = sorted({split for split in getattr(self, key) if getattr(self, key).count(split) > 1})
            if twice:
                problems.append(f"{where}.{key}: {', '.join(twice)} stands there twice; name each split once")
        if not self.evaluate and not self.train_splits:
            problems.append(f"{where}.train_splits: it is empty; to answer only, set {where}.evaluate=true")
        if self.evaluate and not self.test_splits:
            problems.append(
                f"the run neither trains nor answers: {where}.evaluate is true and {where}.test_splits is empty"
            )
        if self.evaluate and self.resume_ckpt_path:
            problems.append(
                f"{where}.resume_ckpt_path: a training goes on from it, and {where}.evaluate is true; name the weights "
                "that are to answer with model.ckpt"
            )
        if self.max_epoch * (self.iters_per_epoch or 1) > _MOST_ITERATIONS:
            problems.append(
                f"{where}.iters_per_epoch: {self.max_epoch:,} epochs of {self.iters_per_epoch:,} are more than "
                f"{_MOST_ITERATIONS:,} iterations; set fewer of either"
            )
        if self.reliance and self.images != "own":
            problems.append(
                f"{where}.reliance: answers about other images are compared with those about a question's own; set "
                f"{where}.images=own"
            )
        if self.reliance and not self.test_splits:
            problems.append(f"{where}.reliance: {where}.test_splits is empty; name the splits that are answered")
        if self.drafts != "none" and self.num_beams > 1:
            problems.append(f"{where}.drafts: {self.drafts} confirms greedy answers only; set {where}.num_beams to 1")
        return problems


def questions_together(questions_per_image: int | str, batch_size: int) -> int:
    """The most questions of one image in a batch of ``batch_size``, by ``run.questions_per_image``."""
    return batch_size if isinstance(questions_per_image, str) else min(questions_per_image, batch_size)


def read_run_config(section: Any) -> RunConfig:
    """The ``run`` section. Raises ConfigError as ``read_whole``."""
    return read_whole(RunConfig, section, "run")


def _wandb_problems(section: Mapping[str, Any], where: str) -> list[str]:
    """What is wrong with ``wandb``; a value is not repeated, as it may be a key that belongs elsewhere."""
    problems = [
        f"{where}.wandb.{key}: "
        + (
            "a key does not belong in a configuration; set WANDB_API_KEY or run `wandb login`"
            if "key" in str(key).lower()
            else f"no such key; {near_names(str(key), _WANDB)}"
        )
        for key in section
        if key not in _WANDB
    ]
    problems += [
        f"{where}.wandb.{key}: expected text"
        for key, value in section.items()
        if key in _WANDB and not isinstance(value, str)
    ]
    if section.get("mode", "online") not in ("online", "offline"):
        problems.append(f"{where}.wandb.mode: neither online nor offline")
    return problems
