"""Asks a scene questions whose answers its picture shows. Knows neither pixels nor files."""

from dataclasses import dataclass
from random import Random
from typing import Callable, Dict, List, Sequence, Tuple

from .scenes import ABDOMEN, CHEST, FINDINGS, HEAD_CT, HEAD_MRI, STAINS, TISSUE, Scene
from .wording import MODALITY, PLANE, REGION, brightness


@dataclass(frozen=True)
class Question:
    """A question with its answer, in VQA-RAD's terms."""

    text: str
    answer: str
    answer_type: str
    question_type: str


PRESENCE = {
    "opacity": ("Is there an opacity in the lung?", "Does the lung show an opacity?"),
    "effusion": ("Is there a pleural effusion?", "Is an effusion present?"),
    "nodules": ("Are there nodules in the lung?", "Does the lung show nodules?"),
    "fracture": ("Is there a fracture?", "Is the clavicle fractured?"),
    "cyst": ("Is there a cyst?", "Does the image show a cyst?"),
    "mass": ("Is there a mass?", "Does the image show a mass?"),
    "hemorrhage": ("Is there a hemorrhage?", "Does the brain show a hemorrhage?"),
    "infarct": ("Is there an infarct?", "Does the brain show an infarct?"),
    "tumor": ("Is there a tumor?", "Does the brain show a tumor?"),
    "inflammation": ("Is there inflammation?", "Is inflammation present?"),
    "necrosis": ("Is there necrosis?", "Is necrosis present?"),
    "fat": ("Is there fat?", "Is fat present?"),
}


def questions(scene: Scene, rng: Random) -> List[Question]:
    """Everything that can be asked of the scene, in random order."""
    asked: List[Question] = []
    def ask(texts: Sequence[str], answer: str, types: str, closed: bool = False) -> None:
        asked.append(Question(rng.choice(texts), answer, "CLOSED" if closed else "OPEN", types))
    yes = lambda flag: "yes" if flag else "no"
    ask(("What imaging modality was used?", "What kind of image is this?"), MODALITY[scene.kind], "MODALITY")
    ask(("Which part of the body is shown?", "What body part is imaged?"), REGION[scene.kind], "ORGAN")
    ask(("In which plane is this image?", "What is the plane of this image?"), PLANE[scene.kind], "PLANE")
    ask(("Is this image normal?", "Is this a normal image?"), yes(not scene.finding and not scene.enlarged), "ABN", True)
    present = rng.choice(FINDINGS[scene.kind])
    if scene.finding and rng.random() < 0.6:
        present = scene.finding
    ask(PRESENCE[present], yes(present == scene.finding), "PRES", True)
    if scene.kind == CHEST:
        ask(("Is the heart enlarged?", "Is there cardiomegaly?"), yes(scene.enlarged), "SIZE", True)
    if scene.kind in (HEAD_CT, HEAD_MRI):
        ask(("Are the ventricles enlarged?", "Is there enlargement of the ventricles?"), yes(scene.enlarged), "SIZE", True)
    if scene.kind == TISSUE:
        ask(("What color is the tissue?",), str(scene.stain), "COLOR")
        ask(("How many glands are shown?",), str(scene.count), "COUNT")
    if scene.finding:
        ask(("What is the main finding?", "What abnormality is seen?"), scene.finding, "ABN")
        if scene.side and scene.kind != ABDOMEN:
            ask(("On which side is the lesion?", "Which side is abnormal?"), scene.side, "POS")
            ask(("Is the lesion on the left?",), yes(scene.side=="left"), "POS", True)
        if scene.finding == "nodules":
            ask(("How many nodules are seen?", "How many nodules are there?"), str(scene.count), "COUNT")
        if scene.finding == "opacity":
            ask(("Is the opacity in the upper or the lower lung?",), str(scene.place), "POS", True)
        if scene.kind == ABDOMEN:
            ask(("Which organ contains the lesion?", "In which organ is the lesion?"), str(scene.place), "POS")
        if scene.kind in (HEAD_CT, HEAD_MRI):
            ask(("Which lobe contains the lesion?", "In which lobe is the lesion?"), str(scene.place), "POS")
        if scene.size:
            ask(("Is the lesion large or small?",), str(scene.size), "SIZE", True)
        if scene.kind != CHEST and scene.kind!=TISSUE:
            ask(("Is the lesion bright or dark?","What is the color of the lesion?"), str(brightness(scene)), "COLOR")
    rng.shuffle(asked)
    return asked
