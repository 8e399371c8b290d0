"""Draws stained tissue under the microscope."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .canvas import Canvas, Point
from .scenes import Scene

Colour = tuple[float, float, float]
STAINS: dict[str, tuple[Colour, Colour]] = {
    "pink": ((0.93, 0.70, 0.80), (0.42, 0.22, 0.55)),
    "blue": ((0.60, 0.74, 0.93), (0.20, 0.18, 0.45)),
    "brown": ((0.80, 0.62, 0.42), (0.33, 0.20, 0.16)),
}
"""Colour of the background and of the nuclei."""
PALE: Colour = (0.97, 0.95, 0.95)
GLANDS = ((-0.50, -0.50), (0.50, 0.50), (0.50, -0.50), (-0.50, 0.50))


def draw_tissue(scene: Scene, size_px: int) -> Image.Image:
    """Section with one to four glands in the quarters, and the finding in the middle."""
    ground, nucleus = STAINS[str(scene.stain)]
    section = Canvas(size_px, ground, scene.seed)
    section.clouds(7, 0.03)
    _fibres(section, ground)
    section.paint(section.spots(_scattered(section, 70), 0.028), nucleus, 0.85)
    for cx, cy in GLANDS[: scene.glands]:
        _gland(section, cx, cy, ground, nucleus)
    if scene.finding == "inflammation":
        cells = [_near(section, 0.24) for _ in range(110)]
        section.paint(section.spots(cells, 0.024), tuple(0.8 * level for level in nucleus), 0.95)
    elif scene.finding == "necrosis":
        section.paint(section.ellipse(0.0, 0.0, 0.34, 0.30, tilt=0.4, soft=0.12), _mix(ground, PALE, 0.75))
        section.paint(section.spots([_near(section, 0.2) for _ in range(25)], 0.012), _mix(ground, nucleus, 0.6), 0.6)
    elif scene.finding == "fat":
        section.paint(section.spots(_packed(section), 0.075, soft=0.025), PALE)
    return section.image(0.02)


def _fibres(section: Canvas, ground: Colour) -> None:
    strands = np.zeros((section.size_px, section.size_px), dtype=np.float32)
    for y in np.linspace(-1.1, 1.1, 12):
        start, end = section.rng.normal(y, 0.12, 2)
        strands = np.maximum(strands, section.line((-1.1, start), (1.1, end), 0.012, soft=0.05))
    section.paint(strands, _mix(ground, (0.75, 0.45, 0.60), 0.35), 0.5)


def _gland(section: Canvas, cx: float, cy: float, ground: Colour, nucleus: Colour) -> None:
    cx, cy = np.add((cx, cy), section.rng.uniform(-0.05, 0.05, 2))
    rx, ry = section.rng.uniform(0.24, 0.29, 2)
    section.paint(section.ellipse(cx, cy, rx, ry, soft=0.03), _mix(ground, nucleus, 0.35))
    section.paint(section.ellipse(cx, cy, 0.5 * rx, 0.5 * ry, soft=0.04), PALE)
    angles = np.linspace(0.0, 2.0 * np.pi, 17)[:-1]
    cells = [(cx + 0.82 * rx * np.cos(angle), cy + 0.82 * ry * np.sin(angle)) for angle in angles]
    section.paint(section.spots(cells, 0.036), nucleus)


def _scattered(section: Canvas, count: int) -> list[Point]:
    return [(float(x), float(y)) for x, y in section.rng.uniform(-1.0, 1.0, (count, 2))]


def _near(section: Canvas, spread: float) -> Point:
    x, y = np.clip(section.rng.normal(0.0, spread * 0.6, 2), -spread * 1.3, spread * 1.3)
    return float(x), float(y)


def _packed(section: Canvas) -> list[Point]:
    grid = [
        (0.17 * column + (0.085 if row % 2 else 0.0), 0.15 * row) for row in range(-2, 3) for column in range(-2, 3)
    ]
    return [
        (x + section.rng.normal(0.0, 0.012), y + section.rng.normal(0.0, 0.012))
        for x, y in grid
        if np.hypot(x, y) < 0.36
    ]


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = ((1.0 - share) * a + share * b for a, b in zip(first, second))
    return red, green, blue
