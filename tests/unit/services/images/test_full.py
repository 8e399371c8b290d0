"""An image in full: every level of grey, JPEGs as they are, and nothing of a file that names a patient."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pefomed_plugin.errors import ImageError
from pefomed_plugin.services.images.full import FullImage, read_full_image
from pefomed_plugin.services.images.jpeg import without_metadata

SECRET = b"Mustermann"


def pixels_of(full: FullImage) -> Any:
    with Image.open(BytesIO(full.data)) as image:
        return np.asarray(image)


def values_of(full: FullImage) -> Any:
    assert full.depth is not None
    return pixels_of(full) * full.depth.slope + full.depth.intercept


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 95}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_keeps_its_own_bytes_less_its_metadata(tmp_path: Path, mode: str, options: dict[str, Any]) -> None:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    picture = Image.effect_noise((90, 70), 60).convert(mode)
    picture.save(tmp_path / "a.jpg", exif=exif, comment=SECRET, icc_profile=b"profile of " + SECRET, **options)
    with open(tmp_path / "a.jpg", "ab") as file:
        file.write(SECRET)
    full = read_full_image(tmp_path, "a.jpg")
    assert (full.media, full.bits, full.depth, full.note) == ("image/jpeg", 8, None, "")
    assert SECRET in (tmp_path / "a.jpg").read_bytes() and SECRET not in full.data
    with Image.open(tmp_path / "a.jpg") as own:
        assert (pixels_of(full) == np.asarray(own)).all()


@pytest.mark.parametrize("damaged", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\x00\x10short", b"\xff\xd8no marker"])
def test_a_damaged_jpeg_is_not_passed_on(damaged: bytes) -> None:
    assert without_metadata(damaged) is None


def test_a_png_keeps_its_pixels_and_loses_its_texts(tmp_path: Path) -> None:
    texts = PngInfo()
    texts.add_text("Patient", SECRET.decode())
    picture = Image.effect_noise((40, 30), 60).convert("RGB")
    picture.putpixel((0, 0), (1, 2, 3))
    picture.save(tmp_path / "a.png", pnginfo=texts)
    full = read_full_image(tmp_path, "a.png")
    assert full.media == "image/png" and SECRET not in full.data
    assert (pixels_of(full) == np.asarray(picture)).all()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_of_grey_keep_each_level(tmp_path: Path, ending: str) -> None:
    stored = np.array([[100, 101, 4000], [65535, 100, 20000]], np.uint16)
    Image.fromarray(stored).save(tmp_path / f"a.{ending}")
    full = read_full_image(tmp_path, f"a.{ending}")
    assert (values_of(full) == stored).all() and full.bits == 16 and full.depth is not None
    assert (full.depth.low, full.depth.high, full.depth.inverted) == (100, 65535, False)


def test_floating_point_says_that_it_is_in_steps(tmp_path: Path) -> None:
    stored = np.linspace(-1.5, 2.5, 12, dtype=np.float32).reshape(3, 4)
    Image.fromarray(stored).save(tmp_path / "a.tif")
    full = read_full_image(tmp_path, "a.tif")
    assert np.abs(values_of(full) - stored).max() < 4 / 65535 and full.note == "32 bits in 65,536 steps"


def test_colour_of_sixteen_bits_says_that_eight_are_shown(tmp_path: Path) -> None:
    numpy_to_png16(tmp_path / "a.png")
    full = read_full_image(tmp_path, "a.png")
    assert (full.bits, full.depth, full.note) == (8, None, "of 16 bits a channel the upper 8")


def numpy_to_png16(path: Path) -> None:
    """A PNG of 16 bits in colour, which Pillow does not write."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    lines = b"".join(b"\0" + struct.pack(">6H", *(row * 9000 + at * 3000 for at in range(6))) for row in range(3))
    header = struct.pack(">2I5B", 2, 3, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )


class TestDicom:
    @pytest.fixture(autouse=True)
    def _needs_pydicom(self) -> None:
        pytest.importorskip("pydicom")

    def test_a_ct_has_hounsfield_units_and_its_own_window(self, tmp_path: Path) -> None:
        from .test_dicom import write

        stored = np.array([[0, 1024, 1064, 3071]], np.uint16)
        tags = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 40, "WindowWidth": 401}
        write(tmp_path / "a.dcm", stored, bits_stored=12, PatientName=SECRET.decode(), **tags)
        full = read_full_image(tmp_path, "a.dcm")
        assert values_of(full).tolist() == [[-1024, 0, 40, 2047]] and full.bits == 12 and SECRET not in full.data
        assert full.depth is not None and (full.depth.low, full.depth.high) == (-160.5, 239.5)

    def test_what_is_bright_and_what_is_padding(self, tmp_path: Path) -> None:
        from .test_dicom import write

        stored = np.array([[0, 10, 200, 4095]], np.uint16)
        write(tmp_path / "a.dcm", stored, "MONOCHROME1", bits_stored=12, PixelPaddingValue=0)
        full = read_full_image(tmp_path, "a.dcm")
        assert full.depth is not None and full.depth.inverted
        assert values_of(full).tolist() == [[4095, 10, 200, 4095]], "padding is as dark as the darkest"

    def test_a_table_of_the_display_is_told(self, tmp_path: Path) -> None:
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence

        from .test_dicom import write

        table = Dataset()
        table.LUTDescriptor, table.LUTData = [4, 0, 16], np.array([0, 10, 20, 30], np.uint16).tobytes()
        write(tmp_path / "a.dcm", np.array([[0, 1, 2, 3]], np.uint16), VOILUTSequence=Sequence([table]))
        assert read_full_image(tmp_path, "a.dcm").note == "without the table of the file's display"

    def test_colour_is_shown_in_eight_bits(self, tmp_path: Path) -> None:
        from .test_dicom import write

        stored = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
        write(tmp_path / "a.dcm", stored, "RGB")
        full = read_full_image(tmp_path, "a.dcm")
        assert full.note == "colour, 8 bits a channel" and (pixels_of(full) == stored).all()


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(ImageError, match="a.png"):
        read_full_image(tmp_path, "a.png")
