"""What a small file may ask for: memory is measured in a process of its own, by the system."""

from __future__ import annotations

import gzip
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

LIMIT_GIB = 2.0
_RUN = """
import re, resource, sys
from pathlib import Path
from pefomed_plugin.errors import PefomedError
path = Path(sys.argv[1])
try:
    {call}
    print("read")
except PefomedError as error:
    print("refused:", error)
status = Path("/proc/self/status")  # the system's other figure, kept where this is not, begins at that of the parent
own = re.search("VmHWM:\\s+([0-9]+) kB", status.read_text() if status.is_file() else "")
print((int(own[1]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 2**20)
"""
_IMAGE = (
    "from pefomed_plugin.services.images.fingerprints import fingerprint_image as f; print(f(path.parent, path.name))"
)
_CALLS = {
    "image": _IMAGE,
    "lines": "from pefomed_plugin.readers.tables import read_lines; print(sum(1 for _ in read_lines(path)))",
    "pickle": "from pefomed_plugin.readers.textfiles import read_plain_pickle; read_plain_pickle(path)",
    "table": "from pefomed_plugin.services.results_in.tables import read_vlmevalkit; read_vlmevalkit(path)",
    "sheet": "from pefomed_plugin.services.rating.sheets import read_sheet; print(read_sheet(path))",
}


def png(path: Path, width: int, height: int, bits: int, colour: int) -> Path:
    """All rows alike: a few hundred kilobytes, whatever its size."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = b"\0" + bytes(width * channels * bits // 8)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(1)
    data = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def workbook(path: Path, change) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "Ratings"
    for number, name in enumerate(("item", "question", "reference", "answer", "rating", "prediction"), 1):
        book.active.cell(1, number, name)
        book.active.cell(2, number, "1")
    change(book)
    book.save(path)
    return path


def far_cell(path: Path) -> Path:
    return workbook(path, lambda book: book.active.cell(1_048_576, 16_384, "far"))


def bomb(path: Path) -> Path:
    workbook(path, lambda book: None)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/more.xml", bytes(2**29))
    return path


def gzip_line(path: Path) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(bytes(2**24))
    return path


def greedy_pickle(path: Path) -> Path:
    path.write_bytes(b"\x80\x04]r" + struct.pack("<I", 2**31 - 1) + b".")
    return path


def laughing_pickle(path: Path) -> Path:
    value: list = []
    for _ in range(30):
        value = [value] * 10
    path.write_bytes(pickle.dumps(value))
    return path


CASES = {
    "grey of 16 bits": ("image", lambda folder: png(folder / "a.png", 14_000, 14_000, 16, 0), "fault=None"),
    "colour of 16 bits": ("image", lambda folder: png(folder / "a.png", 9_000, 9_000, 16, 2), "too many pixels"),
    "transparent": ("image", lambda folder: png(folder / "a.png", 10_000, 10_000, 8, 6), "fault=None"),
    "one row": ("image", lambda folder: png(folder / "a.png", 200_000_000, 1, 8, 0), "too long a side"),
    "a line of gigabytes": ("lines", lambda folder: gzip_line(folder / "a.csv.gz"), "MiB in one line"),
    "a pickle's table": ("pickle", lambda folder: greedy_pickle(folder / "a.pkl"), "not a pickle"),
    "a pickle in itself": ("pickle", lambda folder: laughing_pickle(folder / "a.pkl"), "hold each other"),
    "a far cell": ("table", lambda folder: far_cell(folder / "a.xlsx"), "read"),
    "a far cell of a sheet": ("sheet", lambda folder: far_cell(folder / "a.xlsx"), "SheetRow"),
    "a zip bomb": ("table", lambda folder: bomb(folder / "a.xlsx"), "unpacks to 512 MiB"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_small_file_takes_little_memory(tmp_path: Path, case: str) -> None:
    kind, make, told = CASES[case]
    path = make(tmp_path)
    assert path.stat().st_size < 8_000_000
    done = subprocess.run(
        [sys.executable, "-c", _RUN.format(call=_CALLS[kind]), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, peak = done.stdout.splitlines()
    assert told in "\n".join(said)
    assert float(peak) < LIMIT_GIB
