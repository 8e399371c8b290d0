"""Where does an answer come from? Parts of the image are covered one at a time, and the answer asked for again.

Not what the model says without a part, but how likely its answer becomes: the log-probability of the same text,
teacher-forced, of the whole image less that with one cell of a grid covered (Zeiler and Fergus 2014, section 4.2). A
map shows what this answer of this model leans on, not where a finding is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from PIL import Image

from ..errors import ConfigError
from ..services.console import progress
from ..services.images.overlay import MOST_CELLS_A_SIDE, cell_box, place_in_words
from .medical_model import MedicalModel, Request

GRID = 7
"""Cells a side, where nobody says otherwise."""
COVER = (128, 128, 128)
"""What a cell is covered with: the grey of ``run.images: blind``."""


@dataclass(frozen=True)
class OcclusionMap:
    """What every part of an image does for an answer."""

    answer: str
    """The text whose probability is looked at."""
    log_probability: float
    """Of the answer and its end, about the whole image; natural logarithm."""
    drops: tuple[tuple[float, ...], ...]
    """Row by row from the top, what is lost where a cell is covered: above 0 the cell speaks for the answer, below
    against it."""

    @property
    def strongest(self) -> tuple[int, int]:
        """Row and column, from 0, of the cell without which the answer is least likely."""
        cells = [(row, column) for row, line in enumerate(self.drops) for column in range(len(line))]
        return max(cells, key=lambda cell: self.drops[cell[0]][cell[1]])

    def to_json(self) -> dict[str, Any]:
        """Plain values; six digits."""
        return {
            "answer": self.answer,
            "log_probability": round(self.log_probability, 6),
            "drops": [[round(drop, 6) for drop in line] for line in self.drops],
        }


def occlusion_map(model: MedicalModel, request: Request, answer: str | None = None, grid: int = GRID) -> OcclusionMap:
    """Cover each cell of a ``grid`` x ``grid`` raster in turn; takes grid squared + 1 passes of the whole model.

    Args:
        request: about one image.
        answer: the text that is looked at; None: what the model answers.

    Raises:
        ConfigError: several images, no answer, or a grid that is none.
        ImageError: the image cannot be used.
    """
    if not 1 < grid <= MOST_CELLS_A_SIDE:
        raise ConfigError(f"a grid of {grid} x {grid} cells; give from 2 to {MOST_CELLS_A_SIDE} a side")
    if isinstance(request.image, Mapping):
        raise ConfigError("a map is drawn of one image, and several are shown together; ask about one of them")
    image = model.open(request.image)
    said = model.answer([request])[0] if answer is None else answer
    if not said.strip():
        raise ConfigError("the model gives no answer to this, so there is nothing to look for; name one with answer")
    found: list[float] = []
    covered = _covered(image, grid)
    with progress("covering parts of the image", grid * grid + 1) as advance:
        while batch := list(islice(covered, model.batch_size)):
            asked = [request._replace(image=one) for one in batch]
            found += model.log_probabilities(asked, [said] * len(asked))
            advance(len(batch))
    whole, *rest = found
    drops = [whole - value for value in rest]
    return OcclusionMap(said, whole, tuple(tuple(drops[row * grid : (row + 1) * grid]) for row in range(grid)))


def _covered(image: Image.Image, grid: int) -> Iterator[Image.Image]:
    """The image, and then with each cell covered."""
    yield image
    for row in range(grid):
        for column in range(grid):
            one = image.copy()
            one.paste(COVER, cell_box(image.size, grid, row, column))
            yield one


def in_words(found: OcclusionMap) -> str:
    """How likely the answer is, and what it leans on most."""
    row, column = found.strongest
    drop = found.drops[row][column]
    whole = math.exp(found.log_probability)
    if drop <= 0:
        return f"probability {whole:.3f}; covering no cell makes it less likely"
    place = place_in_words(len(found.drops), row, column)
    without = math.exp(found.log_probability - drop)
    return f"probability {whole:.3f}; {without:.3f} without the {place} (row {row + 1}, column {column + 1})"
