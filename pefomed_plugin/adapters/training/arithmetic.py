"""The arithmetic of training: parameter groups, one optimizer step, the validation loss. It reads no file and no clock.

The loss of a step is the mean over all answer tokens of the step, whatever batches and ranks they are spread over; so
accumulation and several processes give what one large batch gives. Dropout is seeded with the iteration and the rank.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch

from ...config.run import RunConfig
from ...errors import CheckpointError
from .strategies import Strategy

Batch = Mapping[str, Any]


FASTER = "lr_ratio"
"""Key of an optimizer's group: how many times the schedule's learning rate it has; absent: once."""


def parameter_groups(
    model: torch.nn.Module, weight_decay: float, lora_plus_ratio: float | None = None
) -> list[dict[str, Any]]:
    """AdamW's groups as MiniGPT-v2 makes them: no decay on vectors, nor on names with ``bias``, ``ln`` or ``bn``.

    Args:
        lora_plus_ratio: LoRA's B learns so many times as fast as all else, in a third group; None: as all else.
    """
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    faster: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_plain = parameter.ndim < 2 or "bias" in name or "ln" in name or "bn" in name
        if lora_plus_ratio is not None and ".lora_B." in name:
            faster.append(parameter)
        else:
            (plain if is_plain else decayed).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    if lora_plus_ratio is not None:
        groups.append({"params": faster, "weight_decay": weight_decay, FASTER: lora_plus_ratio})
    return groups


def scale_rates(optimizer: Any) -> None:
    """Give the groups that learn faster their rates; a schedule sets one for all."""
    for group in optimizer.param_groups:
        if FASTER in group:
            group["lr"] *= group[FASTER]


def check_rates(optimizer: Any, saved: Mapping[str, Any], source: str) -> None:
    """Raises CheckpointError: a run that is to go on had another LoRA+ ratio."""
    now, then = (
        [group.get(FASTER) for group in groups][2:] for groups in (optimizer.param_groups, saved["param_groups"])
    )
    if now != then:
        told = [f"{ratios[0]:g}" if ratios else "none" for ratios in (then, now)]
        raise CheckpointError(
            f"{source} was trained with model.peft.lora_plus_ratio {told[0]}, now it is {told[1]}; go on with what it "
            "had, or begin another run from its weights with model.ckpt"
        )


def build_optimizer(model: torch.nn.Module, options: RunConfig) -> torch.optim.Optimizer:
    """AdamW over the trainable tensors, betas (0.9, ``beta2``); on a GPU one kernel makes the whole step."""
    ratio = getattr(getattr(model, "lora_settings", None), "lora_plus_ratio", None)
    groups = parameter_groups(model, options.weight_decay, ratio)
    on_gpu = all(parameter.is_cuda for group in groups for parameter in group["params"])
    return torch.optim.AdamW(
        groups,
        lr=options.init_lr,
        betas=(0.9, options.beta2),
        weight_decay=options.weight_decay,
        fused=True if on_gpu else None,
    )


def seed_iteration(seed: int, iteration: int, rank: int) -> None:
    """Seed torch for one iteration of one rank, so that a resumed run draws the same dropout without stored state."""
    torch.manual_seed((seed * 1_000_003 + iteration) * 4096 + rank)


def count_answer_tokens(model: Any, batch: Batch) -> int:
    """Answer tokens that carry loss, the end symbol counted."""
    if "layout" in batch:
        return len(batch["layout"].targets)
    encode, plain = model.llama_tokenizer.encode, getattr(model.llama_tokenizer, "plain", str)
    return sum(
        min(len(encode(plain(answer) + model.end_sym, add_special_tokens=False)), model.max_txt_len)
        for answer in batch["answer"]
    )


class StepCounts(NamedTuple):
    """What the ranks tell each other before a step."""

    tokens: list[int]
    """Answer tokens of each batch of this rank."""
    all_tokens: int
    """Answer tokens of the step, on all ranks."""
    all_samples: int
    """Samples of the step, on all ranks."""
    stop: bool
    """Whether any rank was told to stop."""
    save: bool
    """Whether any rank finds that a checkpoint is due."""


def share_counts(accelerator: Any, model: Any, batches: Sequence[Batch], stop: bool, save: bool) -> StepCounts:
    """Count this rank's batches and add up over the ranks, on the CPU: no rank waits for a GPU."""
    tokens = [count_answer_tokens(accelerator.unwrap_model(model), batch) for batch in batches]
    total, samples, stops, saves = sum_over_ranks(
        accelerator, [sum(tokens), sum(len(batch["answer"]) for batch in batches), stop, save]
    )
    return StepCounts(tokens, int(total), int(samples), stops > 0, saves > 0)


def sum_over_ranks(accelerator: Any, values: Sequence[float]) -> list[float]:
    """Each value added up over the ranks, which must all call this; through gloo, beside the GPU's own work."""
    if accelerator.num_processes == 1:
        return list(values)
    shared = torch.tensor(values, dtype=torch.float64)
    torch.distributed.all_reduce(shared)
    return shared.tolist()


def backward(
    strategy: Strategy, accelerator: Any, task: Any, model: Any, batches: Sequence[Batch], counts: StepCounts
) -> torch.Tensor:
    """Gradients of one step over ``batches`` (more than one: accumulation).

    Returns:
        This rank's part of the step's loss, a scalar on the device; the ranks' parts add up to the mean over all
        answer tokens.
    """
    total = torch.zeros((), device=accelerator.device)
    for number, (batch, count) in enumerate(zip(batches, counts.tokens)):
        last = number == len(batches) - 1
        with nullcontext() if last else strategy.no_sync(accelerator, model):
            with accelerator.autocast():
                loss = task.train_step(model, batch)
            # DDP averages over ranks, so each rank's share of the tokens is scaled back up by their number
            share = count * accelerator.num_processes / counts.all_tokens
            strategy.backward(accelerator, loss if share == 1 else loss * share)
        total += loss.detach().float() * (count / counts.all_tokens)
    return total


def take_step(
    strategy: Strategy, accelerator: Any, model: Any, optimizer: Any, max_grad_norm: float | None
) -> tuple[torch.Tensor, bool | torch.Tensor]:
    """Clip (if asked to), step, clear the gradients. A gradient that is no finite number takes no step.

    Returns:
        The gradient's norm, the same on all ranks, and whether the step was left out: a truth value, or a flag on the
        GPU where the fused optimizer or fp16's loss scaling looks at the gradient there, so that the host need not
        wait.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    norm = strategy.clip(accelerator, trained, float("inf") if max_grad_norm is None else max_grad_norm)
    left_out: bool | torch.Tensor = False
    if accelerator.scaler is not None:
        left_out = (~torch.isfinite(norm)).float()  # as the scaling finds it: one value of the gradient is enough
        optimizer.step()
    elif strategy.stops_on_device and optimizer.param_groups[0].get("fused"):
        left_out = (~torch.isfinite(norm)).float()
        fused = getattr(optimizer, "optimizer", optimizer)
        # as torch.amp.GradScaler tells a fused optimizer; without these it steps whatever the gradient is
        fused.grad_scale, fused.found_inf = None, left_out
        optimizer.step()
    elif math.isfinite(float(norm)):
        optimizer.step()
    else:
        left_out = True
    optimizer.zero_grad()
    return norm, left_out


@torch.no_grad()
def validation_sums(accelerator: Any, task: Any, model: Any, batches: Iterable[Batch]) -> tuple[float, float]:
    """Loss summed over all answer tokens of a split, on all ranks together, and the number of these tokens.

    A batch with ``"padding": True`` is computed, because the ranks of a spread model must take equally many, and does
    not count.
    """
    model.eval()
    own = accelerator.unwrap_model(model)
    summed = torch.zeros(2, dtype=torch.float64)
    for batch in batches:
        count = 0 if batch.get("padding") else count_answer_tokens(own, batch)
        with accelerator.autocast():
            summed += torch.tensor([float(task.train_step(own, batch)) * count, count], dtype=torch.float64)
    model.train()
    summed = accelerator.reduce(summed.to(accelerator.device, torch.float32), "sum")
    return float(summed[0]), float(summed[1])
