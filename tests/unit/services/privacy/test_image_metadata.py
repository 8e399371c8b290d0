"""What images say beside their pixels, wherever a format lets it stand: found, and gone from a copy of equal pixels."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from pefomed_plugin.services.privacy.burned_in import Reader, ReadText, find_reader
from pefomed_plugin.services.privacy.cleaning import Cleaner
from pefomed_plugin.services.privacy.recognisers import OWN, find_recogniser
from pefomed_plugin.services.privacy.scanning import Looker, scan
from pefomed_plugin.services.privacy.sources import find_sources

WHO = "Hans Mueller"
PICTURE = Image.radial_gradient("L").resize((64, 64))
TAGS = {270: WHO, 315: "Dr. Weber"}


def saved(kind, image=PICTURE, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PNG, JPEG = saved("PNG"), saved("JPEG")


def with_chunk(kind, text, at):
    chunk = struct.pack(">I", len(text)) + kind + text + struct.pack(">I", zlib.crc32(kind + text))
    return PNG[:at] + chunk + PNG[at:]


def with_segment(marker, content):
    return JPEG[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + JPEG[2:]


def artist():
    exif = Image.Exif()
    exif[0x013B] = WHO
    return exif


IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", 17) + b"\x1c\x02\x78\x00\x0c" + WHO.encode() + b"\0"
DEEP = Image.frombytes("I;16", (64, 64), bytes(range(256)) * 32)
FILES = {
    "behind_its_pixels.png": with_chunk(b"tEXt", b"Comment\0of Hans Mueller", len(PNG) - 12),
    "private_chunk.png": with_chunk(b"prVt", WHO.encode(), 33),
    "behind_its_end.png": PNG + WHO.encode(),
    "second_image_behind.jpg": JPEG + with_segment(0xE1, WHO.encode()),
    "iptc.jpg": with_segment(0xED, IPTC),
    "private_segment.jpg": with_segment(0xE5, WHO.encode()),
    "xmp.jpg": with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<dc:creator>Hans Mueller</dc:creator>"),
    "scans.jpg": saved("JPEG", progressive=True, comment=WHO.encode()),
    "no_ending": saved("PNG", exif=artist()),
    "another.raw": saved("GIF", comment=WHO.encode()),
    "tags.tif": saved("TIFF", tiffinfo=TAGS),
    "deep.tif": saved("TIFF", DEEP, tiffinfo=TAGS),
    "colours.webp": saved("WEBP", PICTURE.convert("RGB"), exif=artist(), lossless=True),
}
NOT_CLEANED = {
    "pages.tif": saved("TIFF", save_all=True, append_images=[PICTURE], tiffinfo=TAGS),
    "white.tif": saved("TIFF", tiffinfo={**TAGS, 262: 0}),
    "moves.gif": saved("GIF", save_all=True, append_images=[Image.new("L", (64, 64))], comment=WHO.encode()),
}


def looker(read=None):
    return Looker(find_recogniser(OWN), Reader("of this test", read) if read else find_reader("none"))


def cleaned(folder, name, content, read=None):
    """What a scan finds, what became of the file, and the file of the copy."""
    (folder / "a").mkdir()
    (folder / "a" / name).write_bytes(content)
    sources, links = find_sources([folder / "a"])
    found = scan(sources, links, looker(read))
    return found, Cleaner(looker(read), sources, folder / "b").copy(sources), folder / "b" / name


@pytest.mark.parametrize("name", FILES)
def test_what_an_image_says_is_found_and_the_copy_has_its_pixels_alone(tmp_path, name):
    found, done, copy = cleaned(tmp_path, name, FILES[name])
    assert "name" in {one.kind for one in found.findings} and not found.unread
    assert not done.not_copied and done.changes and WHO.encode() not in copy.read_bytes()
    with Image.open(copy) as image, Image.open(io.BytesIO(FILES[name])) as before:
        assert (image.mode, image.size, image.tobytes()) == (before.mode, before.size, before.tobytes())
    sources, links = find_sources([copy])
    assert scan(sources, links, looker()).findings == []


@pytest.mark.parametrize("name", NOT_CLEANED)
def test_what_cannot_be_taken_out_is_not_copied_and_named(tmp_path, name):
    found, done, copy = cleaned(tmp_path, name, NOT_CLEANED[name])
    assert "name" in {one.kind for one in found.findings}
    assert list(done.not_copied.values()) == [[name]] and not copy.exists()


def test_what_is_removed_is_said_also_where_nobody_knows_what_it_is(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    found, done, copy = cleaned(tmp_path, "a.jpg", saved("JPEG", exif=turned))
    assert found.findings == [] and [one.done for one in done.changes] == ["removed"]
    assert copy.read_bytes() == JPEG


def text_in_white(image):
    return [ReadText("MUELLER^HANS", (0, 0, 9, 9))] if image.convert("L").getpixel((0, 0)) == 255 else []


def test_text_in_a_later_frame_is_found_and_no_frame_is_lost(tmp_path):
    frames = saved("TIFF", Image.new("L", (64, 64)), save_all=True, append_images=[Image.new("L", (64, 64), 255)])
    found, done, copy = cleaned(tmp_path, "a.tif", frames, text_in_white)
    assert [one.place for one in found.findings] == ["frame 2, pixels, text at x 0, y 0"]
    assert list(done.not_copied.values()) == [["a.tif"]] and not copy.exists()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_text_is_made_black_in_every_mode(tmp_path, mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    white = Image.new("RGBA", (64, 64), "white").convert("L")
    image = Image.new("I;16", (64, 64), 65535) if mode == "I;16" else white.convert(mode)
    read = lambda image: [ReadText("MUELLER^HANS", (20, 20, 40, 40))]  # noqa: E731
    _, done, copy = cleaned(tmp_path, "a.img", saved(kind, image), read)
    assert not done.not_copied
    with Image.open(copy) as found:
        shown = found.convert("RGB") if mode != "I;16" else found
        assert max(shown.crop((24, 24, 36, 36)).convert("L").tobytes()) < 9
        assert min(shown.crop((0, 0, 8, 8)).convert("L").tobytes()) > 246
