"""Puts a scene into words: description, caption, report. Everything said is true of the picture; knows no pixels.

The description is what the tiny language model is first taught to read, in the place where the picture will stand.
"""

from random import Random
from typing import Dict, List, Optional

from .scenes import ABDOMEN, CHEST, HEAD_CT, HEAD_MRI, LATERAL, TISSUE, Scene

MODALITY: Dict[str, str] = {CHEST: "x-ray", LATERAL: "x-ray", ABDOMEN: "ct", HEAD_CT: "ct", HEAD_MRI: "mri",
                            TISSUE: "microscopy"}
REGION: Dict[str, str] = {CHEST: "chest", LATERAL: "chest", ABDOMEN: "abdomen", HEAD_CT: "head", HEAD_MRI: "head",
                          TISSUE: "tissue"}
PLANE: Dict[str, str] = {CHEST: "frontal", LATERAL: "lateral", ABDOMEN: "axial", HEAD_CT: "axial", HEAD_MRI: "axial",
                         TISSUE: "section"}
NUMBER = ("no", "one", "two", "three", "four")


def brightness(scene: Scene) -> Optional[str]:
    """``bright`` or ``dark``: how the finding looks; None without one, and in tissue."""
    if scene.finding is None or scene.kind == TISSUE:
        return None
    dark = scene.finding == "cyst" or (scene.finding == "infarct" and scene.kind == HEAD_CT)
    return "dark" if dark else "bright"


def location(scene: Scene) -> str:
    """Where the finding lies: ``left upper lung``, ``liver``, ``right frontal lobe``, ``left clavicle``."""
    if scene.kind == ABDOMEN:
        return str(scene.place)
    if scene.kind in (HEAD_CT, HEAD_MRI):
        return "{} {} lobe".format(scene.side, scene.place)
    if scene.kind == TISSUE:
        return "center"
    if scene.finding == "fracture":
        return "{} clavicle".format(scene.side)
    return "{} {} lung".format(scene.side, scene.place) if scene.place else "{} lung".format(scene.side)


def describe(scene: Scene, rng: Optional[Random] = None) -> str:
    """All attributes in a fixed short form; with ``rng``, in any order."""
    parts = ["{} {} {}".format(PLANE[scene.kind], MODALITY[scene.kind], REGION[scene.kind])]
    if scene.kind == TISSUE:
        parts += ["{} stain".format(scene.stain), "{} {}".format(NUMBER[scene.count], _plural("gland", scene.count))]
    elif scene.kind != ABDOMEN:
        organ = "heart" if scene.kind in (CHEST, LATERAL) else "ventricles"
        parts.append("{} {}".format("enlarged" if scene.enlarged else "normal", organ))
    parts.append(finding_phrase(scene) if scene.finding else "no lesion")
    if rng is not None:
        rng.shuffle(parts)
    return ", ".join(parts)


def finding_phrase(scene: Scene) -> str:
    """The finding as a noun phrase without article: ``large bright opacity in the left upper lung``."""
    if scene.kind == TISSUE:
        return "{} in the center".format(scene.finding)
    if scene.finding == "nodules":
        return "{} bright {} in the {}".format(NUMBER[scene.count], _plural("nodule", scene.count), location(scene))
    words = [scene.size, brightness(scene) if scene.kind != CHEST else None, scene.finding]
    return "{} in the {}".format(" ".join(each for each in words if each), location(scene))


def caption(scene: Scene, rng: Random) -> str:
    """One or two sentences that name everything the picture shows."""
    opening = rng.choice(("{} {} of the {}", "{} {} image of the {}"))
    first = opening.format(PLANE[scene.kind], _shown(MODALITY[scene.kind]), REGION[scene.kind]).capitalize()
    first = first.replace(" ct ", " CT ").replace(" mri ", " MRI ")
    if scene.kind == TISSUE:
        first = "Section of {} stained tissue with {} {}".format(scene.stain, NUMBER[scene.count],
                                                                _plural("gland", scene.count))
    verb = rng.choice(("shows", "with", "showing"))
    if scene.finding:
        text = "{} {} {}".format(first, verb, _article(finding_phrase(scene), scene))
    else:
        text = "{} {} {}".format(first, verb, rng.choice(("no lesion", "no abnormal finding")))
    return "{}.{}".format(text, _second_sentence(scene))


def _second_sentence(scene: Scene) -> str:
    if scene.kind in (ABDOMEN, TISSUE):
        return ""
    if scene.kind in (CHEST, LATERAL):
        return " The heart is {}.".format("enlarged" if scene.enlarged else "normal")
    return " The ventricles are {}.".format("enlarged" if scene.enlarged else "normal")


def report(scene: Scene, rng: Random) -> str:
    """Findings section for a chest film, several sentences."""
    sentences: List[str] = []
    sentences.append("The heart is {}.".format("enlarged" if scene.enlarged else rng.choice(("normal in size",))))
    return " ".join(sentences)


def _shown(modality: str) -> str:
    return modality


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else noun + "s"


def _article(phrase: str, scene: Scene) -> str:
    if scene.finding in ("nodules", "inflammation", "necrosis", "fat"):
        return phrase
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase
