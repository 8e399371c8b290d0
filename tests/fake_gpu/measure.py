"""Measure steps and answers of the real size on a GPU that computes nothing; one JSON object on the last line.

``python -m tests.fake_gpu.measure FOLDER``, under the stand-in for CUDA (``conftest.py`` starts it).
"""

from __future__ import annotations

import collections
import gc
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable

import torch
from torch.nn import functional

from pefomed_plugin.adapters.answering import to_device
from pefomed_plugin.adapters.medical_model import MedicalModel
from pefomed_plugin.services.memory.estimate import GIB, estimate
from pefomed_plugin.toolkit.bundled.graphs import StepGraphs
from projects.benchmarks.real_size import Steps, longest_batch, make_batch, make_items, random_model, stage2
from tests.fake_gpu.watch import Watch

KERNELS = {0: "math", 1: "flash", 2: "efficient", 3: "cudnn"}


class Attention:
    """Which kernel torch would take for each attention since the last ``asked``; cuDNN's is computed by another.

    cuDNN's plans cannot be faked, so that torch is asked with it as the project leaves it, and called without.
    """

    def __init__(self) -> None:
        torch.backends.cuda.enable_cudnn_sdp(True)  # as torch starts; preload/ has turned it off
        self._seen: collections.Counter[str] = collections.Counter()
        self._real = functional.scaled_dot_product_attention
        functional.scaled_dot_product_attention = self._note

    def asked(self, call: Callable[[], Any]) -> dict[str, int]:
        """Kernel -> how often ``call`` asks for it."""
        self._seen.clear()
        call()
        return dict(self._seen)

    def _note(self, query: Any, key: Any, value: Any, attn_mask: Any = None, **rest: Any) -> Any:
        kernel = torch._fused_sdp_choice(query, key, value, attn_mask=attn_mask, **rest)
        self._seen[KERNELS[kernel]] += 1
        before = torch.backends.cuda.cudnn_sdp_enabled()
        torch.backends.cuda.enable_cudnn_sdp(False)
        try:
            return self._real(query, key, value, attn_mask=attn_mask, **rest)
        finally:
            torch.backends.cuda.enable_cudnn_sdp(before)


def watched(call: Callable[[], Any], before: int = 2) -> Watch:
    """What one call asks for, after so many that are not looked at (they make the optimizer's state, plans, tables)."""
    for _ in range(before):
        call()
    with Watch() as watch:
        call()
    return watch


def steps(model: Any, run: Steps, folder: Path) -> dict[str, Any]:
    """Each kind of batch -> kernels, waits and precisions of a step."""
    pixels = [{**item, "image": torch.zeros(3, 448, 448, dtype=torch.uint8)} for item in make_items(folder, 2, 1)]
    made = {
        "images": (make_items(folder, 6, 1), False),
        "features": (make_items(folder, 6, 1, torch.float16), False),
        "together": (make_items(folder, 1, 8, torch.float16), True),
        "uneven": (make_items(folder, 4, 1, None, 12, (0.3, 1.7)), False),
        "pixels": (pixels, False),
    }
    batches = {name: make_batch(model, items, share=share) for name, (items, share) in made.items()}
    found = {}
    for name, batch in batches.items():
        watch = watched(lambda batch=batch: run.take(batch))
        found[name] = {"kernels": watch.launches, "waits": watch.waits, "products": watch.products}
    return found


def memory(run: Steps) -> dict[str, float]:
    """GiB that a step of the largest batch of six questions takes, and what ``pefomed estimate`` says of it."""
    said = estimate(stage2(6))
    load = said.training_load
    batch = longest_batch(load.rows, load.row_tokens, load.answer_tokens // load.samples)
    run.take(batch)
    torch.cuda.empty_cache()
    watch = watched(lambda: run.take(batch), 0)
    parts = said.training
    assert parts is not None
    estimated = sum(parts.values()) - parts["CUDA"] - parts["allocator's slack"]
    return {"taken": watch.peak_bytes / GIB, "estimated": estimated / GIB}


def a_token(answer: Callable[[int], Any]) -> dict[str, float]:
    """Kernels and waits of one more token of an answer."""
    for limit in (4, 4, 90, 4, 14, 14):  # the first have graphs made, for a store that then grows
        answer(limit)
    few, many = (watched(lambda limit=limit: answer(limit), 0) for limit in (4, 14))
    return {
        "kernels": (many.launches - few.launches) / 10,
        "waits": (sum(many.waits.values()) - sum(few.waits.values())) / 10,
    }


def as_a_run(folder: Path, attention: Attention) -> dict[str, Any]:
    """Training and evaluating."""
    model = as_from_config(folder)
    run = Steps(model, "bf16")
    together = make_batch(model, make_items(folder, 2, 4, torch.float16), share=True)
    images = make_batch(model, make_items(folder, 2, 1), share=False)
    found: dict[str, Any] = {
        "step": steps(model, run, folder),
        "attention": {
            "training": attention.asked(lambda: run.take(together)),
            "training from images": attention.asked(lambda: run.take(images)),
        },
        "memory": memory(run),
    }
    model.eval()
    asked = questions(model, folder)

    def answer(limit: int) -> None:
        with run.accelerator.autocast():
            model.generate_packed_ids(asked["image"], asked["layout"], limit)

    found["token"] = {"evaluating": a_token(answer)}
    with kernel_by_kernel(model):
        found["token"]["kernel by kernel"] = a_token(answer)
    found["attention"]["evaluating"] = attention.asked(lambda: answer(3))
    return found


def in_fp16(folder: Path, found: dict[str, Any]) -> None:
    """Training with a scaled loss."""
    model = as_from_config(folder)
    run = Steps(model, "fp16")
    batch = make_batch(model, make_items(folder, 1, 8, torch.float16), share=True)
    watch = watched(lambda: run.take(batch))
    found["step"]["fp16"] = {"kernels": watch.launches, "waits": watch.waits, "products": watch.products}


def as_loaded(folder: Path, attention: Attention, found: dict[str, Any]) -> None:
    """``pefomed_plugin.load``."""
    model = MedicalModel(as_from_config(folder), 448, {}, "cuda")
    asked = questions(model.network, folder)

    def answer(limit: int) -> None:
        with model.computing():
            model.network.generate_packed_ids(asked["image"], asked["layout"], limit)

    found["token"]["loaded"] = a_token(answer)
    rows = model.network.stepwise(16)
    layout, count = asked["layout"], asked["layout"].samples

    def serve(limit: int) -> None:
        with model.computing():
            rows.admit(rows.encode(asked["image"]), layout, [limit] * count, range(count), [True] * count)
            while rows.free < rows.slots:
                rows.step()

    found["token"]["served"] = a_token(serve)
    found["attention"]["loaded"] = attention.asked(lambda: answer(3))


@contextmanager
def kernel_by_kernel(model: Any) -> Iterator[None]:
    """While it is open no step of an answer is a graph."""
    take = StepGraphs.take
    StepGraphs.take = lambda self, step, columns, version: step(columns)
    model.forget_slots()
    try:
        yield
    finally:
        StepGraphs.take = take
        model.forget_slots()


def as_from_config(folder: Path) -> Any:
    """The model as ``from_config`` leaves it on a card: frozen weights in fp16, trained ones in fp32."""
    return random_model(folder, "cuda", torch.float16, lora_dropout=0.05)


def questions(model: Any, folder: Path) -> Any:
    """Two images with eight questions each, to be answered."""
    return to_device(make_batch(model, make_items(folder, 2, 8), share=True, answering=True), "cuda")


def main(folder: Path) -> None:
    """All of it."""
    warnings.simplefilter("ignore")
    attention = Attention()
    found = as_a_run(folder, attention)
    for more in (in_fp16, partial(as_loaded, attention=attention)):
        gc.collect()
        torch.cuda.empty_cache()
        more(folder, found=found)
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
