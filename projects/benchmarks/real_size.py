"""The model of the real sizes with random weights, made on its device: no download, no data.

``Steps`` takes optimizer steps exactly as the trainer does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from projects.benchmarks.speed.inputs import llama_config, with_text, write_inputs
from projects.benchmarks.speed.peers import peer_loss
from projects.benchmarks.speed.sizes import SIZES, Task

Item = dict[str, Any]
SIZE = "real"


def random_model(folder: Path, device: str, half: torch.dtype = torch.bfloat16, **options: Any) -> Any:
    """MiniGPT-v2 of ``SIZES["real"]`` as a run makes it: the language model in ``half``, the vision encoder in fp16.

    Args:
        folder: where the tokenizer is written, the only file.
        options: of ``MiniGPTv2``; and ``lora_dropout``.
    """
    from transformers import LlamaConfig

    from pefomed_plugin.families.llama import LLAMA, load_tokenizer
    from pefomed_plugin.lora import LoraSettings
    from pefomed_plugin.toolkit.bundled import language
    from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
    from pefomed_plugin.vision_encoders import encoder_of

    size = SIZES[SIZE]
    write_inputs(folder, SIZE)
    torch.manual_seed(0)
    lora = LoraSettings(size.lora_r, 16, LLAMA.lora_targets, lora_dropout=options.pop("lora_dropout", 0.0))
    torch.set_default_dtype(half)
    with torch.device(device):
        llama = language.empty_language_model(LLAMA, LlamaConfig(**llama_config(size)))
    torch.set_default_dtype(torch.float32)
    with torch.device(device):
        encoder = encoder_of({"vit": size.vit, "image_size": size.image})
        model = MiniGPTv2(llama, load_tokenizer(folder / "llama"), lora, encoder=encoder, **options)
    model.visual_encoder.to(torch.float16)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.01)
        # no answer then holds a token that the tokenizer does not have
        llama.lm_head.weight[model.llama_tokenizer.pieces :] = 0
    return model


def make_items(
    folder: Path,
    images: int,
    per_image: int,
    features: torch.dtype | None = None,
    answer_tokens: int = 5,
    spread: tuple[float, ...] = (1.0,),
) -> list[Item]:
    """Samples as a data set gives them, of random images; with ``features`` of what the encoder would make of them."""
    size = SIZES[SIZE]
    text = with_text(Task("", SIZE, "train", images, per_image, (), answer_tokens, spread), size, folder)
    drawn = torch.Generator().manual_seed(7)
    patches, width = (size.image // 14) ** 2, size.vit["embed_dim"]
    shown = [
        torch.randn(3, size.image, size.image, generator=drawn)
        if features is None
        else torch.randn(patches, width, generator=drawn).to(features)
        for _ in range(images)
    ]
    return [
        {
            "image": shown[number // per_image],
            "image_key": number // per_image,
            "image_id": str(number),
            "index": number,
            "instruction_input": instruction,
            "answer": answer,
        }
        for number, (instruction, answer) in enumerate(zip(text["instructions"], text["answers"]))
    ]


def make_batch(model: Any, items: Sequence[Item], *, share: bool, answering: bool = False) -> dict[str, Any]:
    """As a data loader hands it over, in page-locked memory."""
    from torch.utils.data._utils.pin_memory import pin_memory

    from pefomed_plugin.adapters.data.collating import make_collater

    return pin_memory(make_collater(model, share=share, generation=answering)(items))


def stage2(batch_size: int) -> Any:
    """Configuration of a stage-2 run, for ``pefomed estimate``."""
    from pefomed_plugin.config.compose import read_configuration

    return read_configuration(
        {
            "model": {"lora_dropout": 0.05},
            "datasets": {"vqa_rad": {"batch_size": batch_size}},
            "run": {"task": "medical_vqa", "output_dir": "output/benchmark", "precision": "bf16"},
        }
    )


def longest_batch(rows: int, tokens: int, answer: int) -> dict[str, Any]:
    """A batch of so many rows, all of the same length."""
    from pefomed_plugin.toolkit.bundled.packing import Packed

    ids = torch.full((rows, tokens), 5)
    wanted = torch.arange(tokens - answer, tokens).repeat(rows, 1)
    flat = torch.arange(rows * answer)
    layout = Packed(
        token_ids=ids,
        positions=torch.arange(tokens).repeat(rows, 1),
        segments=torch.zeros_like(ids),
        filled=torch.arange(rows * tokens),
        visual_starts=tokens * torch.arange(rows) + 5,
        wanted=wanted,
        flat=flat,
        sources=(wanted + tokens * torch.arange(rows)[:, None]).flatten(),
        targets=torch.full((rows * answer,), 7),
        owners=flat // answer,
        samples=rows,
        separately_padded_length=tokens,
        truncated_answers=0,
    )
    names = ["x"] * rows
    return {"image": torch.zeros(rows, 3, 448, 448), "layout": layout, "answer": names, "image_id": names}


class Steps:
    """Optimizer steps as the trainer takes them, at a learning rate of 0."""

    def __init__(self, model: Any, precision: str = "bf16") -> None:
        from accelerate.state import AcceleratorState

        from pefomed_plugin.adapters.devices import make_accelerator, match_frozen_weights
        from pefomed_plugin.adapters.training.arithmetic import build_optimizer
        from pefomed_plugin.adapters.training.strategies.ddp import DDP
        from pefomed_plugin.config.run import read_run_config

        AcceleratorState._reset_state(True)
        said = {
            "task": "medical_vqa",
            "output_dir": "output/benchmark",
            "device": "cuda",
            "init_lr": 1e-30,
            "weight_decay": 0.0,
        }
        options = read_run_config({**said, "precision": precision})
        self.accelerator = make_accelerator(options)
        match_frozen_weights(model, precision)
        self.own, self.strategy, self.taken = model, DDP, 0
        self.model, self.optimizer = DDP.prepare(self.accelerator, model, lambda own: build_optimizer(own, options))
        self.model.train()

    def take(self, batch: dict[str, Any]) -> torch.Tensor:
        """One step; the loss stays on the device."""
        from pefomed_plugin.adapters.answering import to_device
        from pefomed_plugin.adapters.tasks import MedicalVqaTask
        from pefomed_plugin.adapters.training.arithmetic import backward, seed_iteration, share_counts, take_step

        group = [to_device(batch, self.accelerator.device)]
        seed_iteration(1, self.taken, 0)
        counts = share_counts(self.accelerator, self.model, group, False, False)
        loss = backward(self.strategy, self.accelerator, MedicalVqaTask(), self.model, group, counts)
        take_step(self.strategy, self.accelerator, self.model, self.optimizer, None)
        self.taken += 1
        return loss

    def take_as_peer(self, items: Sequence[Item]) -> None:
        """One step of upstream's order of work with the same optimizer."""
        with self.accelerator.autocast():
            self.peer_loss(items, eager=True).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def peer_loss(self, items: Sequence[Item], *, eager: bool) -> torch.Tensor:
        """The loss of the items in transformers' own way, or with ``eager`` in upstream's order of work."""
        return peer_loss(
            self.own,
            torch.stack([item["image"] for item in items]).to(self.own.device),
            [item["instruction_input"] for item in items],
            [item["answer"] for item in items],
            range(len(items)),
            eager=eager,
        )

    def gradients(self, loss: torch.Tensor) -> tuple[float, torch.Tensor]:
        """A loss and all its gradients as one vector of float32."""
        loss.backward()
        grads = (parameter.grad for parameter in self.own.parameters() if parameter.requires_grad)
        found = torch.cat([grad.float().flatten() for grad in grads if grad is not None])
        self.optimizer.zero_grad()
        return float(loss.detach()), found
