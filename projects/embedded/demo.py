"""The main job on the embedded default: both stages, evaluation, and the paper's ablation in small.

Runs the shipped YAMLs through ``torchrun train.py`` and ``torchrun evaluate.py``, as a user would, and shows every
command. Rows: no fine-tuning, stage 1, stage 2, both (paper, tables 8 and 9), and both with every question asked about
another image. Whatever the rows show is printed as it is.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Sequence

ROOT = Path(__file__).resolve().parents[2]
STAGE_1 = "train_configs/pefomed_stage1.yaml"
STAGE_2 = "train_configs/pefomed_stage2.yaml"
REPORTS = "projects/pefomed/stage2_iu_xray.yaml"
VQA_TEST = "eval_configs/pefomed_vqa_rad.yaml"
ROWS = (("none", "no fine-tuning"), ("stage1_vqa", "stage 1"), ("stage2", "stage 2"), ("both", "both stages"),
        ("shuffled", "both stages, images shuffled"))


def main() -> int:
    """Run everything; returns the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=Path("output/demo"))
    out = parser.parse_args().out
    start = time.monotonic()
    for run in ("none", "stage1", "stage1_vqa", "stage2", "both", "shuffled", "reports"):
        shutil.rmtree(out / run, ignore_errors=True)
    os.environ["PEFOMED_SAMPLE"] = str((out / "sample").resolve())
    for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        os.environ.pop(name, None)
    stage_1 = "model.ckpt={}".format(out / "stage1" / "checkpoint_last.pth")
    both = "model.ckpt={}".format(out / "both" / "checkpoint_last.pth")
    for command in (
            [sys.executable, "-m", "pefomed_plugin.cli", "sample", "--out", str(out / "sample")],
            torchrun("evaluate.py", VQA_TEST, out / "none"),
            torchrun("train.py", STAGE_1, out / "stage1"),
            torchrun("evaluate.py", VQA_TEST, out / "stage1_vqa", stage_1),
            torchrun("train.py", STAGE_2, out / "stage2"),
            torchrun("train.py", STAGE_2, out / "both", stage_1),
            torchrun("evaluate.py", VQA_TEST, out / "shuffled", both, "run.images=shuffled"),
            torchrun("train.py", REPORTS, out / "reports", stage_1)):
        print("\n$ " + " ".join(command), flush=True)
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code:
            return code
    show_ablation(out)
    show_reports(out)
    print("\n{:.0f} s in all. Everything is in {}:".format(time.monotonic() - start, out))
    for path in sorted(out.glob("*")):
        print("  {}".format(path))
    return 0


def torchrun(script: str, cfg_path: str, output_dir: Path, *options: str) -> List[str]:
    """One launch on this machine, one process."""
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1", script,
            "--cfg-path", cfg_path, "--options", "run.output_dir={}".format(output_dir), *options]


def show_ablation(out: Path) -> None:
    """The table of the rows, from the metrics that the runs wrote."""
    from pefomed_plugin.reporting.tables import format_interval, format_value, show_table

    rows = []
    for run, label in ROWS:
        figures = json.loads((out / run / "metrics.json").read_text())["results"]["vqa_rad-test"]
        figures = figures["scores"]["exact_match/pefomed"]
        rows.append([label, *(format_value(figures[group]) for group in ("open", "closed", "overall")),
                     format_interval(figures["overall"]["interval"])])
    show_table("Exact match on the held-out questions of the embedded VQA-RAD (generated data)",
               ("fine-tuning", "open", "closed", "overall", "95 % interval"), rows)


def show_reports(out: Path, count: int = 2) -> None:
    """A few of the generated reports beside their references."""
    lines: Sequence[str] = (out / "reports/results/iu_xray-test/predictions.jsonl").read_text().splitlines()
    for line in lines[:count]:
        record = json.loads(line)
        print("\n{}\n  reference: {}\n  generated: {}".format(record["id"], record["answer"], record["prediction"]))


if __name__ == "__main__":
    sys.exit(main())
