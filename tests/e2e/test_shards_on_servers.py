"""Shards at ``s3://``, from a moto server on this machine; and whole runs on shards: fetched, by others, streamed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pefomed_plugin.config.datasets import ShardReading
from pefomed_plugin.errors import DataError
from pefomed_plugin.services.data import shard_cache
from pefomed_plugin.services.data.shard_cache import fetch_index, fetch_shards
from pefomed_plugin.services.data.shard_sources import read_storage
from tests.unit.services.tars import captioned, serving, write_tars

ROOT = Path(__file__).resolve().parents[2]
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="webdataset reads http through curl")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket ``shards`` of an S3 server on 127.0.0.1."""
    boto3 = pytest.importorskip("boto3", reason="the extra test brings boto3")
    server_module = pytest.importorskip("moto.server", reason="the extra test brings moto[s3,server]")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "invented",
        "AWS_SECRET_ACCESS_KEY": "invented",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="shards")
    try:
        yield client
    finally:
        server.stop()


def test_shards_at_s3(bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_cache, "_WAIT_S", 0.0)
    root = write_tars(tmp_path / "root", **{f"{number:05d}": captioned([number]) for number in range(3)})
    for path in root.glob("*.tar"):
        bucket.upload_file(str(path), "shards", f"cc/{path.name}")
    settings = ShardReading(cache=str(tmp_path / "cache"), retries=1)
    source = read_storage("s3://shards/cc/{00000..00002}.tar")
    assert source is not None
    assert fetch_index(source, settings) is None
    folder, names = fetch_shards(source, settings)
    assert [(folder / name).read_bytes() for name in names] == [(root / name).read_bytes() for name in names]
    missing = read_storage("s3://shards/cc/00007.tar")
    assert missing is not None
    with pytest.raises(DataError, match=r"s3://shards/cc/00007\.tar: asked 2 times; .*NoSuchKey"):
        fetch_shards(missing, settings)


def train(tmp_path: Path, storage: str, *options: str) -> str:
    """One small run of stage 1 on shards alone, with the tiny model; what it printed."""
    run = yaml.safe_load((ROOT / "train_configs" / "pefomed_stage1.yaml").read_text(encoding="utf-8"))
    run["datasets"] = {"medical_shards": {"batch_size": 2}}
    run["embedded"].pop("datasets", None)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    given = [
        f"datasets.medical_shards.build_info.storage={storage}",
        f"datasets.medical_shards.shards.cache={tmp_path / 'cache'}",
        f"run.output_dir={tmp_path / 'out'}",
        *("run.num_workers=1", "run.max_epoch=1", "run.valid_splits=[]", "run.iters_per_epoch=4", "run.warmup_steps=1"),
        *options,
    ]
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "--cfg-path", str(tmp_path / "run.yaml"), "--options", *given],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "checkpoint_last.pth").is_file()
    return done.stdout + done.stderr


@needs_curl
@pytest.mark.parametrize("streams", [False, True])
def test_a_run_on_shards_by_others_at_a_server(tmp_path: Path, streams: bool) -> None:
    root = write_tars(
        tmp_path / "root", **{f"{number:05d}": captioned(range(6 * number, 6 * number + 6)) for number in range(3)}
    )
    with serving(root) as server:
        asked = ["datasets.medical_shards.shards.stream=true", "datasets.medical_shards.shards.samples=18"]
        printed = train(tmp_path, f"{server.url}/{{00000..00002}}.tar", *(asked if streams else []))
    fetched = list((tmp_path / "cache").rglob("*.tar"))
    record = json.loads((tmp_path / "out" / "provenance.json").read_text())["data"]["medical_shards"]
    assert record["samples"] == {"train": 18} and record["storage"].startswith(server.url)
    if streams:
        assert "train is streamed from 3 shards" in printed and not fetched and record["digests"] == {}
    else:
        assert len(fetched) == 3 and list(record["digests"]) == ["train"]
