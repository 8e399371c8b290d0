"""``pefomed estimate --gpu``: how long a run takes, from its YAML alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.families import ModelSize
from pefomed_plugin.families.llama import LLAMA
from pefomed_plugin.services.memory.cards import CARDS
from pefomed_plugin.services.memory.operations import READING, sample_flops
from pefomed_plugin.vision_encoders import VisionEncoder

ROOT = Path(__file__).resolve().parents[3]
STAGE1 = str(ROOT / "train_configs" / "pefomed_stage1.yaml")
STAGE2 = str(ROOT / "projects" / "pefomed" / "stage2_vqa_rad.yaml")
MODEL = ModelSize(LLAMA.published_size, VisionEncoder(), lora_rank=64, lora_targets=("q_proj", "v_proj"))


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.delenv(name, raising=False)


def hours(capsys: pytest.CaptureFixture, path: str, *arguments: str) -> list[dict[str, Any]]:
    assert main(["estimate", "--cfg-path", path, "--json", "--gpu", *arguments]) == 0
    return json.loads(capsys.readouterr().out)["hours"]


def test_training_is_operations_by_what_a_card_reaches(capsys: pytest.CaptureFixture) -> None:
    """50 epochs of VQA-RAD; a row of mean texts has between 300 and 400 tokens."""
    (found,) = hours(capsys, STAGE2, "A40")
    assert found["trained_samples"] == 50 * 3064
    rate = CARDS["A40"].tera_flops * 1e12 * 0.4
    low, high = (153_200 * sum(sample_flops(MODEL, tokens, 4).values()) / rate for tokens in (300, 400))
    assert low < found["training_s"] < high


def test_answering_reads_the_weights_once_a_token_and_batch(capsys: pytest.CaptureFixture) -> None:
    one, four = (
        hours(capsys, STAGE2, "H200", "--options", f"run.batch_size_eval={batch}")[0]["answering_s"] for batch in (1, 4)
    )
    tokens = -(-8 // 3) + 1
    weights = 2 * (MODEL.language.in_matrices + MODEL.language.hidden_size * MODEL.language.vocab_size)
    reading = 451 * tokens * weights / (4.8e12 * READING)
    assert one - four == pytest.approx(reading * 3 / 4)


def test_cards_share_passes_but_not_steps(capsys: pytest.CaptureFixture) -> None:
    """Passes over the data are shared out; a recipe of so many steps takes as long on four cards, and sees more."""
    one, four = (hours(capsys, STAGE2, "A40", "--gpus", number)[0] for number in ("1", "4"))
    assert four["training_s"] == pytest.approx(one["training_s"] / 4)
    one, four = (hours(capsys, STAGE1, "A40", "--gpus", number)[0] for number in ("1", "4"))
    assert four["training_s"] == pytest.approx(one["training_s"], rel=0.01)
    assert four["trained_samples"] == pytest.approx(4 * one["trained_samples"], rel=0.001)
    assert one["answering_s"] is None


def test_utilisation_price_and_switches(capsys: pytest.CaptureFixture) -> None:
    (usual,) = hours(capsys, STAGE2, "A40")
    (half,) = hours(capsys, STAGE2, "A40", "--utilisation", "0.2", "--price", "2", "--gpus", "2")
    assert half["training_s"] == pytest.approx(usual["training_s"])  # half as fast, twice as many
    assert half["cost"] == pytest.approx(2 * 2 * (half["training_s"] + half["answering_s"]) / 3600)
    assert usual["cost"] is None
    (again,) = hours(capsys, STAGE2, "A40", "--options", "model.use_grad_checkpoint_llm=true")
    (ready,) = hours(capsys, STAGE2, "A40", "--options", "run.image_cache=features")
    (shared,) = hours(capsys, STAGE2, "A40", "--options", "run.questions_per_image=auto")
    assert again["training_s"] > 1.2 * usual["training_s"]
    assert ready["training_s"] < usual["training_s"] > 2 * shared["training_s"]


def test_it_is_shown_with_what_is_assumed(capsys: pytest.CaptureFixture) -> None:
    assert main(["estimate", "--cfg-path", STAGE2, "--gpu", "a40", "--gpus", "4", "--price", "0.5"]) == 0
    shown = capsys.readouterr().out
    assert "4 x A40" in shown
    assert "40% of a card's 16-bit operations" in shown
    assert "A40: 149.7 x 10^12 operations" in shown and "no bf16" not in shown
    assert "48 GB card" in shown and "24 GB card" not in shown, "the named card's own memory is asked for"


def test_what_cannot_be_told_is_refused(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    yaml = tmp_path / "own.yaml"
    yaml.write_text(
        "model: {arch: minigpt_v2}\ndatasets: {medical_custom: {batch_size: 2}}\n"
        f"run: {{task: medical_vqa, output_dir: {tmp_path}/out, test_splits: [test], precision: fp32}}\n"
    )
    assert main(["estimate", "--cfg-path", str(yaml), "--gpu", "A40"]) == 2
    told = capsys.readouterr().err
    assert "medical_custom: how many samples it has is not known" in told
    assert "fp32" in told
    assert main(["estimate", "--cfg-path", STAGE2, "--price", "2"]) == 2
    assert "--gpu" in capsys.readouterr().err


def test_cards_without_bf16(capsys: pytest.CaptureFixture) -> None:
    assert main(["estimate", "--cfg-path", STAGE2, "--gpu", "T4"]) == 0
    assert "It has no bf16: runs take fp16 there." in " ".join(capsys.readouterr().out.split())
    assert main(["estimate", "--cfg-path", STAGE2, "--gpu", "T4", "V100", "--options", "run.precision=bf16"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "bf16, which T4 does not have; run.precision=fp16" in told and "which V100 does" in told
