"""MiniGPT-v2 of the real size with weights that are not there, and steps of it exactly as the trainer makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.utils.data._utils.pin_memory import pin_memory
from transformers import LlamaConfig

from pefomed_plugin.adapters.answering import to_device
from pefomed_plugin.adapters.data.datasets import make_collater
from pefomed_plugin.adapters.devices import make_accelerator, precision_of
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from pefomed_plugin.adapters.training.arithmetic import (
    backward,
    build_optimizer,
    seed_iteration,
    share_counts,
    take_step,
)
from pefomed_plugin.adapters.training.strategies import strategy_of
from pefomed_plugin.config.run import read_run_config
from pefomed_plugin.families.llama import LLAMA, load_tokenizer
from pefomed_plugin.lora import LoraSettings
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from projects.benchmarks.speed.inputs import llama_config, with_text, write_inputs
from projects.benchmarks.speed.sizes import SIZES, Task

FEATURES = (1024, 1408)
"""Patches and width of what the vision encoder makes of an image of 448 pixels."""


def build(folder: Path, **options: Any) -> MiniGPTv2:
    """The model as ``from_config`` leaves it on a card: frozen weights in fp16, trained ones in fp32."""
    write_inputs(folder, "real")
    torch.set_default_dtype(torch.float16)
    with torch.device("cuda"):
        llama = language.empty_language_model(LLAMA, LlamaConfig(**llama_config(SIZES["real"])))
    torch.set_default_dtype(torch.float32)
    with torch.device("cuda"):
        lora = LoraSettings(SIZES["real"].lora_r, 16, LLAMA.lora_targets, 0.05)
        model = MiniGPTv2(llama, load_tokenizer(folder / "llama"), lora, **options)
    model.visual_encoder.to(torch.float16)
    return model


def items(folder: Path, images: int, per_image: int, like: torch.Tensor, answer: int = 5, spread: Any = (1.0,)) -> list:
    """Samples as a data set gives them, each image ``like`` that tensor, ``per_image`` questions about each."""
    text = with_text(Task("t", "real", "train", images, per_image, (), answer, spread), SIZES["real"], folder)
    return [
        {
            "image": like,
            "instruction_input": instruction,
            "answer": answer,
            "image_id": str(number),
            "index": number,
            "image_key": number // per_image,
        }
        for number, (instruction, answer) in enumerate(zip(text["instructions"], text["answers"]))
    ]


def batch_of(model: MiniGPTv2, made: list, together: bool, generation: bool = False) -> Any:
    """A batch as the trainer's loader hands it over, in pinned memory."""
    return pin_memory(make_collater(model, share=together, generation=generation)(made))


class Run:
    """The steps of a run."""

    def __init__(self, model: MiniGPTv2, precision: str) -> None:
        section = {"task": "medical_vqa", "output_dir": "x", "precision": precision, "device": "cuda"}
        self.options = read_run_config(section)
        self.accelerator = make_accelerator(self.options)
        self.strategy = strategy_of("ddp")
        model = self.strategy.place(model, self.accelerator.device, precision_of(self.accelerator))
        self.model, self.optimizer = self.strategy.prepare(
            self.accelerator, model, lambda own: build_optimizer(own, self.options)
        )
        self.model.train()
        self.iteration = 0

    def step(self, batch: Any) -> None:
        """One step of one batch."""
        group = [to_device(batch, self.accelerator.device)]
        seed_iteration(1, self.iteration, 0)
        counts = share_counts(self.accelerator, self.model, group, False, False)
        backward(self.strategy, self.accelerator, MedicalVqaTask(), self.model, group, counts)
        take_step(self.strategy, self.accelerator, self.model, self.optimizer, None)
        self.iteration += 1
