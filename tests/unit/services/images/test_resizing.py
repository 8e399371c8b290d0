"""The same square on every Pillow: which side is resized first is this project's, not the library's."""

from __future__ import annotations

import zlib
from random import Random

import PIL
import pytest
from PIL import Image

from pefomed_plugin.services.images.pixels import resize_square

SIZE = 56
HEIGHT_FIRST = [(61, 131), (40, 57), (57, 59), (100, 145), (56, 57)]
WIDTH_FIRST = [(131, 61), (57, 58), (100, 144), (40, 30), (90, 90), (20, 56)]
OF_PILLOW_13 = {
    (61, 131): 231961969,
    (57, 59): 2689167719,
    (100, 144): 2678788125,
    (500, 700): 3528505050,
    (30, 1000): 1708966255,
    (131, 61): 1732216120,
}
"""Size -> CRC-32 of what ``Image.resize`` of Pillow 13.0.0 makes of the noise of this size."""


def noise(width, height):
    return Image.frombytes("RGB", (width, height), Random(width * 1000 + height).randbytes(width * height * 3))


def by_sides(image, between):
    return image.resize(between, Image.Resampling.BICUBIC).resize((SIZE, SIZE), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("size", HEIGHT_FIRST)
def test_the_height_first_where_it_shrinks_by_more_than_twice_as_much(size):
    image = noise(*size)
    assert resize_square(image, SIZE).tobytes() == by_sides(image, (size[0], SIZE)).tobytes()


@pytest.mark.parametrize("size", WIDTH_FIRST)
def test_the_width_first_otherwise(size):
    image = noise(*size)
    assert resize_square(image, SIZE).tobytes() == by_sides(image, (SIZE, size[1])).tobytes()


def test_the_order_makes_a_difference():
    image = noise(61, 131)
    assert by_sides(image, (61, SIZE)).tobytes() != by_sides(image, (SIZE, 131)).tobytes()


@pytest.mark.parametrize(("size", "digest"), OF_PILLOW_13.items())
def test_the_pixels_of_pillow_13_on_every_version(size, digest):
    assert zlib.crc32(resize_square(noise(*size), SIZE).tobytes()) == digest


@pytest.mark.skipif(int(PIL.__version__.partition(".")[0]) < 13, reason="Pillow before 13 takes another order")
@pytest.mark.parametrize("size", HEIGHT_FIRST + WIDTH_FIRST + [(SIZE, SIZE), (500, 700), (30, 1000), (1000, 30)])
def test_as_pillow_13_by_itself(size):
    image = noise(*size)
    assert resize_square(image, SIZE).tobytes() == image.resize((SIZE, SIZE), Image.Resampling.BICUBIC).tobytes()
