"""FSDP: the model's tensors spread over the processes, for a language model that one GPU does not hold.

Each decoder layer of the language model is one unit, gathered while it computes; everything else is another. Trained
and frozen tensors stay apart (LoRA), precisions as they are. It is torch's ``fully_shard``, called here and not through
accelerate, whose plugin leaves processes on the CPU with DDP and does not say so.
"""

from __future__ import annotations

from typing import Any, Callable

from ....config.compose import Configuration
from ....errors import ConfigError
from ...devices import match_frozen_weights, precision_of
from .base import Strategy

VISION = ("visual_encoder", "ln_vision")
"""What makes features of images."""


class FullySharded(Strategy):
    """Every process holds a part of each tensor."""

    name = "fsdp"
    words = "spread over them (FSDP)"
    can_answer = False
    stops_on_device = False

    def refusals(self, configuration: Configuration) -> list[str]:
        """As ``Strategy.refusals``."""
        run, model = configuration.run, configuration.model
        cannot = {
            "fsdp only trains; leave run.test_splits empty and answer the test split with evaluate.py and "
            "run.strategy=ddp": bool(run.test_splits) or run.evaluate,
            "fp16 needs scaled losses, which FSDP does not support here; set run.precision=bf16": run.amp_precision
            == "fp16",
            "fsdp spreads the vision encoder too; set model.vit_on_cpu=false": model.vit_on_cpu,
            "fsdp takes each question alone; set run.questions_per_image=1": run.shares_images,
            "fsdp cannot spread quantised weights; set model.llm_quantization=none and model.low_resource=false": (
                model.quantisation != "none"
            ),
        }
        return [f"run.strategy: {line}" for line, applies in cannot.items() if applies]

    def refusals_here(self, processes: int) -> list[str]:
        """As ``Strategy.refusals_here``."""
        problems = []
        if processes < 2:
            problems.append("there is one process; start more with torchrun --nproc-per-node, or use run.strategy=ddp")
        if not _torch_has_it():
            problems.append("torch is too old; it takes 2.6 or later")
        return [f"run.strategy: fsdp: {problem}" for problem in problems]

    def place(self, model: Any, device: Any, precision: str) -> Any:
        """The vision encoder on the process's device, so that images can be made ready. The language model, which no
        GPU may hold whole, moves unit by unit in ``prepare``."""
        for name in VISION:
            if hasattr(model, name):
                getattr(model, name).to(device)
        return model

    def prepare(self, accelerator: Any, model: Any, make_optimizer: Callable[[Any], Any]) -> tuple[Any, Any]:
        """As ``Strategy.prepare``; the model is spread in place and moves to the processes' devices."""
        problems = self.refusals_here(accelerator.num_processes)
        if accelerator.mixed_precision == "fp16":  # this device's own choice; one that was asked for is refused before
            problems.append("run.strategy: fsdp has no fp16, and this GPU no bf16; set run.precision=fp32")
        if problems:
            raise ConfigError("run.strategy=fsdp cannot be used", problems)
        from torch.distributed.device_mesh import init_device_mesh  # late: heavy
        from torch.distributed.fsdp import fully_shard  # late: not in torch before 2.6

        if hasattr(model, "decoder"):
            model.decoder = "plain"  # a layer is gathered when it is called as a module, which only plain does
        mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
        for module in (*units_of(model), model):  # the model last: what is in no unit
            match_frozen_weights(module.to(accelerator.device), precision_of(accelerator))
            fully_shard(module, mesh=mesh)
        return model, accelerator.prepare(make_optimizer(model))

    def whole(self, value: Any) -> Any:
        """As ``Strategy.whole``."""
        return value.full_tensor() if hasattr(value, "full_tensor") else value

    def spread_like(self, tensor: Any, value: Any) -> Any:
        """``value`` spread as ``tensor`` is, if it has its shape (the count of steps has not)."""
        if not hasattr(tensor, "full_tensor") or getattr(value, "shape", None) != tensor.shape:
            return value
        from torch.distributed.tensor import distribute_tensor  # late: heavy

        return distribute_tensor(value.to(tensor.device), tensor.device_mesh, tensor.placements)


def units_of(model: Any) -> list[Any]:
    """The language model's decoder layers, of whichever family: they are gathered one after the other."""
    return [
        layer
        for name, module in model.named_modules()
        if name.startswith("llama_model.") and name.endswith(".layers")
        for layer in module
    ]


def _torch_has_it() -> bool:
    from torch.distributed import fsdp  # late: heavy

    return hasattr(fsdp, "fully_shard")


FSDP = FullySharded()
