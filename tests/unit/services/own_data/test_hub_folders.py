"""Folders that the real ``datasets`` library wrote: other column names, class labels, lists of images, every layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.images.decoding import open_image
from pefomed_plugin.services.images.faults import UnusableImage
from pefomed_plugin.services.own_data.columns import read_map
from pefomed_plugin.services.own_data.doors import read_own
from pefomed_plugin.services.own_data.splitting import read_shares
from pefomed_plugin.services.own_data.wishes import Wishes
from tests.unit.services.small import small_image

datasets = pytest.importorskip("datasets")
MAP = read_map(["image=scan", "question=frage", "answer=antwort"])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the library writes: two ways of saving, and parquet as the hub converts it."""
    folder = tmp_path_factory.mktemp("hub")
    datasets.disable_progress_bars()
    features = datasets.Features(
        {
            "scan": datasets.Image(),
            "frage": datasets.Value("string"),
            "antwort": datasets.ClassLabel(names=["no", "yes"]),
            "films": datasets.Sequence(datasets.Image()),
        }
    )
    images = [small_image(number, 16) for number in range(12)]

    def make(start: int, count: int) -> Any:
        rows = range(start, start + count)
        return datasets.Dataset.from_dict(
            {
                "scan": [images[row] for row in rows],
                "frage": [f"Large, {row}?" for row in rows],
                "antwort": [row % 2 for row in rows],
                "films": [[images[row], images[(row + 1) % 12]] for row in rows],
            },
            features=features,
        )

    whole = datasets.DatasetDict({"train": make(0, 6), "validation": make(6, 2), "test": make(8, 4)})
    whole.save_to_disk(folder / "saved")
    make(0, 10).save_to_disk(folder / "single")
    for split, rows in whole.items():
        path = folder / "converted" / "default" / split / "0000.parquet"
        path.parent.mkdir(parents=True)
        rows.to_parquet(path, batch_size=4)
    shards = folder / "uploaded" / "data"
    shards.mkdir(parents=True)
    make(0, 3).to_parquet(shards / "train-00000-of-00002.parquet")
    make(3, 3).to_parquet(shards / "train-00001-of-00002.parquet")
    make(6, 2).to_parquet(shards / "test-00000-of-00001.parquet")
    return folder


def read(source: Path, tmp_path: Path, **fields: Any) -> Any:
    return read_own(source, Wishes(**{"columns": MAP, "salt": tmp_path / "salt", **fields}), tmp_path / "out").release


@pytest.mark.parametrize("name", ["saved", "converted"])
def test_splits_labels_and_pixels(written: Path, tmp_path: Path, name: str) -> None:
    release = read(written / name, tmp_path)
    assert {split: len(rows) for split, rows in release.splits().items()} == {"train": 6, "val": 2, "test": 4}
    rows = {sample.question: sample for sample in release.samples}
    assert [rows[f"Large, {row}?"].answer for row in range(4)] == ["no", "yes", "no", "yes"]
    for row in (0, 5, 7, 11):
        shown = open_image(release.image_root, rows[f"Large, {row}?"].only_image)
        assert shown.tobytes() == small_image(row, 16).tobytes()


def test_lists_of_images(written: Path, tmp_path: Path) -> None:
    for name in ("saved", "converted"):
        columns = read_map(["image=films", "question=frage", "answer=antwort"])
        samples = read(written / name, tmp_path, columns=columns).samples
        sample = next(sample for sample in samples if sample.question == "Large, 2?")
        assert len(sample.images) == 2 and sample.images[1].endswith(":films:1")
        shown = open_image(written / name, sample.images[1])
        assert shown.tobytes() == small_image(3, 16).tobytes()


def test_a_single_data_set_is_split_here(written: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"choose: --split 80/10/10"):
        read(written / "single", tmp_path)
    release = read(written / "single", tmp_path, shares=read_shares("80/10/10"), by="image")
    assert {split: len(rows) for split, rows in release.splits().items()} == {"train": 8, "val": 1, "test": 1}


def test_a_part_of_a_split_is_of_that_split(written: Path, tmp_path: Path) -> None:
    """As ``load_dataset(split="train[:10]")`` is saved."""
    copy = tmp_path / "part"
    copy.mkdir()
    for path in (written / "single").iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    state = json.loads((copy / "state.json").read_text())
    (copy / "state.json").write_text(json.dumps({**state, "_split": "train[:10]"}))
    assert set(read(copy, tmp_path).splits()) == {"train"}


def test_shards_and_what_is_not_whole(written: Path, tmp_path: Path) -> None:
    assert len(read(written / "uploaded", tmp_path).samples) == 8
    copy = tmp_path / "copy"
    (copy / "data").mkdir(parents=True)
    for path in (written / "uploaded" / "data").glob("*.parquet"):
        (copy / "data" / path.name).write_bytes(path.read_bytes())
    (copy / "data" / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="train: expected 2 files numbered from 0, found 1"):
        read(copy, tmp_path)
    (copy / "data" / "train-00001-of-00002.parquet").unlink()
    (copy / "data" / "extra.parquet").write_bytes(b"x")
    (copy / "data" / "other.parquet").write_bytes(b"x")
    with pytest.raises(ConfigError, match="2 parquet files, and nothing says which split"):
        read(copy, tmp_path)


def test_one_file_and_a_folder_of_both(written: Path, tmp_path: Path) -> None:
    file = written / "converted" / "default" / "test" / "0000.parquet"
    assert len(read(file, tmp_path, shares=read_shares("test")).samples) == 4
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "test.parquet").write_bytes(file.read_bytes())
    (tmp_path / "both" / "LICENSE.txt").write_text("CC0\n")
    assert len(read(tmp_path / "both", tmp_path).samples) == 4
    (tmp_path / "both" / "own.csv").write_text("image,report\n")
    with pytest.raises(ConfigError, match="tables and parquet files"):
        read(tmp_path / "both", tmp_path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("dev", "validation"), r"files of one split \(dev, validation\)"),
        (("train", "more"), r"of no split, beside others that have one \(more\.parquet\)"),
    ],
)
def test_files_whose_split_is_taken_or_not_said(
    written: Path, tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    for name in names:
        (tmp_path / f"{name}.parquet").write_bytes((written / "uploaded/data/test-00000-of-00001.parquet").read_bytes())
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, tmp_path, shares=read_shares("80/20"))


def test_choices_and_damage_are_named(written: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(written / "saved", tmp_path, columns=read_map(["image=scann", "question=frage", "answer=antwort"]))
    assert caught.value.problems == (
        "--map image=scann: data-00000-of-00001.arrow has no such column; did you mean 'scan'?",
    )
    with pytest.raises(ConfigError, match="leave it out"):
        read(written / "saved", tmp_path, image_root=tmp_path)
    two = tmp_path / "two"
    for config in ("a", "b"):
        (two / config / "train").mkdir(parents=True)
        (two / config / "train" / "0000.parquet").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"2 configurations; choose one: --source .*a or --source .*b"):
        read(two, tmp_path)
    with pytest.raises(DataError, match=r"cannot be read .*fetch the file again"):
        read(two / "a", tmp_path)
    (two / "a" / "train" / "0000.parquet").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match="Git LFS pointer"):
        read(two / "a", tmp_path)
    (two / "a" / "train").rename(two / "a" / "tiny")
    with pytest.raises(ConfigError, match="the split tiny is none that is known"):
        read(two / "a", tmp_path)
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "dataset_dict.json").write_text(json.dumps({"splits": ["../two"]}))
    with pytest.raises(DataError, match="leads out of it"):
        read(saved, tmp_path)
    (saved / "dataset_dict.json").unlink()
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../none.arrow"}], "_split": "train"}))
    with pytest.raises(DataError, match="is not whole"):
        read(saved, tmp_path)
    (saved / "none.arrow").write_bytes(b"no arrow")
    with pytest.raises(DataError, match=r"cannot be read|no rows"):
        read(saved, tmp_path)
    with pytest.raises(UnusableImage):
        open_image(saved, "none.arrow#0")


def test_offsets_that_lead_out_of_the_file_are_named_not_followed(tmp_path: Path) -> None:
    """Followed, they end the process without a word."""
    import pyarrow

    batch = pyarrow.record_batch({"image": pyarrow.array([b"a", b"b"]), "report": ["Clear.", "Large."]})
    with pyarrow.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pyarrow.ipc.new_stream(file, batch.schema) as stream:
        stream.write_batch(batch)
    offsets, wild = (np.array([0, 6, end], np.int32).tobytes() for end in (12, 2**30))
    content = (tmp_path / "a.arrow").read_bytes()
    assert content.count(offsets) == 1
    (tmp_path / "a.arrow").write_bytes(content.replace(offsets, wild))
    state = {"_data_files": [{"filename": "a.arrow"}], "_split": "test"}
    (tmp_path / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match=r"a\.arrow: cannot be read"):
        read(tmp_path, tmp_path, columns={})
    with pytest.raises(UnusableImage, match="cannot read parquet"):
        open_image(tmp_path, "a.arrow#0")


_CARD = """---
license: cc0-1.0
dataset_info:
  features:
  - name: image
    dtype: image
  - name: answer
    dtype:
      class_label:
        names:
          '1': yes
          '{first}': no
---
# A card
"""


def test_classes_that_only_the_card_names(tmp_path: Path) -> None:
    from pyarrow import Table, parquet

    small_image(1, 16).save(tmp_path / "a.png")
    row = {"image": {"bytes": None, "path": "a.png"}, "question": "Large?"}
    (tmp_path / "data").mkdir()
    file, card = tmp_path / "data" / "test.parquet", tmp_path / "README.md"

    def write(*answers: int | None) -> None:
        rows = [{**row, "question": f"Large, {place}?", "answer": answer} for place, answer in enumerate(answers)]
        parquet.write_table(Table.from_pylist(rows), file)

    def given() -> Any:
        return read(file, tmp_path, columns={}, shares=read_shares("test"))

    card.write_text(_CARD.format(first=0))
    write(1, 0, -1, None)
    (tmp_path / "data" / "a.png").write_bytes((tmp_path / "a.png").read_bytes())
    release = given()
    assert [sample.answer for sample in release.samples] == ["yes", "no"], "texts, not truth values of YAML"
    assert len(release.skips) == 2, "-1 is: nobody knows"
    write(1, 2)
    with pytest.raises(DataError, match=r"test\.parquet, row 1: answer is 2, .* numbered from 0 to 1"):
        given()
    card.write_text(_CARD.format(first=2))
    with pytest.raises(DataError, match=r"README\.md: the classes in its YAML cannot be read"):
        given()
    card.write_text("# A card without YAML")
    assert [sample.answer for sample in given().samples] == ["1", "2"]


def test_parquet_that_only_names_its_images(tmp_path: Path) -> None:
    from pyarrow import Table, parquet

    small_image(1, 16).save(tmp_path / "a.png")
    rows = {"image": [{"bytes": None, "path": "a.png"}], "report": ["Clear."]}
    parquet.write_table(Table.from_pydict(rows), tmp_path / "test.parquet")
    release = read(tmp_path, tmp_path, columns={})
    assert [sample.only_image for sample in release.samples] == ["a.png"]
