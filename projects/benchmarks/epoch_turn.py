"""Seconds between the last batch of an epoch and the first of the next: ``python -m projects.benchmarks.epoch_turn``.

Ours is the loader of a run, one iterator over all epochs whose workers stay. With MINIGPT4_HOME and MINIGPT4_PYTHON
set, a checkout's ``IterLoader`` over the ``DataLoader`` that its runner makes takes part, in turns with ours; its
``PrefetchLoader`` is left out because it needs a GPU. Both read the same images from the disk with as many workers,
and each batch is followed by a pause that stands for a training step. Checkpoints and validation, which both have
besides, are not counted. Fails above the target. Writes ``epoch_turn.json`` and ``epoch_turn.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pefomed_plugin.services.console import progress, say
from projects.benchmarks.data_path.figures import quartiles
from projects.benchmarks.data_path.loading import checkout_dataset, own_dataset
from projects.benchmarks.data_path.photographs import find_photographs, write_annotations
from projects.benchmarks.toolkit_process import BUNDLED, CHECKOUT, ToolkitProcess, has_checkout, serve

TARGET_S = 0.3
BATCH_SIZE = 8
_LOADER = "projects.benchmarks.epoch_turn"


class Epochs:
    """One loader, drawn from for several epochs."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.batches = checkout_batches(spec) if spec["toolkit"] == CHECKOUT else own_batches(spec)
        per_epoch = len(spec["names"]) // BATCH_SIZE
        self.before = per_epoch // 2
        self.after = per_epoch - self.before
        self._draw(self.after)

    def turn(self) -> dict[str, Any]:
        """Seconds that each batch was waited for, from the middle of an epoch to that of the next.

        So the loader has no rest just before the turn while the other one has its own.
        """
        waits = self._draw(self.before + self.after)
        return {"turn": waits.pop(self.before), "within": waits}

    def _draw(self, count: int) -> list[float]:
        waits = []
        for _ in range(count):
            start = time.perf_counter()
            next(self.batches)
            waits.append(time.perf_counter() - start)
            time.sleep(self.spec["step_s"])
        return waits


def checkout_batches(spec: Mapping[str, Any]) -> Iterator[Any]:
    """As the checkout's ``runner_base`` makes them for training on one device."""
    from minigpt4.datasets.datasets.dataloader_utils import IterLoader
    from torch.utils.data import DataLoader

    loader = DataLoader(
        checkout_dataset(spec),
        batch_size=BATCH_SIZE,
        num_workers=spec["workers"],
        pin_memory=True,
        shuffle=True,
        drop_last=True,
    )
    return IterLoader(loader)


def own_batches(spec: Mapping[str, Any]) -> Iterator[Any]:
    """As our ``Trainer`` makes them, its parts that load data stood in for a whole run."""
    import torch

    from pefomed_plugin.adapters.data.sampling import MixturePlan
    from pefomed_plugin.adapters.training.trainer import Trainer
    from pefomed_plugin.config.run import RunConfig

    dataset = own_dataset(spec)
    run: Any = SimpleNamespace(
        train_sets=[dataset],
        own=None,
        iteration=0,
        options=RunConfig(task="medical_vqa", output_dir="output", num_workers=spec["workers"]),
        plan=MixturePlan([len(dataset)], [BATCH_SIZE], [1.0], seed=0, epochs=spec["turns"] + 1),
        accelerator=SimpleNamespace(process_index=0, device=torch.device("cpu")),
    )
    return iter(Trainer._loader(run))


def table(results: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        f"{results['what']}, batches of {BATCH_SIZE}, {results['workers']} workers, {results['turns']} turns, "
        f"{results['step_s']:.2f} s a step:",
        "",
        "| loader | wait at the turn, median s | quartiles | wait within an epoch, median s |",
        "|---|---:|---:|---:|",
    ]
    for name, waits in results["waits"].items():
        low, middle, high = quartiles(waits["turn"])
        lines.append(f"| {name} | {middle:.3f} | {low:.3f} - {high:.3f} | {quartiles(waits['within'])[1]:.3f} |")
    return lines


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Turn of an epoch by turn, each toolkit after the other."""
    images = find_photographs(given.images, given.batches * BATCH_SIZE, given.out / "made-up")
    annotations = (given.out / "annotations.json").resolve()
    write_annotations(images, annotations)
    waits: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as running:
        processes = {}
        for name, toolkit in [*([("checkout", CHECKOUT)] if has_checkout() else []), ("ours", BUNDLED)]:
            spec = given.out / f"spec-{toolkit}.json"
            spec.write_text(
                json.dumps(
                    {
                        "toolkit": toolkit,
                        "folder": str(images.folder.resolve()),
                        "names": images.names,
                        "annotations": str(annotations),
                        "image_size": 448,
                        "workers": given.workers,
                        "turns": given.turns,
                        "step_s": given.step_s,
                    }
                ),
                encoding="utf-8",
            )
            processes[name] = running.enter_context(ToolkitProcess(_LOADER, spec, toolkit))
        with progress("turns of an epoch", given.turns) as advance:
            for _ in range(given.turns):
                for name, process in processes.items():
                    answer = process.ask()
                    mine = waits.setdefault(name, {"turn": [], "within": []})
                    mine["turn"].append(answer["turn"])
                    mine["within"] += answer["within"]
                advance(1)
    return {
        "what": images.what,
        "workers": given.workers,
        "turns": given.turns,
        "step_s": given.step_s,
        "waits": waits,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/epoch_turn"), help="folder for figures")
    parser.add_argument("--images", type=Path, help="folder of JPEG or PNG files; else VQA-RAD, else made-up ones")
    parser.add_argument("--turns", type=int, default=9, help="how often an epoch ends")
    parser.add_argument("--batches", type=int, default=8, help="batches an epoch")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--step-s", type=float, default=0.2, help="pause after each batch, as if training on it")
    given = parser.parse_args(arguments)
    if given.turns < 1 or given.batches < 2 or given.workers < 1:
        parser.error("--turns and --workers: at least 1; --batches: at least 2")
    given.out.mkdir(parents=True, exist_ok=True)
    if not has_checkout():
        say("no checkout takes part (MINIGPT4_HOME and MINIGPT4_PYTHON)")
    results = measure(given)
    (given.out / "epoch_turn.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    (given.out / "epoch_turn.md").write_text("\n".join(table(results)) + "\n", encoding="utf-8")
    say((given.out / "epoch_turn.md").read_text(encoding="utf-8"))
    taken = quartiles(results["waits"]["ours"]["turn"])[1]
    if taken > TARGET_S:
        say(f"ours: {taken:.2f} s at the turn of an epoch, at most {TARGET_S} wanted")
    return 1 if taken > TARGET_S else 0


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].endswith(".json"):  # as a ToolkitProcess
        loader = Epochs(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
        serve(lambda _: loader.turn())
    else:
        sys.exit(main())
