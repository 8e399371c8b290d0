"""The main job on the embedded default: both stages, evaluation, and the paper's ablation in small.

Runs the shipped YAMLs through ``torchrun train.py`` and ``torchrun evaluate.py``, as a user would, shows every command,
and keeps two cores busy: what does not wait for another runs beside it. Stage 2 trains questions and reports of four
data sets in one run. Rows: no fine-tuning, stage 1, stage 2, both (paper, tables 8 to 10), and both with every question
asked about another image or about none. Whatever the rows show is printed as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ablation_rows import FOLDERS, Study, commands, compare, report, run_all, run_side_by_side

from pefomed_plugin.storage import set_aside

STUDY = Study(
    "train_configs/pefomed_stage1.yaml", "train_configs/pefomed_stage2.yaml", "eval_configs/pefomed_stage2.yaml"
)
REPORTS = "both/results/iu_xray-test/predictions.jsonl"


def make_room(out: Path) -> None:
    """Set aside the runs of before, which may be no demo's."""
    for run in FOLDERS:
        if (out / run).exists():
            print(f"{out / run} was there already; it is now {set_aside(out / run)}")


def main() -> int:
    """Run everything; returns the exit code of the first command that fails, or 130."""
    try:
        return _main()
    except KeyboardInterrupt:
        print("interrupted; the demo begins anew when it is started again", file=sys.stderr)
        return 130


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=Path("output/demo"))
    parser.add_argument("--family", default="llama", help="language model family of the tiny model")
    arguments = parser.parse_args()
    out = arguments.out
    start = time.monotonic()
    make_room(out)
    os.environ.update(PEFOMED_SAMPLE=str((out / "sample").resolve()), PEFOMED_FAMILY=arguments.family)
    for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        os.environ.pop(name, None)
    none, stage_1, stage_1_test, stage_2, both, shuffled, blind = commands(STUDY, out)
    answers = str(out / REPORTS)
    print("The demo runs on generated data and a tiny model: its figures say nothing about medicine.")
    code = (
        run_all([pefomed("sample", "--out", str(out / "sample"))])
        or run_side_by_side([[stage_1, stage_1_test], [stage_2]], out / "logs")
        or run_side_by_side([[both], [none]], out / "logs")
        or run_side_by_side([[shuffled], [blind]], out / "logs")
        or run_all(
            [
                pefomed("floors", str(out / "both")),
                compare(out),
                pefomed("judge", "report", answers, "--judge", "offline", "--runs", "2"),
                pefomed("wasm", answers),
                report(out),
            ]
        )
    )
    if code:
        return code
    show_reports(out)
    print(f"\n{time.monotonic() - start:.0f} s in all, on generated data. Everything is in {out}:")
    for path in sorted(out.glob("*")):
        print(f"  {path}")
    return 0


def pefomed(*arguments: str) -> list[str]:
    """A ``pefomed`` command of this environment."""
    return [sys.executable, "-m", "pefomed_plugin.cli", *arguments]


def show_reports(out: Path, count: int = 2) -> None:
    """A few of the generated reports beside their references."""
    lines: Sequence[str] = (out / REPORTS).read_text().splitlines()
    for line in lines[:count]:
        record = json.loads(line)
        print(f"\n{record['id']}\n  reference: {record['answer']}\n  generated: {record['prediction']}")


if __name__ == "__main__":
    sys.exit(main())
