"""The accelerator of a run: device, processes, precision, memory."""

from __future__ import annotations

import os
import resource
import sys
from datetime import timedelta
from typing import Any

from ..config.run import RunConfig
from ..errors import ConfigError


def make_accelerator(options: RunConfig) -> Any:
    """Accelerator that the options describe, over the processes that ``torchrun`` started.

    Raises:
        ConfigError: a GPU is asked for and there is none, or a precision that the device does not have.
    """
    import torch  # late: heavy
    from accelerate import Accelerator  # late: optional

    has_gpu = torch.cuda.is_available()
    if options.device == "cuda" and not has_gpu:
        raise ConfigError("run.device is cuda, but torch sees no GPU; set run.device=auto, or check the driver")
    on_cpu = options.device == "cpu" or not has_gpu
    precision = options.amp_precision or _own_precision(on_cpu)
    if on_cpu and precision == "fp16":
        raise ConfigError("run.precision: the CPU has no fp16 training; use fp32 or bf16")
    if not on_cpu and precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise ConfigError(f"run.precision: {torch.cuda.get_device_name()} has no bf16; use fp16")
    _join_processes(on_cpu, options.timeout_minutes)
    return Accelerator(mixed_precision=precision.replace("fp32", "no"), cpu=on_cpu)


def match_frozen_weights(model: Any, accelerator: Any) -> None:
    """Convert frozen fp16 weights to bf16, or the reverse, where the run computes in the other one.

    Autocast would else convert every frozen matrix in every step and keep the copies for the backward pass, 12 GiB for
    LLaMA-2-7B.
    """
    import torch  # late: heavy

    wanted = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(accelerator.mixed_precision)
    for parameter in model.parameters():
        if wanted and not parameter.requires_grad and parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.to(wanted)


def peak_memory_gib(device: Any) -> float:
    """The most memory taken so far: tensors on a GPU, or the whole process on the CPU."""
    import torch  # late: heavy

    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(taken / 2 ** (30 if sys.platform == "darwin" else 20), 3)  # bytes there, KiB elsewhere


def _join_processes(on_cpu: bool, timeout_minutes: float) -> None:
    """Connect to the other ranks: gloo for tensors on the CPU, also beside NCCL, so that counts need no GPU."""
    import torch  # late: heavy

    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or torch.distributed.is_initialized():
        return
    if not on_cpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    torch.distributed.init_process_group(
        "gloo" if on_cpu else "cpu:gloo,cuda:nccl", timeout=timedelta(minutes=timeout_minutes)
    )


def _own_precision(on_cpu: bool) -> str:
    import torch  # late: heavy

    if on_cpu:
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
