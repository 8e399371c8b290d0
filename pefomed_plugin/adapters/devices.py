"""The accelerator of a run: device, processes, precision. Knows no model."""

from typing import Any

from ..errors import ConfigError
from ..options import RunOptions


def make_accelerator(options: RunOptions) -> Any:
    """Accelerator of the options; processes are those ``torchrun`` started.

    Raises:
        ConfigError: a GPU is asked for and there is none, or a precision that the device does not have.
    """
    import torch
    from accelerate import Accelerator

    has_gpu = torch.cuda.is_available()
    if options.device == "cuda" and not has_gpu:
        raise ConfigError("run.device is cuda, but torch sees no GPU; set run.device=auto, or check the driver")
    on_cpu = options.device == "cpu" or not has_gpu
    precision = options.amp_precision or _own_precision(on_cpu)
    if on_cpu and precision == "fp16":
        raise ConfigError("run.precision: the CPU has no fp16 training; use fp32 or bf16")
    if not on_cpu and precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise ConfigError("run.precision: {} has no bf16; use fp16".format(torch.cuda.get_device_name()))
    return Accelerator(mixed_precision=precision.replace("fp32", "no"), cpu=on_cpu)


def _own_precision(on_cpu: bool) -> str:
    import torch

    if on_cpu:
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
