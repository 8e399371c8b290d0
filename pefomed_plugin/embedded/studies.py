"""Chest studies of two films of which each decides what the other does not, as data of one's own.

A finding behind the heart shows on the lateral film alone, and the side of a finding on the frontal film alone. What
decides a question is its ``question_type``. Nothing of the other miniatures is touched: this one is made on request.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from .drawing import save
from .questions import TEXTS
from .scenes import CHEST, LATERAL, Scene
from .wording import location

FRONTAL, BOTH = "frontal", "both"
"""Beside ``LATERAL``: the film that decides a question; ``both`` where either does."""
_BEHIND_THE_HEART = ("effusion", "opacity", "mass")


def write_studies(out: Path, rng: Random, train: int = 900, test: int = 150) -> None:
    """``train.jsonl``, ``test.jsonl``, ``images/<study>/{frontal,lateral}.png``: three or four questions a study.

    Of five studies one has no finding, two have one that both films show, and two one that the lateral shows alone.
    """
    number = 0
    for split, count in (("train", train), ("test", test)):
        rows: list[dict[str, Any]] = []
        for _ in range(count):
            number += 1
            rows += _rows(out, f"study{number:05d}", number % 5, rng)
        lines = (json.dumps(row) + "\n" for row in rows)
        (out / (split + ".jsonl")).write_text("".join(lines), encoding="utf-8")


def _rows(out: Path, study: str, turn: int, rng: Random) -> list[dict[str, Any]]:
    finding = None if turn == 0 else rng.choice(_BEHIND_THE_HEART)
    side = rng.choice(("left", "right")) if finding else None
    scene = Scene(CHEST, rng.randrange(2**31), finding, side=side, enlarged=rng.random() < 0.5)
    hidden = turn in (1, 2)
    images = {name: f"{study}/{name}.png" for name in ("frontal", "lateral")}
    save(replace(scene, finding=None, side=None) if hidden else scene, out / "images" / images["frontal"])
    save(replace(scene, kind=LATERAL), out / "images" / images["lateral"])
    by = LATERAL if hidden or finding is None else BOTH
    asked = [
        (rng.choice(TEXTS["FINDING"][""]), finding or "none", by),
        (rng.choice(TEXTS["SIZE"]["heart"]), "yes" if scene.enlarged else "no", BOTH),
        _presence(finding, by, rng),
    ]
    if finding and not hidden:
        asked.append((rng.choice(TEXTS["POS"][""]), str(location(scene)), FRONTAL))
    return [
        {"images": images, "question": question, "answer": answer, "question_type": decides, "study": study}
        for question, answer, decides in asked
    ]


def _presence(finding: str | None, by: str, rng: Random) -> tuple[str, str, str]:
    named = finding if finding and rng.random() < 0.5 else rng.choice(_BEHIND_THE_HEART)
    article = "an " if named[0] in "aeiou" else "a "
    return rng.choice(TEXTS["PRES"][""]).format(article + named), "yes" if named == finding else "no", by
