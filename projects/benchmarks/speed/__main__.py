"""Training and answering, every way beside every other in one run: ``python -m projects.benchmarks.speed --out DIR``.

The ways take turns, step by step, on one thread each, so that whatever else the machine does falls on all of them. A
way whose loss, gradients or answers are not those of the plain one gets no time. With MINIGPT4_HOME and
MINIGPT4_PYTHON set a real checkout takes part. Writes ``speed.json``, ``speed.md`` and ``speed.png``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pefomed_plugin.services.console import progress, say
from projects.benchmarks.speed import figures
from projects.benchmarks.speed.inputs import spec_of, with_text, write_inputs
from projects.benchmarks.speed.sizes import CHECKOUT, DIALOGUE, PLAIN, SIZES, TINY_TASKS, Task, Way, tasks
from projects.benchmarks.toolkit_process import ToolkitProcess, has_checkout

WORKER = "projects.benchmarks.speed.worker"
LOSS_TOLERANCE = GRADIENT_TOLERANCE = 1e-5
BF16_LOSS, BF16_COSINE = 4e-3, 0.98
"""Of two ways in bf16: difference of the losses over the loss, cosine of the gradients (bf16 has 8 bits)."""
BF16_AGREEMENT = 0.02
"""Share of a greedy answer's tokens that may less often be what transformers' forward finds best, than transformers'
own ``generate`` gives. Equal answers are asked for in float32: on the CPU, and in ``gpu_check``."""
WARM_UP = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/speed"), help="folder for figures and inputs")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=9, help="times that each way has its turn")
    parser.add_argument("--only", default="", help="tasks whose name holds this")
    parser.add_argument("--tiny", action="store_true", help="a model too small to say anything: a check of this tool")
    given = parser.parse_args(arguments)
    toolkits = ["bundled", *([CHECKOUT.toolkit] if has_checkout() and given.device == "cpu" else [])]
    if len(toolkits) == 1:
        say("no checkout takes part: it needs MINIGPT4_HOME and MINIGPT4_PYTHON, and the CPU")
    all_tasks = TINY_TASKS if given.tiny else tasks(given.device)
    chosen = [task for task in all_tasks if given.only in task.name]
    if not chosen:
        parser.error(f"--only {given.only}: no such task; there are {'; '.join(task.name for task in all_tasks)}")
    if given.device == "cuda" and not _has_gpu():
        parser.error("--device cuda: torch sees no GPU; nvidia-smi says whether the machine does")
    given.out.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, Any]] = []
    for size in dict.fromkeys(task.size for task in chosen):
        folder = given.out / "inputs" / size
        write_inputs(folder, size)
        spec = folder / "spec.json"
        spec.write_text(json.dumps(spec_of(folder, size, given.device)), encoding="utf-8")
        with ExitStack() as stack:
            workers = {toolkit: stack.enter_context(ToolkitProcess(WORKER, spec, toolkit)) for toolkit in toolkits}
            for task in (one for one in chosen if one.size == size):
                results.append(measure(workers, task, folder, given.rounds, given.device))
                figures.write(results, given.out, given.device)
    if given.device == "cpu" and not given.tiny and not given.only:
        kept = kept_bytes(given.out, toolkits)
        figures.write(results, given.out, given.device, kept)
    say((given.out / "speed.md").read_text(encoding="utf-8"))
    return 0 if all(way["equal"] for result in results for way in result["ways"]) else 1


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def measure(workers: dict[str, ToolkitProcess], task: Task, folder: Path, rounds: int, device: str) -> dict[str, Any]:
    """Check and time one task in all ways for which there is a worker."""
    ways = [way for way in task.ways if way.toolkit in workers]
    text = with_text(task, SIZES[task.size], folder)
    found = {way: ask(workers[way.toolkit], "check", text, way) for way in ways}
    # a dialogue is another task, and has its own loss
    equal = {way: way == DIALOGUE or _is_equal(found[way], found[ways[0]], device) for way in ways}
    seconds: dict[Way, list[float]] = {way: [] for way in ways if equal[way]}
    used: dict[Way, list[float]] = {way: [] for way in seconds}
    with progress(task.name, rounds + WARM_UP) as advance:
        for turn in range(rounds + WARM_UP):
            for way, times in seconds.items():
                taken = ask(workers[way.toolkit], "time", text, way)
                if turn >= WARM_UP:
                    times.append(taken["seconds"])
                    used[way].append(taken["cpu_seconds"])
            advance(1)
    more = {way: _load_independent(workers[way.toolkit], text, way, device) for way in ways if way.toolkit == "bundled"}
    return {
        "task": task.name,
        "size": task.size,
        "ways": [
            {
                "way": way.name,
                "equal": equal[way],
                "found": found[way],
                "seconds": seconds.get(way, []),
                "cpu_seconds": used.get(way, []),
                **more.get(way, {}),
            }
            for way in ways
        ],
    }


def _load_independent(worker: ToolkitProcess, text: dict[str, Any], way: Way, device: str) -> dict[str, Any]:
    if text["kind"] == "generate":
        return {}
    return {**(ask(worker, "kernels", text, way) if device == "cuda" else {}), **ask(worker, "flops", text, way)}


def _is_equal(found: dict[str, Any], wanted: dict[str, Any], device: str) -> bool:
    """On the CPU to 1e-5 and answer by answer; in bf16 as near as its rounding allows."""
    if "answers" in found:
        if device == "cpu":
            return found["answers"] == wanted["answers"]
        return found["agreement"] >= wanted["agreement"] - BF16_AGREEMENT
    if device == "cpu":
        return math.isclose(found["loss"], wanted["loss"], rel_tol=0, abs_tol=LOSS_TOLERANCE) and math.isclose(
            found["grad_norm"], wanted["grad_norm"], rel_tol=GRADIENT_TOLERANCE
        )
    return math.isclose(found["loss"], wanted["loss"], rel_tol=BF16_LOSS) and found["cosine"] >= BF16_COSINE


def kept_bytes(out: Path, toolkits: Sequence[str]) -> dict[str, float]:
    """Bytes that a token keeps for the backward pass in one layer of LLaMA-2-7B's width, by way."""
    folder = out / "inputs" / "wide"
    write_inputs(folder, "wide")
    spec = folder / "spec.json"
    spec.write_text(json.dumps(spec_of(folder, "wide", "cpu")), encoding="utf-8")
    task = with_text(Task("bytes", "wide", "train", 1, 1, ()), SIZES["wide"], folder)
    found: dict[str, float] = {}
    for way in (CHECKOUT, PLAIN, Way("packed", packed=True)):
        if way.toolkit in toolkits:
            with ToolkitProcess(WORKER, spec, way.toolkit) as worker:
                found[way.name] = ask(worker, "bytes", task, way)["bytes"]
    return found


def ask(worker: ToolkitProcess, what: str, text: dict[str, Any], way: Way) -> dict[str, Any]:
    """One answer of a worker."""
    return worker.ask(do=what, task=text, way=way._asdict())


if __name__ == "__main__":
    sys.exit(main())
