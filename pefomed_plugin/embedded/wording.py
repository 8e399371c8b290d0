"""Puts a scene into words: description, caption, report. Everything said is true of the image.

The description is what the tiny language model is first taught to read, in the place where the image will stand.
"""

from __future__ import annotations

from random import Random

from .scenes import ABDOMEN, CHEST, HEAD_CT, HEAD_MRI, LATERAL, TISSUE, Scene

MODALITY: dict[str, str] = {
    CHEST: "x-ray",
    LATERAL: "x-ray",
    ABDOMEN: "ct",
    HEAD_CT: "ct",
    HEAD_MRI: "mri",
    TISSUE: "microscopy",
}
REGION: dict[str, str] = {
    CHEST: "chest",
    LATERAL: "chest",
    ABDOMEN: "abdomen",
    HEAD_CT: "head",
    HEAD_MRI: "head",
    TISSUE: "tissue",
}
PLANE: dict[str, str] = {
    CHEST: "frontal",
    LATERAL: "lateral",
    ABDOMEN: "axial",
    HEAD_CT: "axial",
    HEAD_MRI: "axial",
    TISSUE: "section",
}
MEASURED: dict[str, str] = {CHEST: "heart", LATERAL: "heart", HEAD_CT: "ventricles", HEAD_MRI: "ventricles"}
"""What ``Scene.enlarged`` speaks of."""
NUMBER = ("no", "one", "two", "three", "four")
UNCOUNTED = ("inflammation", "necrosis", "fat")


def location(scene: Scene) -> str | None:
    """Where the finding lies: ``left lung``, ``liver``, ``right brain``, ``left clavicle``; None without a finding."""
    if scene.finding is None:
        return None
    if scene.kind == TISSUE:
        return "center"
    if scene.kind == ABDOMEN:
        return scene.organ
    if scene.kind in (HEAD_CT, HEAD_MRI):
        return f"{scene.side} brain"
    return f"{scene.side} {'clavicle' if scene.finding == 'fracture' else 'lung'}"


def finding_color(scene: Scene) -> str | None:
    """``white`` or ``black``: how a finding looks on a grey image; None where it has no one color."""
    if scene.finding in (None, "tumor") or scene.kind == TISSUE:
        return None
    dark = scene.finding == "cyst" or (scene.finding == "infarct" and scene.kind == HEAD_CT)
    return "black" if dark else "white"


def describe(scene: Scene, rng: Random) -> str:
    """All attributes in a short form: ``frontal x-ray of the chest, normal heart, opacity in the left lung``."""
    parts = [f"{PLANE[scene.kind]} {MODALITY[scene.kind]} of the {REGION[scene.kind]}"]
    if scene.kind == TISSUE:
        parts += [f"{scene.stain} stain", _glands(scene)]
    if scene.kind in MEASURED:
        parts.append(f"{_width(scene)} {MEASURED[scene.kind]}")
    parts.append(f"{scene.finding} in the {location(scene)}" if scene.finding else "no lesion")
    rng.shuffle(parts)
    return ", ".join(parts)


def caption(scene: Scene, rng: Random) -> str:
    """One or two sentences that name everything the image shows."""
    if scene.kind == TISSUE:
        first = f"Section of {scene.stain} stained tissue with {_glands(scene)}"
    else:
        modality = MODALITY[scene.kind]
        modality = modality if modality == "x-ray" else modality.upper()
        first = f"{PLANE[scene.kind].capitalize()} {modality} of the {REGION[scene.kind]}"
    shown = f"{_with_article(scene)} in the {location(scene)}" if scene.finding else "no lesion"
    text = f"{first} {rng.choice(('showing', 'shows'))} {shown}."
    if scene.kind in MEASURED:
        text += " " + _measured(scene)
    return text


def report(scene: Scene, rng: Random) -> str:
    """Findings section for a chest film: heart, lungs, pleura and bones, in four to five sentences."""
    finding, place = scene.finding, location(scene)
    lungs = {"opacity": f"There is an opacity in the {place}.", "mass": f"There is a round mass in the {place}."}.get(
        str(finding), "The lungs are clear."
    )
    pleura = (
        f"There is a pleural effusion on the {scene.side}."
        if finding == "effusion"
        else "There is no pleural effusion."
    )
    bones = (
        f"There is a fracture of the {place}."
        if finding == "fracture"
        else rng.choice(("The bones are intact.", "No fracture is seen."))
    )
    sentences = [_measured(scene), lungs, pleura, bones]
    if scene.normal:
        sentences.append("Normal chest.")
    return " ".join(sentences)


def _measured(scene: Scene) -> str:
    noun = MEASURED[scene.kind]
    return f"The {noun} {'are' if noun.endswith('s') else 'is'} {_width(scene)}."


def _width(scene: Scene) -> str:
    return "enlarged" if scene.enlarged else "normal"


def _glands(scene: Scene) -> str:
    return f"{NUMBER[scene.glands]} gland{'' if scene.glands == 1 else 's'}"


def _with_article(scene: Scene) -> str:
    finding = str(scene.finding)
    if finding in UNCOUNTED:
        return finding
    return f"{'an' if finding[0] in 'aeiou' else 'a'} {finding}"
