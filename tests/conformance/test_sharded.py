"""Training from shards is training from the images they were made of, only from fewer files."""

from __future__ import annotations

import json
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch.utils.data import DataLoader

from pefomed_plugin.adapters.data.builders import make_builder
from pefomed_plugin.adapters.data.datasets import MedicalDataset, Mixture, Place
from pefomed_plugin.adapters.data.sampling import Draw, MixturePlan, PlannedBatches
from pefomed_plugin.adapters.data.streams import StreamedDataset
from pefomed_plugin.errors import ConfigError, DataError, ImageError
from pefomed_plugin.readers import read_data
from pefomed_plugin.registration import register_all
from pefomed_plugin.services.data import shard_files
from pefomed_plugin.services.data.shards import write_shards
from pefomed_plugin.toolkit import registry

SIZE_PX = 28
TRAIN, TEST = 11, 3


@pytest.fixture
def release(tmp_path):
    """User's captions with images of several sizes and modes; five of 14 are grey."""
    folder = tmp_path / "release"
    (folder / "images").mkdir(parents=True)
    for split, numbers in (("train", range(TRAIN)), ("test", range(TRAIN, TRAIN + TEST))):
        rows = [{"image": f"{n}.png", "caption": f"Invented caption {n}."} for n in numbers]
        (folder / (split + ".jsonl")).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    rng = np.random.default_rng(0)
    for number in range(TRAIN + TEST):
        shape = (30 + number, 50) if number % 3 == 0 else (30 + number, 50, 3)
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / "images" / f"{number}.png")
    return folder


@pytest.fixture
def shards(release, tmp_path):
    """Shards of four samples."""
    data = read_data("medical_custom", release)
    write_shards(data.samples, data.image_root, tmp_path / "shards", SIZE_PX, per_shard=4)
    return tmp_path / "shards"


def build(storage, size_px=SIZE_PX, dataset="medical_custom", **changes):
    register_all()
    processor = {"name": "blip2_image_train", "image_size": size_px}
    section = OmegaConf.create(
        {
            "build_info": {"storage": str(storage)},
            "batch_size": 2,
            "sample_ratio": 3,
            "seed": 5,
            "vis_processor": {"train": processor, "eval": processor},
            "text_processor": {"train": {"name": "medical_text"}, "eval": {"name": "medical_text"}},
            **changes,
        }
    )
    return make_builder(dataset)(section).build_datasets()


def equal(one, two):
    return torch.equal(one["image"], two["image"]) and all(one[key] == two[key] for key in one if key != "image")


def test_items_are_those_of_the_release_to_the_last_bit(release, shards):
    ours, theirs = build(shards), build(release)
    assert {split: len(our) for split, our in ours.items()} == {"train": TRAIN, "test": TEST}
    assert (ours["train"].batch_size, ours["train"].sample_ratio) == (2, 3.0)
    for split, own in ours.items():
        assert all(equal(own[Draw(0, number, 7)], theirs[split][Draw(0, number, 7)]) for number in range(len(own)))
        assert list(own.samples) == theirs[split].samples


@pytest.fixture
def studies(release, tmp_path):
    """Shards of studies of one, two and three images, and the release they were made of."""
    for split, counts in (("train", (2, 1, 3, 2, 1)), ("test", (1, 2))):
        numbers = iter(range(TRAIN + TEST))
        rows = []
        for count in counts:
            shown = [f"{next(numbers)}.png" for _ in range(count)]
            rows.append({"images": dict(zip(("frontal", "lateral", "prior"), shown)), "caption": f"Of {count}."})
        (release / (split + ".jsonl")).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data = read_data("medical_custom", release)
    write_shards(data.samples, data.image_root, tmp_path / "studies", SIZE_PX, per_shard=2)
    return release, tmp_path / "studies"


def test_several_images_a_sample(studies, capsys):
    release, shards = studies
    ours, theirs = build(shards), build(release)
    said = capsys.readouterr().out
    assert "train: samples by how many images they show: 1 of 3 images, 2 of 2 images, 2 of 1 image" in said
    assert "train: samples by what they show: 2 frontal + lateral, 2 one image, 1 frontal + lateral + prior" in said
    for split, own in ours.items():
        assert list(own.samples) == theirs[split].samples and own.most_images == theirs[split].most_images
        for number in range(len(own)):
            one, two = own[Draw(0, number, 7)], theirs[split][Draw(0, number, 7)]
            assert torch.equal(MedicalDataset.collater([one])["image"], MedicalDataset.collater([two])["image"])
            assert all(one[key] == two[key] for key in one if key != "image")
        places = own.images()
        assert len(places) == sum(len(sample.images) for sample in own.samples)
        assert len({own.content_key(place) for place in places.values()}) == len(places)
    assert ours["train"].most_images == 3 and json.loads((shards / "index.json").read_text())["most_images"] == 3
    with pytest.raises(IndexError):
        ours["train"].samples.open_image(5)


def test_several_images_a_sample_as_a_stream(studies):
    release, shards = studies
    train, theirs = StreamedDataset(build(shards, shards={"stream": True})["train"]), build(release)["train"]
    assert train.most_images == 3
    found = {item["image_id"]: item for item in train._start(0)}
    assert set(found) == {sample.id for sample in theirs.samples}
    for number in range(len(theirs)):
        item = theirs[number]
        ours = MedicalDataset.collater([found[item["image_id"]]])
        assert torch.equal(ours["image"], MedicalDataset.collater([item])["image"])


def test_shards_of_several_images_are_refused_where_the_model_takes_one(studies, monkeypatch):
    _, shards = studies
    monkeypatch.setattr(registry.get_model_class("minigpt_v2"), "takes_several_images", False)
    for changes in ({}, {"shards": {"stream": True}}):
        with pytest.raises(DataError, match="samples of up to 3 images, and MiniGPT-v2's checkout takes one"):
            build(shards, **changes)


def test_exchanged_images_are_those_of_the_release(release, shards):
    ours, theirs = build(shards)["test"], build(release)["test"]
    ours.shuffle_images(1)
    theirs.shuffle_images(1)
    assert all(equal(ours[number], theirs[number]) for number in range(TEST))


@pytest.mark.parametrize(("ranks", "workers"), [(1, 0), (2, 0), (3, 2), (1, 2)])
def test_no_sample_twice_in_an_epoch_on_any_number_of_ranks_and_workers(shards, ranks, workers):
    train = build(shards)["train"]
    plan = MixturePlan([len(train)], [2], [1], seed=0, epochs=2, world_size=ranks)
    seen, batches = Counter(), Counter()
    for rank in range(ranks):
        loader = DataLoader(
            Mixture([train]),
            batch_sampler=PlannedBatches(plan, rank),
            num_workers=workers,
            collate_fn=MedicalDataset.collater,
        )
        for number, batch in enumerate(loader):
            assert batch["image"].shape[1:] == (3, SIZE_PX, SIZE_PX)
            seen.update((number // plan.iterations_per_pass[0], each) for each in batch["image_id"])
            batches[rank] += 1
    assert set(batches.values()) == {plan.iterations}
    assert set(seen.values()) == {1}
    assert len(seen) == 2 * (TRAIN - plan.left_out[0])


def test_a_resumed_run_goes_on_with_the_same_items(shards):
    mixture = Mixture([build(shards)["train"]])
    plan = MixturePlan([TRAIN], [2], [1], seed=3, epochs=2)

    def items(start):
        return [[mixture[draw] for draw in batch] for batch in PlannedBatches(plan, 0, start)]

    whole, rest = items(0), items(4)
    assert len(rest) == len(whole) - 4
    assert all(equal(*pair) for batch, again in zip(whole[4:], rest) for pair in zip(batch, again))


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("train-{000000..000002}.tar", range(11)),
        ("train-{000001..000001}.tar", range(4, 8)),
        ("train-000002.tar", range(8, 11)),
    ],
)
def test_brace_notation_names_the_shards(shards, name, ids):
    datasets = build(shards / name)
    assert list(datasets) == ["train"]
    assert [sample.answer for sample in datasets["train"].samples] == [f"Invented caption {n}." for n in ids]


def test_shards_that_are_not_named_need_not_be_there(shards):
    (shards / "test-000000.tar").unlink()
    assert len(build(shards / "train-{000000..000002}.tar")["train"]) == TRAIN


def test_a_limit_takes_the_first_samples(shards):
    train = build(shards, limit={"train": 6})["train"]
    assert len(train) == len(list(train.samples)) == 6


def test_a_worker_that_is_spawned_gets_the_data_set(shards):
    train = build(shards)["train"]
    samples = pickle.loads(pickle.dumps(train.samples))
    assert list(samples) == list(train.samples)
    assert samples.open_image(3).tobytes() == train.open_image(Place(3)).tobytes()


def test_the_content_is_compared_once(shards, monkeypatch):
    build(shards)
    monkeypatch.setattr(shard_files, "file_sha256", None)
    assert len(build(shards)["train"]) == TRAIN


def test_a_folder_that_cannot_be_written_is_checked_every_time(shards, monkeypatch, capsys):
    def refuse(path, _):
        raise DataError(f"cannot write {path}")

    monkeypatch.setattr(shard_files, "write_json", refuse)
    assert len(build(shards)["train"]) == TRAIN
    assert "checked again next time: cannot write" in capsys.readouterr().out


def test_a_shard_that_changed_is_named(shards):
    path = shards / "train-000001.tar"
    content = bytearray(path.read_bytes())
    content[content.index(b"Invented caption 5")] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train-000001\.tar: its content is not what was written; delete it"):
        build(shards)


def test_missing_and_cut_shards_are_named_together(shards):
    (shards / "train-000000.tar").unlink()
    (shards / "train-000002.tar").write_bytes(b"cut")
    with pytest.raises(DataError, match=r"train-000000\.tar: not there[\s\S]*train-000002\.tar: 3 bytes, not"):
        build(shards)


def test_a_shard_that_was_never_written(shards):
    with pytest.raises(DataError, match=r"has no such shards[\s\S]*train-000003\.tar: not in index\.json"):
        build(shards / "train-{000000..000003}.tar")


@pytest.mark.parametrize(
    ("count", "told"), [(3, "holds more than the 3 samples"), (5, "ends where 000004.png should be")]
)
def test_an_index_of_another_count(shards, count, told):
    index = json.loads((shards / "index.json").read_text())
    index["shards"][0]["samples"] = count
    (shards / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"train-000000\.tar: " + told):
        build(shards)


def test_a_foreign_tar_in_place_of_a_shard(shards):
    index = json.loads((shards / "index.json").read_text())
    first, last = index["shards"][0], index["shards"][3]
    (shards / last["file"]).write_bytes((shards / first["file"]).read_bytes().replace(b"000000.png", b"000009.png"))
    last.update(bytes=first["bytes"], sha256=shard_files.file_sha256(shards / last["file"]))
    (shards / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"test-000000\.tar: holds 000009.png where 000000.png"):
        build(shards)


def test_damage_after_the_check_is_named_when_it_is_met(shards):
    train = build(shards)["train"]
    path = shards / "train-000000.tar"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"IDAT", b"IDXX").replace(b'"caption"', b'"caption '))
    with pytest.raises(ImageError, match=r"train-000000\.tar, byte 512: "):
        train.open_image(Place(0))
    with pytest.raises(DataError, match=r"train-000000\.tar, byte [\d,]+: not a sample"):
        train.samples[0]
    path.write_bytes(content[:600])
    with pytest.raises(DataError, match="the file ends here"):
        train.open_image(Place(0))
    path.unlink()
    with pytest.raises(DataError, match=r"train-000000\.tar, byte 512: cannot be read"):
        train.open_image(Place(0))


def test_shards_of_another_size_say_what_to_do(shards):
    with pytest.raises(
        ConfigError,
        match=r"images of 28 pixels.*makes 56; run pefomed shard with --image-size 56, or "
        r"set model\.image_size=28",
    ):
        build(shards, size_px=56)


def test_shards_of_another_data_set(shards):
    with pytest.raises(DataError, match="was made from medical_custom, not from roco"):
        build(shards, dataset="roco")


def test_an_unfinished_folder(shards):
    index = json.loads((shards / "index.json").read_text())
    (shards / "index.json").write_text(json.dumps({**index, "complete": False}))
    with pytest.raises(DataError, match="unfinished; run pefomed shard again"):
        build(shards)


def test_an_index_of_something_else_is_no_shards(release):
    (release / "index.json").write_text("{}")
    assert len(build(release)["train"]) == TRAIN
