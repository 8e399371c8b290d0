"""Exact match and every breakdown with 1,000 resamples, on as many rows as PathVQA's test set (6,761).

Run: ``python projects/benchmarks/break_down.py``. Prints the seconds of processor time that it took.
"""

from __future__ import annotations

import time

from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.breakdown import AXES, break_down
from pefomed_plugin.scoring.exact_match import score_exact_match

TYPES = ("what", "where", "how", "is", "does, why")


def main() -> None:
    """Score and break down invented answers."""
    rows = [
        Prediction(
            id=str(number),
            dataset="path_vqa",
            split="test",
            images=(f"image{number % 858}",),
            task="vqa",
            question="Is it?",
            answer="yes",
            answer_type="CLOSED",
            question_type=TYPES[number % 5],
            prediction="yes" if number % 7 else "no",
        )
        for number in range(6761)
    ]
    start = time.process_time()
    scores = score_exact_match(rows)
    for axis in AXES:
        break_down(rows, scores, axis)
    print(f"{len(rows):,} rows, {len(AXES)} axes: {time.process_time() - start:.2f} s")


if __name__ == "__main__":
    main()
