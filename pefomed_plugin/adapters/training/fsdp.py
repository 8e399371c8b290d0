"""FSDP: the model's tensors spread over the ranks, for a language model that one GPU does not hold. Knows no data.

Each decoder layer of the language model is one unit, gathered while it computes; everything else is another. Trained
and frozen tensors stay apart (LoRA), precisions as they are. It is torch's ``fully_shard``, called here and not through
accelerate, whose plugin leaves processes on the CPU with DDP and does not say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.distributed.tensor import distribute_tensor

from ...errors import ConfigError
from ...toolkit.checkpoint import upstream_key

UNITS = ("LlamaDecoderLayer",)
"""Classes whose instances are gathered one after the other."""


def shard_model(accelerator: Any, model: Any) -> Any:
    """Spread ``model`` over all ranks, in place; it also moves to their device.

    Raises:
        ConfigError: one process only, fp16, or a torch that does not have it.
    """
    problems = []
    if accelerator.num_processes < 2:
        problems.append("there is one process; start more with torchrun --nproc-per-node, or use run.strategy=ddp")
    if accelerator.mixed_precision == "fp16":
        problems.append("fp16 needs scaled losses, which FSDP does not support here; set run.precision=bf16")
    try:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard
    except ImportError:
        problems.append(f"torch {torch.__version__} is too old; it takes 2.6 or later")
    if problems:
        raise ConfigError("run.strategy=fsdp cannot be used", problems)
    if hasattr(model, "decoder"):
        model.decoder = "plain"  # a layer is gathered when it is called as a module, which only plain does
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    for module in list(model.modules()):
        if type(module).__name__ in UNITS:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def is_sharded(tensor: Any) -> bool:
    """Whether a tensor is spread over ranks."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor gathered from all ranks, which must all call this; one that is not spread as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def gather_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """``toolkit.checkpoint.trainable_state``, gathered: the same on any number of ranks, which must all call this."""
    return {
        upstream_key(key): whole(each.detach()).cpu() for key, each in model.named_parameters() if each.requires_grad
    }


def gather_optimizer(optimizer: Any) -> dict[str, Any]:
    """An optimizer's ``state_dict`` with whole tensors; all ranks must call this."""
    state = optimizer.state_dict()
    return {
        **state,
        "state": {
            number: {key: whole(each) if isinstance(each, torch.Tensor) else each for key, each in entry.items()}
            for number, entry in state["state"].items()
        },
    }


def load_optimizer(optimizer: Any, state: Mapping[str, Any]) -> None:
    """Load a whole ``state_dict`` into an optimizer of whole or spread tensors; all ranks must call this.

    Whether steps are fused is a matter of this device, not of the one that wrote the state.
    """
    tensors = [each for group in optimizer.param_groups for each in group["params"]]
    groups = [
        {**theirs, "fused": own.get("fused")} for theirs, own in zip(state["param_groups"], optimizer.param_groups)
    ]
    optimizer.load_state_dict(
        {
            "param_groups": [*groups, *state["param_groups"][len(groups) :]],
            "state": {
                number: {key: _spread_like(tensors[number], each) for key, each in entry.items()}
                for number, entry in state["state"].items()
            },
        }
    )


def _spread_like(tensor: Any, value: Any) -> Any:
    """``value`` spread over the ranks as ``tensor`` is, if it has its shape (the count of steps has not)."""
    if not is_sharded(tensor) or getattr(value, "shape", None) != tensor.shape:
        return value
    return distribute_tensor(value.to(tensor.device), tensor.device_mesh, tensor.placements)
