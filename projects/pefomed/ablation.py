"""The paper's ablation: four rows, and two in which the model does not see the right image.

Stage 2 is on one data set, or on all four in one run (``--study joint``).

Reads ``ablation.yaml``, runs the shipped YAMLs by ``torchrun``, and writes ``compare.md`` and ``report.html``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ablation_rows import ROWS, Study, commands, compare, report, run_all

PLAN = Path(__file__).resolve().with_name("ablation.yaml")


def main() -> int:
    """Run or list the rows; returns the exit code of the first command that fails."""
    plan = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--study", choices=sorted(plan["studies"]), default="vqa_rad")
    parser.add_argument("--out", type=Path, help="default: output/ablation_<study>")
    parser.add_argument("--processes", type=int, default=1, help="GPUs of this machine")
    parser.add_argument("--dry-run", action="store_true", help="show the commands only")
    given = parser.parse_args()
    out = given.out or Path("output") / ("ablation_" + given.study)
    study = Study(stage_1=plan["stage_1"], processes=given.processes, **plan["studies"][given.study])
    launches = [*commands(study, out), compare(out), report(out)]
    if given.dry_run:
        for command in launches:
            print(" ".join(command))
        return 0
    print(f"{len(ROWS)} rows: {'; '.join(label for _, label in ROWS)}")
    return run_all(launches)


if __name__ == "__main__":
    sys.exit(main())
