"""Images in parquet files as Hugging Face data sets ship them."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pefomed_plugin.errors import ImageError
from pefomed_plugin.services.images import parquet_images
from pefomed_plugin.services.images.decoding import open_image
from pefomed_plugin.services.images.faults import UnusableImage
from pefomed_plugin.services.images.parquet_images import read_embedded, split_address

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def png(grey: int) -> bytes:
    stream = BytesIO()
    Image.new("L", (4, 4), grey).save(stream, "PNG")
    return stream.getvalue()


def write(path: Path, columns: dict[str, Any], rows_a_group: int = 3) -> None:
    pq.write_table(pa.table(columns), path, row_group_size=rows_a_group)


@pytest.mark.parametrize("plain", [False, True])
def test_every_row_of_several_row_groups(tmp_path: Path, plain: bool) -> None:
    images = [png(grey) for grey in range(10)]
    values = images if plain else [{"bytes": image, "path": f"{n}.png"} for n, image in enumerate(images)]
    (tmp_path / "data").mkdir()
    write(tmp_path / "data/train-0.parquet", {"question": ["?"] * 10, "image": values})
    for row in (0, 9, 2, 3, 5, 6):
        assert open_image(tmp_path, f"data/train-0.parquet#{row}").getpixel((0, 0)) == (row, row, row)


def test_a_rewritten_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path, {"image": [b"old"]})
    assert read_embedded(path, 0) == b"old"
    write(path, {"image": [b"new", b"newer"]})
    assert read_embedded(path, 1) == b"newer"


def test_a_row_group_larger_than_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.parquet", {"image": [bytes(1000)] * 3, "question": ["?" * 5000] * 3})
    monkeypatch.setattr(parquet_images, "_MOST_BYTES", 2000)
    with pytest.raises(UnusableImage, match="smaller row groups"):
        read_embedded(tmp_path / "a.parquet", 0)
    monkeypatch.setattr(parquet_images, "_MOST_BYTES", 4000)
    assert read_embedded(tmp_path / "a.parquet", 0) == bytes(1000), "other columns are not read"


@pytest.mark.parametrize(
    ("image", "address"),
    [
        ("a.parquet#0", ("a.parquet", 0, "image", None)),
        ("d#1/a.parquet#12", ("d#1/a.parquet", 12, "image", None)),
        ("t/a.arrow#3:scan", ("t/a.arrow", 3, "scan", None)),
        ("a.parquet#3:my%3Ascans:1", ("a.parquet", 3, "my:scans", 1)),
        ("a.parquet#3:", None),
        ("a.png", None),
        ("a.png#1", None),
        ("a.parquet", None),
        ("a.parquet#-1", None),
        ("a.parquet#x", None),
    ],
)
def test_addresses(image: str, address: Any) -> None:
    assert split_address(image) == address
    assert address is None or str(split_address(image)) == image


def test_without_pyarrow_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.parquet", {"image": [png(1)]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImageError, match=r"parquet needs pyarrow; pip install pyarrow"):
        open_image(tmp_path, "a.parquet#0")


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path, {"image": [{"bytes": None, "path": "elsewhere.png"}, {"bytes": b"no image", "path": "b"}]})
    with pytest.raises(ImageError, match=r"a\.parquet#0: no image bytes"):
        open_image(tmp_path, "a.parquet#0")
    with pytest.raises(ImageError, match=r"a\.parquet#1: not an image"):
        open_image(tmp_path, "a.parquet#1")
    with pytest.raises(ImageError, match=r"a\.parquet#2: no such row \(the file has 2\)"):
        open_image(tmp_path, "a.parquet#2")
    with pytest.raises(ImageError, match=r"b\.parquet#0: cannot read parquet"):
        open_image(tmp_path, "b.parquet#0")
    write(tmp_path / "c.parquet", {"text": ["a"]})
    with pytest.raises(ImageError, match=r"c\.parquet: no column 'image' \(only text\)"):
        open_image(tmp_path, "c.parquet#0")
    (tmp_path / "d.parquet").write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ImageError, match=r"d\.parquet#0: cannot read parquet"):
        open_image(tmp_path, "d.parquet#0")
