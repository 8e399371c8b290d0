"""What a user sees of ``pefomed checkpoint``, and its exit codes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from pefomed_plugin.cli import main
from pefomed_plugin.digests import file_sha256
from tests.conformance.golden import FOLDER

ROOT = Path(__file__).resolve().parents[3]
LLAMA = FOLDER / "tiny_llama"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder: a checkpoint as this plugin writes it, of MiniGPT-v2's tensors, and its figures."""
    folder = tmp_path / "run"
    folder.mkdir()
    content = torch.load(FOLDER / "checkpoint_upstream.pth", weights_only=True)
    content["config"] = {
        "model": {
            "lora_r": 8,
            "lora_alpha": 16,
            "ckpt": "elsewhere/checkpoint_last.pth",
            "llama_model": "/home/me/llama",
        },
        "datasets": {"vqa_rad": {"batch_size": 4}, "mimic_cxr": {"options": {"section": "findings"}}},
        "run": {"task": "medical_vqa", "max_epoch": 3, "init_lr": 3e-5},
    }
    content["pefomed"] = {
        "version": "0.1.0",
        "toolkit": "bundled",
        "iteration": 24,
        "seed": 42,
        "origin": {"data": {}, "model": "real"},
        "samples": {"vqa_rad": {"train": 3064}},
    }
    torch.save(content, folder / "checkpoint_last.pth")
    (folder / "checkpoint_last.pth.sha256").write_text(file_sha256(folder / "checkpoint_last.pth") + "\n")
    figure = {"n": 3, "correct": 2, "value": 66.7, "unit": "%", "interval": {"low": 20.5, "high": 93.5}}
    (folder / "metrics.json").write_text(
        json.dumps(
            {
                "results": {
                    "vqa_rad-test": {"n": 3, "scores": {"exact_match/pefomed": {"version": "1", "overall": figure}}}
                }
            }
        )
    )
    return folder


def checkpoint(capsys: pytest.CaptureFixture, *arguments: Any) -> tuple[int, str, str]:
    code = main(["checkpoint", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_inspect(run: Path, capsys: pytest.CaptureFixture) -> None:
    code, out, errors = checkpoint(capsys, "inspect", run / "checkpoint_last.pth")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0 and errors.startswith("next: pefomed chat --ckpt ")
    assert lines[:3] == ["the file", f"path {run / 'checkpoint_last.pth'}", "size 0.2 MB, digest ok"]
    assert "LoRA rank 8 on q_proj, v_proj of 2 layers; alpha 16 (the configuration in the file)" in lines
    assert "spelling MiniGPT-v2's, of peft 0.2 (lora_A.weight)" in lines
    assert "trained on LLaMA of width 64" in lines
    assert "run medical_vqa; on vqa_rad, mimic_cxr; from elsewhere/checkpoint_last.pth" in lines
    assert "training epoch 3 of 3, iteration 24, seed 42" in lines
    assert "llama_proj 2 8,256 float32" in lines


def test_inspect_for_machines_has_the_keys_of_the_docs(run: Path, capsys: pytest.CaptureFixture) -> None:
    code, out, _ = checkpoint(capsys, "inspect", run / "checkpoint_last.pth", "--json")
    section = (ROOT / "docs" / "checkpoints.md").read_text(encoding="utf-8").split("## convert")[0]
    rows = re.findall(r"^\| (`.*?) \|", section.split("With `--json`")[1], re.MULTILINE)
    assert code == 0
    assert list(json.loads(out)) == ["schema", *(name for row in rows for name in re.findall(r"`(\w+)`", row))]


def test_a_damaged_file_is_inspected_with_exit_code_1_and_used_for_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (run / "checkpoint_last.pth.sha256").write_text("0" * 64 + "\n")
    code, out, _ = checkpoint(capsys, "inspect", run / "checkpoint_last.pth")
    assert (code, "is damaged: its digest" in out) == (1, True)
    for arguments in (["convert", "--to", "peft"], ["export", "--out", tmp_path / "out"]):
        code, _, errors = checkpoint(capsys, arguments[0], run / "checkpoint_last.pth", *arguments[1:])
        assert (code, "copy it again" in errors) == (2, True)


def test_convert_writes_beside_and_not_twice(run: Path, capsys: pytest.CaptureFixture) -> None:
    file = run / "checkpoint_last.pth"
    assert checkpoint(capsys, "convert", file, "--to", "peft")[0] == 0
    assert (run / "checkpoint_last.peft.pth.sha256").is_file()
    code, _, errors = checkpoint(capsys, "convert", file, "--to", "peft")
    assert (code, "is not overwritten" in errors) == (2, True)
    code, _, errors = checkpoint(capsys, "convert", file, "--to", "safetensors")
    assert (code, "leave optimizer out with --weights-only" in errors) == (2, True)
    code, out, _ = checkpoint(capsys, "convert", file, "--to", "safetensors", "--weights-only")
    assert (code, "10 tensors written to" in out) == (0, True)
    code, out, _ = checkpoint(capsys, "inspect", run / "checkpoint_last.safetensors")
    assert (code, "training can not be resumed" in out) == (0, True)
    code, _, errors = checkpoint(capsys, "convert", file, "--to", "peft", "--out", run / "x.safetensors")
    assert (code, "--to peft writes a .pth file" in errors) == (2, True)


def test_export_with_a_card_that_tells_what_forbids_publishing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "my-adapter"
    code, said, errors = checkpoint(capsys, "export", run / "checkpoint_last.pth", "--out", out)
    assert code == 0 and errors.startswith("next: cat ")
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "projector.safetensors",
    ]
    assert f"hf upload YOUR_NAME/my-adapter {out} ." in said
    assert "MIMIC-CXR: Credentialed access" in said
    assert "could not be followed: complete README.md" in said
    card = (out / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert (front["license"], front["library_name"]) == ("other", "peft"), "MIMIC-CXR binds more than LLaMA 2"
    assert "| VQA-RAD | `vqa_rad` | this run | 3,064 |" in card
    assert "| MIMIC-CXR; section=findings | `mimic_cxr` | this run | not known |" in card
    assert "| vqa_rad-test | exact_match/pefomed overall | 2 of 3 | 66.7 % | 20.5 - 93.5 |" in card
    assert "alpha 16 (the configuration in the file)" in card
    assert "/home/me" not in card, "no path of this machine"


def test_alpha_that_is_assumed_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    bare = tmp_path / "bare.pth"
    torch.save({"model": torch.load(run / "checkpoint_last.pth", weights_only=True)["model"]}, bare)
    _, said, _ = checkpoint(capsys, "export", bare, "--out", tmp_path / "a")
    assert "alpha 16 (assumed, MiniGPT-v2's default" in said
    checkpoint(capsys, "export", bare, "--out", tmp_path / "b", "--lora-alpha", 32)
    assert json.loads((tmp_path / "b" / "adapter_config.json").read_text())["lora_alpha"] == 32
    code, _, errors = checkpoint(
        capsys, "export", run / "checkpoint_last.pth", "--out", tmp_path / "c", "--lora-alpha", 32
    )
    assert (code, "leave --lora-alpha out" in errors) == (2, True)


def test_merge(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "merged"
    code, said, _ = checkpoint(capsys, "merge", run / "checkpoint_last.pth", "--llama", LLAMA, "--out", out)
    assert (code, "4 of 21 tensors merged" in said) == (0, True)
    base, merged = (load_file(str(folder / "model.safetensors")) for folder in (LLAMA, out))
    assert {key for key in merged if not torch.equal(base[key], merged[key])} == {
        f"model.layers.{layer}.self_attn.{each}_proj.weight" for layer in (0, 1) for each in "qv"
    }
    assert "model.lora_r=0" in (out / "README.md").read_text(encoding="utf-8")


def test_merge_needs_the_right_llama(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEFOMED_LLAMA", raising=False)
    arguments = ("merge", run / "checkpoint_last.pth", "--out", tmp_path / "out")
    code, _, errors = checkpoint(capsys, *arguments)
    assert (code, "give its folder with --llama, or set PEFOMED_LLAMA" in errors) == (2, True)
    code, _, errors = checkpoint(capsys, *arguments, "--llama", tmp_path)
    assert (code, "is no folder of a language model" in errors) == (2, True)
    shutil.copytree(LLAMA, tmp_path / "other")
    config = json.loads((LLAMA / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps({**config, "hidden_size": 128}))
    code, _, errors = checkpoint(capsys, *arguments, "--llama", tmp_path / "other")
    assert (code, "does not hold the LLaMA that its config.json describes" in errors) == (2, True)
    (tmp_path / "other" / "config.json").write_text(json.dumps({**config, "model_type": "mistral"}))
    code, _, errors = checkpoint(capsys, *arguments, "--llama", tmp_path / "other")
    assert (code, "of type 'mistral', which is not supported; known: llama" in errors) == (2, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("action", ["merge", "export"])
def test_a_folder_with_something_in_it_is_not_touched(run: Path, capsys: pytest.CaptureFixture, action: str) -> None:
    before = sorted(run.iterdir())
    more = ["--llama", LLAMA] if action == "merge" else []
    code, _, errors = checkpoint(capsys, action, run / "checkpoint_last.pth", "--out", run, *more)
    assert (code, "is not overwritten" in errors) == (2, True)
    assert sorted(run.iterdir()) == before


def test_a_file_that_is_not_there_and_one_without_lora(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code, _, errors = checkpoint(capsys, "inspect", tmp_path / "none.pth")
    assert (code, "no weights file" in errors) == (2, True)
    code, _, errors = checkpoint(capsys, "export", LLAMA / "model.safetensors", "--out", tmp_path / "out")
    assert (code, "holds no LoRA" in errors) == (2, True)


def test_the_embedded_default_is_named_as_everywhere(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pefomed_plugin import loading

    monkeypatch.setattr(loading, "embedded_checkpoint", lambda: run / "checkpoint_last.pth")
    monkeypatch.chdir(tmp_path)
    assert main(["checkpoint", "inspect", "embedded", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(run / "checkpoint_last.pth")
    assert main(["checkpoint", "convert", "embedded", "--to", "peft"]) == 2  # it would write into the sample
    assert "no weights file embedded" in capsys.readouterr().err
