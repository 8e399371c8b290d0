"""The paragraph of methods holds the numbers of this run, and no others."""

from __future__ import annotations

import json
from pathlib import Path

from pefomed_plugin.reporting.paper.methods import methods_text

from .made import CONFIG, change_first, judged, material, study


def text(folder: Path) -> str:
    return "\n".join(methods_text(material(folder)))


def test_it_says_how_it_was_trained_and_what_was_found(tmp_path: Path) -> None:
    judged(study(tmp_path))
    said = text(tmp_path)
    for words in (
        "images of 448 x 448 pixels",
        "LoRA of rank 64",
        "56,627,200 numbers are trained",
        "Stage 2 was trained on VQA-RAD (batch 6) for 50 epochs of one pass each, ",
        "at learning rates from 3e-05 to 1e-05",
        "On VQA-RAD (8 test questions) 62.5 % (95 % interval",
        "(50.0 % of the open ones and 75.0 % of the closed ones)",
        "by gpt-4o, asked 2 times, 68.8 \u00b1 8.8 %",
        "by 3 people",
        "Not part of this text: slake (no run)",
    ):
        assert words in said, words
    assert "Not a result" not in said


def test_a_changed_prediction_changes_the_text(tmp_path: Path) -> None:
    results = study(tmp_path)
    before = text(tmp_path)
    change_first(results, "something else")
    assert "62.5 %" in before and "62.5 %" not in text(tmp_path) and "50.0 %" in text(tmp_path)


def test_a_changed_setting_changes_the_text(tmp_path: Path) -> None:
    study(tmp_path)
    changed = {**CONFIG, "run": {**CONFIG["run"], "max_epoch": 3}}
    (tmp_path / "both/config.yaml").write_text(json.dumps(changed))
    assert "for 3 epochs" in text(tmp_path)


def test_generated_data_are_its_first_sentence(tmp_path: Path) -> None:
    study(tmp_path, producer={"origin": {"data": {"vqa_rad": "generated"}, "model": "tiny"}})
    assert methods_text(material(tmp_path))[0].startswith("Not a result: tiny model, generated data (vqa_rad)")


def test_without_a_run_it_says_so(tmp_path: Path) -> None:
    assert "No run of the row with both stages" in methods_text(material(tmp_path))[0]


def test_a_variant_of_lora_is_named(tmp_path: Path) -> None:
    study(tmp_path)
    peft = {"use_dora": True, "init_lora_weights": None, "modules_to_save": ["norm"], "lora_plus_ratio": 16.0}
    changed = {**CONFIG, "model": {**CONFIG["model"], "peft": peft}}
    (tmp_path / "both/config.yaml").write_text(json.dumps(changed))
    said = text(tmp_path)
    assert "LoRA of rank 64, weight decomposition (DoRA), norm trained whole, B learning 16 times as fast" in said
