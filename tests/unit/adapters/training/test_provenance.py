"""What stands in ``provenance.json``, and what never does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pefomed_plugin.adapters.training import provenance
from pefomed_plugin.adapters.training.provenance import describe_data, git_state, samples_sha256, without_secrets
from pefomed_plugin.digests import file_sha256
from pefomed_plugin.errors import DataError
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


def write(folder, **changes):
    path = provenance.write_provenance(
        folder,
        **{
            "config": {"run": {"seed": 1}},
            "datasets": {"a": {"test": Split("yes", "no")}},
            "storage": {"a": str(folder)},
            "processes": 2,
            "embedded": True,
            **changes,
        },
    )
    return json.loads(path.read_text(encoding="utf-8"))


def test_it_says_with_what_a_result_was_made(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--cfg-path", "a.yaml"])
    monkeypatch.setenv("PEFOMED_DATA", "/data")
    found = write(tmp_path)
    assert found["command"] == ["train.py", "--cfg-path", "a.yaml"]
    assert found["variables"]["PEFOMED_DATA"] == "/data"
    assert {"python", "torch", "transformers", "numpy"} <= set(found["packages"])
    assert found["host"]["cores"] == os.cpu_count()
    assert (found["processes"], found["embedded"], found["config"]) == (2, True, {"run": {"seed": 1}})
    assert found["data"]["a"]["samples"] == {"test": 2}
    assert found["data"]["a"]["samples_sha256"]["test"] == samples_sha256(Split("yes", "no").samples)
    assert found["data"]["a"]["samples_sha256"]["test"] != samples_sha256(Split("yes", "yes").samples)


def test_no_secret_of_the_environment_or_the_command_line(tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "WANDB_API_KEY", "HF_TOKEN", "MY_PASSWORD", "PEFOMED_JUDGE_KEY"):
        monkeypatch.setenv(name, "s3cr3t")
    monkeypatch.setattr(
        sys, "argv", ["train.py", "--options", "run.x.api_key=s3cr3t", "--token", "s3cr3t", "https://me:s3cr3t@host/x"]
    )
    write(tmp_path)
    text = (tmp_path / "provenance.json").read_text(encoding="utf-8")
    assert "s3cr3t" not in text
    assert "run.x.api_key=***" in text


@pytest.mark.parametrize("argument", ["run.max_new_tokens=20", "keys/run.yaml", "run.output_dir=out/key", "--cfg-path"])
def test_what_is_no_secret_stays(argument):
    assert without_secrets(["train.py", argument, "next"]) == ["train.py", argument, "next"]


def test_prepared_data_are_known_by_their_manifest(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    found = describe_data(str(tmp_path), {"test": Split("yes")})
    assert found["manifest_sha256"] == {"manifest.json": file_sha256(tmp_path / "manifest.json")}
    assert "samples_sha256" not in found


def test_a_resumed_run_keeps_what_was_there(tmp_path):
    write(tmp_path, processes=1)
    write(tmp_path, processes=2)
    found = write(tmp_path, processes=3)
    assert [found["processes"], *(each["processes"] for each in found["earlier"])] == [3, 1, 2]


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


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        write(tmp_path / "file")
