"""Soft shapes on a pixel array, for drawing phantoms.

Coordinates run from -1 to 1, x to the right and y down; lengths are in the same unit. Every shape has a soft edge,
so that a opened looks exposed rather than cut out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import numpy as np
from PIL import Image, ImageDraw

Value = Union[float, Sequence[float]]
"""Brightness from 0 to 1, or red, green and blue."""
Point = tuple[float, float]


class Canvas:
    """Pixels in [0, 1], shape (size, size, channels)."""

    def __init__(self, size_px: int, value: Value, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        level = np.atleast_1d(np.asarray(value, dtype=np.float32))
        self.pixels = np.broadcast_to(level, (size_px, size_px, level.size)).copy()
        axis = (np.arange(size_px, dtype=np.float32) + 0.5) * (2.0 / size_px) - 1.0
        self._axis = axis

    def again(self, seed: int) -> Canvas:
        """A copy to draw on, with its own random numbers."""
        copy = Canvas(self.size_px, 0.0, seed)
        copy.pixels = self.pixels.copy()
        return copy

    @property
    def size_px(self) -> int:
        """Edge of the square image."""
        return int(self.pixels.shape[0])

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, tilt: float = 0.0, soft: float = 0.04) -> np.ndarray:
        """Mask of an ellipse: 1 inside, 0 outside, falling over about ``soft``. ``tilt`` in radians, clockwise."""
        reach = max(rx, ry) + soft
        rows, columns = self._box(cx - reach, cy - reach, cx + reach, cy + reach)
        dx, dy = self._axis[None, columns] - np.float32(cx), self._axis[rows, None] - np.float32(cy)
        cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
        across, down = (dx * cos + dy * sin) / np.float32(rx), (dy * cos - dx * sin) / np.float32(ry)
        radius = np.sqrt(across * across + down * down)
        return self._mask(rows, columns, (1.0 - radius) * np.float32(min(rx, ry)), soft)

    def ring(
        self, cx: float, cy: float, rx: float, ry: float, width: float, tilt: float = 0.0, soft: float = 0.03
    ) -> np.ndarray:
        """Mask of an ellipse's outline, ``width`` wide inwards."""
        outer = self.ellipse(cx, cy, rx, ry, tilt, soft)
        return outer * (1.0 - self.ellipse(cx, cy, rx - width, ry - width, tilt, soft))

    def line(self, start: Point, end: Point, radius: float, soft: float = 0.03) -> np.ndarray:
        """Mask of a straight stroke with round ends."""
        (x0, y0), (x1, y1), reach = start, end, radius + soft
        rows, columns = self._box(min(x0, x1) - reach, min(y0, y1) - reach, max(x0, x1) + reach, max(y0, y1) + reach)
        px, py = self._axis[None, columns] - np.float32(x0), self._axis[rows, None] - np.float32(y0)
        dx, dy = np.float32(x1 - x0), np.float32(y1 - y0)
        along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0.0, 1.0)
        distance = np.sqrt((px - along * dx) ** 2 + (py - along * dy) ** 2)
        return self._mask(rows, columns, np.float32(radius) - distance, soft)

    def spots(self, places: Sequence[Point], radius: float, soft: float = 0.02) -> np.ndarray:
        """Mask of many round spots, each a little out of round."""
        mask = np.zeros((self.size_px, self.size_px), dtype=np.float32)
        for cx, cy in places:
            rx, ry = radius * self.rng.uniform(0.75, 1.25, 2)
            rows, columns = self._box(cx - 2 * radius, cy - 2 * radius, cx + 2 * radius, cy + 2 * radius)
            across = (self._axis[None, columns] - np.float32(cx)) / np.float32(rx)
            down = (self._axis[rows, None] - np.float32(cy)) / np.float32(ry)
            spot = _step((1.0 - np.sqrt(across * across + down * down)) * np.float32(radius), soft)
            np.maximum(mask[rows, columns], spot, out=mask[rows, columns])
        return mask

    def below(self, y: float, soft: float = 0.04) -> np.ndarray:
        """Mask of everything lower in the image than ``y``."""
        return np.broadcast_to(_step(self._axis - np.float32(y), soft)[:, None], (self.size_px, self.size_px))

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        edges = np.clip(
            (np.array([top, bottom, left, right]) + 1.0) * 0.5 * self.size_px + (-1, 1, -1, 1), 0, self.size_px
        ).astype(int)
        return slice(edges[0], edges[1]), slice(edges[2], edges[3])

    def _mask(self, rows: slice, columns: slice, distance: np.ndarray, soft: float) -> np.ndarray:
        mask = np.zeros((self.size_px, self.size_px), dtype=np.float32)
        mask[rows, columns] = _step(distance, soft)
        return mask

    def paint(self, mask: np.ndarray, value: Value, strength: float = 1.0) -> None:
        """Cover with ``value`` where the mask is 1."""
        level = np.asarray(value, dtype=np.float32)
        self.pixels += (mask * np.float32(strength))[:, :, None] * (level - self.pixels)

    def add(self, mask: np.ndarray, amount: float) -> None:
        """Brighten by ``amount``: something that lies in the beam with what is already there."""
        self.pixels += (mask * np.float32(amount))[:, :, None]

    def clouds(self, cells: int, amplitude: float, mask: np.ndarray | None = None) -> None:
        """Irregular texture with about ``cells`` blobs along an edge."""
        coarse = self.rng.standard_normal((cells, cells), dtype=np.float32)
        size = (self.size_px, self.size_px)
        smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
        self.add(smooth if mask is None else smooth * mask, amplitude)

    def write(self, text: str, cx: float, cy: float, value: float, size_px: int) -> None:
        """Letters centred on a point, as the side marker of a film."""
        layer = Image.new("L", (self.size_px, self.size_px))
        at = ((cx + 1.0) * 0.5 * self.size_px, (cy + 1.0) * 0.5 * self.size_px)
        ImageDraw.Draw(layer).text(at, text, fill=255, anchor="mm", font_size=size_px)
        self.paint(np.asarray(layer, dtype=np.float32) / 255.0, value)

    def image(self, grain: float) -> Image.Image:
        """The exposed image, mode L, or RGB with three channels.

        Placed and exposed a little differently each time, with noise of standard deviation ``grain``.
        """
        gain = self.rng.uniform(0.93, 1.07)
        noise = self.rng.standard_normal(self.pixels.shape[:2], dtype=np.float32)[:, :, None]
        levels = np.clip((self.pixels * gain + noise * grain) * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
        opened = Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels)
        scale = self.rng.uniform(0.96, 1.0)
        left, top = self.rng.uniform(0.0, 1.0 - scale, 2) * self.size_px
        return opened.transform(
            opened.size, Image.Transform.AFFINE, (scale, 0.0, left, 0.0, scale, top), Image.Resampling.BILINEAR
        )


def _step(distance: np.ndarray, soft: float) -> np.ndarray:
    """0 to 1 over ``soft``, centred on distance 0 (positive inside)."""
    ramp = np.clip(distance / np.float32(soft) + 0.5, 0.0, 1.0)
    return ramp * ramp * (3.0 - 2.0 * ramp)
