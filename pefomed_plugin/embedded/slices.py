"""Draws axial slices: CT of the abdomen, CT and MRI of the head.

Slices are seen from the feet: the front is up, the patient's left is on the right of the image.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from .canvas import Canvas, Point
from .chest import outward
from .scenes import HEAD_CT, Scene

ANATOMIES = 8
GRAIN = 0.02
LESIONS: dict[str, Point] = {
    "liver": (-0.40, -0.22),
    "spleen": (0.58, 0.06),
    "right kidney": (-0.36, 0.40),
    "left kidney": (0.36, 0.40),
}
"""Centre of the lesion in each organ of the abdomen."""


def draw_abdomen(scene: Scene, size_px: int) -> Image.Image:
    """Contrast-enhanced CT at the level of the kidneys: a cyst is dark, a mass bright."""
    ct = _abdomen(size_px, scene.seed % ANATOMIES).again(scene.seed)
    if scene.finding is not None:
        cx, cy = LESIONS[str(scene.organ)] + ct.rng.uniform(-0.02, 0.02, 2)
        if scene.finding == "cyst":
            ct.paint(ct.ellipse(cx, cy, 0.16, 0.15, soft=0.04), 0.05)
        else:
            ct.paint(_lobed(ct, cx, cy, 0.17), 0.95)
    return ct.image(GRAIN)


@lru_cache(maxsize=2 * ANATOMIES)
def _abdomen(size_px: int, anatomy: int) -> Canvas:
    ct = Canvas(size_px, 0.02, anatomy)
    ct.add(ct.ring(0.0, -0.1, 1.3, 1.02, 0.025, soft=0.03) * ct.below(0.75), 0.3)
    ct.paint(ct.ellipse(0.0, 0.02, 0.92, 0.72, soft=0.03), 0.26)
    ct.paint(ct.ellipse(0.0, 0.0, 0.85, 0.64, soft=0.03), 0.48)
    inside = ct.ellipse(0.0, -0.02, 0.79, 0.57, soft=0.03)
    ct.paint(inside, 0.24)
    ct.clouds(12, 0.025, inside)
    for x in (-1.0, 1.0):
        ct.paint(ct.ellipse(0.24 * x, 0.52, 0.22, 0.11, tilt=-0.15 * x, soft=0.04), 0.46)
    _bowel(ct)
    ct.paint(
        np.maximum(
            ct.ellipse(-0.46, -0.12, 0.31, 0.40, tilt=0.25, soft=0.03),
            ct.ellipse(-0.18, -0.34, 0.34, 0.16, tilt=-0.25, soft=0.03),
        )
        * inside,
        0.58,
    )
    ct.paint(ct.ellipse(0.62, 0.05, 0.15, 0.30, tilt=0.25, soft=0.03) * inside, 0.60)
    for x in (-1.0, 1.0):
        ct.paint(ct.ellipse(0.36 * x, 0.38, 0.16, 0.18, tilt=0.3 * x, soft=0.03), 0.72)
        ct.paint(ct.ellipse(0.27 * x, 0.36, 0.05, 0.06, soft=0.04), 0.35)
    ct.paint(ct.ellipse(0.05, 0.16, 0.075, 0.075, soft=0.03), 0.78)
    ct.paint(ct.ellipse(-0.13, 0.15, 0.085, 0.06, soft=0.03), 0.66)
    _vertebra(ct)
    for angle in np.linspace(0.15, 2.0 * np.pi - 0.15, 14):
        ct.paint(
            ct.ellipse(0.815 * np.sin(angle), 0.60 * np.cos(angle), 0.055, 0.022, tilt=-angle, soft=0.03)
            * ct.below(-0.45),
            0.92,
        )
    ct.clouds(24, 0.012, inside)
    return ct


def _bowel(ct: Canvas) -> None:
    ct.paint(ct.ellipse(0.30, -0.30, 0.27, 0.20, tilt=0.3, soft=0.03), 0.45)
    ct.paint(ct.ellipse(0.27, -0.37, 0.17, 0.09, tilt=0.1, soft=0.04), 0.04)
    for cx, cy in ((0.05, -0.08), (0.28, 0.02), (0.14, 0.04)):
        ct.paint(ct.ellipse(cx, cy, 0.11, 0.08, tilt=ct.rng.uniform(-0.5, 0.5), soft=0.04), 0.44)


def _vertebra(ct: Canvas) -> None:
    ct.paint(
        np.maximum(ct.ellipse(0.0, 0.34, 0.15, 0.12, soft=0.03), ct.ellipse(0.0, 0.52, 0.13, 0.10, soft=0.03)), 0.92
    )
    ct.paint(ct.line((0.0, 0.55), (0.0, 0.67), 0.025), 0.92)
    for x in (-1.0, 1.0):
        ct.paint(ct.line((0.08 * x, 0.50), (0.22 * x, 0.54), 0.025), 0.9)
    ct.paint(ct.ellipse(0.0, 0.48, 0.07, 0.055, soft=0.03), 0.35)


def draw_head(scene: Scene, size_px: int) -> Image.Image:
    """CT, or T2-weighted MRI, of the head at the level of the ventricles.

    CT: blood is bright, an infarct dark. MRI: an infarct is bright, a tumor a bright rim around a dark core.
    """
    ct = scene.kind == HEAD_CT
    head = _head(size_px, scene.seed % ANATOMIES, ct).again(scene.seed)
    _ventricles(head, scene.enlarged, 0.14 if ct else 0.92)
    if scene.finding is not None:
        cx, cy = 0.38 * outward(str(scene.side)), head.rng.uniform(-0.12, 0.16)
        if scene.finding == "tumor":
            head.paint(head.ellipse(cx, cy, 0.24, 0.24, soft=0.06), 0.98)
            head.paint(head.ellipse(cx, cy, 0.14, 0.15, soft=0.06), 0.03)
        else:
            head.paint(_lobed(head, cx, cy, 0.24), {"hemorrhage": 0.92, "infarct": 0.10 if ct else 0.98}[scene.finding])
    return head.image(GRAIN)


@lru_cache(maxsize=4 * ANATOMIES)
def _head(size_px: int, anatomy: int, ct: bool) -> Canvas:
    head = Canvas(size_px, 0.02, anatomy + 100)
    head.paint(head.ellipse(0.0, 0.0, 0.76, 0.92, soft=0.03), 0.30 if ct else 0.62)
    head.paint(head.ellipse(0.0, 0.0, 0.72, 0.88, soft=0.03), 0.97 if ct else 0.08)
    brain = head.ellipse(0.0, 0.0, 0.65, 0.80, soft=0.03)
    head.paint(brain, 0.46 if ct else 0.40)
    _cortex(head, brain, ct)
    head.paint(head.line((0.0, -0.80), (0.0, -0.42), 0.006, soft=0.02), 0.62 if ct else 0.85)
    head.paint(head.line((0.0, 0.42), (0.0, 0.80), 0.006, soft=0.02), 0.62 if ct else 0.85)
    for x in (-1.0, 1.0):
        head.paint(head.ellipse(0.20 * x, 0.04, 0.09, 0.13, tilt=-0.3 * x, soft=0.05), 0.52 if ct else 0.48)
    head.clouds(20, 0.015, brain)
    return head


def _cortex(head: Canvas, brain: np.ndarray, ct: bool) -> None:
    """Folds of grey matter: spots along the rim, separated by fluid."""
    rim = brain * (1.0 - head.ellipse(0.0, 0.0, 0.53, 0.68, soft=0.12))
    head.paint(rim, 0.40 if ct else 0.68, 0.7)
    angles = np.linspace(0.0, 2.0 * np.pi, 27)[:-1] + head.rng.normal(0.0, 0.05, 26)
    folds = head.spots([(0.59 * np.sin(angle), 0.74 * np.cos(angle)) for angle in angles], 0.065, soft=0.05)
    head.paint(folds * brain, 0.52, 0.85)


def _ventricles(head: Canvas, enlarged: bool, value: float) -> None:
    width = 0.115 if enlarged else 0.045
    for x in (-1.0, 1.0):
        front = head.ellipse((0.07 + 0.6 * width) * x, -0.17, width, 0.19 + 0.5 * width, tilt=-0.35 * x, soft=0.03)
        back = head.ellipse((0.10 + 0.8 * width) * x, 0.24, width, 0.19 + 0.5 * width, tilt=0.40 * x, soft=0.03)
        head.paint(np.maximum(front, back), value)
    head.paint(head.ellipse(0.0, 0.05, 0.018 + 0.2 * width, 0.10, soft=0.02), value)


def _lobed(canvas: Canvas, cx: float, cy: float, radius: float) -> np.ndarray:
    """Mask of an irregular round patch."""
    mask = canvas.ellipse(cx, cy, radius * 0.85, radius * 0.85, soft=0.05)
    for _ in range(3):
        dx, dy = canvas.rng.normal(0.0, radius * 0.35, 2)
        mask = np.maximum(mask, canvas.ellipse(cx + dx, cy + dy, radius * 0.6, radius * 0.6, soft=0.05))
    return mask
