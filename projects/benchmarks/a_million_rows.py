"""Time and memory of what reads, writes or shows many rows, on made-up ones: `prepare`, the judge's ledger, the page.

    python -m projects.benchmarks.a_million_rows                       # 100,000 and 1,000,000 rows
    python -m projects.benchmarks.a_million_rows --rows 10000 --only page

Each way runs in a process of its own on files that another one wrote. Memory is the highest that the process ever had
above what it had after its imports; bytes a row are the slope between the two sizes. No image is made or opened.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from pefomed_plugin.cli import main as pefomed
from pefomed_plugin.records import Prediction
from pefomed_plugin.rubrics import VQA
from pefomed_plugin.services.judge.chat import Reply
from pefomed_plugin.services.judge.judging import JudgePlan, judge_facts, judge_questions, usable_verdict
from pefomed_plugin.services.judge.ledger import Ledger
from pefomed_plugin.services.judge.prompts import find_prompt
from pefomed_plugin.services.judge.settling import Limits, make_entry, take_stock
from pefomed_plugin.storage import write_records

ROWS = (100_000, 1_000_000)
_QUESTIONS_AN_IMAGE = 8
_RUNS = 10


def predictions(rows: int) -> Iterator[Prediction]:
    """Answers as an evaluation writes them."""
    producer = {"model": "minigpt_v2", "checkpoint": "checkpoint_last.pth", "version": "0", "beams": 1}
    for row in range(rows):
        yield Prediction(
            f"path_vqa-{row}",
            "path_vqa",
            "test",
            (f"test/test_{row // _QUESTIONS_AN_IMAGE:07d}.jpg",),
            "vqa",
            f"is invented finding {row} present in this section?",
            "yes" if row % 2 else f"invented tissue {row % 31}",
            answer_type="CLOSED" if row % 2 else "OPEN",
            question_type=("yes/no", "what", "where", "how")[row % 4],
            metadata={"source_id": str(row), "question_type_from": "official rule"},
            prediction="yes" if row % 3 else f"invented tissue {row % 29}",
            producer=producer,
        )


def write_path_vqa(root: Path, rows: int) -> None:
    """``qas/<split>_vqa.pkl``."""
    (root / "qas").mkdir(parents=True)
    for split, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        content = [
            {
                "img_id": f"{split}_{row // _QUESTIONS_AN_IMAGE:07d}",
                "question_id": f"{split}{row}",
                "sent": f"is invented finding {row % 997} present in this section?",
                "label": {"yes" if row % 2 else f"invented tissue {row % 31}": 1},
                "question_type": "yes/no" if row % 2 else "what",
            }
            for row in range(int(rows * share))
        ]
        (root / "qas" / f"{split}_vqa.pkl").write_bytes(pickle.dumps(content))


def write_medicat(root: Path, rows: int) -> None:
    """``release/*.jsonl``, captions of 60 words."""
    (root / "release").mkdir(parents=True)
    words = "an invented section shows tissue that nobody ever had " * 6
    with open(root / "release" / "s2_full_figures_oa_nonroco_combined_medical_top4_public.jsonl", "w") as file:
        for row in range(rows):
            figure = {"pdf_hash": f"{row // 2:040x}", "fig_uri": f"{row % 2 + 1}-Figure{row % 2 + 1}-1.png"}
            caption = {"s2_caption": f"Figure {row}. {words}", "radiology": row % 4 != 0, "scope": "full"}
            file.write(json.dumps({**figure, **caption, "oa_info": {"oa": {"license": "CC-BY"}}}) + "\n")


def plan() -> JudgePlan:
    """Ten runs of a judge that does not exist."""
    return JudgePlan("invented", find_prompt(VQA), runs=_RUNS, server="http://127.0.0.1:8000/v1")


def write_ledger(root: Path, rows: int) -> None:
    """The replies to ten runs over a tenth of the rows."""
    usage = {"prompt_tokens": 200, "completion_tokens": 20}
    reply = Reply("They say the same.\nVERDICT: 1", None, "invented", None, "stop", usage)
    with open(root / "judge.ledger.jsonl", "w") as file:
        for question in judge_questions(list(predictions(rows // _RUNS)), plan()):
            file.write(json.dumps({"schema": 1, **make_entry(question, reply)}) + "\n")


def write_answers(root: Path, rows: int) -> None:
    """``predictions.jsonl``, with its exact match where the page wants scores."""
    write_records(root / "predictions.jsonl", predictions(rows))


def write_scored(root: Path, rows: int) -> None:
    """The same, scored by exact match."""
    write_answers(root, rows)
    command("score", "exact_match", str(root / "predictions.jsonl"))


def read_ledger(root: Path, rows: int) -> str:
    """Open it, see what is left to ask, and collect what is known of the replies."""
    answers = list(predictions(rows // _RUNS))
    with Ledger(root / "judge.ledger.jsonl") as ledger:
        stock = take_stock(judge_questions(answers, plan()), ledger, usable_verdict(plan()), Limits())
        facts = judge_facts(answers, plan(), ledger)
    return f"{stock.asked.settled:,} settled, {facts['replies']:,} replies"


def command(*arguments: str) -> None:
    """A ``pefomed`` command, its words kept back; stops where it fails."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        if pefomed(list(arguments)):
            raise SystemExit(f"pefomed {' '.join(arguments)} failed:\n{said.getvalue()}")


def prepare(dataset: str) -> Callable[[Path, int], str]:
    """``pefomed prepare`` of a release, its text alone."""

    def way(root: Path, rows: int) -> str:
        out = root / "prepared"
        command("prepare", dataset, "--source", str(root), "--out", str(out), "--no-images", "--allow-mismatch")
        return f"{sum(path.stat().st_size for path in out.iterdir()) / 1e6:,.0f} MB written"

    return way


def read_back(root: Path, rows: int) -> str:
    """What training does with a prepared folder."""
    from pefomed_plugin.readers.prepared import read_prepared

    return f"{len(read_prepared(root / 'prepared').samples):,} samples"


def prepare_first(root: Path, rows: int) -> None:
    write_path_vqa(root, rows)
    prepare("path_vqa")(root, rows)


def score(root: Path, rows: int) -> str:
    """``pefomed score exact_match``."""
    command("score", "exact_match", str(root / "predictions.jsonl"))
    return ""


def page(root: Path, rows: int) -> str:
    """``pefomed report`` without images."""
    out = root / "page.html"
    command("report", str(root), "--out", str(out), "--no-images")
    return f"{out.stat().st_size / 1e6:,.0f} MB"


WAYS: dict[str, tuple[Callable[[Path, int], None], Callable[[Path, int], str]]] = {
    "prepare, questions": (write_path_vqa, prepare("path_vqa")),
    "prepare, captions": (write_medicat, prepare("medicat")),
    "prepared folder, read": (prepare_first, read_back),
    "ledger": (write_ledger, read_ledger),
    "exact match": (write_answers, score),
    "page": (write_scored, page),
}
"""Way -> what writes its files, and the way."""


def measure(way: str, root: Path, rows: int) -> dict[str, Any]:
    """One way in this process."""
    before = peak_mb()
    start = time.process_time()
    what = WAYS[way][1](root, rows)
    return {"rows": rows, "cpu_s": time.process_time() - start, "mb": peak_mb() - before, "what": what}


def peak_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def in_process(way: str, rows: int) -> dict[str, Any]:
    """One way on files of its own, each step in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("write", "measure"):
            line = subprocess.run(
                [sys.executable, "-m", __spec__.name, "--rows", str(rows), "--only", way, "--step", step, folder],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout
    found: dict[str, Any] = json.loads(line)
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--only", nargs="+", choices=tuple(WAYS), default=tuple(WAYS))
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        step, folder = chosen.step
        if step == "write":
            WAYS[chosen.only[0]][0](Path(folder), chosen.rows[0])
        else:
            print(json.dumps(measure(chosen.only[0], Path(folder), chosen.rows[0])))
        return
    print("| way | rows | CPU s | memory, MB | bytes a row | |\n|---|---:|---:|---:|---:|---|")
    for way in chosen.only:
        last: dict[str, Any] = {"rows": 0, "mb": 0.0}
        for rows in chosen.rows:
            found = in_process(way, rows)
            slope = 1e6 * (found["mb"] - last["mb"]) / (rows - last["rows"])
            print(
                f"| {way} | {rows:,} | {found['cpu_s']:.1f} | {found['mb']:,.0f} | {slope:,.0f} | {found['what']} |",
                flush=True,
            )
            last = found


if __name__ == "__main__":
    main()
