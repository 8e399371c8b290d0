"""Sections ``env``, ``tiny`` and ``step``: what the machine is, and whether it computes what it should."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from importlib import metadata
from typing import Any

import torch

from projects.benchmarks.gpu_check.measure import no_waiting
from projects.benchmarks.gpu_check.report import Report
from projects.benchmarks.gpu_check.state import Model
from projects.benchmarks.real_size import make_batch

LOSS_OFF, COSINE = 2e-2, 0.98
"""How far a loss near 10 may be from float32's, and how near the gradients' direction must be."""
_KERNELS = {0: "math", 1: "flash", 2: "efficient", 3: "cudnn"}


def versions() -> dict[str, Any]:
    """Of what computes."""
    packages = ("torch", "transformers", "peft", "timm", "accelerate")
    return {
        "python": sys.version.split()[0],
        **{name: metadata.version(name) for name in packages},
        "cudnn": torch.backends.cudnn.version(),
    }


def env(report: Report, model: Model) -> None:
    """Versions, card, and which attention kernel torch takes for a batch of ours."""
    report.info("versions", **versions())
    free, total = torch.cuda.mem_get_info()
    capability = ".".join(map(str, torch.cuda.get_device_capability()))
    report.info(torch.cuda.get_device_name(), GiB=total / 2**30, free=free / 2**30, capability=capability)
    report.verdict(free > 0.9 * total, "nobody else is on the card")
    try:
        import pefomed_plugin.toolkit.bundled  # noqa: F401
    except ImportError as error:
        report.verdict(False, "the toolkit imports", missing=str(error))
        return
    report.verdict(True, "the toolkit imports")
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    from pefomed_plugin.adapters.devices import make_accelerator
    from pefomed_plugin.config.run import read_run_config

    chosen = make_accelerator(
        read_run_config({"task": "medical_vqa", "output_dir": "output/benchmark"})
    ).mixed_precision
    report.verdict(chosen == ("bf16" if native else "fp16"), "precision of a run that names none", chosen=chosen)
    query = torch.zeros(8, 32, 311, 128, device="cuda", dtype=torch.bfloat16)
    mask = torch.zeros(8, 1, 311, 311, device="cuda", dtype=torch.bfloat16)
    kernel = _KERNELS.get(torch._fused_sdp_choice(query, query, query, attn_mask=mask))
    report.verdict(kernel == "efficient", "masked attention takes a kernel that needs no plan a shape", kernel=kernel)


def tiny(report: Report, model: Model) -> None:
    """The golden model: loss and gradients on the card against the CPU."""
    loss, gradient = _golden("cpu", None)
    for name, precision, far, turned in (
        ("fp32", None, 1e-4, 1e-4),
        ("bf16", torch.bfloat16, 3e-2, 3e-2),
        ("fp16", torch.float16, 5e-3, 5e-3),
    ):
        other, its = _golden("cuda", precision)
        less = 1 - float(torch.nn.functional.cosine_similarity(gradient, its, dim=0))
        good = abs(loss - other) < far * abs(loss) and less < turned
        report.verdict(good, f"golden model on the GPU in {name}", cpu=loss, gpu=other, one_less_cosine=less)


def _golden(device: str, precision: Any) -> tuple[float, torch.Tensor]:
    from tests.conformance.golden import golden_model, samples

    model, batch = golden_model().to(device).train(), samples()
    layout, _ = model.packer()(batch["instruction_input"], batch["answer"], range(len(batch["answer"])))
    with torch.autocast("cuda", precision) if precision else nullcontext():
        loss = model({**batch, "image": batch["image"].to(device), "layout": layout.to(device)})["loss"]
    loss.backward()
    grads = [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
    return float(loss.detach()), torch.cat(grads).float().cpu()


def step(report: Report, model: Model) -> None:
    """Real size: ours, upstream's order of work and Hugging Face's against float32; no step in which the host waits.

    All round to 16 bits at other places. The loss is a mean over 40 tokens whose errors cancel more or less by chance,
    so that its bound is a fixed one; the gradients must be as near to float32's as the others' are.
    """
    from pefomed_plugin.adapters.answering import to_device

    steps, own, items = model.steps, model.own, model.items(2, 4)
    apart, together = (to_device(make_batch(own, items, share=share), "cuda") for share in (False, True))
    with steps.accelerator.autocast():
        theirs = steps.gradients(steps.peer_loss(items, eager=True))
        today = steps.gradients(steps.peer_loss(items, eager=False))
    ours = {}
    for name, batch in (("one row a question", apart), ("questions of an image together", together)):
        with steps.accelerator.autocast():
            ours[name] = steps.gradients(own(batch)["loss"])
    with model.in_float32():
        exact = steps.gradients(steps.peer_loss(items, eager=True))
    distance, cosine = _beside(theirs, exact)
    distance_today, cosine_today = _beside(today, exact)
    report.info("upstream's order of work, from float32", loss=exact[0], loss_off=distance, one_less_cosine=1 - cosine)
    report.info("Hugging Face's way, from float32", loss_off=distance_today, one_less_cosine=1 - cosine_today)
    for name, found in ours.items():
        off, its = _beside(found, exact)
        good = off < LOSS_OFF and its > max(COSINE, min(cosine, cosine_today) - 0.01)
        report.verdict(good, f"{name}, from float32", loss_off=off, one_less_cosine=1 - its)
    for name, batch in (
        ("features", make_batch(own, model.items(2, 4, cached=True), share=True)),
        ("images", make_batch(own, items, share=True)),
    ):
        for _ in range(3):
            steps.take(batch)
        try:
            with no_waiting():
                steps.take(batch)
            report.verdict(True, f"the host waits for nothing in a step of {name}")
        except RuntimeError as error:
            report.verdict(False, f"the host waits for nothing in a step of {name}", where=str(error)[:120])


def _beside(found: tuple[float, torch.Tensor], exact: tuple[float, torch.Tensor]) -> tuple[float, float]:
    """Difference of the losses, cosine of the gradients."""
    return abs(found[0] - exact[0]), float(torch.nn.functional.cosine_similarity(found[1], exact[1], dim=0))
