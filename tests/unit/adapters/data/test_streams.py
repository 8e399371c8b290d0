"""Shards as a stream: dealt out to ranks and workers, shuffled by pass, faults named; MiniGPT-v2's form and ours."""

from __future__ import annotations

import pickle
import shutil

import pytest
import torch
import webdataset
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from pefomed_plugin.adapters.data.builders import make_builder
from pefomed_plugin.adapters.data.datasets import MedicalDataset, Mixture
from pefomed_plugin.adapters.data.sampling import Draw, MixturePlan, PlannedBatches
from pefomed_plugin.adapters.data.streams import StreamedDataset, draw_from_streams
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.medical_shards import MEDICAL_SHARDS
from pefomed_plugin.registration import register_all
from pefomed_plugin.services.data import shard_cache, shard_reading
from pefomed_plugin.services.data.shards import write_shards
from tests.unit.services.small import sample, small_image
from tests.unit.services.tars import captioned, encoded, serving, tar_of, write_tars

SIZE_PX = 28


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(shard_cache, "_WAIT_S", 0.0)
    monkeypatch.setattr(shard_reading, "_WAIT_S", 0.0)


@pytest.fixture
def by_others(tmp_path):
    """Five shards of four captions, and one for validation."""
    shards = {f"{number:05d}": captioned(range(4 * number, 4 * number + 4)) for number in range(5)}
    return write_tars(tmp_path / "others", **shards, **{"val-0": captioned([90, 91])})


@pytest.fixture
def ours(tmp_path):
    """Four shards of two training questions, and one of two test questions."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(10):
        small_image(number).save(images / f"{number}.png")
    samples = [sample(number, "train" if number < 8 else "test") for number in range(10)]
    write_shards(samples, images, tmp_path / "ours", SIZE_PX, per_shard=2)
    return tmp_path / "ours"


def build(storage, dataset="medical_shards", **changes):
    register_all()
    processor = {"name": "blip2_image_train", "image_size": SIZE_PX}
    text = {"name": "medical_text"}
    section = {
        "build_info": {"storage": str(storage)},
        "batch_size": 2,
        "seed": 5,
        "vis_processor": {"train": processor, "eval": processor},
        "text_processor": {"train": text, "eval": text},
    }
    return make_builder(dataset)(OmegaConf.merge(section, changes)).build_datasets()


def stream(storage, dataset="medical_shards", options=None, **shards):
    samples = {"samples": 20} if dataset == "medical_shards" else {}
    return build(storage, dataset, options=options or {}, shards={"stream": True, **samples, **shards})


def one_pass(pipeline, number=0):
    drawn = StreamedDataset(pipeline)
    return [item["image_id"] for item in drawn._start(number)]


def test_a_stream_is_the_pipeline_that_the_laion_builder_gives(by_others):
    train = stream(by_others)["train"]
    assert type(train) is webdataset.DataPipeline, "runner_base asks for this very type"
    assert train.name == "medical_shards" and train.sample_ratio == 1 and not hasattr(train, "__len__")
    batches = iter(DataLoader(train, batch_size=3, num_workers=0))
    seen = []
    for _ in range(14):  # two passes: it does not end
        batch = next(batches)
        assert batch["image"].shape == (3, 3, SIZE_PX, SIZE_PX)
        assert all(text.startswith("Invented caption") for text in batch["answer"])
        seen += batch["image_id"]
    assert set(seen[:20]) == set(seen[20:40]) and len(set(seen[:20])) == 20


def test_items_are_those_of_reading_at_random(by_others):
    drawn, random = stream(by_others), build(by_others)
    items = {item["image_id"]: item for item in StreamedDataset(drawn["train"])._start(0)}
    assert {split: len(dataset) for split, dataset in random.items()} == {"train": 20, "val": 2}
    assert set(items) == {one.id for one in random["train"].samples} and len(drawn["val"]) == 2
    for number, one in enumerate(random["train"].samples):
        item = random["train"][number]
        assert torch.equal(items[one.id]["image"], item["image"]) and items[one.id]["answer"] == item["answer"]
        assert items[one.id]["image_key"] == item["image_key"]


def test_the_order_is_that_of_seed_and_pass(by_others):
    first, again = stream(by_others, shuffle_buffer=8)["train"], stream(by_others, shuffle_buffer=8)["train"]
    assert one_pass(first, 0) == one_pass(again, 0) != one_pass(again, 1)
    assert one_pass(first, 1) == one_pass(again, 1) and sorted(one_pass(first, 0)) == sorted(one_pass(first, 1))
    pickled = pickle.loads(pickle.dumps(first))
    assert one_pass(pickled, 0) == one_pass(again, 0)


@pytest.mark.parametrize(("ranks", "workers"), [(2, 1), (2, 2), (1, 3)])
def test_shards_are_dealt_out_to_ranks_and_workers(by_others, ranks, workers, monkeypatch):
    seen = []
    monkeypatch.setenv("WORLD_SIZE", str(ranks))
    monkeypatch.setenv("NUM_WORKERS", str(workers))
    for rank in range(ranks):
        for worker in range(workers):
            monkeypatch.setenv("RANK", str(rank))
            monkeypatch.setenv("WORKER", str(worker))
            part = one_pass(stream(by_others)["train"])
            assert part and len(part) % 4 == 0, "whole shards"
            seen += part
    assert len(seen) == len(set(seen)) == 20


def test_fewer_shards_than_readers(by_others, monkeypatch):
    train = stream(by_others)["train"]
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "6")
    with pytest.raises(ConfigError, match=r"5 shard\(s\) for 6 rank\(s\) of 1 loading process\(es\) each; set run"):
        next(iter(train))


def test_our_runner_draws_equally_many_batches_on_every_rank(by_others, monkeypatch):
    drawn = draw_from_streams({"medical_shards": stream(by_others)})["medical_shards"]
    assert isinstance(drawn["train"], StreamedDataset) and isinstance(drawn["val"], MedicalDataset)
    assert len(drawn["train"]) == 20 and drawn["train"].batch_size == 2
    monkeypatch.setenv("WORLD_SIZE", "2")
    plan = MixturePlan([20], [2], [1], seed=0, epochs=2, world_size=2)
    batches = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        mixture = Mixture([StreamedDataset(stream(by_others)["train"])])
        loader = DataLoader(
            mixture, batch_sampler=PlannedBatches(plan, rank), collate_fn=MedicalDataset.collater, num_workers=1
        )
        batches.append([batch["image_id"] for batch in loader])
    assert [len(each) for each in batches] == [plan.iterations] * 2 == [10] * 2
    assert not {name for batch in batches[0][:5] for name in batch} & {
        name for batch in batches[1][:5] for name in batch
    }


def test_a_pass_that_wants_more_than_there_is_begins_again(by_others):
    drawn = StreamedDataset(stream(by_others)["train"])
    names = [drawn[Draw(0, 7, 3)]["image_id"] for _ in range(25)]
    assert len(set(names[:20])) == 20 and names[20:] == names[:5]


def test_our_own_shards_say_how_many_samples_they_hold(ours):
    splits = stream(ours, "vqa_rad")
    assert splits["train"].samples_of_a_pass == 8 and len(splits["test"]) == 2
    assert sorted(one_pass(splits["train"])) == [f"vqa_rad-{number}" for number in range(8)]
    named = stream(ours / "train-{000001..000002}.tar", "vqa_rad")
    assert list(named) == ["train"] and sorted(one_pass(named["train"])) == [f"vqa_rad-{n}" for n in range(2, 6)]


def test_a_shard_that_is_not_what_the_index_says(ours):
    train = stream(ours, "vqa_rad")["train"]
    path = ours / "train-000002.tar"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"Question 4?", b"Question 5?"))
    with pytest.raises(DataError, match=r"train-000002\.tar: damaged header: its content is not that of its digest"):
        one_pass(train)
    path.write_bytes(whole[:2000])
    with pytest.raises(DataError, match=r"train-000002\.tar: cut: "):
        one_pass(train)


def test_shards_of_another_data_set_or_size(ours):
    with pytest.raises(DataError, match="was made from vqa_rad, not from slake"):
        one_pass(stream(ours, "slake")["train"])
    with pytest.raises(ConfigError, match="images of 28 pixels"):
        build(
            ours,
            "vqa_rad",
            shards={"stream": True},
            vis_processor={"train": {"name": "blip2_image_train", "image_size": 56}},
        )


def damage(folder):
    """A cut shard, one with a damaged header, one with samples that lack something and a name that leads out."""
    content = (folder / "00000.tar").read_bytes()
    (folder / "00000.tar").write_bytes(content[: len(content) // 2])
    header = bytearray((folder / "00001.tar").read_bytes())
    header[header.index(b"000005.jpg")] ^= 1
    (folder / "00001.tar").write_bytes(header)
    members = {**captioned(range(8, 12)), "../x.jpg": encoded(1), "README": b"x"}
    del members["000008.jpg"], members["000010.txt"]
    (folder / "00002.tar").write_bytes(tar_of(members))


@pytest.mark.parametrize(
    ("shard", "told"),
    [
        ("00000.tar", "cut: .*; fetch the shard again"),
        ("00001.tar", "damaged header: the header at byte [0-9,]+ is damaged, and all after it is lost"),
        ("00002.tar", r"name that leads out of the archive: \.\./x\.jpg"),
    ],
)
def test_damage_is_an_error_that_names_the_shard(by_others, shard, told):
    damage(by_others)
    train = stream(by_others / shard)["train"]
    with pytest.raises(DataError, match=rf"{shard}: {told}.*or set options\.damaged=skip"):
        one_pass(train)


def test_damage_that_may_be_left_out_is_counted_and_named(by_others, capsys):
    damage(by_others)
    names = one_pass(stream(by_others, options={"damaged": "skip"})["train"])
    random = MEDICAL_SHARDS.read(by_others, damaged="skip").splits()["train"]
    assert sorted(names) == sorted(one.id for one in random), "as many as reading at random finds"
    told = capsys.readouterr().err
    assert "00000.tar: left out 1: cut (" in told
    assert "00001.tar: left out 1: damaged header (the header at byte" in told
    assert "00002.tar: left out 1: no image (jpg, jpeg, png, webp) (000008)" in told
    assert "00002.tar: left out 1: no text (txt, caption, json:caption) (000010)" in told
    assert "00002.tar: left out 1: name that leads out of the archive (../x.jpg)" in told
    assert "00002.tar: left out 1: member whose name has no ending (README)" in told


@pytest.mark.skipif(shutil.which("curl") is None, reason="webdataset reads http through curl, which is not installed")
def test_a_stream_from_a_server_goes_on_where_the_connection_broke(by_others, tmp_path):
    with serving(by_others) as server:
        server.answer = lambda path, content: content[:5000] if server.asked.count(path) == 1 else content
        address = f"{server.url}/{{00000..00004}}.tar"
        train = stream(address, cache=str(tmp_path / "cache"))["train"]
        names = one_pass(train)
        assert len(names) == len(set(names)) == 20 and server.asked.count("/00003.tar") == 2
        assert not list((tmp_path / "cache").rglob("*.tar")), "nothing is kept"
        server.answer = lambda _, content: content[:5000]
        with pytest.raises(DataError, match="asked 4 times; the server broke off before the end; run again when"):
            one_pass(train)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"shards": {"stream": True}}, r"shards\.samples: how many samples"),
        ({"shards": {"stream": True, "samples": 9}, "keep_in_memory": True}, "keep_in_memory: a stream keeps nothing"),
        ({"shards": {"stream": True, "samples": 9}, "limit": {"train": 2}}, "limit.train: a stream has no first"),
        ({"shards": {"samples": 9}}, r"shards\.samples: would do nothing without .*stream"),
        ({"shards": {"cache_gb": 9}}, r"these keys would do nothing[\s\S]*medical_shards\.shards\.cache_gb"),
        ({"shards": {"stream": True, "samples": 9}, "options": {"shards": "z*"}}, r"no shard is called z\*"),
        ({"shards": {"stream": True, "samples": 9}, "options": {"split": "val"}}, "there are no training shards"),
    ],
)
def test_what_cannot_be(by_others, changes, told):
    with pytest.raises(ConfigError, match=told):
        build(by_others, **changes)


def test_what_needs_the_images_beforehand_is_refused(by_others):
    drawn = StreamedDataset(stream(by_others)["train"])
    with pytest.raises(ConfigError, match=r"run\.questions_per_image: cannot be done with medical_shards"):
        drawn.images_of(0)
    with pytest.raises(ConfigError, match=r"run\.image_cache"):
        drawn.images()


def test_shards_without_an_index_are_those_of_others(by_others):
    with pytest.raises(DataError, match=r"vqa_rad: no index\.json beside the shards at .* read them as medical_shards"):
        build(by_others / "00000.tar", "vqa_rad")


@pytest.mark.skipif(shutil.which("curl") is None, reason="webdataset reads http through curl, which is not installed")
def test_shards_on_a_server_are_fetched_and_read_at_random(by_others, ours, tmp_path):
    cache = {"cache": str(tmp_path / "cache")}
    with serving(tmp_path) as server:
        remote = build(f"{server.url}/others/{{00003..00004}}.tar", shards=cache)["train"]
        assert [one.id for one in remote.samples] == [one.id for one in build(by_others)["train"].samples[12:]]
        theirs, local = build(f"{server.url}/ours", "vqa_rad", shards=cache), build(ours, "vqa_rad")
        assert list(theirs["train"].samples) == list(local["train"].samples) and len(theirs["test"]) == 2
        assert torch.equal(theirs["train"][3]["image"], local["train"][3]["image"])
        with pytest.raises(ConfigError, match=r"no index\.json there, and a server is not asked what it has"):
            build(f"{server.url}/others/", shards=cache)
    assert build(f"pipe:cat {by_others}/00000.tar", shards=cache)["train"].samples[0].answer == "Invented caption 0."
