"""DICOM files made here, looked at as a viewer would show them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pefomed_plugin.errors import ImageError
from pefomed_plugin.services.images.decoding import ImagePolicy, open_image

pydicom = pytest.importorskip("pydicom")
VERSION_3 = int(pydicom.__version__.split(".")[0]) >= 3


def write(path: Path, pixels: np.ndarray, kind: str = "MONOCHROME2", bits_stored: int = 0, **tags: Any) -> None:
    """A DICOM file of ``pixels`` (rows, columns), (frames, rows, columns) or (rows, columns, 3)."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    colour = not kind.startswith(("MONOCHROME", "PALETTE"))
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["invented"])
    frames = pixels.shape[0] if pixels.ndim == 3 and not colour else 1
    dataset.Rows, dataset.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.PhotometricInterpretation = kind
    dataset.SamplesPerPixel = 3 if colour else 1
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored = bits_stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    if VERSION_3:
        dataset.save_as(path, enforce_file_format=True)
    else:
        dataset.is_little_endian, dataset.is_implicit_VR = True, False
        dataset.save_as(path, write_like_original=False)


def greys(path: Path, **policy: Any) -> list:
    """The first row as it is shown."""
    opened = open_image(path.parent, path.name, policy=ImagePolicy(**policy))
    assert opened.mode == "RGB"
    shown = np.asarray(opened)
    assert (shown == shown[..., :1]).all()
    return shown[0, :, 0].tolist()


def table(descriptor: list, data: list) -> Any:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    item = Dataset()
    item.LUTDescriptor = descriptor
    item.LUTData = data
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    return Sequence([item])


def test_without_window_the_values_present_are_stretched(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", np.array([[100, 600, 1100]], np.uint16), bits_stored=12)
    assert greys(tmp_path / "a.dcm") == [0, 128, 255]


def test_window_counts_in_rescaled_units_and_is_not_stretched(tmp_path: Path) -> None:
    # Hounsfield units -1024, -160, 40, 240, 3000 under a soft tissue window of 40 +- 200
    stored = np.array([[0, 864, 1064, 1264, 4024]], np.uint16)
    tags: Any = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 40, "WindowWidth": 400}
    write(tmp_path / "a.dcm", stored, bits_stored=12, **tags)
    assert greys(tmp_path / "a.dcm") == [0, 0, 128, 255, 255]
    write(tmp_path / "b.dcm", stored[:, :3], bits_stored=12, **tags)  # nothing bright in it: stays as dark
    assert greys(tmp_path / "b.dcm") == [0, 0, 128]


def test_the_first_of_several_windows_and_a_slope(tmp_path: Path) -> None:
    write(
        tmp_path / "a.dcm",
        np.array([[0, 50, 100]], np.int16),
        RescaleSlope=2,
        RescaleIntercept=0,
        WindowCenter=[100.5, 7],
        WindowWidth=[201, 1],
    )
    assert greys(tmp_path / "a.dcm") == [0, 128, 255]


def test_exact_and_sigmoid_windows(tmp_path: Path) -> None:
    pixels = np.array([[0, 100, 200]], np.uint16)
    write(tmp_path / "a.dcm", pixels, WindowCenter=100, WindowWidth=200, VOILUTFunction="LINEAR_EXACT")
    assert greys(tmp_path / "a.dcm") == [0, 128, 255]
    write(tmp_path / "b.dcm", pixels, WindowCenter=100, WindowWidth=200, VOILUTFunction="SIGMOID")
    assert greys(tmp_path / "b.dcm") == [round(255 / (1 + np.exp(2))), 128, round(255 / (1 + np.exp(-2)))]


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", np.array([[0, 4095]], np.uint16), kind="MONOCHROME1", bits_stored=12)
    assert greys(tmp_path / "a.dcm") == [255, 0]
    write(
        tmp_path / "b.dcm",
        np.array([[0, 150, 300]], np.uint16),
        kind="MONOCHROME1",
        bits_stored=12,
        WindowCenter=100.5,
        WindowWidth=201,
    )
    assert greys(tmp_path / "b.dcm") == [255, 64, 0]


def test_tables_take_the_place_of_slope_and_window(tmp_path: Path) -> None:
    pixels = np.array([[0, 1, 2, 3]], np.uint16)
    tags: Any = {"WindowCenter": 1, "WindowWidth": 1}
    write(tmp_path / "a.dcm", pixels, VOILUTSequence=table([4, 0, 16], [0, 1000, 1000, 2000]), **tags)
    assert greys(tmp_path / "a.dcm") == [0, 128, 128, 255]
    write(tmp_path / "b.dcm", pixels, ModalityLUTSequence=table([4, 0, 16], [5, 5, 7, 9]))
    assert greys(tmp_path / "b.dcm") == [0, 0, 128, 255]


def test_colour(tmp_path: Path) -> None:
    pixels = np.array([[[200, 30, 40], [0, 255, 7]]], np.uint8)
    write(tmp_path / "a.dcm", pixels, kind="RGB")
    assert np.asarray(open_image(tmp_path, "a.dcm")).tolist() == pixels.tolist()
    write(tmp_path / "b.dcm", np.array([[[128, 128, 128], [76, 85, 255]]], np.uint8), kind="YBR_FULL")
    if VERSION_3:
        assert np.asarray(open_image(tmp_path, "b.dcm")).tolist() == [[[128, 128, 128], [254, 0, 0]]]
    else:
        with pytest.raises(ImageError, match="YBR_FULL needs pydicom 3"):
            open_image(tmp_path, "b.dcm")


def test_palette_of_16_bits(tmp_path: Path) -> None:
    tables: Any = {}
    for colour, values in (("Red", [0, 0x8000]), ("Green", [0xFF00, 0]), ("Blue", [0, 0x1000])):
        tables[colour + "PaletteColorLookupTableDescriptor"] = [2, 0, 16]
        tables[colour + "PaletteColorLookupTableData"] = np.array(values, "<u2").tobytes()
    write(tmp_path / "a.dcm", np.array([[0, 1]], np.uint8), kind="PALETTE COLOR", **tables)
    assert np.asarray(open_image(tmp_path, "a.dcm")).tolist() == [[[0, 255, 0], [128, 0, 16]]]


def test_colour_of_12_bits(tmp_path: Path) -> None:
    pixels = np.array([[[0, 2048, 3000], [10, 20, 1000]]], np.uint16)
    write(tmp_path / "said.dcm", pixels, kind="RGB", bits_stored=12)
    write(tmp_path / "not_said.dcm", pixels, kind="RGB")
    for name in ("said.dcm", "not_said.dcm"):
        assert np.asarray(open_image(tmp_path, name)).tolist() == (pixels >> 4).tolist()
    write(tmp_path / "full.dcm", pixels << 4, kind="RGB")
    assert np.asarray(open_image(tmp_path, "full.dcm")).tolist() == (pixels >> 4).tolist()


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("window", [{}, {"WindowCenter": 0.5, "WindowWidth": 101}])
def test_padding_is_black_and_takes_no_part(tmp_path: Path, kind: str, window: Any) -> None:
    pixels = np.array([[-2000, -50, 0, 50]], np.int16)
    write(tmp_path / "a.dcm", pixels, kind=kind, PixelPaddingValue=-2000, **window)
    middle = greys(tmp_path / "a.dcm")[1:]
    assert greys(tmp_path / "a.dcm")[0] == 0
    assert middle[0 if kind == "MONOCHROME2" else 2] <= 1 and middle[2 if kind == "MONOCHROME2" else 0] >= 254
    many = np.array([[-2000, -1990, -1950, -50, 50]], np.int16)
    write(tmp_path / "b.dcm", many, kind=kind, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1950, **window)
    assert greys(tmp_path / "b.dcm")[:3] == [0, 0, 0]


def test_a_file_of_padding_alone_is_no_padding(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", np.array([[7, 7]], np.uint16), PixelPaddingValue=7)
    assert greys(tmp_path / "a.dcm") == [0, 0]


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 600, "WindowWidth": 0},
        {"WindowCenter": 600, "WindowWidth": 0, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": [600, 600.5], "WindowWidth": [0, 1001]},
        {"RescaleSlope": 0, "RescaleIntercept": 0},
    ],
)
def test_a_window_or_slope_of_0_is_none(tmp_path: Path, window: Any) -> None:
    write(tmp_path / "a.dcm", np.array([[100, 600, 1100]], np.uint16), bits_stored=12, **window)
    assert greys(tmp_path / "a.dcm") == [0, 128, 255]


@pytest.mark.parametrize("name", ["a.dcm", "IM000001"])
def test_files_without_preamble(tmp_path: Path, name: str) -> None:
    write(tmp_path / "whole.dcm", np.array([[0, 9]], np.uint8), SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    whole = (tmp_path / "whole.dcm").read_bytes()
    (tmp_path / name).write_bytes(whole[132:])
    assert greys(tmp_path / name) == [0, 255]
    group_length = int.from_bytes(whole[140:144], "little")
    (tmp_path / name).write_bytes(whole[144 + group_length :])  # no meta information either
    assert greys(tmp_path / name) == [0, 255]


def test_several_frames_need_a_choice(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", np.array([[[0, 9]], [[9, 0]]], np.uint8))
    with pytest.raises(ImageError, match=r"a\.dcm: holds several frames \(0 to 1\)"):
        open_image(tmp_path, "a.dcm")
    assert greys(tmp_path / "a.dcm", frame=1) == [255, 0]
    with pytest.raises(ImageError, match="no such frame"):
        open_image(tmp_path, "a.dcm", policy=ImagePolicy(frame=2))


def test_dicom_is_known_by_its_magic_not_only_by_its_name(tmp_path: Path) -> None:
    write(tmp_path / "IM000001", np.array([[0, 9]], np.uint8))
    assert greys(tmp_path / "IM000001") == [0, 255]


def test_damage_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", np.arange(4096, dtype=np.uint16).reshape(64, 64))
    with pytest.raises(ImageError, match=r"too many pixels \(64 x 64, limit 4095\)"):
        open_image(tmp_path, "a.dcm", policy=ImagePolicy(max_pixels=4095))
    whole = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:-4000])
    with pytest.raises(ImageError, match=r"cut\.dcm: (cannot decode the DICOM pixels|a DICOM file without pixels)"):
        open_image(tmp_path, "cut.dcm")
    (tmp_path / "no.dcm").write_bytes(b"this is no DICOM file" * 20)
    with pytest.raises(ImageError, match=r"no\.dcm: not a DICOM file"):
        open_image(tmp_path, "no.dcm")
    report = pydicom.dcmread(tmp_path / "a.dcm")
    del report.PixelData
    report.save_as(tmp_path / "report.dcm")
    with pytest.raises(ImageError, match=r"report\.dcm: a DICOM file without pixels"):
        open_image(tmp_path, "report.dcm")


def test_without_pydicom_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.dcm", np.zeros((2, 2), np.uint8))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError, match=r"a\.dcm: DICOM files need pydicom; pip install pydicom"):
        open_image(tmp_path, "a.dcm")


def test_unknown_compression_names_the_mend(tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate

    write(tmp_path / "a.dcm", np.zeros((2, 2), np.uint8))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"  # JPEG lossless
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xc3" + b"\0" * 20])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(tmp_path / "b.dcm")
    with pytest.raises(ImageError, match=r"b\.dcm: cannot decode the DICOM pixels.*pip install pylibjpeg"):
        open_image(tmp_path, "b.dcm")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"IS\x02\x002 ", b"IS\x02\x00x "),
        (b"IS\x02\x002 ", b"IS\x02\x00-2"),
        (b"US\x02\x00\x02\x00", b"US\x02\x00\x00\x00"),
    ],
)
def test_broken_sizes_are_one_bad_image(tmp_path: Path, old: bytes, new: bytes) -> None:
    from pefomed_plugin.services.images.fingerprints import fingerprint_image

    write(tmp_path / "a.dcm", np.arange(8, dtype=np.uint8).reshape(2, 2, 2))
    whole = (tmp_path / "a.dcm").read_bytes()
    assert old in whole
    (tmp_path / "b.dcm").write_bytes(whole.replace(old, new))
    assert fingerprint_image(tmp_path, "b.dcm").fault


def test_a_deflated_file_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    import zlib

    write(tmp_path / "a.dcm", np.zeros((2, 2), np.uint8))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    dataset.save_as(tmp_path / "b.dcm")
    assert greys(tmp_path / "b.dcm") == [0, 0]
    whole = (tmp_path / "b.dcm").read_bytes()
    start = 144 + int.from_bytes(whole[140:144], "little")
    packer = zlib.compressobj(wbits=-15)
    (tmp_path / "c.dcm").write_bytes(whole[:start] + packer.compress(bytes(10_000)) + packer.flush())
    with pytest.raises(ImageError, match="too many bytes once unpacked"):
        open_image(tmp_path, "c.dcm", policy=ImagePolicy(max_pixels=1000))
