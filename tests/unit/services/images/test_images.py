"""Every kind of image a release holds, and every kind of damage, through ``open_image``."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from pefomed_plugin.errors import DataError, ImageError
from pefomed_plugin.services.images.decoding import ImagePolicy, check_images, open_image
from pefomed_plugin.services.images.image_folder import find_images
from pefomed_plugin.services.images.pixels import to_rgb


def drawn(width: int = 24, height: int = 16) -> Image.Image:
    """An RGB image in which no two pixels of a row are alike."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 10, y * 15, (x * 7 + y * 3) % 256], axis=-1).astype(np.uint8))


def noise(size: int = 128) -> Image.Image:
    """What compresses badly, so that half the file is about half the image."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8))


def claim_size(path: Path, width: int, height: int) -> None:
    """Have the header of a PNG tell of more pixels than there are."""
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)


def cut(path: Path, share: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.webp"])
def test_8_bit_rgb_comes_out_bit_for_bit(tmp_path: Path, name: str) -> None:
    drawn().save(tmp_path / name)
    opened = open_image(tmp_path, name)
    assert opened.mode == "RGB"
    assert opened.tobytes() == Image.open(tmp_path / name).convert("RGB").tobytes()


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_opaque_modes_equal_convert(tmp_path: Path, mode: str) -> None:
    drawn().convert(mode).save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == mode
    assert open_image(tmp_path, "a.png").tobytes() == Image.open(tmp_path / "a.png").convert("RGB").tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_show_the_background(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 0))  # black beneath full transparency
    image.putpixel((1, 0), (40, 40, 40, 255))
    image.putpixel((2, 0), (0, 0, 0, 128))
    image.convert(mode).save(tmp_path / "a.png")
    opened = open_image(tmp_path, "a.png")
    assert [opened.getpixel((0, 0)), opened.getpixel((1, 0))] == [(255, 255, 255), (40, 40, 40)]
    assert opened.getpixel((2, 0)) == (127, 127, 127)
    assert open_image(tmp_path, "a.png", policy=ImagePolicy(background=(9, 8, 7))).getpixel((0, 0)) == (9, 8, 7)


def test_palette_with_alpha_shows_the_background() -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0])
    image.putalpha(0)
    assert image.mode == "PA"
    assert to_rgb(image, (255, 255, 255)).getpixel((0, 0)) == (255, 255, 255)


def test_transparent_palette_entry_shows_the_background(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 200, 10, 10])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    opened = open_image(tmp_path, "a.png")
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (200, 10, 10)]


def test_cmyk_jpeg_as_adobe_writes_it(tmp_path: Path) -> None:
    drawn(64, 64).convert("CMYK").save(tmp_path / "a.jpg", quality=100, subsampling=0)
    stored = (tmp_path / "a.jpg").read_bytes()
    assert Image.open(tmp_path / "a.jpg").mode == "CMYK" and b"Adobe" in stored
    difference = np.abs(np.asarray(open_image(tmp_path, "a.jpg"), int) - np.asarray(drawn(64, 64), int))
    assert np.median(difference) <= 3  # an inverted reading would be about 128 away


def test_16_bits_are_scaled_by_what_the_image_holds(tmp_path: Path) -> None:
    twelve_bits = np.array([[0, 1024, 2048, 4095]], np.uint16)
    Image.fromarray(twelve_bits).save(tmp_path / "a.png")
    Image.fromarray(twelve_bits.astype(np.int32)).save(tmp_path / "a.tif")
    Image.fromarray(twelve_bits.astype(np.float32) / 4095 - 0.5).save(tmp_path / "f.tif")
    for name in ("a.png", "a.tif", "f.tif"):
        opened = open_image(tmp_path, name)
        assert opened.mode == "RGB"
        assert [opened.getpixel((x, 0)) for x in range(4)] == [(v, v, v) for v in (0, 64, 128, 255)]


def test_deep_images_without_contrast_or_with_nan_are_no_crash(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 5000, np.uint16)).save(tmp_path / "flat.png")
    Image.fromarray(np.array([[np.nan, 1.0, 3.0]], np.float32)).save(tmp_path / "nan.tif")
    Image.fromarray(np.full((1, 2), np.inf, np.float32)).save(tmp_path / "inf.tif")
    assert open_image(tmp_path, "flat.png").getextrema() == ((0, 0),) * 3
    assert [open_image(tmp_path, "nan.tif").getpixel((x, 0)) for x in range(3)] == [(0, 0, 0)] * 2 + [(255,) * 3]
    assert open_image(tmp_path, "inf.tif").getextrema() == ((0, 0),) * 3


def test_exif_orientation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    drawn(24, 16).save(tmp_path / "a.jpg", exif=exif)
    assert open_image(tmp_path, "a.jpg").size == (24, 16)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_truncated_is_an_error_unless_allowed(tmp_path: Path, name: str) -> None:
    noise().save(tmp_path / name)
    cut(tmp_path / name)
    with pytest.raises(ImageError, match=r"truncated or damaged.*allow_truncated") as caught:
        open_image(tmp_path, name)
    assert name in str(caught.value)
    if name == "a.tif":  # its directory stands at the end: nothing is left to use
        return
    opened = open_image(tmp_path, name, policy=ImagePolicy(allow_truncated=True))
    assert opened.size == (128, 128) and opened.info["truncated"] is True
    whole = np.asarray(noise(), int)[:32]
    assert np.abs(np.asarray(opened, int)[:32] - whole).mean() < 60
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_allow_truncated_leaves_whole_images_unmarked(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.png")
    opened = open_image(tmp_path, "a.png", policy=ImagePolicy(allow_truncated=True))
    assert "truncated" not in opened.info and opened.tobytes() == drawn().tobytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML page, probably a download without credentials"),
        (b"\xef\xbb\xbf\n<html lang=en>", "HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"", "empty file"),
        (b"no image at all", "not an image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "not an image"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "not an image"),
    ],
)
def test_impostors_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    for policy in (ImagePolicy(), ImagePolicy(allow_truncated=True)):
        with pytest.raises(ImageError, match=words) as caught:
            open_image(tmp_path, "a.jpg", policy=policy)
        assert str(tmp_path / "a.jpg") in str(caught.value)


def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.png")
    claim_size(tmp_path / "a.png", 20_000, 10_001)  # above Pillow's own limit as well
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match=r"too many pixels \(20000 x 10001, limit 200000000\)"):
        open_image(tmp_path, "a.png")
    drawn().save(tmp_path / "b.png")
    with pytest.raises(ImageError, match="max_pixels"):
        open_image(tmp_path, "b.png", policy=ImagePolicy(max_pixels=24 * 16 - 1))
    assert open_image(tmp_path, "b.png", policy=ImagePolicy(max_pixels=24 * 16)).size == (24, 16)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_several_frames_need_a_choice(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 255))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    with pytest.raises(ImageError, match=r"several frames \(0 to 1\)"):
        open_image(tmp_path, "a.tif")
    assert open_image(tmp_path, "a.tif", policy=ImagePolicy(frame=1)).getpixel((0, 0)) == (0, 0, 255)
    with pytest.raises(ImageError, match="no such frame \\(2, it holds 0 to 1"):
        open_image(tmp_path, "a.tif", policy=ImagePolicy(frame=2))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.png: no such file; fetch it"):
        open_image(tmp_path, "nowhere.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match=r"folder\.png: cannot be read"):
        open_image(tmp_path, "folder.png")


@pytest.mark.parametrize("image", ["../outside.png", "a/../../outside.png", "", "a\0.png", "..", "../x.parquet#0"])
def test_paths_may_not_leave_the_root(tmp_path: Path, image: str) -> None:
    drawn().save(tmp_path / "outside.png")
    (tmp_path / "root").mkdir()
    with pytest.raises(ImageError, match="lies outside"):
        open_image(tmp_path / "root", image)


def test_absolute_paths_and_links_may_not_leave_the_root(tmp_path: Path) -> None:
    drawn().save(tmp_path / "outside.png")
    root = tmp_path / "root"
    root.mkdir()
    os.symlink(tmp_path / "outside.png", root / "link.png")
    os.symlink(tmp_path, root / "folder")
    for image in (str(tmp_path / "outside.png"), "link.png", "folder/outside.png"):
        with pytest.raises(ImageError, match="lies outside"):
            open_image(root, image)
    drawn().save(root / "inside.png")
    os.symlink(root / "inside.png", root / "other.png")
    assert open_image(root, "other.png").size == (24, 16)


def test_check_images_sorts_good_from_bad_and_reports_progress(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(20)]
    for name in names:
        noise(32).save(tmp_path / name)
    cut(tmp_path / "3.png")
    (tmp_path / "7.png").write_bytes(b"<html>")
    seen: list[int] = []
    ok, problems = check_images(tmp_path, [*names, "missing.png", "0.png"], workers=2, progress=seen.append)
    assert ok == [name for name in names if name not in ("3.png", "7.png")]
    assert list(problems) == ["3.png", "7.png", "missing.png"]
    assert "HTML" in problems["7.png"] and "no such file" in problems["missing.png"]
    assert seen == [1] * 21


def test_strict_and_lenient_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    noise(256).save(tmp_path / "a.jpg", quality=95)
    cut(tmp_path / "a.jpg")
    unmarked = []

    def open_leniently() -> None:
        for _ in range(10):
            opened = open_image(tmp_path, "a.jpg", policy=ImagePolicy(allow_truncated=True))
            if not opened.info.get("truncated"):
                unmarked.append(opened)

    threads = [threading.Thread(target=open_leniently) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not unmarked and ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_an_image_whose_name_is_not_utf_8_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(DataError, match="not UTF-8.*rename") as told:
        find_images(tmp_path)
    assert r"\xff.png" in str(told.value) and "b.png" not in str(told.value)


def test_a_named_pipe_in_a_folder_of_images_is_not_waited_for(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    found = find_images(tmp_path)
    assert (found.images, found.others) == (["a.png"], {"no ending": 1})
