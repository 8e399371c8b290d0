"""Training and answering, every way beside every other in one run: ``python -m projects.benchmarks.speed --out DIR``.

The ways take turns, step by step, on one thread each, so that whatever else the machine does falls on all of them. A
way whose loss, gradients or answers are not those of the plain one gets no time. With MINIGPT4_HOME and
MINIGPT4_PYTHON set a real checkout takes part. Writes ``speed.json``, ``speed.md`` and ``speed.png``.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from pefomed_plugin.services.console import progress, say
from projects.benchmarks.speed import figures
from projects.benchmarks.speed.inputs import spec_of, with_text, write_inputs
from projects.benchmarks.speed.sizes import SIZES, TINY_TASKS, Task, Way, tasks

ROOT = Path(__file__).resolve().parents[3]
LOSS_TOLERANCE = GRADIENT_TOLERANCE = 1e-5
BF16_TOLERANCE = 2e-2
WARM_UP = 1


class Worker:
    """A process with one toolkit and one model size."""

    def __init__(self, toolkit: str, spec: Path, home: Optional[str], python: Optional[str]) -> None:
        executable = python if toolkit == "checkout" else sys.executable
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
                   "PEFOMED_TOOLKIT": "minigpt4" if toolkit == "checkout" else "bundled"}
        environ.update({"MINIGPT4_HOME": home} if home else {})
        self._process = subprocess.Popen(
            [str(executable), "-m", "projects.benchmarks.speed.worker", str(spec)], cwd=str(ROOT), env=environ,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def ask(self, what: str, task: Dict[str, Any], way: Way) -> Dict[str, Any]:
        """One answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, "task": task, "way": way._asdict()}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> Dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # a checkout also prints what it loads
                return json.loads(line)
        raise SystemExit("a worker ended with exit code {}; its message stands above".format(self._process.wait()))


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/speed"), help="folder for figures and inputs")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=9, help="times that each way has its turn")
    parser.add_argument("--only", default="", help="tasks whose name holds this")
    parser.add_argument("--tiny", action="store_true", help="a model too small to say anything: a check of this tool")
    given = parser.parse_args(arguments)
    home, python = os.environ.get("MINIGPT4_HOME"), os.environ.get("MINIGPT4_PYTHON")
    has_checkout = bool(home and python) and given.device == "cpu"
    if not has_checkout:
        say("no checkout takes part (MINIGPT4_HOME and MINIGPT4_PYTHON, on the CPU): ratios are to the plain way")
    given.out.mkdir(parents=True, exist_ok=True)
    chosen = [each for each in (TINY_TASKS if given.tiny else tasks(given.device)) if given.only in each.name]
    results: List[Dict[str, Any]] = []
    for size in dict.fromkeys(each.size for each in chosen):
        folder = given.out / "inputs" / size
        write_inputs(folder, size)
        spec = folder / "spec.json"
        spec.write_text(json.dumps(spec_of(folder, size, given.device)), encoding="utf-8")
        workers = {"bundled": Worker("bundled", spec, home, python)}
        if has_checkout:
            workers["checkout"] = Worker("checkout", spec, home, python)
        for task in (each for each in chosen if each.size == size):
            results.append(measure(workers, task, folder, given.rounds, given.device))
            figures.write(results, given.out, given.device)
        for worker in workers.values():
            worker.close()
    if given.device == "cpu" and not given.tiny and not given.only:
        kept = kept_bytes(given.out, home, python, has_checkout)
        figures.write(results, given.out, given.device, kept)
    say((given.out / "speed.md").read_text(encoding="utf-8"))
    return 0 if all(way["equal"] for result in results for way in result["ways"]) else 1


def measure(workers: Dict[str, Worker], task: Task, folder: Path, rounds: int, device: str) -> Dict[str, Any]:
    """Check and time one task in all ways for which there is a worker."""
    ways = [each for each in task.ways if each.toolkit in workers]
    text = with_text(task, SIZES[task.size], folder)
    found = {way: workers[way.toolkit].ask("check", text, way) for way in ways}
    equal = {way: _is_equal(found[way], found[ways[0]], device) for way in ways}
    seconds: Dict[Way, List[float]] = {way: [] for way in ways if equal[way]}
    with progress(task.name, rounds + WARM_UP) as advance:
        for turn in range(rounds + WARM_UP):
            for way, times in seconds.items():
                taken = workers[way.toolkit].ask("time", text, way)["seconds"]
                if turn >= WARM_UP:
                    times.append(taken)
            advance(1)
    more = {way: _load_independent(workers[way.toolkit], text, way, device) for way in ways if way.toolkit == "bundled"}
    return {"task": task.name, "size": task.size, "ways": [
        {"way": way.name, "equal": equal[way], "found": found[way], "seconds": seconds.get(way, []),
         **more.get(way, {})} for way in ways]}


def _load_independent(worker: Worker, text: Dict[str, Any], way: Way, device: str) -> Dict[str, Any]:
    if text["kind"] == "generate":
        return {}
    return {**worker.ask("flops", text, way), **(worker.ask("kernels", text, way) if device == "cuda" else {})}


def _is_equal(found: Dict[str, Any], wanted: Dict[str, Any], device: str) -> bool:
    if "answers" in found:
        # in bf16 the first difference of rounding changes all that follows, so only the CPU can be asked for this
        return device == "cuda" or found["answers"] == wanted["answers"]
    loss, gradient = (LOSS_TOLERANCE, GRADIENT_TOLERANCE) if device == "cpu" else (BF16_TOLERANCE, BF16_TOLERANCE)
    return math.isclose(found["loss"], wanted["loss"], rel_tol=0, abs_tol=loss) and math.isclose(
        found["grad_norm"], wanted["grad_norm"], rel_tol=gradient)


def kept_bytes(out: Path, home: Optional[str], python: Optional[str], has_checkout: bool) -> Dict[str, float]:
    """Bytes that a token keeps for the backward pass in one layer of LLaMA-2-7B's width, by way."""
    from projects.benchmarks.speed.sizes import CHECKOUT, PLAIN

    folder = out / "inputs" / "wide"
    write_inputs(folder, "wide")
    spec = folder / "spec.json"
    spec.write_text(json.dumps(spec_of(folder, "wide", "cpu")), encoding="utf-8")
    task = with_text(Task("bytes", "wide", "train", 1, 1, ()), SIZES["wide"], folder)
    found: Dict[str, float] = {}
    for way in [*([CHECKOUT] if has_checkout else []), PLAIN, Way("packed", packed=True)]:
        worker = Worker(way.toolkit, spec, home, python)
        found[way.name] = worker.ask("bytes", task, way)["bytes"]
        worker.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
