"""WebDataset shards by others: which members are what, and that nothing of them is lost unnoticed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.medical_shards import MEDICAL_SHARDS, Keys, split_of
from pefomed_plugin.services.images.decoding import locate, open_encoded, open_image
from pefomed_plugin.services.images.faults import UnusableImage
from tests.unit.services.tars import captioned, encoded, tar_of, write_tars


def read(root: Path, **options: Any) -> Any:
    return MEDICAL_SHARDS.read(root, **options)


def problems(root: Path, **options: Any) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read(root, **options)
    return caught.value.problems or (str(caught.value),)


@pytest.mark.parametrize(("ending", "text"), [("jpg", "txt"), ("png", "caption"), ("webp", "txt")])
def test_images_with_captions(tmp_path: Path, ending: str, text: str) -> None:
    release = read(
        write_tars(tmp_path, **{"00000": captioned(range(3), ending, text), "00001": captioned([0], ending)})
    )
    assert [sample.id for sample in release.samples] == [
        "medical_shards-00000/000000",
        "medical_shards-00000/000001",
        "medical_shards-00000/000002",
        "medical_shards-00001/000000",
    ]
    first = release.samples[0]
    assert (first.task, first.answer, first.split) == ("caption", "Invented caption 0.", "train")
    assert first.images == (f"00000.tar#000000.{ending}",)
    assert open_image(release.image_root, first.only_image).size == (24, 24)
    stream, where = open_encoded(release.image_root, release.samples[1].only_image)
    kind = {"jpg": "JPEG"}.get(ending, ending.upper())
    assert stream.read() == encoded(1, kind) and where.endswith(f"00000.tar#000001.{ending}")


def test_texts_in_json_and_questions(tmp_path: Path) -> None:
    row = {"caption": "c", "qa": {"q": "Is it?", "a": 2}}
    write_tars(tmp_path, x={"1.jpg": encoded(1), "1.json": json.dumps(row).encode()})
    assert read(tmp_path).samples[0].answer == "c"
    (sample,) = read(tmp_path, text="json:qa.a", question="json:qa.q").samples
    assert (sample.task, sample.question, sample.answer) == ("vqa", "Is it?", "2")
    assert read(tmp_path, text="json:caption", task="report").samples[0].task == "report"


def test_the_first_alternative_that_is_there_is_taken() -> None:
    keys = Keys.of({"image": "png; jpg", "text": "report.txt;json:a.b", "question": "", "task": "caption"})
    assert keys.image_in({"jpg": 1}) == "jpg" and keys.image_in({"jpg": 1, "png": 2}) == "png"
    assert keys.texts_wanted({"json": 1, "jpg": 2}) == {"json"}


def test_missing_members_are_counted_and_named(tmp_path: Path) -> None:
    members = captioned(range(6))
    for name in ("000001.jpg", "000003.txt", "000004.txt"):
        del members[name]
    members["000005.txt"] = b"  "
    release = read(write_tars(tmp_path, x={**members, "README": b"x"}))
    assert [sample.metadata["source_id"] for sample in release.samples] == ["000000", "000002"]
    assert Counter(skip.reason for skip in release.skips) == {
        "no image (jpg, jpeg, png, webp)": 1,
        "no text (txt, caption, json:caption)": 2,
        "empty caption": 1,
        "member whose name has no ending": 1,
    }
    assert {skip.where for skip in release.skips} >= {"x.tar, sample 000001", "x.tar, sample 000003", "x.tar: README"}


def test_cut_shards_and_names_that_lead_out_stop_the_reading_together(tmp_path: Path) -> None:
    content = tar_of(captioned(range(4)))
    write_tars(tmp_path, evil={"../../x.jpg": b"x", **captioned([7])})
    (tmp_path / "cut.tar").write_bytes(content[:4000])
    first, second = problems(tmp_path)
    assert first.startswith("cut.tar: cut: the file ends at byte 4,000") and "fetch the shard again" in first
    assert second.startswith("evil.tar: name that leads out of the archive: ../../x.jpg; ")
    assert "options.damaged=skip" in second


def test_damage_can_be_left_out_and_is_counted(tmp_path: Path) -> None:
    content = tar_of(captioned(range(4)))
    write_tars(tmp_path, evil={"../../x.jpg": b"x", **captioned([7])})
    (tmp_path / "cut.tar").write_bytes(content[:4000])
    (tmp_path / "text.tar").write_bytes(tar_of({"1.jpg": encoded(1), "1.txt": b"\xff", "2.jpg": b"", "2.json": b"{"}))
    release = read(tmp_path, damaged="skip")
    assert [sample.id for sample in release.samples] == ["medical_shards-cut/000000", "medical_shards-evil/000007"]
    reasons = Counter(skip.reason for skip in release.skips)
    assert reasons["cut"] == 1 and reasons["name that leads out of the archive"] == 1
    assert reasons["text that cannot be read"] == 2 and reasons["no text (txt, caption, json:caption)"] == 1
    assert any(skip.where.startswith("cut.tar: the file ends at byte 4,000") for skip in release.skips)


def test_two_samples_of_one_key(tmp_path: Path) -> None:
    members = captioned(range(2))
    shuffled = {name: members[name] for name in sorted(members, key=lambda name: name[-3:])}  # images first
    assert "not one sample can be used" in problems(write_tars(tmp_path, x=shuffled))[0]


def test_endings_that_are_not_those_of_the_options_are_listed(tmp_path: Path) -> None:
    write_tars(tmp_path, x={"1.pic": b"x", "1.words": b"y"})
    (problem,) = problems(tmp_path)
    assert "the endings are pic, words: name yours in options.image and options.text" in problem


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("00000.tar", "train"),
        ("val-00000.tar", "val"),
        ("cc_sbu/validation_3.tar", "val"),
        ("test/0.tar", "test"),
        ("latest-0.tar", "train"),
        ("dev0.tar", "val"),
    ],
)
def test_the_split_is_that_of_the_name(name: str, split: str) -> None:
    assert split_of(name, "auto") == split and split_of(name, "test") == "test"


def test_some_of_the_shards(tmp_path: Path) -> None:
    write_tars(tmp_path, a=captioned([1]), b=captioned([2]), val=captioned([3]))
    assert {sample.split for sample in read(tmp_path).samples} == {"train", "val"}
    assert [sample.id for sample in read(tmp_path, shards="[ab].tar").samples] == [
        "medical_shards-a/000001",
        "medical_shards-b/000002",
    ]
    assert "no shard in" in problems(tmp_path, shards="z*.tar")[0]


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    write_tars(tmp_path / "out", x=captioned([1]))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.tar").symlink_to(tmp_path / "out" / "x.tar")
    assert "symbolic link out of" in problems(tmp_path / "in")[0]


def test_images_that_are_gone_are_named(tmp_path: Path) -> None:
    release = read(write_tars(tmp_path, x=captioned([1])))
    image = release.samples[0].only_image
    assert locate(tmp_path, image) == tmp_path / "x.tar"
    with pytest.raises(UnusableImage, match=r"x\.tar#9\.jpg: no such member"):
        open_image(tmp_path, "x.tar#9.jpg")
    with pytest.raises(UnusableImage, match="lies outside the image root"):
        open_image(tmp_path, "../x.tar#000001.jpg")
    (tmp_path / "x.tar").unlink()
    with pytest.raises(UnusableImage, match=r"x\.tar#000001\.jpg: no such file"):
        open_image(tmp_path, image)
