"""Files of 16 bits a channel of which fewer are used, in every order that Pillow stores them."""

from __future__ import annotations

import base64
import struct
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pefomed_plugin.services.images.decoding import ImagePolicy, open_image
from pefomed_plugin.services.images.faults import UnusableImage
from pefomed_plugin.services.images.given_images import open_given

RAMP = np.linspace(0, 4080, 64).astype(np.uint16)


def write_png(path: Path, values: np.ndarray, extra: bytes = b"") -> None:
    """A PNG of 16 bits a channel; ``values`` has the shape (rows, columns, 1 to 4)."""
    rows, columns, channels = values.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", columns, rows, 16, colour_type, 0, 0, 0)
    content = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def write_tiff(path: Path, values: np.ndarray, photometric: int = 2, order: str = "<", is_planar: bool = False) -> None:
    """An uncompressed TIFF of 16 bits a channel; ``values`` has the shape (rows, columns, channels)."""
    rows, columns, channels = values.shape
    planes = [values[..., channel] for channel in range(channels)] if is_planar else [values]
    pixels = b"".join(plane.astype(order + "u2").tobytes() for plane in planes)
    numbers = [16] * channels
    offsets = [8 + len(pixels) // len(planes) * number for number in range(len(planes))]
    size = len(pixels) // len(planes)
    fields = [(256, 3, [columns]), (257, 3, [rows]), (258, 3, numbers), (259, 3, [1]), (262, 3, [photometric])]
    fields += [(273, 4, offsets), (277, 3, [channels]), (278, 3, [rows]), (279, 4, [size] * len(planes))]
    fields += [(284, 3, [1 + is_planar])] + ([(338, 3, [2])] if channels == 4 else [])
    directory, behind = b"", b""
    end = 8 + len(pixels) + 2 + 12 * len(fields) + 4
    for tag, kind, content in fields:
        packed = struct.pack(order + "HI"[kind == 4] * len(content), *content)
        if len(packed) > 4:
            place = struct.pack(order + "I", end + len(behind))
            behind += packed
        else:
            place = packed.ljust(4, b"\0")
        directory += struct.pack(order + "HHI", tag, kind, len(content)) + place
    mark = b"II" if order == "<" else b"MM"
    start = struct.pack(order + "HI", 42, 8 + len(pixels))
    path.write_bytes(mark + start + pixels + struct.pack(order + "H", len(fields)) + directory + b"\0" * 4 + behind)


def ramp(channels: int, *, scale: int = 1, rows: int = 3) -> np.ndarray:
    return np.tile((RAMP * scale)[None, :, None], (rows, 1, channels)).astype(np.uint16)


def shown(path: Path) -> np.ndarray:
    return np.asarray(open_image(path.parent, path.name))


def expected(rows: int = 3) -> np.ndarray:
    return np.tile((RAMP >> 4).astype(np.uint8)[None, :, None], (rows, 1, 3))


def test_12_bits_in_colour_png_become_8(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", ramp(3))
    assert (shown(tmp_path / "a.png") == expected()).all()
    values = ramp(3) * [1, 0, 0.5]
    write_png(tmp_path / "b.png", values.astype(np.uint16))  # colours stay what they are
    assert (shown(tmp_path / "b.png")[0] == (values[0].astype(np.uint16) >> 4)).all()


@pytest.mark.parametrize("opaque", [4095, 65535])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_counts_its_own_bits(tmp_path: Path, channels: int, opaque: int) -> None:
    values = ramp(channels)
    values[..., -1] = opaque
    values[0, :, :-1], values[0, :, -1] = 65535, 0  # what transparent pixels hide says nothing about the others
    write_png(tmp_path / "a.png", values)
    pixels = shown(tmp_path / "a.png")
    assert (pixels[0] == 255).all() and (pixels[1:] == expected(2)).all()


@pytest.mark.parametrize("bits", [9, 10, 14])
def test_other_depths(tmp_path: Path, bits: int) -> None:
    values = np.tile(np.array([0, (1 << bits) - 1], np.uint16)[None, :, None], (1, 1, 3))
    write_png(tmp_path / "a.png", values)
    assert shown(tmp_path / "a.png")[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_files_that_use_16_bits_stay_as_pillow_reads_them(tmp_path: Path, channels: int) -> None:
    values = ramp(channels, scale=16)
    values[..., -1] = 65535
    write_png(tmp_path / "a.png", values)
    assert shown(tmp_path / "a.png").tobytes() == Image.open(tmp_path / "a.png").convert("RGB").tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_planar", [False, True])
def test_12_bits_in_colour_tiff(tmp_path: Path, order: str, is_planar: bool) -> None:
    write_tiff(tmp_path / "a.tif", ramp(3), order=order, is_planar=is_planar)
    assert (shown(tmp_path / "a.tif") == expected()).all()
    write_tiff(tmp_path / "b.tif", ramp(3, scale=16), order=order, is_planar=is_planar)
    assert (shown(tmp_path / "b.tif") == expected()).all()


def test_12_bits_in_compressed_colour_tiff(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", ramp(3))
    saved = Image.open(tmp_path / "a.tif")
    assert saved.mode == "RGB"
    content = bytearray((tmp_path / "a.tif").read_bytes())
    pixels = ramp(3).tobytes()
    packed = zlib.compress(pixels)
    content[8 : 8 + len(packed)] = packed  # deflate: compression 8, and as many bytes as there are
    for tag, value in ((259, 8), (279, len(packed))):
        at = content.index(struct.pack("<H", tag), 8 + len(pixels))
        content[at + 8 : at + 12] = struct.pack("<I", value)
    (tmp_path / "b.tif").write_bytes(content)
    assert (shown(tmp_path / "b.tif") == expected()).all()


@pytest.mark.parametrize("kind", ["I;16", "F"])
def test_white_is_zero_of_more_than_8_bits(tmp_path: Path, kind: str) -> None:
    if kind == "I;16":
        write_tiff(tmp_path / "a.tif", ramp(1), photometric=0)
    else:
        image = Image.fromarray(ramp(1)[..., 0].astype(np.float32))
        image.save(tmp_path / "a.tif", tiffinfo={262: 0})
    pixels = shown(tmp_path / "a.tif")
    assert pixels[0, 0].tolist() == [255] * 3 and pixels[0, -1].tolist() == [0] * 3
    assert (np.diff(pixels[0, :, 0].astype(int)) < 0).all()
    assert (np.asarray(open_given(tmp_path / "a.tif")) == pixels).all()


def test_a_transparent_grey_value_shows_the_background_and_takes_no_part(tmp_path: Path) -> None:
    values = np.array([[[65535], [100], [600], [1100]]], np.uint16)
    write_png(tmp_path / "a.png", values, chunk(b"tRNS", struct.pack(">H", 65535)))
    opened = open_image(tmp_path, "a.png", policy=ImagePolicy(background=(9, 8, 7)))
    assert np.asarray(opened)[0].tolist() == [[9, 8, 7], [0] * 3, [128] * 3, [255] * 3]


def test_an_arrays_alpha_takes_no_part_in_its_colours() -> None:
    values = ramp(4)
    values[..., -1] = 65535
    assert np.asarray(open_given(values)).max() == 255


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_png_with_a_large_text_is_read(tmp_path: Path, name: bytes) -> None:
    text = zlib.compress(b"x" * (2 << 20))
    heads = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0en\0\0", b"iCCP": b"profile\0\0"}
    write_png(tmp_path / "a.png", ramp(3), chunk(name, heads[name] + text))
    assert (shown(tmp_path / "a.png") == expected()).all()


@pytest.mark.parametrize("kind", ["P6", "P3"])
def test_12_bits_in_colour_ppm(tmp_path: Path, kind: str) -> None:
    for name, values in (("few", ramp(3)), ("all", ramp(3, scale=16))):
        pixels = values.astype(">u2").tobytes() if kind == "P6" else b"# a\n" + " ".join(map(str, values.flat)).encode()
        (tmp_path / f"{name}.ppm").write_bytes(kind.encode() + b"\n# 1 2\n64 3\n65535\n" + pixels)
    assert (shown(tmp_path / "few.ppm") == expected()).all()
    assert shown(tmp_path / "all.ppm").tobytes() == Image.open(tmp_path / "all.ppm").convert("RGB").tobytes()
    open_image(tmp_path, "few.ppm")
    (tmp_path / "cut.ppm").write_bytes((tmp_path / "few.ppm").read_bytes()[:-20])
    with pytest.raises(UnusableImage, match="truncated or damaged"):
        open_image(tmp_path, "cut.ppm")


J2K = base64.b64decode(
    "/0//UQAvAAAAAAAgAAAAIAAAAAAAAAAAAAAAIAAAACAAAAAAAAAAAAADDwEBDwEBDwEB/1IADAAAAAEBBQQEAAH/XAATQICIiJCIiJCIiJCIiJ"
    "CIiJD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjL/kAAKAAAAAADtAAH/k8/8MAwJ3xfAPzAgCHnAPzAgAZvAfyBAAXHA"
    "fyBgCBl/wH8gQAFtwD9gYAgVrQynzMA/YGABXZkN+j/AP2BwCBWtDW8uX8B/IUAXLHOCVezmAQg/wH8hoBfYdYJxF0A/J6Jemn/AfyGAFyxzgm"
    "CwStvS9L0vwH8hwCFuDRi+ZC1mAT/vdyAvwH8iACIaDyMuMhavvXYpjy3RXAPAfyLAIW4NGL56SErnAQ9wudocQwAaY6+5a8B/IYA18j/jjaPs"
    "IAAAAF/AP2DQNp5Bqr3YxYAAAAMwCcA/YGA18j+qvh//2Q=="
)
"""32 x 32 in RGB of 16 bits (OpenJPEG, lossless): black on the left, on the right 4095, 2048, 16."""


def test_12_bits_in_colour_jpeg_2000(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.j2k").write_bytes(J2K)
    monkeypatch.setitem(sys.modules, "openjpeg", None)
    with pytest.raises(UnusableImage, match="a.j2k: JPEG 2000 colour of 16 bits .* pip install pylibjpeg-openjpeg"):
        open_image(tmp_path, "a.j2k")
    values = np.zeros((32, 32, 3), np.uint16)
    values[:, 16:] = 4095, 2048, 16
    monkeypatch.setitem(sys.modules, "openjpeg", SimpleNamespace(decode=lambda data: values if data == J2K else None))
    assert (shown(tmp_path / "a.j2k") == values >> 4).all()
    monkeypatch.setitem(sys.modules, "openjpeg", SimpleNamespace(decode=lambda data: values[..., ::-1]))
    with pytest.raises(UnusableImage, match="not stored as red, green and blue"):
        open_image(tmp_path, "a.j2k")


@pytest.mark.skipif(find_spec("openjpeg") is None, reason="pylibjpeg-openjpeg is not installed")
def test_12_bits_in_colour_jpeg_2000_by_openjpeg(tmp_path: Path) -> None:
    (tmp_path / "a.j2k").write_bytes(J2K)
    assert shown(tmp_path / "a.j2k")[0, [0, -1]].tolist() == [[0, 0, 0], [255, 128, 1]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero_in_either_order_of_bytes(tmp_path: Path, order: str) -> None:
    write_tiff(tmp_path / "a.tif", ramp(1), photometric=0, order=order)
    write_tiff(tmp_path / "b.tif", ramp(1), photometric=1, order=order)
    down, up = (shown(tmp_path / name).astype(int) for name in ("a.tif", "b.tif"))
    assert down[0, 0, 0] == 255 and abs(down + up - 255).max() <= 1


def test_a_tiff_that_pillow_does_not_know_is_not_called_damaged(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", ramp(1), photometric=9)
    with pytest.raises(
        UnusableImage, match=r"does not read \(1 channel.* of 16 bits, photometric interpretation 9\); conv"
    ):
        open_image(tmp_path, "a.tif")
    (tmp_path / "b.tif").write_bytes(b"II*\0" + b"\xff" * 30)
    with pytest.raises(UnusableImage, match="header is damaged"):
        open_image(tmp_path, "b.tif")


@pytest.mark.parametrize("start", ["%PDF-1.7", "P7\nWIDTH 3", "\0\0\0\x20ftypavif", "\x1f\x8b\x08", "8BPS"])
def test_formats_that_are_not_read_are_named(tmp_path: Path, start: str) -> None:
    (tmp_path / "a.png").write_bytes(start.encode("latin-1") + b"\0" * 40)
    with pytest.raises(UnusableImage, match="which is not read; convert it to PNG"):
        open_image(tmp_path, "a.png")


def test_an_opened_image_gives_its_significant_bits(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", ramp(3))
    assert (np.asarray(open_given(Image.open(tmp_path / "a.png"))) == expected()).all()
