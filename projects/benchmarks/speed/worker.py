"""One process that trains and answers on one toolkit, told what to do by JSON lines; imports no toolkit by name.

``python -m projects.benchmarks.speed.worker SPEC.json``: answers each line on standard input with one on standard
output. ``{"task": ..., "way": ..., "do": "check" | "time" | "bytes" | "flops"}``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from pefomed_plugin.services.attention import attention_without_plans
from projects.benchmarks.speed.peers import peer_loss, teacher_forced_agreement
from projects.benchmarks.speed.sizes import CHECKOUT, Way
from projects.benchmarks.toolkit_process import serve

Batch = dict[str, Any]


class Bench:
    """A model, its optimizer and the batches made for it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec, self.device = spec, spec["device"]
        self.model = build(spec).to(self.device)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, lr=0.0, weight_decay=0.0, **({"fused": True} if self.device == "cuda" else {})
        )
        self._features: dict[str, torch.Tensor] = {}
        self._first_gradients: dict[str, torch.Tensor] = {}

    def batch(self, task: dict[str, Any], way: Way) -> Batch:
        """The task's samples as a data loader would hand them over: image by image if they are shared."""
        drawn = torch.Generator().manual_seed(7)
        size = self.spec["image"]
        images = torch.randn(task["images"], 3, size, size, generator=drawn).to(self.device)
        owners = [number for number in range(task["images"]) for _ in range(task["questions_per_image"])]
        if way.cached:
            if task["name"] not in self._features:
                with torch.no_grad(), self.autocast():
                    self._features[task["name"]] = self.model.encode_vision(images)
            images = self._features[task["name"]]
        batch = {"instruction_input": task["instructions"], "answer": task["answers"], "owners": owners}
        return {**batch, "image": images if way.share or way.peer else images[owners]}

    def lay_out(self, batch: Batch, way: Way, answering: bool) -> Batch:
        """With the layout that packed ways need; counted into their time, though a loader's workers do it."""
        if not way.packed:
            return batch
        images = batch["owners"] if way.share else range(len(batch["owners"]))
        layout, _ = self.model.packer()(batch["instruction_input"], None if answering else batch["answer"], images)
        return {**batch, "layout": layout.to(self.device)}

    def autocast(self) -> Any:
        return torch.autocast("cuda", dtype=torch.bfloat16) if self.device == "cuda" else nullcontext()

    @contextmanager
    def computing(self, way: Way) -> Iterator[None]:
        """On a GPU ours as a run computes (``adapters.devices``), peers as torch and peft do of themselves."""
        if self.device == "cpu":
            yield
            return
        ours = not way.peer
        for module in self.model.modules():
            if hasattr(module, "lora_A"):
                module.cast_input_dtype_enabled = not ours
        with attention_without_plans() if ours else nullcontext(), self.autocast():
            yield

    def backward(self, batch: Batch, way: Way) -> torch.Tensor:
        """Loss and gradients of one batch."""
        self.model.compile_layers = way.compiled
        with self.computing(way):
            loss = self.loss(batch, way)
        loss.backward()
        return loss

    def loss(self, batch: Batch, way: Way) -> torch.Tensor:
        """Mean over the answer tokens."""
        if not way.peer:
            return self.model(self.lay_out(batch, way, answering=False))["loss"]
        images, texts, answers = batch["image"], batch["instruction_input"], batch["answer"]
        return peer_loss(self.model, images, texts, answers, batch["owners"], way.peer, eager=way.eager)

    def answers(self, batch: Batch, way: Way, limit: int) -> list[list[int]]:
        """Token ids of greedy answers, up to their end."""
        end = self.model.llama_tokenizer.eos_token_id
        with self.computing(way), self.model.merged_lora() if way.merged else nullcontext():
            if way.packed:
                laid_out = self.lay_out(batch, way, answering=True)
                ids = self.model.generate_packed_ids(laid_out["image"], laid_out["layout"], max_new_tokens=limit)
            else:
                prompts = [f"[INST] {text} [/INST]" for text in batch["instruction_input"]]
                ids = self.model.generate_ids(batch["image"], prompts, max_new_tokens=limit, do_sample=False)
        rows = ids.tolist()
        return [row[: row.index(end) + 1] if end in row else row for row in rows]

    def check(self, task: dict[str, Any], way: Way) -> dict[str, Any]:
        """What must be equal on all ways: loss, gradient and its norm, or the answers."""
        batch = self.batch(task, way)
        if task["kind"] == "generate":
            self.model.eval()
            if way.toolkit == CHECKOUT.toolkit:
                return {"answers": self.texts(batch, task["answer_tokens"])}
            ids = self.answers(batch, way, task["answer_tokens"])
            return {"answers": [self.model._answer_text(row) for row in ids], **self._agreement(task, batch, ids)}
        self.model.train()
        loss = self.backward(batch, way)
        found = torch.cat([own.grad.float().flatten() for own in self.model.parameters() if own.grad is not None])
        self.optimizer.zero_grad()
        first = self._first_gradients.setdefault(task["name"], found)
        cosine = float(torch.nn.functional.cosine_similarity(found, first, dim=0))
        return {"loss": float(loss.detach()), "grad_norm": float(found.norm()), "cosine": cosine}

    def texts(self, batch: Batch, limit: int) -> list[str]:
        """Answers of a checkout, whose own ``generate`` gives texts."""
        prompts = [f"[INST] {text} [/INST]" for text in batch["instruction_input"]]
        return self.model.generate(batch["image"], prompts, max_new_tokens=limit)

    def _agreement(self, task: dict[str, Any], batch: Batch, ids: list[list[int]]) -> dict[str, float]:
        if self.device == "cpu":
            return {}
        images = self.batch(task, Way("", share=True))["image"]
        with torch.no_grad(), self.autocast():
            best = teacher_forced_agreement(self.model, images, batch["instruction_input"], ids, batch["owners"])
        return {"agreement": best}

    def time(self, task: dict[str, Any], way: Way) -> dict[str, Any]:
        """Seconds of one optimizer step, or of answering the batch; on a GPU several between two waits."""
        batch = self.batch(task, way)
        answering = task["kind"] == "generate"
        self.model.train(not answering)
        count = 1 if self.device == "cpu" else 2 if answering else 8
        self.wait()
        start, used = time.perf_counter(), time.process_time()
        for _ in range(count):
            if not answering:
                self.step(batch, way)
            elif way.toolkit == CHECKOUT.toolkit:
                self.texts(batch, task["answer_tokens"])
            else:
                self.answers(batch, way, task["answer_tokens"])
        self.wait()
        return {
            "seconds": (time.perf_counter() - start) / count,
            "cpu_seconds": (time.process_time() - used) / count,
        }

    def step(self, batch: Batch, way: Way) -> None:
        """One optimizer step."""
        loss = self.backward(batch, way)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if way.toolkit == CHECKOUT.toolkit:
            loss.item()  # as its loop does

    def bytes(self, task: dict[str, Any], way: Way) -> dict[str, Any]:
        """Bytes kept for the backward pass, a token and layer: those of two layers less those of one."""
        decoder = next(module for module in self.model.modules() if type(module).__name__ == "LlamaModel")
        layers, kept = decoder.layers, []
        for count in (1, 2):
            decoder.layers = layers[:count]
            kept.append(self._kept_bytes(self.batch(task, way), way))
        decoder.layers = layers
        (one, tokens), (two, _) = kept
        return {"bytes": (two - one) / tokens}

    def _kept_bytes(self, batch: Batch, way: Way) -> tuple[int, int]:
        own = {parameter.untyped_storage().data_ptr() for parameter in self.model.parameters()}
        seen: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        self.model.train()
        self.model.compile_layers = False
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = self.model(self.lay_out(batch, way, answering=False))["loss"]
        del loss
        return sum(seen.values()), len(batch["answer"]) * self.spec["tokens_a_sample"]

    def flops(self, task: dict[str, Any], way: Way) -> dict[str, Any]:
        """Floating-point operations of a step, a sample; uncompiled, as counting makes torch compile all anew."""
        from projects.benchmarks.speed.operations import counting_operations  # late: a checkout's torch has no counter

        self.model.train()
        batch = self.batch(task, way)
        with counting_operations() as counter:
            self.backward(batch, way._replace(compiled=False))
        self.optimizer.zero_grad()
        return {"flops": counter.get_total_flops() / len(task["answers"])}

    def kernels(self, task: dict[str, Any], way: Way) -> dict[str, Any]:
        """On a GPU: kernels of a step, the time that they take without the gaps, and the most memory it took."""
        from projects.benchmarks.gpu_check.measure import kernels

        batch = self.batch(task, way)
        self.model.train()
        self.step(batch, way)
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        count, busy = kernels(lambda: self.step(batch, way))
        return {"kernels": count, "kernel_ms": busy, "peak_bytes": torch.cuda.max_memory_allocated() - before}

    def wait(self) -> None:
        """Until the GPU has done what it was given."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def build(spec: dict[str, Any]) -> Any:
    """The model of whichever toolkit is underneath, from the files of the benchmark; or of the real sizes, random."""
    if spec["real"]:
        from projects.benchmarks.real_size import random_model

        return random_model(Path(spec["folder"]), spec["device"])
    from pefomed_plugin.registration import register_all
    from pefomed_plugin.toolkit import registry

    register_all()
    folder = Path(spec["folder"])
    return registry.get_model_class("minigpt_v2").from_config(
        {
            "arch": "minigpt_v2",
            "llama_model": str(folder / "llama"),
            "vit_weights": str(folder / "eva.pth"),
            "ckpt": str(folder / "start.pth"),
            "vit": spec["vit"],
            "image_size": spec["image"],
            "max_txt_len": 1024,
            "end_sym": "</s>",
            "chat_template": True,
            "prompt_template": "[INST] {} [/INST]",
            "lora_r": spec["lora_r"],
            "lora_alpha": 16,
            "lora_dropout": 0.0,
        }
    )


def main() -> None:
    """Serve until the input ends."""
    torch.set_num_threads(1)
    bench = Bench(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    serve(lambda asked: getattr(bench, asked["do"])(asked["task"], Way(**asked["way"])))


if __name__ == "__main__":
    main()
