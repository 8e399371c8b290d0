"""Images and a small VQA-RAD for the tests of services; all invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pefomed_plugin.records import Sample


def small_image(seed: int, size: int = 64) -> Image.Image:
    """Coarse grey blocks, smoothly enlarged: its own perceptual hash for each seed, stable under resizing."""
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 9), dtype=np.uint8)
    return Image.fromarray(blocks).resize((size, size), Image.Resampling.BICUBIC).convert("RGB")


def sample(
    number: int, split: str = "train", image: str = "", question: str = "", answer: str = "yes", **fields: Any
) -> Sample:
    """A question, by default about an image of its own."""
    return Sample(
        id=f"vqa_rad-{number}",
        dataset="vqa_rad",
        split=split,
        task="vqa",
        images=(image or f"{number}.png",),
        question=question or f"Question {number}?",
        answer=answer,
        **fields,
    )


def write_rad(root: Path, rows: list[dict[str, Any]], images: int = 4) -> Path:
    """A re-release of VQA-RAD; a row needs ``qid``, ``image`` (number) and ``split``."""
    (root / "images").mkdir(parents=True)
    for number in range(images):
        small_image(number).save(root / "images" / f"synpic{number}.png")
    for split, name in (("train", "trainset.json"), ("test", "testset.json")):
        records = [
            {
                "qid": row["qid"],
                "image_name": f"synpic{row['image']}.png",
                "image_organ": "HEAD",
                "answer": row.get("answer", "yes"),
                "answer_type": row.get("answer_type", "CLOSED"),
                "question_type": "PRES",
                "question": row.get("question", f"Question {row['qid']}?"),
                "phrase_type": row.get("phrase_type", "freeform"),
            }
            for row in rows
            if row["split"] == split
        ]
        (root / name).write_text(json.dumps(records), encoding="utf-8")
    return root


LEAKY = [
    {"qid": 1, "image": 0, "split": "test", "question": "Is it big?"},
    {"qid": 2, "image": 0, "split": "train", "question": "Is an invented mass big?", "phrase_type": "frame"},
    {"qid": 3, "image": 1, "split": "train"},
    {"qid": 4, "image": 1, "split": "train", "question": "Question 3?"},
    {"qid": 5, "image": 1, "split": "test", "question": "question  3?", "answer": "no"},
    {"qid": 6, "image": 2, "split": "test"},
    {"qid": 7, "image": 3, "split": "train", "answer": "one two three four five"},
]
"""Framed 2 restates test question 1; 4 repeats 3; 5 asks what 3 asks; 6 is about an image of its own."""
