"""The record of a run: read as it was written, in an earlier version's form too, and what others take from it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.origins import (
    GENERATED,
    REAL,
    TEXTS_KEY,
    TINY,
    Origins,
    data_origin,
    is_generated,
    manifest_origin,
    mark_generated,
    origins_of,
    read_mark,
    read_origins,
    text_digests,
)
from pefomed_plugin.provenance import (
    DataPart,
    ModelPart,
    RunRecord,
    WeightsFile,
    find_image_roots,
    read_record,
    read_training_record,
    write_record,
)
from pefomed_plugin.records import Prediction
from tests.unit.reporting.made import answers


def made(**changes):
    return replace(
        RunRecord(
            {
                "vqa_rad": DataPart(
                    "vqa_rad", REAL, "/data/vqa_rad", "/data/vqa_rad/images", {"test": 3}, {"test": "ab"}
                )
            },
            ModelPart(TINY, {"llama": WeightsFile("/tiny/llama", "cd"), "checkpoint": WeightsFile("/x.pth", None)}),
            config={"run": {"seed": 1}},
            written_at="2026-01-01T00:00:00+00:00",
            command=["train.py"],
            plugin={"version": "1"},
            packages={"torch": "2"},
            host={"gpus": []},
            processes=2,
            variables={"PEFOMED_DATA": "/data"},
        ),
        **changes,
    )


def test_a_record_is_read_as_it_was_written(tmp_path):
    write_record(tmp_path, made())
    assert read_training_record(tmp_path) == made(command=["train.py"], earlier=[])
    assert made().origins == Origins({"vqa_rad": REAL}, TINY)


def test_a_resumed_run_keeps_what_was_there(tmp_path):
    for processes in (1, 2, 3):
        write_record(tmp_path, made(processes=processes))
    found = read_training_record(tmp_path)
    assert [found.processes, *(before["processes"] for before in found.earlier)] == [3, 1, 2]


def test_the_record_of_the_answers_goes_before_that_of_the_training(tmp_path):
    assert read_record(tmp_path) is None and read_training_record(tmp_path) is None
    write_record(tmp_path, made(processes=1))
    assert read_record(tmp_path).processes == 1
    write_record(tmp_path / "results", made(processes=2))
    answered = tmp_path / "results" / "vqa_rad-test"
    answered.mkdir()
    assert [read_record(place).processes for place in (tmp_path, tmp_path / "results", answered)] == [2, 2, 2]
    assert read_training_record(tmp_path).processes == 1


def test_a_record_of_an_earlier_version_is_read(tmp_path):
    """It has one flag for data and model; where the data are from is seen by the folder that it names."""
    for name, marked in (("real", False), ("sample", True)):
        (tmp_path / name).mkdir()
        if marked:
            mark_generated(tmp_path / name, {})
    old = {
        "schema": 1,
        "written_at": "2025",
        "embedded": True,
        "command": ["train.py"],
        "processes": 1,
        "variables": {},
        "config": {},
        "data": {
            "slake": {"storage": str(tmp_path / "sample"), "samples": {"test": 2}, "samples_sha256": {"test": "0"}},
            "roco": {"storage": str(tmp_path / "real"), "samples": {}, "manifest_sha256": {"manifest.json": "1"}},
        },
        "earlier": [],
    }
    (tmp_path / "provenance.json").write_text(json.dumps(old))
    found = read_training_record(tmp_path)
    assert found.origins == Origins({"slake": GENERATED, "roco": REAL}, TINY)
    assert (found.data["slake"].digests, found.data["slake"].image_root) == ({"test": "0"}, None)
    assert found.data["roco"].digests == {"manifest.json": "1"} and found.model.files == {}
    with pytest.raises(ConfigError, match="where are the images") as caught:
        find_image_roots(["slake"], found)
    assert "does not say where they are; give --image-root slake=FOLDER" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [({"schema": 99}, "newer version"), ([], "not a record"), ({"schema": 2, "data": {}}, "damaged")],
)
def test_another_file_of_that_name_is_refused(tmp_path, content, words):
    (tmp_path / "provenance.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=words):
        read_training_record(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        write_record(tmp_path / "file", made())


# -- origins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origins", "words"),
    [
        (Origins({"slake": REAL}), ""),
        (Origins({"slake": GENERATED}, TINY), "tiny model, generated data (slake)"),
        (Origins({"slake": REAL}, TINY), "tiny model, real data (slake)"),
        (Origins({"a": REAL, "b": GENERATED}, TINY), "tiny model, generated data (b), real data (a)"),
        (Origins({"a": REAL, "b": GENERATED}), "generated data (b)"),
        (Origins(model=TINY), "the tiny model"),
    ],
)
def test_what_makes_figures_mean_nothing_is_said_exactly(origins, words):
    assert origins.words == words
    assert bool(origins.notice) == bool(words) and words in origins.notice
    assert read_origins({"origin": json.loads(json.dumps(origins.to_json()))}) == origins


def test_a_flag_of_an_earlier_version_speaks_of_the_model_alone():
    assert read_origins({"embedded": True}) == Origins({}, TINY)
    assert read_origins({"embedded": False}) == read_origins({}) == Origins({}, REAL)
    assert [manifest_origin(manifest) for manifest in ({"embedded": True}, {"embedded": False}, {})] == [
        GENERATED,
        REAL,
        REAL,
    ]


def test_the_origins_of_several_answers_are_put_together():
    given = (
        {"origin": {"data": {"a": REAL}, "model": REAL}},
        {"origin": {"data": {"b": GENERATED}, "model": TINY}},
        {},
    )
    rows = answers([True] * 3)
    rows = [Prediction.of(row.sample, "yes", producer) for row, producer in zip(rows, given)]
    assert origins_of(rows) == Origins({"a": REAL, "b": GENERATED}, TINY)


def test_where_the_mark_of_generated_data_is_looked_for(tmp_path):
    sample = tmp_path / "sample"
    (sample / "rad" / "images").mkdir(parents=True)
    mark_generated(sample / "rad", {"seed": 0})
    assert is_generated(sample / "rad") and is_generated(sample / "rad" / "images")
    assert not is_generated(sample) and not is_generated(tmp_path)
    mark_generated(sample, {"seed": 0}, whole=True)
    assert read_mark(sample)["seed"] == 0 and is_generated(sample) and not is_generated(sample / "own")
    (sample / "EMBEDDED").write_text("")  # of an early version: for all that lies below
    assert is_generated(sample / "own")


def test_copies_say_themselves_what_they_were_made_from(tmp_path):
    (tmp_path / "manifest.json").write_text('{"origin": "generated"}')
    assert data_origin(tmp_path) == GENERATED
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "index.json").write_text('{"origin": "generated"}')
    assert data_origin(str(tmp_path / "shards" / "train-{000000..000003}.tar")) == GENERATED
    (tmp_path / "shards" / "index.json").write_text("{}")
    assert data_origin(tmp_path / "shards") == REAL


# -- images ------------------------------------------------------------------------------------------------------------


def test_images_come_from_the_user_or_from_the_record(tmp_path):
    folder, other = tmp_path / "images", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    record = made(data={"vqa_rad": DataPart("vqa_rad", REAL, image_root=str(folder))})
    assert find_image_roots(["vqa_rad"], record) == {"vqa_rad": folder}
    assert find_image_roots(["vqa_rad"], record, [str(other)]) == {"vqa_rad": other}
    with pytest.raises(ConfigError) as caught:
        find_image_roots(["vqa_rad"], record, [str(other), f"vqa_rad={folder}"])
    assert "has " in caught.value.problems[0] and "give one folder each" in caught.value.problems[0]
    assert find_image_roots(["vqa_rad"], None, [f"vqa_rad={other}"]) == {"vqa_rad": other}
    for wrong in ("nowhere", f"slake={folder}"):
        with pytest.raises(ConfigError, match="where are the images"):
            find_image_roots(["vqa_rad"], record, [wrong])


def test_images_that_nothing_tells_of_or_that_are_gone_are_named_together(tmp_path):
    record = made(data={"vqa_rad": DataPart("vqa_rad", REAL, image_root=str(tmp_path / "gone"))})
    with pytest.raises(ConfigError) as caught:
        find_image_roots(["vqa_rad", "slake"], record)
    assert caught.value.problems == (
        "slake: the provenance.json of the run does not say where they are; give --image-root slake=FOLDER, or "
        "--no-images",
        f"vqa_rad: they were in {tmp_path / 'gone'}, which is gone; give --image-root vqa_rad=FOLDER, or --no-images",
    )
    with pytest.raises(ConfigError) as caught:
        find_image_roots(["slake"], None)
    assert "no record of a run" in caught.value.problems[0]


@pytest.mark.parametrize("change", ["edited", "added", "gone"])
def test_a_sample_with_texts_of_somebody_else_is_no_sample(tmp_path, change):
    """Who copies a sample and puts a ward's texts into it has data of a ward, which leave only with the user's word."""
    folder = tmp_path / "mimic_cxr"
    folder.mkdir()
    (folder / "rows.json").write_text("[]")
    mark_generated(folder, {TEXTS_KEY: text_digests(folder)})
    (folder / "drawing.png").write_bytes(b"of ours")
    (folder / "EMBEDDED.bak").write_text("")
    assert data_origin(folder) == GENERATED and data_origin(folder / "rows.json") == GENERATED
    if change == "added":
        (folder / "ward.csv").write_text("a,b\n")
    else:
        (folder / "rows.json").write_text("[1]")
        (folder / "rows.json").unlink() if change == "gone" else None
    assert data_origin(folder) == REAL
