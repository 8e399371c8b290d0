"""Sections ``shapes``, ``speed`` and ``decode``: what time goes into."""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from projects.benchmarks.gpu_check.measure import (
    BANDWIDTH,
    PEAK,
    batch_flops,
    free_memory,
    kernels,
    milliseconds,
    of_card,
    separate_flops,
)
from projects.benchmarks.gpu_check.report import Report
from projects.benchmarks.gpu_check.state import Model
from projects.benchmarks.real_size import make_batch, random_model
from projects.benchmarks.speed.sizes import SIZES, VQA_RAD_TEXT

LANGUAGE_BYTES = 2 * 6.607e9
"""Weights of LLaMA-2-7B that a token reads, in 16 bits; its embedding table is not among them."""


def shapes(report: Report, model: Model) -> None:
    """30 steps of changing shapes, with the kernels that the project takes and with cuDNN's attention allowed."""
    steps = model.steps
    batches = [
        make_batch(
            model.own,
            model.items(n % 4 + 1, 2 + n % 5, cached=True, answer_tokens=4 + n % 9),
            share=True,
        )
        for n in range(30)
    ]

    def each_once() -> tuple[float, float]:
        times = []
        torch.cuda.synchronize()
        for batch in batches:
            start = time.perf_counter()
            steps.take(batch)
            torch.cuda.synchronize()
            times.append(1e3 * (time.perf_counter() - start))
        return sum(times) / len(times), max(times)

    steps.take(batches[0])
    new, worst = each_once()
    again, _ = each_once()
    report.verdict(
        new < 1.3 * again, "30 new shapes cost little more than known ones", ms=new, worst=worst, known=again
    )


def speed(report: Report, model: Model) -> None:
    """Training: every way beside upstream's; what is computed, and how much of the card that is."""
    peak = of_card(PEAK)
    for name, images, per_image in (
        ("batch 6, each its own image", 6, 1),
        ("batch 8, all one image", 1, 8),
        ("batch 32, 8 an image", 4, 8),
    ):
        items, cached = model.items(images, per_image), model.items(images, per_image, cached=True)
        theirs = None
        if len(items) <= 8:
            call = lambda items=items: model.steps.take_as_peer(items)  # noqa: E731
            call()
            theirs = milliseconds(call)
            tokens = sum(VQA_RAD_TEXT) + (SIZES["real"].image // 28) ** 2 + 10
            flops = separate_flops(len(items), tokens, VQA_RAD_TEXT[1])
            _row(report, f"{name}, upstream's order of work", theirs, len(items), flops, peak)
        for way, batch in (
            ("packed", make_batch(model.own, items, share=False)),
            ("shared", make_batch(model.own, items, share=True)),
            ("shared, cached", make_batch(model.own, cached, share=True)),
        ):
            if way == ("shared" if per_image == 1 else "packed"):
                continue  # with an image a question these two are the same
            ours = _steps(report, model, f"{name}, {way}", batch, peak)
            if theirs:
                report.verdict(ours < theirs, f"{name}, {way}: faster than upstream's order", times=theirs / ours)
    for images, per_image in ((1, 8), (4, 8)):
        batch = make_batch(model.own, model.items(images, per_image, cached=True), share=True)
        model.own.compile_layers = True
        start = time.perf_counter()
        for _ in range(3):
            model.steps.take(batch)
        torch.cuda.synchronize()
        report.info(f"compiling for batch {images * per_image}", s=time.perf_counter() - start)
        _steps(report, model, f"batch {images * per_image}, shared, cached, compiled", batch, peak)
        model.own.compile_layers = False


def _steps(report: Report, model: Model, name: str, batch: dict[str, Any], peak: float | None) -> float:
    for _ in range(2):
        model.steps.take(batch)
    ms = milliseconds(lambda: model.steps.take(batch))
    count, busy = kernels(lambda: model.steps.take(batch))
    _row(report, name, ms, len(batch["answer"]), batch_flops(batch), peak, kernels=count, kernels_ms=busy)
    return ms


def _row(report: Report, name: str, ms: float, samples: int, flops: float, peak: float | None, **more: Any) -> None:
    used = {"of_the_peak": flops / (ms / 1e3) / peak} if peak else {}
    report.info(name, ms_a_step=ms, samples_a_s=1e3 * samples / ms, **used, **more)


def _same_answers(report: Report, model: Model) -> None:
    """In float32, where rounding changes no token: slots and CUDA graphs beside transformers' ``generate``."""
    from pefomed_plugin.adapters.answering import to_device

    own, items = model.own, model.items(2, 4)
    batch = to_device(make_batch(own, items, share=True, answering=True), "cuda")
    images = torch.stack([item["image"] for item in items]).to("cuda")
    prompts = [own.prompt_template.format(item["instruction_input"]) for item in items]
    with model.in_float32():
        theirs = own.generate_ids(images, prompts, max_new_tokens=24, do_sample=False).tolist()
        for _ in range(2):  # in the second all steps are graphs
            ours = own.generate_packed_ids(batch["image"], batch["layout"], 24).tolist()
    same = sum(a == b for mine, other in zip(ours, theirs) for a, b in zip(mine, other))
    total = sum(map(len, theirs))
    report.verdict(ours == theirs, "float32: the answers are those of transformers' generate", same=same, of=total)


def decode(report: Report, model: Model) -> None:
    """Answering: ms a token against the time to read the weights; the precision in which ``load()`` computes."""
    from pefomed_plugin.adapters.answering import to_device
    from pefomed_plugin.adapters.medical_model import MedicalModel

    own, bandwidth = model.own, of_card(BANDWIDTH)
    own.eval()
    floor = 1e3 * LANGUAGE_BYTES / bandwidth if bandwidth else math.nan
    for name, images, per_image, compiled in (
        ("2 images, 8 questions each", 2, 8, False),
        ("16 images", 16, 1, False),
        ("16 images, compiled", 16, 1, True),
    ):
        own.compile_layers = compiled
        batch = to_device(make_batch(own, model.items(images, per_image), share=True, answering=True), "cuda")

        def answer(limit: int, batch: dict[str, Any] = batch) -> Any:
            with model.steps.accelerator.autocast():
                return own.generate_packed_ids(batch["image"], batch["layout"], limit)

        for limit in (4, 24, 4, 24):
            answer(limit)
        few, many = (milliseconds(lambda limit=limit: answer(limit), 2) for limit in (4, 24))
        report.verdict((many - few) / 20 < 4 * floor, f"a token of {name}", ms=(many - few) / 20, weights_ms=floor)
    own.compile_layers = False
    _same_answers(report, model)
    own.train()
    free_memory()
    loaded = MedicalModel(random_model(model.folder, "cuda", torch.float16), 448, {}, "cuda")
    weights = str(loaded.network._decoder().layers[0].mlp.up_proj.weight.dtype)
    chosen = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}[loaded.precision]
    report.verdict(
        chosen == weights, "load() computes in the precision of its weights", computes=chosen, weights=weights
    )
