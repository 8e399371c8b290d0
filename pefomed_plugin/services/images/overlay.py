"""A map of values drawn over an image, with a scale: colours that the colour-blind can tell apart, and a frame."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

SCALE = "log-probability of the answer lost where a cell is covered"
"""What the scale of an occlusion map is."""
FOR, AGAINST = (230, 126, 20), (40, 110, 190)
"""Orange where covering a cell makes the answer less likely, blue where more."""
MOST_CELLS_A_SIDE = 64
"""Of a raster."""
_STRONGEST_OPACITY = 0.65
_SIDE_PX, _MARGIN_PX, _BAR_PX, _TEXT_PX = 448, 12, 12, 15
_PAPER, _INK = (255, 255, 255), (30, 34, 38)


def cell_box(size: tuple[int, int], grid: int, row: int, column: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel of a cell; the cells of a row or column differ by one pixel at most."""
    width, height = size
    return (
        column * width // grid,
        row * height // grid,
        (column + 1) * width // grid,
        (row + 1) * height // grid,
    )


def place_in_words(grid: int, row: int, column: int) -> str:
    """Where a cell is, for those who do not see it: ``upper left of the image``."""

    def third(at: int, names: tuple[str, str, str]) -> str:
        return names[min(3 * (2 * at + 1) // (2 * grid), 2)]

    down, across = third(row, ("upper", "middle", "lower")), third(column, ("left", "centre", "right"))
    return "centre of the image" if (down, across) == ("middle", "centre") else f"{down} {across} of the image"


def draw_overlay(image: Image.Image, drops: Sequence[Sequence[float]], title: str) -> Image.Image:
    """The image with its map over it, framed where the value is largest, and a scale below.

    Args:
        image: any mode; shown with a longer side of 448 pixels.
        drops: rows of a square raster; what it is called is up to ``title``, which stands under the scale.
    """
    grid, most = len(drops), max((abs(value) for line in drops for value in line), default=0.0)
    shown = image.convert("RGB")
    factor = _SIDE_PX / max(shown.size)
    shown = shown.resize((max(1, round(shown.width * factor)), max(1, round(shown.height * factor))))
    colours = Image.new("RGBA", shown.size)
    painter = ImageDraw.Draw(colours)
    for row, line in enumerate(drops):
        for column, value in enumerate(line):
            share = abs(value) / most if most else 0.0
            colour = FOR if value > 0 else AGAINST
            left, top, right, bottom = cell_box(shown.size, grid, row, column)
            painter.rectangle(
                (left, top, right - 1, bottom - 1), fill=(*colour, round(255 * _STRONGEST_OPACITY * share))
            )
    over = Image.alpha_composite(shown.convert("RGBA"), colours).convert("RGB")
    _frame_strongest(over, drops)
    return _with_scale(over, drops, title)


def _frame_strongest(image: Image.Image, drops: Sequence[Sequence[float]]) -> None:
    cells = [(value, row, column) for row, line in enumerate(drops) for column, value in enumerate(line)]
    value, row, column = max(cells)
    if value > 0:
        left, top, right, bottom = cell_box(image.size, len(drops), row, column)
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=(255, 255, 255), width=2)


def _with_scale(image: Image.Image, drops: Sequence[Sequence[float]], title: str) -> Image.Image:
    values = [value for line in drops for value in line]
    low, high = min(0.0, *values), max(0.0, *values)
    width = max(image.width, 260) + 2 * _MARGIN_PX
    height = image.height + 3 * _MARGIN_PX + _BAR_PX + 2 * _TEXT_PX + 8
    sheet = Image.new("RGB", (width, height), _PAPER)
    sheet.paste(image, ((width - image.width) // 2, _MARGIN_PX))
    painter, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT_PX)
    top, inner = image.height + 2 * _MARGIN_PX, width - 2 * _MARGIN_PX
    most = max(high, -low) or 1.0
    for x in range(inner):
        value = low + (high - low) * x / max(inner - 1, 1)
        share = _STRONGEST_OPACITY * abs(value) / most
        colour = FOR if value > 0 else AGAINST
        mixed = tuple(round((1 - share) * paper + share * one) for paper, one in zip(_PAPER, colour))
        painter.line((_MARGIN_PX + x, top, _MARGIN_PX + x, top + _BAR_PX), fill=mixed)
    painter.rectangle((_MARGIN_PX, top, width - _MARGIN_PX, top + _BAR_PX), outline=_INK)
    line = top + _BAR_PX + 3
    painter.text((_MARGIN_PX, line), f"{low:.2f}", _INK, font)
    painter.text((width - _MARGIN_PX, line), f"{high:.2f}", _INK, font, anchor="ra")
    painter.text((_MARGIN_PX, line + _TEXT_PX + 3), title, _INK, font)
    return sheet
