from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pefomed_plugin.errors import DataError
from pefomed_plugin.services.images import fingerprints
from pefomed_plugin.services.images.decoding import ImagePolicy
from pefomed_plugin.services.images.fingerprints import (
    Fingerprint,
    difference_hash,
    fingerprint_image,
    fingerprint_images,
    read_fingerprints,
)

from ..small import small_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(4):
        small_image(number).save(tmp_path / f"{number}.png")
    (tmp_path / "page.png").write_bytes(b"<html>sign in")
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are opened from here on."""
    names: list[str] = []

    def note(root: Path, image: str, policy: Any) -> Fingerprint:
        names.append(image)
        return fingerprint_image(root, image, policy)

    monkeypatch.setattr(fingerprints, "fingerprint_image", note)
    return names


def bits_apart(one: Image.Image, other: Image.Image) -> int:
    first, second = difference_hash(one), difference_hash(other)
    assert first is not None and second is not None
    return bin(int(first, 16) ^ int(second, 16)).count("1")


def test_a_hash_is_one_bit_for_each_brighter_neighbour() -> None:
    rising = Image.new("L", (9, 8))
    rising.putdata([x * 20 for _ in range(8) for x in range(9)])
    assert difference_hash(rising) == "f" * 16
    step = Image.new("L", (9, 8), 10)
    step.putpixel((8, 7), 200)
    assert difference_hash(step) == "0000000000000001"


def test_a_hash_survives_size_brightness_and_encoding_but_not_another_image(tmp_path: Path) -> None:
    original = small_image(1, 256)
    original.save(tmp_path / "a.jpg", quality=40)
    assert bits_apart(original, original.resize((97, 113))) <= 2
    assert bits_apart(original, original.point(lambda value: value // 2 + 20)) <= 3
    assert bits_apart(original, Image.open(tmp_path / "a.jpg").convert("RGB")) <= 2
    assert bits_apart(original, small_image(2, 256)) > 15


def test_a_blank_image_has_no_hash() -> None:
    assert difference_hash(Image.new("RGB", (30, 30), (9, 9, 9))) is None


def test_outcomes_of_good_bad_and_missing_images(root: Path) -> None:
    found = fingerprint_images(root, ["0.png", "page.png", "gone.png", "../x.png", "0.png"])
    assert list(found) == ["0.png", "page.png", "gone.png", "../x.png"]
    assert found["0.png"].sha256 == hashlib.sha256((root / "0.png").read_bytes()).hexdigest()
    assert found["0.png"].dhash == difference_hash(small_image(0)) and found["0.png"].fault is None
    page = found["page.png"]
    assert page.sha256 and page.dhash is None and page.fault == "an HTML page, probably a download without credentials"
    assert page.problem is not None and "page.png" in page.problem
    assert found["gone.png"].fault == "no such file" and found["gone.png"].sha256 is None
    assert found["../x.png"].fault == "lies outside the image root"


def test_a_second_run_opens_only_what_changed(root: Path, opened: list[str]) -> None:
    images, cache = ["0.png", "1.png", "2.png", "page.png"], root / "cache" / "seen.jsonl"
    first = fingerprint_images(root, images, cache=cache)
    assert sorted(opened) == sorted(images)
    opened.clear()
    assert fingerprint_images(root, images, cache=cache) == first and opened == []
    small_image(9).save(root / "1.png")
    os.utime(root / "2.png", ns=(1, 1))
    second = fingerprint_images(root, [*images, "3.png"], cache=cache)
    assert sorted(opened) == ["1.png", "2.png", "3.png"]
    assert second["1.png"].dhash == difference_hash(small_image(9)) and second["2.png"] == first["2.png"]
    opened.clear()
    assert fingerprint_images(root, [*images, "3.png"], cache=cache) == second and opened == []
    assert read_fingerprints(cache) == second


def test_another_policy_is_another_outcome(root: Path, opened: list[str]) -> None:
    cache = root / "seen.jsonl"
    fingerprint_images(root, ["0.png"], cache=cache)
    strict = fingerprint_images(root, ["0.png"], ImagePolicy(max_pixels=9), cache=cache)
    assert len(opened) == 2 and strict["0.png"].fault == "too many pixels"


def test_an_interrupted_run_goes_on_where_it_was(root: Path, opened: list[str]) -> None:
    cache = root / "seen.jsonl"
    fingerprint_images(root, ["0.png", "1.png", "2.png"], cache=cache)
    lines = cache.read_bytes()
    cache.write_bytes(lines[:-30])  # killed while it wrote the third
    opened.clear()
    fingerprint_images(root, ["0.png", "1.png", "2.png"], cache=cache)
    assert opened == ["2.png"]
    opened.clear()
    fingerprint_images(root, ["0.png", "1.png", "2.png"], cache=cache)
    assert opened == []


@pytest.mark.parametrize("content", [b"", b"no json\n", b"[1]\n", b'{"fingerprints": 99}\n', b"\xff\xfe\n"])
def test_a_strange_cache_is_written_anew_but_not_believed(root: Path, content: bytes) -> None:
    cache = root / "seen.jsonl"
    cache.write_bytes(content)
    with pytest.raises(DataError, match="of another version"):
        read_fingerprints(cache)
    found = fingerprint_images(root, ["0.png"], cache=cache)
    assert read_fingerprints(cache) == found
    assert json.loads(cache.read_bytes().split(b"\n")[0])["fingerprints"] == fingerprints.VERSION


def test_a_cache_that_cannot_be_written_or_read(root: Path) -> None:
    (root / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        fingerprint_images(root, ["0.png"], cache=root / "file" / "seen.jsonl")
    with pytest.raises(DataError, match=r"gone\.jsonl: cannot be read"):
        read_fingerprints(root / "gone.jsonl")


def test_truncated_images_are_marked_where_they_are_allowed(root: Path) -> None:
    content = (root / "0.png").read_bytes()
    (root / "0.png").write_bytes(content[: len(content) // 2])
    assert fingerprint_images(root, ["0.png"])["0.png"].fault == "truncated or damaged"
    allowed = fingerprint_images(root, ["0.png", "1.png"], ImagePolicy(allow_truncated=True))
    assert allowed["0.png"].truncated and not allowed["1.png"].truncated


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_with_the_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "_open_cache", lambda *_: open("/dev/full", "wb", buffering=0))  # noqa: SIM115
    with pytest.raises(DataError, match=r"cannot write /dev/full: No space left on device; make room"):
        fingerprint_images(root, ["0.png"], cache=root / "seen.jsonl")
