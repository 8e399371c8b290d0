"""What the benchmark of batches counts without a model: the command that docs/speed.md names for its table."""

from __future__ import annotations

from pathlib import Path

from pefomed_plugin.records import Sample
from projects.benchmarks.batches import Pass, row

TOKENIZER = Path(__file__).resolve().parents[2] / "assets" / "golden" / "tiny_llama"


def test_questions_of_an_image_cost_one_prefix() -> None:
    samples = [
        Sample(f"vqa_rad-{n}", "vqa_rad", "train", (f"{n // 4}.png",), "vqa", "Is there a mass?", "no")
        for n in range(8)
    ]
    counted = Pass(samples, TOKENIZER, visual_tokens=16)
    alone, shared = counted.tokens(range(8), share=False), counted.tokens(range(8), share=True)
    assert alone > shared > alone / 4
    assert row(counted, 8, 1, seeds=1).split(" | ")[2:] == ["8", "8", "8", f"{alone:,}", "1.00 |"]
    assert row(counted, 8, "auto", seeds=1).split(" | ")[2:5] == ["2", "2", "2"]
