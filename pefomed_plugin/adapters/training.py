"""The arithmetic of training: parameter groups, one optimizer step, the validation loss. Knows no file and no clock.

The loss of a step is the mean over all answer tokens of the step, whatever batches and ranks they are spread over; so
accumulation and several processes give what one large batch gives.
"""

from typing import Any, Dict, Iterable, List, Mapping, Sequence

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


def count_answer_tokens(model: Any, batch: Batch) -> int:
    """Answer tokens that carry loss, the end symbol counted."""
    encode = model.llama_tokenizer.encode
    return sum(min(len(encode(each + model.end_sym, add_special_tokens=False)), model.max_txt_len)
               for each in batch["answer"])


def train_step(accelerator: Any, task: Any, model: Any, optimizer: Any, batches: Sequence[Batch],
               max_grad_norm: Any = None) -> torch.Tensor:
    """One optimizer step over ``batches`` (more than one: gradient accumulation).

    Returns:
        The step's loss, a scalar on the device: mean over the answer tokens of this rank.
    """
    alone = accelerator.num_processes == 1 and len(batches) == 1
    counts = [1] if alone else [count_answer_tokens(accelerator.unwrap_model(model), each) for each in batches]
    everywhere = sum(counts)
    if accelerator.num_processes > 1:
        everywhere = int(accelerator.reduce(torch.tensor(everywhere, device=accelerator.device), "sum"))
    total = torch.zeros((), device=accelerator.device)
    for number, (batch, count) in enumerate(zip(batches, counts)):
        last = number == len(batches) - 1
        with _no_sync(accelerator, model, not last), accelerator.autocast():
            loss = task.train_step(model, batch)
        with _no_sync(accelerator, model, not last):
            # DDP averages over ranks, so each rank's share of the tokens is scaled back up by their number
            accelerator.backward(loss * (count * accelerator.num_processes / everywhere) if not alone else loss)
        total += loss.detach().float() * (count / sum(counts))
    if max_grad_norm is not None:
        accelerator.clip_grad_norm_([each for each in model.parameters() if each.requires_grad], max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    return total


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


def _no_sync(accelerator: Any, model: Any, active: bool) -> Any:
    from contextlib import nullcontext

    return accelerator.no_sync(model) if active else nullcontext()
