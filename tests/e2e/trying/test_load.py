"""``load``: from a file to answers; what it needs, and what it says where something is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pefomed_plugin
from pefomed_plugin import load
from pefomed_plugin.cli import main
from pefomed_plugin.embedded import code_digest
from pefomed_plugin.errors import CheckpointError, ConfigError
from pefomed_plugin.lora import recorded
from pefomed_plugin.origins import mark_generated
from pefomed_plugin.toolkit import registry
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.toolkit.checkpoint import trainable_state
from tests.e2e.trying.conftest import MODEL_SECTION
from tests.unit.services.small import small_image

QUESTION = "Is there a fracture?"


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, pefomed_plugin; print([each for each in ('torch', 'numpy', 'PIL') if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert "load" in pefomed_plugin.__all__
    with pytest.raises(AttributeError, match="laod"):
        _ = pefomed_plugin.laod


def test_it_answers_as_evaluation_does(files, model, scans):
    section = {
        **MODEL_SECTION,
        "llama_model": str(files["llama"]),
        "vit_weights": str(files["vit"]),
        "ckpt": str(files["checkpoint"]),
        "decoder": "plain",
    }
    plain = MiniGPTv2.from_config(section).eval()
    image = registry.get_processor_class("blip2_image_eval").from_config({"image_size": 112})(small_image(1))
    prompt = (
        "[INST] <Img><ImageHere></Img> [vqa] Based on the image, respond to this question with a short answer: "
        "Is there a fracture? [/INST]"
    )
    assert model.ask(scans / "a.png", QUESTION) == plain.generate(image[None], [prompt], max_new_tokens=20)[0]


def test_the_same_from_an_exported_adapter_and_from_safetensors(files, model, scans, tmp_path, capsys):
    checkpoint = str(files["checkpoint"])
    assert main(["checkpoint", "export", checkpoint, "--out", str(tmp_path / "adapter")]) == 0
    assert (
        main(
            [
                "checkpoint",
                "convert",
                checkpoint,
                "--to",
                "safetensors",
                "--weights-only",
                "--out",
                str(tmp_path / "weights.safetensors"),
            ]
        )
        == 0
    )
    capsys.readouterr()
    expected = model.report(scans / "a.png", max_new_tokens=20)
    assert len(expected) > 3
    for place in ("adapter", "weights.safetensors"):
        again = load(tmp_path / place, llama=files["llama"], vit=files["vit"])
        assert again.report(scans / "a.png", max_new_tokens=20) == expected
        assert len(again.facts["checkpoint_sha256"]) == 64
        assert again.facts["precision"] == "fp32"


@pytest.mark.parametrize(
    "peft",
    [
        {"init_lora_weights": "pissa"},
        {"use_dora": True, "modules_to_save": ["norm", "lm_head"]},
        {"init_lora_weights": "olora", "modules_to_save": ["embed_tokens"], "use_rslora": True},
    ],
)
def test_a_variant_of_lora_answers_the_same_from_everywhere(files, scans, tmp_path, capsys, monkeypatch, peft):
    """Its checkpoint, the evaluation of it, adapter, safetensors and merged folder; nothing is decomposed again."""
    section = {
        **MODEL_SECTION,
        "llama_model": str(files["llama"]),
        "vit_weights": str(files["vit"]),
        "lora_r": 4,
        "peft": peft,
    }
    torch.manual_seed(3)
    network = MiniGPTv2.from_config(section).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape))
    config = {"model": {**MODEL_SECTION, "lora_r": 4, "peft": peft}, "run": {"task": "medical_vqa"}}
    path = tmp_path / "checkpoint_last.pth"
    torch.save({"model": trainable_state(network), "epoch": 0, "config": config, **recorded(network)}, path)
    monkeypatch.setattr(language, "begin_as_parts", None)
    evaluated = MiniGPTv2.from_config({**section, "lora_r": None, "peft": None, "ckpt": str(path)}).eval()
    image = registry.get_processor_class("blip2_image_eval").from_config({"image_size": 112})(small_image(1))
    prompt = "[INST] <Img><ImageHere></Img> [vqa] Is there a fracture? [/INST]"
    answers = [one.generate(image[None], [prompt], max_new_tokens=20) for one in (network, evaluated)]
    assert answers[0] == answers[1]
    llama = str(files["llama"])
    for arguments in (
        ("export", "--out", "adapter"),
        ("merge", "--llama", llama, "--out", "merged"),
        ("convert", "--to", "safetensors", "--out", "weights.safetensors"),
    ):
        assert main(["checkpoint", arguments[0], str(path), *arguments[1:-1], str(tmp_path / arguments[-1])]) == 0
    capsys.readouterr()
    places = {path: llama, tmp_path / "adapter": llama, tmp_path / "weights.safetensors": llama}
    places[tmp_path / "merged" / "projector.safetensors"] = str(tmp_path / "merged")
    reports = {
        str(place): load(place, llama=own, vit=files["vit"]).report(scans / "a.png", max_new_tokens=20)
        for place, own in places.items()
    }
    assert len(set(reports.values())) == 1 and len(reports[str(path)]) > 3, reports


def test_the_environment_names_what_is_not_given(files, monkeypatch):
    monkeypatch.setenv("PEFOMED_LLAMA", str(files["llama"]))
    monkeypatch.setenv("PEFOMED_VIT", str(files["vit"]))
    assert load(str(files["checkpoint"])).facts["origin"]["model"] == "tiny"


def test_everything_that_is_missing_is_said_at_once(files, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(files["checkpoint"], vit=tmp_path / "nowhere.pth")
    text = str(caught.value)
    assert "llama: not given, and PEFOMED_LLAMA is not set; it is the folder of Llama-2-7b-chat-hf" in text
    assert "nowhere.pth: no such path" in text


def test_the_embedded_default(files, monkeypatch, tmp_path, scans):
    sample = tmp_path / "sample"
    shutil.copytree(files["llama"].parent, sample / "tiny")
    mark_generated(sample, {"seed": 0, "code": code_digest()}, whole=True)
    monkeypatch.setenv("PEFOMED_SAMPLE", str(sample))
    model = load("embedded")
    assert model.facts["origin"]["model"] == "tiny"
    assert isinstance(model.ask(scans / "a.png", QUESTION), str)


@pytest.mark.parametrize(("device", "told"), [("gpu", "none of auto, cpu, cuda"), ("cuda:77", "torch sees")])
def test_a_device_that_is_not_there(files, device, told):
    with pytest.raises(ConfigError, match=told):
        load(files["checkpoint"], llama=files["llama"], vit=files["vit"], device=device)


def test_a_folder_that_is_no_adapter_and_a_file_without_projection(tmp_path):
    with pytest.raises(CheckpointError, match="no exported adapter"):
        load(tmp_path)
    torch.save({"model": {"llama_model.base_model.model.x.lora_A.weight": torch.zeros(2, 2)}}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="without the projection the language model sees no image"):
        load(tmp_path / "a.pth", llama=tmp_path, vit=tmp_path)


def test_a_file_that_changed_since_it_was_written_is_refused(files, tmp_path):
    path = Path(shutil.copy(files["checkpoint"], tmp_path / "c.pth"))
    Path(str(path) + ".sha256").write_text("0" * 64 + "\n")
    with pytest.raises(CheckpointError, match="is damaged"):
        load(path, llama=files["llama"], vit=files["vit"])
