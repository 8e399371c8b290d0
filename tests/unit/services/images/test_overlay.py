"""A map over an image: where its colours are, its frame, its scale, and what is said of it in words."""

from __future__ import annotations

import pytest
from PIL import Image

from pefomed_plugin.services.images.overlay import cell_box, draw_overlay, place_in_words


def test_colours_stand_where_the_values_are():
    drawn = draw_overlay(Image.new("L", (64, 64), 128), [[2.0, 0.0], [-1.0, 0.0]], "lost")
    assert drawn.width == 448 + 24

    def colour(row, column):
        return drawn.getpixel((12 + 224 * column + 100, 12 + 224 * row + 100))

    assert colour(0, 1) == (128, 128, 128)
    red, _, blue = colour(0, 0)
    assert red > 150 > blue, "orange speaks for the answer"
    red, _, blue = colour(1, 0)
    assert blue > 128 > red, "blue against it, and paler"
    assert drawn.getpixel((12, 12)) == (255, 255, 255), "the strongest cell is framed"
    assert drawn.getpixel((12 + 230, 12 + 1)) == (128, 128, 128)


def test_nothing_that_matters_has_no_frame():
    assert draw_overlay(Image.new("RGB", (30, 60)), [[0.0, -1.0], [0.0, 0.0]], "").getpixel((12 + 111, 12)) == (0, 0, 0)


def test_cells_cover_an_image_of_any_size_once():
    boxes = [cell_box((10, 7), 3, row, column) for row in range(3) for column in range(3)]
    covered = [(x, y) for left, top, right, bottom in boxes for x in range(left, right) for y in range(top, bottom)]
    assert sorted(covered) == [(x, y) for x in range(10) for y in range(7)]


@pytest.mark.parametrize(
    ("grid", "cell", "words"),
    [
        (7, (0, 0), "upper left of the image"),
        (7, (3, 3), "centre of the image"),
        (7, (6, 3), "lower centre of the image"),
        (2, (0, 1), "upper right of the image"),
        (3, (1, 2), "middle right of the image"),
    ],
)
def test_a_place_in_words(grid, cell, words):
    assert place_in_words(grid, *cell) == words
