"""The arithmetic of training: parameter groups, one optimizer step, the validation loss. Knows no file and no clock.

The loss of a step is the mean over all answer tokens of the step, whatever batches and ranks they are spread over; so
accumulation and several processes give what one large batch gives. Dropout is seeded with the iteration and the rank.
"""

import math
from contextlib import nullcontext
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import torch

from ..options import RunOptions

Batch = Mapping[str, Any]


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> List[Dict[str, Any]]:
    """AdamW's groups as MiniGPT-v2 makes them: no decay on vectors, nor on names with ``bias``, ``ln`` or ``bn``."""
    decayed: List[torch.nn.Parameter] = []
    plain: List[torch.nn.Parameter] = []
    for name, each in model.named_parameters():
        if each.requires_grad:
            is_plain = each.ndim < 2 or "bias" in name or "ln" in name or "bn" in name
            (plain if is_plain else decayed).append(each)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


def build_optimizer(model: torch.nn.Module, options: RunOptions) -> torch.optim.Optimizer:
    """AdamW over the trainable tensors, betas (0.9, ``beta2``)."""
    return torch.optim.AdamW(parameter_groups(model, options.weight_decay), lr=options.init_lr,
                             betas=(0.9, options.beta2), weight_decay=options.weight_decay)


def seed_iteration(seed: int, iteration: int, rank: int) -> None:
    """Seed torch for one iteration of one rank, so that a resumed run draws the same dropout without stored state."""
    torch.manual_seed((seed * 1_000_003 + iteration) * 4096 + rank)


def count_answer_tokens(model: Any, batch: Batch) -> int:
    """Answer tokens that carry loss, the end symbol counted."""
    encode = model.llama_tokenizer.encode
    return sum(min(len(encode(each + model.end_sym, add_special_tokens=False)), model.max_txt_len)
               for each in batch["answer"])


def share_counts(accelerator: Any, model: Any, batches: Sequence[Batch],
                 wishes: Tuple[bool, bool]) -> Tuple[List[int], int, Tuple[bool, bool]]:
    """Answer tokens of each batch, those of the step on all ranks together, and what any rank wishes (stop, save)."""
    ranks = accelerator.num_processes
    if ranks == 1 and len(batches) == 1:
        return [1], 1, wishes
    counts = [count_answer_tokens(accelerator.unwrap_model(model), each) for each in batches]
    if ranks == 1:
        return counts, sum(counts), wishes
    shared = accelerator.reduce(torch.tensor([sum(counts), *wishes], device=accelerator.device), "sum").tolist()
    return counts, int(shared[0]), (shared[1] > 0, shared[2] > 0)


def backward(accelerator: Any, task: Any, model: Any, batches: Sequence[Batch], counts: Sequence[int],
             everywhere: int) -> torch.Tensor:
    """Gradients of one step over ``batches`` (more than one: accumulation).

    Returns:
        The step's loss, a scalar on the device: mean over the answer tokens of this rank.
    """
    total = torch.zeros((), device=accelerator.device)
    for number, (batch, count) in enumerate(zip(batches, counts)):
        last = number == len(batches) - 1
        with nullcontext() if last else accelerator.no_sync(model):
            with accelerator.autocast():
                loss = task.train_step(model, batch)
            # DDP averages over ranks, so each rank's share of the tokens is scaled back up by their number
            share = count * accelerator.num_processes / everywhere
            accelerator.backward(loss if share == 1 else loss * share)
        total += loss.detach().float() * (count / sum(counts))
    return total


def take_step(accelerator: Any, model: Any, optimizer: Any, max_grad_norm: Optional[float]) -> Tuple[float, bool]:
    """Clip (if asked to), step, clear the gradients. A gradient that is no finite number takes no step.

    Returns:
        The gradient's norm, the same on all ranks, and whether the step was left out. fp16's loss scaling leaves out
        its own steps and is not meant here.
    """
    trained = [each for each in model.parameters() if each.requires_grad]
    norm = float(accelerator.clip_grad_norm_(trained, float("inf") if max_grad_norm is None else max_grad_norm))
    left_out = not math.isfinite(norm) and accelerator.scaler is None
    if not left_out:
        optimizer.step()
    optimizer.zero_grad()
    return norm, left_out


@torch.no_grad()
def validation_loss(accelerator: Any, task: Any, model: Any, batches: Iterable[Batch]) -> float:
    """Mean loss over all answer tokens of a split, on all ranks together."""
    model.eval()
    own = accelerator.unwrap_model(model)
    summed = torch.zeros(2, dtype=torch.float64)
    for batch in batches:
        count = count_answer_tokens(own, batch)
        with accelerator.autocast():
            summed += torch.tensor([float(task.train_step(own, batch)) * count, count], dtype=torch.float64)
    model.train()
    summed = accelerator.reduce(summed.to(accelerator.device, torch.float32), "sum")
    return float(summed[0] / summed[1])
