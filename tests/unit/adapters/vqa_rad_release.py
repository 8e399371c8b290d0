"""A VQA-RAD re-release of a few invented records, for tests of what stands on the readers."""

from __future__ import annotations

import json

from PIL import Image


def record(qid, image, question="Is there a mass?", answer="yes", answer_type="CLOSED"):
    """One record in the release's key order."""
    return {
        "qid": qid,
        "image_name": image,
        "image_organ": "CHEST",
        "answer": answer,
        "answer_type": answer_type,
        "question_type": "PRES",
        "question": question,
        "phrase_type": "freeform",
    }


def write_release(folder, train=4, test=3):
    """``trainset.json``, ``testset.json`` and one grey image a record; returns the folder."""
    (folder / "images").mkdir(parents=True)
    for number in range(1, train + test + 1):
        Image.new("L", (20, 10 + number), 30 * number).save(folder / "images" / f"synpic{number}.jpg")
    numbers = list(range(1, train + test + 1))
    for name, chosen in (("trainset.json", numbers[:train]), ("testset.json", numbers[train:])):
        rows = [record(number, f"synpic{number}.jpg", f"Is it number {number}?") for number in chosen]
        (folder / name).write_text(json.dumps(rows), encoding="utf-8")
    return folder
