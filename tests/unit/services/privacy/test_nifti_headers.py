"""Headers of NIfTI: texts and extensions found, replaced in the copy, and no voxel changed."""

from __future__ import annotations

import gzip
import struct

import pytest

from pefomed_plugin.services.privacy.burned_in import find_reader
from pefomed_plugin.services.privacy.cleaning import Cleaner
from pefomed_plugin.services.privacy.recognisers import OWN, find_recogniser
from pefomed_plugin.services.privacy.scanning import Looker, scan
from pefomed_plugin.services.privacy.sources import find_sources

VOXELS = bytes(range(64))


def volume(size=348, order="<", descrip=b"", extension=b""):
    """A NIfTI file with a text and an extension, by its format's description."""
    header = bytearray(size)
    struct.pack_into(f"{order}i", header, 0, size)
    place, magic, voxels = (148, 344, (108, "f")) if size == 348 else (240, 4, (168, "q"))
    header[magic : magic + 4] = b"n+1\0" if size == 348 else b"n+2\0"
    header[place : place + len(descrip)] = descrip
    length = 16 * -(-(len(extension) + 8) // 16) if extension else 0
    struct.pack_into(f"{order}{voxels[1]}", header, voxels[0], size + 4 + length)
    held = struct.pack(f"{order}ii", length, 6) + extension.ljust(length - 8, b"\0") if extension else b""
    return bytes(header) + (b"\1\0\0\0" if extension else bytes(4)) + held + VOXELS


def looked_at(path):
    look = Looker(find_recogniser(OWN), find_reader("none"))
    sources, links = find_sources([path])
    return look, sources, scan(sources, links, look)


@pytest.mark.parametrize("size", [348, 540])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "planted", [{"descrip": b"of Hans Mueller"}, {"extension": b"Patient: Hans Mueller 12.04.1956"}]
)
def test_texts_of_a_header_are_found_and_gone(tmp_path, size, order, planted):
    (tmp_path / "a.nii").write_bytes(volume(size, order, **planted))
    look, sources, found = looked_at(tmp_path / "a.nii")
    assert "name" in {one.kind for one in found.findings} and found.files["NIfTI header"] == 1
    Cleaner(look, sources, tmp_path / "b").copy(sources)
    copy = (tmp_path / "b" / "a.nii").read_bytes()
    assert b"Mueller" not in copy and copy.endswith(VOXELS) and len(copy) == len((tmp_path / "a.nii").read_bytes())
    assert looked_at(tmp_path / "b" / "a.nii")[2].findings == []


def test_a_clean_one_is_copied_as_it_is_and_a_damaged_one_is_no_success(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    content = volume(descrip=b"FSL5.0", extension=b"<plain/>")
    (folder / "a.nii").write_bytes(content)
    (folder / "b.nii.gz").write_bytes(gzip.compress(volume(descrip=b"of Hans Mueller")))
    (folder / "c.nii").write_bytes(bytes(4) + content[4:])
    look, sources, found = looked_at(folder)
    assert {one.file for one in found.findings} == {"b.nii.gz/b.nii"}
    assert len(found.unread) == 1 and "c.nii: a damaged NIfTI header" in found.unread[0]
    done = Cleaner(look, sources, tmp_path / "copy").copy(sources)
    assert (tmp_path / "copy" / "a.nii").read_bytes() == content and done.files["as it was"]
