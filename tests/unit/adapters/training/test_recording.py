"""What is collected for the record of a run, and what never is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from pefomed_plugin.adapters.training import recording
from pefomed_plugin.adapters.training.recording import (
    git_state,
    record_run,
    storages_of,
    weights_file,
    without_secrets,
)
from pefomed_plugin.digests import file_sha256, folder_sha256
from pefomed_plugin.origins import Origins, configured_origins, mark_generated
from pefomed_plugin.provenance import WeightsFile, samples_sha256, write_record
from pefomed_plugin.records import Sample


class Split:
    def __init__(self, *answers):
        self.samples = [
            Sample(
                id=f"a-{number}",
                dataset="a",
                split="test",
                images=("a.jpg",),
                task="vqa",
                question="what?",
                answer=answer,
            )
            for number, answer in enumerate(answers)
        ]

    def __len__(self):
        return len(self.samples)


def config_of(folder):
    return SimpleNamespace(
        model_cfg={"llama_model": str(folder), "vit_weights": None},
        datasets_cfg={"a": {"build_info": {"storage": str(folder)}}},
        to_dict=lambda: {"run": {"seed": 1}},
    )


def record(folder, checkpoint="", processes=2):
    cfg = config_of(folder)
    origins = configured_origins(str(folder), storages_of(cfg))
    splits = {"test": Split("yes", "no")}
    splits["test"].image_root = folder / "images"
    return record_run(cfg, origins, {"a": splits}, checkpoint, processes)


def test_it_says_with_what_a_result_was_made(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--cfg-path", "a.yaml"])
    monkeypatch.setenv("PEFOMED_DATA", "/data")
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"weights")
    found = record(tmp_path, checkpoint=str(weights))
    assert found.command == ["train.py", "--cfg-path", "a.yaml"]
    assert found.variables["PEFOMED_DATA"] == "/data"
    assert {"python", "torch", "transformers", "numpy"} <= set(found.packages)
    assert found.host["cores"] == os.cpu_count()
    assert (found.processes, found.config) == (2, {"run": {"seed": 1}})
    part = found.data["a"]
    assert (part.origin, part.storage, part.samples) == ("real", str(tmp_path), {"test": 2})
    assert part.image_root == str(tmp_path / "images")
    assert part.digests == {"test": samples_sha256(Split("yes", "no").samples)}
    assert part.digests != {"test": samples_sha256(Split("yes", "yes").samples)}
    assert found.model.files["checkpoint"] == WeightsFile(str(weights), file_sha256(weights))
    assert found.model.files["llama"] == WeightsFile(str(tmp_path), folder_sha256(tmp_path))
    assert set(found.model.files) == {"llama", "checkpoint"}


def test_data_and_model_are_told_apart(tmp_path):
    tiny, real = tmp_path / "tiny", tmp_path / "real"
    for folder in (tiny, real):
        folder.mkdir()
    mark_generated(tiny, {})
    storages = {"a": str(real), "b": str(tiny)}
    assert configured_origins(str(tiny), storages) == Origins({"a": "real", "b": "generated"}, "tiny")
    assert configured_origins(str(real), {"a": str(real)}) == Origins({"a": "real"}, "real")


def test_no_secret_of_the_environment_or_the_command_line(tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "WANDB_API_KEY", "HF_TOKEN", "MY_PASSWORD", "PEFOMED_JUDGE_KEY"):
        monkeypatch.setenv(name, "s3cr3t")
    monkeypatch.setattr(
        sys, "argv", ["train.py", "--options", "run.x.api_key=s3cr3t", "--token", "s3cr3t", "https://me:s3cr3t@host/x"]
    )
    text = write_record(tmp_path, record(tmp_path)).read_text(encoding="utf-8")
    assert "s3cr3t" not in text
    assert "run.x.api_key=***" in text


@pytest.mark.parametrize("argument", ["run.max_new_tokens=20", "keys/run.yaml", "run.output_dir=out/key", "--cfg-path"])
def test_what_is_no_secret_stays(argument):
    assert without_secrets(["train.py", argument, "next"]) == ["train.py", argument, "next"]


def test_prepared_data_are_known_by_their_manifest(tmp_path):
    (tmp_path / "manifest.json").write_text('{"origin": "generated"}')
    part = record(tmp_path).data["a"]
    assert (part.origin, part.digests) == ("generated", {"manifest.json": file_sha256(tmp_path / "manifest.json")})


def test_shards_say_where_their_images_were(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps({"origin": "real", "image_root": "/scans"}))
    assert record(tmp_path).data["a"].image_root == "/scans"


def test_large_frozen_weights_are_read_once_for_all_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(recording, "_LARGE_BYTES", 4)
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"weights")
    first = weights_file(str(weights))
    assert first.sha256 == file_sha256(weights) and "it is remembered" in capsys.readouterr().out
    monkeypatch.setattr(recording, "file_sha256", None)
    assert weights_file(str(weights)) == first and capsys.readouterr().out == ""
    monkeypatch.undo()
    weights.write_bytes(b"other weights")
    assert weights_file(str(weights)).sha256 == file_sha256(weights) != first.sha256


def test_another_checkpoint_answers_than_training_started_from(tmp_path):
    first = record(tmp_path, checkpoint=str(tmp_path / "gone.pth"))
    assert first.model.files["checkpoint"].sha256 is None
    later = first.with_checkpoint(WeightsFile("/x.pth", "0"))
    assert later.model.files["checkpoint"] == WeightsFile("/x.pth", "0")
    assert (later.data, later.model.files["llama"]) == (first.data, first.model.files["llama"])


def test_the_commit_and_whether_it_is_what_runs(tmp_path):
    assert git_state(tmp_path) is None

    def git(*arguments):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
        )

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "first")
    state = git_state(tmp_path)
    assert len(state["commit"]) == 40
    assert state["dirty"] is False
    (tmp_path / "file").write_text("two")
    assert git_state(tmp_path)["dirty"] is True
