"""What a made-up image shows: seeded attributes, from which it is drawn and worded.

Sides are the patient's. Frontal films are shown from the front and axial slices from the feet, so the patient's left
is on the right of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

CHEST, LATERAL, ABDOMEN, HEAD_CT, HEAD_MRI, TISSUE = "chest", "lateral", "abdomen", "head_ct", "head_mri", "tissue"
RADIOLOGY = (CHEST, HEAD_MRI, ABDOMEN, CHEST, HEAD_MRI, HEAD_CT)
"""Kinds in the order in which they take turns: as many x-rays as CT and MRI."""

FINDINGS: dict[str, tuple[str, ...]] = {
    CHEST: ("opacity", "effusion", "mass", "fracture"),
    LATERAL: ("opacity", "effusion", "mass", "fracture"),
    ABDOMEN: ("cyst", "mass"),
    HEAD_CT: ("hemorrhage", "infarct"),
    HEAD_MRI: ("tumor", "infarct"),
    TISSUE: ("inflammation", "necrosis", "fat"),
}
ORGANS = ("liver", "spleen", "right kidney", "left kidney")
STAINS = ("pink", "blue", "brown")


@dataclass(frozen=True)
class Scene:
    """One image's content; fields that mean nothing for a kind are None, False or 0."""

    kind: str
    """``chest`` (frontal film), ``lateral``, ``abdomen`` (axial CT), ``head_ct``, ``head_mri`` (axial), ``tissue``."""
    seed: int
    """Draws the anatomy, the exact place of the finding and the noise."""
    finding: str | None = None
    """One of ``FINDINGS[kind]``, or None."""
    side: str | None = None
    """Chest and head: ``left`` or ``right`` of the patient."""
    organ: str | None = None
    """Abdomen: which of ``ORGANS`` holds the finding."""
    enlarged: bool = False
    """Chest: the heart; head: the ventricles."""
    glands: int = 0
    """Tissue: number of glands, 1 to 4."""
    stain: str | None = None
    """Tissue: colour of the stained background."""

    @property
    def normal(self) -> bool:
        """Whether nothing abnormal is drawn."""
        return self.finding is None and not self.enlarged


def draw_scene(kind: str, rng: Random) -> Scene:
    """A scene of ``kind``; a quarter of them have no finding."""
    seed = rng.randrange(2**31)
    finding = None if rng.random() < 0.25 else rng.choice(FINDINGS[kind])
    if kind == TISSUE:
        return Scene(kind, seed, finding, glands=rng.randint(1, 4), stain=rng.choice(STAINS))
    if kind == ABDOMEN:
        return Scene(kind, seed, finding, organ=rng.choice(ORGANS) if finding else None)
    side = rng.choice(("left", "right"))
    return Scene(kind, seed, finding, side=side if finding else None, enlarged=rng.random() < 0.45)


def draw_scenes(kinds: Sequence[str], count: int, rng: Random) -> list[Scene]:
    """``count`` scenes, the kinds taking turns."""
    return [draw_scene(kinds[number % len(kinds)], rng) for number in range(count)]
