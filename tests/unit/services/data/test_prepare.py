from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.origins import mark_generated
from pefomed_plugin.readers.prepared import is_prepared, read_prepared
from pefomed_plugin.readers.slake import SLAKE
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.services.data.examination import Examination
from pefomed_plugin.services.data.prepare import ReleaseMismatch, find_overlaps, prepare
from pefomed_plugin.services.images import fingerprints

from ..small import LEAKY, small_image, write_rad


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A miniature marked as such."""
    root = write_rad(tmp_path / "sample" / "rad", LEAKY)
    mark_generated(tmp_path / "sample", {})
    return root


def write_slake(root: Path) -> Path:
    rows = {
        "train.json": [(1, "a", "en"), (2, "b", "zh")],
        "validate.json": [(3, "c", "en")],
        "test.json": [(4, "b", "en"), (5, "d", "en")],
    }
    for name, records in rows.items():
        (root / name).write_text(
            json.dumps(
                [
                    {
                        "qid": qid,
                        "img_name": image + ".png",
                        "question": f"Q {qid}?",
                        "answer": "yes",
                        "answer_type": "CLOSED",
                        "q_lang": language,
                    }
                    for qid, image, language in records
                ]
            ),
            encoding="utf-8",
        )
    (root / "imgs").mkdir()
    for number, name in enumerate("abcd"):
        small_image(number).save(root / "imgs" / (name + ".png"))
    return root


def test_a_prepared_folder_reads_back_to_the_same_release(source: Path, tmp_path: Path) -> None:
    (source / "images" / "synpic2.png").unlink()
    account = prepare(VQA_RAD, source, tmp_path / "out")
    release = VQA_RAD.read(source)
    again = read_prepared(tmp_path / "out")
    assert again.samples == [sample for sample in release.samples if sample.only_image != "synpic2.png"]
    assert [(skip.where, skip.reason) for skip in again.skips] == [
        ("vqa_rad-6, image synpic2.png", "image: no such file")
    ]
    assert (again.dataset, again.layout) == (release.dataset, release.layout) == (account.dataset, account.layout)
    assert again.image_root == release.image_root and again.files == release.files
    assert is_prepared(tmp_path / "out") and not is_prepared(source)


def test_the_manifest_says_what_was_found(source: Path, tmp_path: Path) -> None:
    prepare(VQA_RAD, source, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["origin"] == "generated" and manifest["mismatch_allowed"] is False
    assert manifest["kept"] == {"train": 4, "test": 3} and manifest["plugin_version"] and manifest["schema"] == 1
    assert sorted(manifest["files"]) == ["skipped.jsonl", "test.jsonl", "train.jsonl"]
    assert [Path(each["path"]).name for each in manifest["sources"]] == ["trainset.json", "testset.json"]
    assert all(len(each["sha256"]) == 64 and each["bytes"] > 2 for each in manifest["sources"])


def test_the_same_source_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        prepare(VQA_RAD, source, tmp_path / name, examination=Examination(workers=3))
    names = sorted(os.listdir(tmp_path / "one"))
    assert names == sorted(os.listdir(tmp_path / "two"))
    assert "manifest.json" in names and all(
        (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names
    )


def test_a_second_run_opens_no_image(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(VQA_RAD, source, tmp_path / "out")

    def refuse(*_: Any) -> None:
        raise AssertionError("an image was opened again")

    monkeypatch.setattr(fingerprints, "fingerprint_image", refuse)
    assert prepare(VQA_RAD, source, tmp_path / "out") == first


def test_a_mismatch_stops_with_the_account_unless_allowed(tmp_path: Path) -> None:
    source = write_rad(tmp_path / "rad", LEAKY)
    with pytest.raises(ReleaseMismatch, match="--allow-mismatch") as caught:
        prepare(VQA_RAD, source, tmp_path / "out")
    assert "questions by split: expected 3,064 / 0 / 451, found 4 / 0 / 3" in str(caught.value)
    assert caught.value.account.kept == {"train": 4, "test": 3}
    assert not is_prepared(tmp_path / "out")
    account = prepare(VQA_RAD, source, tmp_path / "out", allow_mismatch=True)
    assert account.mismatches
    assert json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["mismatch_allowed"] is True


def test_an_option_that_the_reader_does_not_have(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"slake has no option 'langage'; did you mean 'language'"):
        prepare(SLAKE, source, tmp_path / "out", options={"langage": "en"})
    assert not (tmp_path / "out").exists()


def test_other_options_leave_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    (tmp_path / "slake").mkdir()
    source = write_slake(tmp_path / "slake")
    mark_generated(source, {})
    account = prepare(SLAKE, source, tmp_path / "out")
    assert (tmp_path / "out" / "test.jsonl").exists()
    assert account.skipped == {"language zh, not en": 1}
    assert [(leak.what, leak.count, leak.of) for leak in account.leaks if "left out" in leak.what] == [
        ("test: images in training rows left out", 1, 2)
    ]
    again = prepare(SLAKE, source, tmp_path / "out", options={"language": "zh"})
    (said,) = again.read_as
    assert said.startswith("in the place of what was prepared there before: slake, of ") and "train.json" in said
    assert prepare(SLAKE, source, tmp_path / "out", options={"language": "zh"}).read_as == [], "the same again"
    assert not (tmp_path / "out" / "test.jsonl").exists()
    assert {sample.split for sample in read_prepared(tmp_path / "out").samples} == {"train"}


@pytest.mark.parametrize("name", ["train.jsonl", "val.jsonl", "manifest.json", "skipped.jsonl"])
def test_files_of_others_are_not_overwritten(source: Path, tmp_path: Path, name: str) -> None:
    """Own data in the layout of ``medical_custom`` have the names of ours."""
    out = tmp_path / "mydata"
    out.mkdir()
    (out / name).write_text('{"kind": "mine"}\n')
    with pytest.raises(ConfigError, match="did not write") as caught:
        prepare(VQA_RAD, source, out)
    assert caught.value.problems == (f"{out / name} is there",)
    assert [path.name for path in out.iterdir()] == [name] and (out / name).read_text() == '{"kind": "mine"}\n'


def damage_nothing_but(name: str, content: bytes) -> Any:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "no manifest.json; prepare the data set first"),
        (damage_nothing_but("manifest.json", b"{"), "not JSON"),
        (damage_nothing_but("manifest.json", b"[]"), "not the manifest of a prepared data set"),
        (damage_nothing_but("manifest.json", b'{"kind": "prepared data set"}'), "not the manifest"),
        (lambda folder: (folder / "train.jsonl").unlink(), r"train\.jsonl: not there"),
        (damage_nothing_but("test.jsonl", b"{}\n"), r"test\.jsonl: changed since it was written"),
    ],
)
def test_damaged_folders_are_named(source: Path, tmp_path: Path, damage: Any, words: str) -> None:
    prepare(VQA_RAD, source, tmp_path / "out")
    damage(tmp_path / "out")
    with pytest.raises(DataError, match=words):
        read_prepared(tmp_path / "out")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("schema", 99, "has schema 99"), ("files", {"../train.jsonl": "0"}, r"\.\./train\.jsonl: not there")],
)
def test_a_manifest_of_another_schema_or_with_paths_outside(
    source: Path, tmp_path: Path, key: str, value: Any, words: str
) -> None:
    prepare(VQA_RAD, source, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), key: value}), encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read_prepared(tmp_path / "out")


def test_images_that_one_data_set_trains_on_and_another_tests_on(source: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write_slake(tmp_path / "other")
    mark_generated(other, {})
    small_image(2, 200).save(other / "imgs" / "a.png")  # rad's third test image, larger
    folders: list[Path] = [tmp_path / "out_rad", tmp_path / "out_slake"]
    prepare(VQA_RAD, source, folders[0])
    prepare(SLAKE, other, folders[1])
    found = {
        overlap.what: (overlap.count, overlap.of, overlap.examples) for overlap in find_overlaps(folders, distance=2)
    }
    assert found["out_rad test: images that look like one in out_slake train"] == (1, 3, ("synpic2.png",))
    assert found["out_slake test: images that look like one in out_rad train"] == (2, 2, ("b.png", "d.png"))
    prepare(VQA_RAD, source, tmp_path / "text", examination=Examination(open_images=False))
    with pytest.raises(DataError, match="with its images"):
        find_overlaps([tmp_path / "text", folders[0]])
