"""Asks a scene questions whose answers its image shows."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ..records import CLOSED, OPEN
from .scenes import FINDINGS, TISSUE, Scene
from .wording import MEASURED, MODALITY, REGION, finding_color, location

TEXTS: dict[str, dict[str, tuple]] = {
    "MODALITY": {"": ("What imaging modality was used?", "What kind of image is this?")},
    "ORGAN": {"": ("Which part of the body is shown?", "What body part is imaged?")},
    "FINDING": {"": ("What is the main finding?", "What abnormality is seen?")},
    "POS": {"": ("Where is the lesion?", "Where is the abnormality located?")},
    "COLOR": {
        "": ("What color is the lesion?",),
        "tissue": ("What color is the tissue?", "What is the color of the stain?"),
    },
    "COUNT": {"": ("How many glands are shown?", "How many glands are there?")},
    "ABN": {"": ("Is this image normal?", "Is this a normal image?")},
    "SIZE": {
        "heart": ("Is the heart enlarged?", "Is there enlargement of the heart?"),
        "ventricles": ("Are the ventricles enlarged?", "Is there enlargement of the ventricles?"),
    },
    "PRES": {"": ("Is there {}?", "Does the image show {}?")},
}
"""Ways of asking, by VQA-RAD's question types (``FINDING`` asks for an abnormality's name) and a variant."""


@dataclass(frozen=True)
class Question:
    """A question with its answer, in VQA-RAD's terms."""

    text: str
    answer: str
    answer_type: str
    question_type: str


def questions(scene: Scene, rng: Random) -> list[Question]:
    """What is asked of the scene, in random order.

    Over many scenes no answer to a question is much more frequent than another, so that guessing does not pay: what has
    the frequent answer is asked more seldom.
    """
    asked = [_open("MODALITY", MODALITY[scene.kind], rng), _open("ORGAN", REGION[scene.kind], rng)]
    if scene.finding or rng.random() < 0.5:
        asked.append(_open("FINDING", scene.finding or "none", rng))
    if scene.finding:
        asked.append(_open("POS", str(location(scene)), rng))
    if rng.random() < {None: 0.0, "white": 0.12, "black": 0.4}[finding_color(scene)]:
        asked.append(_open("COLOR", str(finding_color(scene)), rng))
    if scene.kind == TISSUE:
        asked += [_open("COLOR", str(scene.stain), rng, "tissue"), _open("COUNT", str(scene.glands), rng)]
    if rng.random() < (0.8 if scene.normal else 0.2):
        asked.append(_closed("ABN", scene.normal, rng))
    if scene.kind in MEASURED:
        asked.append(_closed("SIZE", scene.enlarged, rng, MEASURED[scene.kind]))
    if rng.random() < 0.6:
        named = scene.finding if scene.finding and rng.random() < 0.5 else rng.choice(FINDINGS[scene.kind])
        asked.append(presence(scene, named, rng))
    rng.shuffle(asked)
    return asked


def presence(scene: Scene, named: str, rng: Random) -> Question:
    """Whether the image shows the finding ``named``."""
    article = "" if named in FINDINGS[TISSUE] else "an " if named[0] in "aeiou" else "a "
    text = rng.choice(TEXTS["PRES"][""]).format(article + named)
    return Question(text, _yes(named == scene.finding), CLOSED, "PRES")


def paraphrase(text: str) -> str:
    """The same question in other words; a question with a single wording, or about a named finding, as it is."""
    for variants in TEXTS.values():
        for wordings in variants.values():
            if text in wordings:
                return str(wordings[(wordings.index(text) + 1) % len(wordings)])
    return text


def _open(kind: str, answer: str, rng: Random, variant: str = "") -> Question:
    return Question(rng.choice(TEXTS[kind][variant]), answer, OPEN, "ABN" if kind == "FINDING" else kind)


def _closed(kind: str, truth: bool, rng: Random, variant: str = "") -> Question:
    return Question(rng.choice(TEXTS[kind][variant]), _yes(truth), CLOSED, kind)


def _yes(truth: bool | None) -> str:
    return "yes" if truth else "no"
