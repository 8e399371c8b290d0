"""What a made-up picture shows: seeded attributes, from which it is drawn and worded. Knows neither pixels nor words.

Sides are the patient's. Frontal films and axial slices are shown from the front and from the feet, so the patient's
left is on the right of the picture.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Dict, List, Optional, Sequence, Tuple

CHEST, LATERAL, ABDOMEN, HEAD_CT, HEAD_MRI, TISSUE = "chest", "lateral", "abdomen", "head_ct", "head_mri", "tissue"
RADIOLOGY = (CHEST, ABDOMEN, HEAD_CT, HEAD_MRI)

FINDINGS: Dict[str, Tuple[str, ...]] = {
    CHEST: ("opacity", "effusion", "nodules", "fracture"),
    ABDOMEN: ("cyst", "mass"),
    HEAD_CT: ("hemorrhage", "infarct"),
    HEAD_MRI: ("tumor", "infarct"),
    TISSUE: ("inflammation", "necrosis", "fat"),
}
ORGANS: Dict[str, Optional[str]] = {"liver": None, "spleen": None, "right kidney": "right", "left kidney": "left"}
STAINS = ("pink", "blue", "brown")


@dataclass(frozen=True)
class Scene:
    """One picture's content; fields that mean nothing for a kind are None or 0."""

    kind: str
    """``chest`` (frontal film), ``lateral``, ``abdomen`` (axial CT), ``head_ct``, ``head_mri`` (axial) or ``tissue``."""
    seed: int
    """Draws the anatomy, the exact place of the finding and the noise."""
    finding: Optional[str] = None
    """One of ``FINDINGS[kind]``, or None for a normal picture."""
    side: Optional[str] = None
    """``left`` or ``right`` of the patient; None without finding, and for liver and spleen."""
    place: Optional[str] = None
    """Chest opacity: ``upper`` or ``lower``; abdomen: the organ; head: ``frontal`` or ``occipital``."""
    size: Optional[str] = None
    """``small`` or ``large`` finding."""
    count: int = 0
    """Number of chest nodules (1 to 3), or of glands in tissue (1 to 4)."""
    enlarged: bool = False
    """Chest: the heart; head: the ventricles."""
    stain: Optional[str] = None
    """Tissue: colour of the stained background."""


def draw_scene(kind: str, rng: Random, normal: float = 0.25) -> Scene:
    """A scene of ``kind``; ``normal`` is the share of pictures without a finding."""
    seed = rng.randrange(2 ** 31)
    plain = Scene(kind, seed, enlarged=kind != ABDOMEN and kind != TISSUE and rng.random() < 0.4)
    if kind == TISSUE:
        plain = replace(plain, stain=rng.choice(STAINS), count=rng.randint(1, 4))
    if rng.random() < normal:
        return plain
    return _with_finding(plain, rng)


def _with_finding(scene: Scene, rng: Random) -> Scene:
    anatomy = CHEST if scene.kind == LATERAL else scene.kind
    finding = rng.choice(FINDINGS[anatomy])
    side, size = rng.choice(("left", "right")), rng.choice(("small", "large"))
    if anatomy == CHEST:
        return replace(scene, finding=finding, side=side,
                       place=rng.choice(("upper", "lower")) if finding == "opacity" else None,
                       size=size if finding in ("opacity", "effusion") else None,
                       count=rng.randint(1, 3) if finding == "nodules" else 0)
    if anatomy == ABDOMEN:
        organ = rng.choice(sorted(ORGANS))
        return replace(scene, finding=finding, side=ORGANS[organ], place=organ, size=size)
    if anatomy == TISSUE:
        return replace(scene, finding=finding)
    return replace(scene, finding=finding, side=side, place=rng.choice(("frontal", "occipital")), size=size)


def draw_scenes(kinds: Sequence[str], count: int, rng: Random) -> List[Scene]:
    """``count`` scenes, the kinds taking turns."""
    return [draw_scene(kinds[number % len(kinds)], rng) for number in range(count)]
