"""Draws chest films: a frontal and a lateral projection of one scene."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from .canvas import Canvas
from .scenes import Scene

AIR, WALL, FLUID, BONE = 0.13, 0.42, 0.64, 0.20
"""Brightness of aerated lung, chest wall, and of heart, liver and fluid; what a bone adds."""
ANATOMIES = 8
GRAIN = 0.018


def outward(side: str) -> float:
    """Direction of the patient's side in an image seen from the front: 1 is to the right of the image."""
    return 1.0 if side == "left" else -1.0


def draw_frontal(scene: Scene, size_px: int) -> Image.Image:
    """Postero-anterior film; the patient's left is on the right of the image, where the marker L is."""
    thorax, lungs = _thorax(size_px, scene.seed % ANATOMIES)
    film = thorax.again(scene.seed)
    if scene.finding == "effusion":
        _effusion(film, scene)
    _heart(film, scene.enlarged)
    if scene.finding == "opacity":
        _opacity(film, scene, lungs)
    elif scene.finding == "mass":
        _mass(film, scene)
    _clavicles(film, scene)
    film.write("L", 0.84, -0.86, 0.9, max(8, size_px // 12))
    return film.image(GRAIN)


@lru_cache(maxsize=2 * ANATOMIES)
def _thorax(size_px: int, anatomy: int) -> tuple[Canvas, np.ndarray]:
    """Chest wall, lungs and spine of one of ``ANATOMIES`` people, and the mask of the lungs."""
    film = Canvas(size_px, 0.02, anatomy)
    film.paint(film.ellipse(0.0, 0.62, 0.92, 1.22, soft=0.08), WALL)
    film.paint(film.line((-0.60, -0.52), (0.60, -0.52), 0.22, soft=0.1), WALL)
    film.paint(film.line((0.0, -1.2), (0.0, -0.5), 0.24, soft=0.1), WALL)
    lungs = np.zeros((size_px, size_px), dtype=np.float32)
    for x in (-1.0, 1.0):
        dome = film.ellipse(0.42 * x, 0.94 - 0.04 * x, 0.50, 0.46, soft=0.04)
        lungs = np.maximum(lungs, _lung(film, x) * (1.0 - dome))
        film.paint(film.ellipse(0.40 * x, 0.9, 0.46, 0.5, soft=0.12), FLUID)
    film.paint(film.ellipse(0.44, 0.66, 0.15, 0.09, soft=0.08), 0.34)
    film.paint(lungs, AIR)
    film.clouds(10, 0.015, lungs)
    for x in (-1.0, 1.0):
        _vessels(film, x, lungs)
        _ribs(film, x)
    film.paint(film.ellipse(0.0, -0.1, 0.14, 1.2, soft=0.12), 0.56, 0.9)
    for y in np.arange(-0.95, 1.0, 0.13):
        film.add(film.ellipse(0.0, y, 0.085, 0.05, soft=0.03), 0.05)
    return film, lungs


def _lung(film: Canvas, x: float) -> np.ndarray:
    return film.ellipse(0.43 * x, 0.06, 0.335, 0.79, tilt=0.07 * x, soft=0.05)


def _vessels(film: Canvas, x: float, lungs: np.ndarray) -> None:
    film.add(film.ellipse(0.19 * x, 0.02, 0.10, 0.20, tilt=-0.3 * x, soft=0.12), 0.20)
    tree = np.zeros_like(lungs)
    for angle in np.linspace(-1.2, 1.2, 8) + film.rng.normal(0.0, 0.05, 8):
        root = (0.18 * x, 0.02 + 0.10 * np.sin(angle))
        for reach, radius in ((0.22, 0.016), (0.42, 0.007)):
            tip = (root[0] + reach * x * np.cos(angle), root[1] + 1.15 * reach * np.sin(angle))
            tree = np.maximum(tree, film.line(root, tip, radius, soft=0.035))
    film.add(tree * lungs, 0.11)


def _ribs(film: Canvas, x: float) -> None:
    for y in np.arange(-0.62, 0.62, 0.17):
        reach = 0.36 + 0.12 * (1.0 - ((y + 0.1) / 0.9) ** 2)
        arc = film.ring(0.3 * x, y + 0.42, reach, 0.46, 0.042, tilt=0.30 * x, soft=0.03)
        film.add(arc * film.ellipse(0.42 * x, y + 0.02, 0.42, 0.20, tilt=0.30 * x, soft=0.1), 0.075)


def _heart(film: Canvas, enlarged: bool) -> None:
    grown = (0.16 if enlarged else 0.0) + film.rng.uniform(-0.015, 0.015)
    film.paint(film.ellipse(0.0, -0.30, 0.15, 0.30, soft=0.08), FLUID - 0.02)
    film.paint(film.ellipse(0.12, -0.36, 0.10, 0.10, soft=0.06), FLUID - 0.02)
    heart = np.maximum(
        film.ellipse(-0.02 - 0.4 * grown, 0.26, 0.20 + 0.6 * grown, 0.30, soft=0.06),
        film.ellipse(0.14 + 0.5 * grown, 0.33, 0.27 + grown, 0.27, tilt=0.45, soft=0.06),
    )
    film.paint(heart, FLUID + 0.02)


def _clavicles(film: Canvas, scene: Scene) -> None:
    for side in ("left", "right"):
        x = outward(side)
        inner, middle, outer = (0.10 * x, -0.58), (0.42 * x, -0.68), (0.76 * x, -0.69)
        if scene.finding == "fracture" and scene.side == side:
            film.add(film.line(inner, (0.40 * x, -0.84), 0.05), BONE + 0.3)
            film.add(film.line((0.42 * x, -0.54), (0.78 * x, -0.66), 0.05), BONE + 0.3)
        else:
            film.add(np.maximum(film.line(inner, middle, 0.028), film.line(middle, outer, 0.028)), BONE)


def _opacity(film: Canvas, scene: Scene, lungs: np.ndarray) -> None:
    """Ill-defined patches that fill much of one lung."""
    x, y = outward(str(scene.side)), film.rng.uniform(-0.16, -0.04)
    patch = film.ellipse(0.46 * x, y, 0.20, 0.30, soft=0.26)
    for _ in range(4):
        dx, dy = film.rng.normal(0.0, 1.0, 2) * (0.05, 0.16)
        patch = np.maximum(patch, film.ellipse(0.46 * x + dx, y + dy, 0.18, 0.16, soft=0.2))
    film.paint(patch * lungs, FLUID, 0.85)


def _effusion(film: Canvas, scene: Scene) -> None:
    x = outward(str(scene.side))
    level = 0.22 + film.rng.uniform(-0.05, 0.05)
    lung = film.ellipse(0.30 * x, level - 0.66, 0.44, 0.70, soft=0.07)
    film.paint(_lung(film, x) * (1.0 - lung) * film.below(level - 0.32, soft=0.3), FLUID + 0.02)


def _mass(film: Canvas, scene: Scene) -> None:
    """One dense, sharply outlined, round shadow in the middle of a lung."""
    cx, cy = outward(str(scene.side)) * 0.47 + film.rng.uniform(-0.03, 0.03), film.rng.uniform(-0.20, -0.10)
    film.paint(film.ellipse(cx, cy, 0.17, 0.17, soft=0.04), 0.92)


def draw_lateral(scene: Scene, size_px: int) -> Image.Image:
    """Lateral film of the same scene, the patient facing left; the side of a finding cannot be told from it."""
    film = Canvas(size_px, 0.02, scene.seed + 1)
    film.paint(film.ellipse(0.02, 0.55, 0.78, 1.40, soft=0.08), WALL)
    film.paint(film.line((0.05, -1.2), (0.05, -0.6), 0.3, soft=0.1), WALL)
    dome = film.ellipse(-0.10, 1.02, 0.80, 0.52, tilt=0.12, soft=0.05)
    lung = film.ellipse(0.04, -0.02, 0.56, 0.82, tilt=-0.1, soft=0.06)
    film.paint(film.ellipse(0.0, 1.0, 0.70, 0.55, soft=0.1), FLUID)
    film.paint(lung * (1.0 - dome), AIR + 0.05)
    film.clouds(10, 0.02, lung)
    film.add(film.ellipse(0.05, -0.02, 0.16, 0.16, soft=0.12), 0.18)
    for y in np.arange(-0.6, 0.7, 0.2):
        film.add(film.ring(-0.1, y + 0.15, 0.75, 0.30, 0.035, tilt=0.5, soft=0.03) * lung, 0.05)
    film.paint(film.line((0.40, -0.9), (0.52, 0.95), 0.09, soft=0.06), 0.55)
    for y in np.arange(-0.85, 0.95, 0.15):
        film.add(film.ellipse(0.46 + 0.065 * y, y, 0.085, 0.05, soft=0.03), 0.10)
    film.add(film.line((-0.56, -0.42), (-0.62, 0.30), 0.03), BONE)
    grown = 0.12 if scene.enlarged else 0.0
    heart = film.ellipse(-0.22 + 0.7 * grown, 0.36, 0.30 + grown, 0.26 + 0.6 * grown, tilt=0.5, soft=0.07)
    film.paint(heart, FLUID)
    if scene.finding == "effusion":
        above = film.ellipse(0.06, -0.32, 0.52, 0.70, tilt=-0.2, soft=0.08)
        film.paint(lung * (1.0 - above) * film.ellipse(0.34, 0.5, 0.34, 0.55, soft=0.12), FLUID)
    elif scene.finding == "opacity":
        film.paint(lung * film.ellipse(0.14, -0.2, 0.22, 0.30, soft=0.26), FLUID, 0.85)
    elif scene.finding == "mass":
        film.paint(film.ellipse(0.16, -0.18, 0.16, 0.16, soft=0.04), 0.92)
    film.write("L", 0.84, -0.86, 0.9, max(8, size_px // 12))
    return film.image(GRAIN)
