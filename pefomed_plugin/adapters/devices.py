"""The accelerator of a run: device, processes, precision, memory."""

from __future__ import annotations

import os
import resource
import sys
from datetime import timedelta
from typing import Any

from ..config.run import RunConfig
from ..errors import ConfigError
from ..offline import RANKS
from ..services.attention import let_cudnn_attend

_VISION = "visual_encoder"
"""Attribute of either toolkit's model that holds the frozen vision encoder."""


def make_accelerator(options: RunConfig) -> Any:
    """Accelerator that the options describe, over the processes that ``torchrun`` started.

    Attention goes without cuDNN from here on, in all of this process (``services.attention``).

    Raises:
        ConfigError: a GPU is asked for and there is none, or a precision that the device does not have.
    """
    import torch  # late: heavy
    from accelerate import Accelerator  # late: optional

    has_gpu = torch.cuda.is_available()
    if options.device == "cuda" and not has_gpu:
        raise ConfigError("run.device is cuda, but torch sees no GPU; set run.device=auto, or check the driver")
    on_cpu = options.device == "cpu" or not has_gpu
    precision = options.amp_precision or own_precision("cpu" if on_cpu else "cuda")
    if on_cpu and precision == "fp16":
        raise ConfigError("run.precision: the CPU has no fp16 training; use fp32 or bf16")
    if not on_cpu and precision == "bf16" and not has_bf16():
        raise ConfigError(f"run.precision: {torch.cuda.get_device_name()} has no bf16 of its own; use fp16")
    _join_processes(on_cpu, options.timeout_minutes)
    let_cudnn_attend(False)
    return Accelerator(mixed_precision=precision.replace("fp32", "no"), cpu=on_cpu)


def own_precision(device_type: str) -> str:
    """What is computed in where nothing is said: bf16 on GPUs that have it, else fp16; fp32 on the CPU."""
    if device_type != "cuda":
        return "fp32"
    return "bf16" if has_bf16() else "fp16"


def has_bf16() -> bool:
    """Whether the GPU computes in bf16 itself. Turing's (T4, RTX 20) and older ones do not: there torch emulates it."""
    import torch  # late: heavy

    try:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    except TypeError:  # torch before 2.5, which counts no emulation
        return bool(torch.cuda.is_bf16_supported())


def precision_of(accelerator: Any) -> str:
    """What an accelerator computes in, in the configuration's words."""
    return str(accelerator.mixed_precision).replace("no", "fp32")


def describe_precision(accelerator: Any, options: RunConfig, model: Any) -> str:
    """What a run computes in, in words: why, where it was not asked for, and where the vision encoder differs."""
    precision = words = precision_of(accelerator)
    if accelerator.device.type != "cuda":
        return words
    if options.amp_precision is None:
        words += ", which this GPU has" if precision == "bf16" else " (this GPU has no bf16 of its own)"
    vision = getattr(model, _VISION, None)
    own = {str(parameter.dtype).replace("torch.", "") for parameter in vision.parameters()} if vision else set()
    if own and own != {{"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}[precision]}:
        words += f", the vision encoder in {' and '.join(sorted(own))}"
    return words


def match_frozen_weights(model: Any, precision: str) -> None:
    """Convert frozen 16-bit weights to what is computed in, where they lie; on a GPU that takes milliseconds.

    Autocast would else convert every frozen matrix in every step and keep the copies for the backward pass, 12 GiB for
    LLaMA-2-7B. The vision encoder computes in a precision of its own (``model.vit_precision``) and keeps it, but in
    fp32, where everything is. Products of 4-bit weights follow as well.
    """
    import torch  # late: heavy

    wanted = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    others = {torch.float16, torch.bfloat16} - {wanted}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad and parameter.dtype in others and not name.startswith(_VISION):
            parameter.data = parameter.data.to(wanted)
    vision = getattr(model, _VISION, None)
    if vision is not None and precision == "fp32":
        vision.float()
    for module in model.modules():
        if isinstance(getattr(module, "compute_dtype", None), torch.dtype):  # bitsandbytes' Linear4bit
            module.compute_dtype = wanted
        if hasattr(module, "lora_A"):  # peft's switch: autocast brings inputs to 16 bits, not by way of 32
            module.cast_input_dtype_enabled = precision == "fp32"


def peak_memory_gib(device: Any) -> float:
    """The most memory taken so far: tensors on a GPU, or the whole process on the CPU."""
    import torch  # late: heavy

    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(taken / 2 ** (30 if sys.platform == "darwin" else 20), 3)  # bytes there, KiB elsewhere


def leave_processes() -> None:
    """End the connection to the other ranks, who all come here: NCCL's threads must not outlive the interpreter.

    Where they do, a rank can die of SIGABRT after its run is written, and torchrun calls the run failed.
    """
    import torch  # late: heavy

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _join_processes(on_cpu: bool, timeout_minutes: float) -> None:
    """Connect to the other ranks: gloo for tensors on the CPU, also beside NCCL, so that counts need no GPU."""
    import torch  # late: heavy

    world, folder = int(os.environ.get("WORLD_SIZE", "1")), os.environ.get(RANKS)
    if (world < 2 and not folder) or torch.distributed.is_initialized():
        return
    if not on_cpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    meeting: dict[str, Any] = {}
    if folder:  # PEFOMED_OFFLINE: through a file, not through a server
        place = os.path.join(folder, f"start{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}")
        store = torch.distributed.FileStore(place, world)
        meeting = {"store": store, "rank": int(os.environ.get("RANK", "0")), "world_size": world}
    torch.distributed.init_process_group(
        "gloo" if on_cpu else "cpu:gloo,cuda:nccl", timeout=timedelta(minutes=timeout_minutes), **meeting
    )
