"""How fluid the report page is with many answers: time in scripts of a filter, a search and a scroll, in Chromium.

    python -m projects.benchmarks.report_page --answers 50000

The page is a real one, of invented answers to invented questions. What is measured is Chromium's own ``ScriptDuration``
and ``TaskDuration`` (all of the main thread: scripts, style, layout), which do not count waiting; the median of
``--rounds``. The last column is how many answers are in the document at the end of each action.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from PIL import Image

from pefomed_plugin.records import Prediction
from pefomed_plugin.reporting.page.explorer import write_report
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.storage import write_records
from projects.pictures.pages import opened

_ORGANS = ("HEAD", "CHEST", "ABD")
_TYPES = ("PRES", "ABN", "SIZE", "PLANE", "POS")
_WORDS = ("shadow", "heart", "lung", "left", "right", "large", "small", "round", "dark", "bright", "upper", "lower")

_FLIP = """const flip = (id, one, other) => {
    const at = document.getElementById(id); at.value = at.value === one ? other : one; };"""
_DRAWN = "requestAnimationFrame(() => requestAnimationFrame(done));"


def make_answers(number: int, images: int, seed: int = 0) -> list[Prediction]:
    """Invented answers, a third of them wrong."""
    rng = Random(seed)

    def said(place: int) -> Prediction:
        answer = " ".join(rng.choices(_WORDS, k=rng.randint(1, 12)))
        return Prediction(
            id=f"vqa_rad-{place}",
            dataset="vqa_rad",
            split="test",
            images=(f"image{place % images}.png",),
            task="vqa",
            question=f"Is there a {' '.join(rng.choices(_WORDS, k=6))}?",
            answer=answer,
            answer_type=("OPEN", "CLOSED")[place % 2],
            question_type=_TYPES[place % 5],
            organ=_ORGANS[place % 3],
            prediction=answer if rng.random() < 0.67 else "something else",
            producer={"checkpoint": "invented.pth"},
        )

    return [said(place) for place in range(number)]


def write_page(folder: Path, number: int, images: int) -> Path:
    """The page of a run with so many answers."""
    answers = make_answers(number, images)
    results = folder / "run" / "results" / "vqa_rad-test"
    write_records(results / "predictions.jsonl", answers)
    write_scores(answers, ["exact_match"], results, {})
    (folder / "images").mkdir()
    for name in {answer.images[0] for answer in answers}:
        Image.effect_noise((128, 96), 40).save(folder / "images" / name)
    write_report([read_run(folder / "run")], folder / "page.html", {"vqa_rad": folder / "images"})
    return folder / "page.html"


def measure(page: Any, action: str, rounds: int) -> tuple[float, float, float, int]:
    """Milliseconds in scripts, median and worst, on the main thread, median; and cards afterwards."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def figures() -> dict[str, float]:
        return {found["name"]: found["value"] for found in session.send("Performance.getMetrics")["metrics"]}

    scripts, tasks = [], []
    for _ in range(rounds):
        before = figures()
        # From a timer: Chromium does not count as scripts what a debugger evaluates. Two frames later it is drawn.
        page.evaluate(f"new Promise((done) => setTimeout(() => {{ {_FLIP} {action} {_DRAWN} }}))")
        after = figures()
        scripts.append(1000 * (after["ScriptDuration"] - before["ScriptDuration"]))
        tasks.append(1000 * (after["TaskDuration"] - before["TaskDuration"]))
    return median(scripts), max(scripts), median(tasks), page.locator(".answer").count()


ACTIONS = {
    "filter by organ": "flip('f-organ', 'CHEST', 'HEAD'); apply();",
    "search two words": "flip('search', 'round heart', 'dark lung'); apply();",
    "order by score": "flip('f-order', 'up', 'down'); apply();",
    "show all again": "document.getElementById('filters').reset(); apply();",
    "scroll a screen": "scrollBy({top: innerHeight, behavior: 'instant'});",
    "jump to answer 40,000": "moveTo(Math.min(40000, state.shown.length - 1));",
    "scroll a screen there": "scrollBy({top: innerHeight, behavior: 'instant'});",
}
"""Name -> what a reader does, as the page's own script does it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row an action."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--answers", type=int, default=50_000)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = write_page(Path(folder), asked.answers, asked.images)
        with opened(path.as_uri(), 1280, 900) as page:
            started = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
            print(f"{asked.answers:,} answers, {path.stat().st_size / 1e6:.0f} MB, ready after {started:.0f} ms")
            print(
                "| action | scripts ms | worst | main thread ms | answers in the document |\n|---|---:|---:|---:|---:|"
            )
            for name, action in ACTIONS.items():
                scripts, worst, tasks, cards = measure(page, action, asked.rounds)
                print(f"| {name} | {scripts:.0f} | {worst:.0f} | {tasks:.0f} | {cards} |")
                time.sleep(0.2)  # what it started ends before the next is measured
    return 0


if __name__ == "__main__":
    sys.exit(main())
