"""TRL's own GRPOTrainer trains an exported model with our scorers as rewards, and logs what they gave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pefomed_plugin.cli import main
from pefomed_plugin.rewards import ProbeWatch, reward
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.services.rating.preferences import Preference, write_preferences
from pefomed_plugin.storage import write_records
from tests.conformance.exported_model import generated_questions, loaded, write_talkative
from tests.unit.scoring.rows import predicted
from tests.unit.services.judged import answers


def test_two_steps_of_grpo_are_rewarded_by_our_scorer(tmp_path: Path) -> None:
    trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
    folder, _ = write_talkative(tmp_path)
    model, processor = loaded(folder)
    rows = [
        {"images": [film], "prompt": [{"role": "user", "content": text}], "answer": "a b e i", "id": text}
        for film, text in generated_questions(4)
    ]
    watch = ProbeWatch(reward("token_f1/corrected"), [predicted("a b e i").sample])
    given: list[tuple[list[str], list[float | None]]] = []

    def kept(completions: list[list[dict[str, str]]], **columns: object) -> list[float | None]:
        values = watch(completions=completions, **columns)
        given.append(([turn[0]["content"] for turn in completions], values))
        return values

    settings = trl.GRPOConfig(
        str(tmp_path / "run"),
        max_steps=2,
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=6,
        learning_rate=1e-2,
        remove_unused_columns=False,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        disable_tqdm=True,
    )
    begun = {name: one.detach().clone() for name, one in model.named_parameters()}
    trainer = trl.GRPOTrainer(
        model,
        reward_funcs=kept,
        args=settings,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=processor,
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logged) == len(given) == 2
    for entry, (texts, values) in zip(logged, given):
        alone = [reward("token_f1/corrected").of([predicted("a b e i", text)])[0] for text in texts]
        assert values == alone
        assert entry["reward"] == pytest.approx(sum(value or 0.0 for value in values) / len(values), abs=1e-6)
        assert 0 <= entry["probes/every option"] <= 1
    assert watch.completions == 16
    moved = [name for name, one in trainer.model.named_parameters() if not torch.equal(one, begun[name])]
    assert not [name for name in moved if "visual_encoder" in name]
    if any(entry["reward_std"] > 0 for entry in logged):
        assert moved


@pytest.mark.parametrize(("name", "kind"), [("dpo", "DPO"), ("kto", "KTO")])
def test_trl_trains_on_exported_preferences(tmp_path: Path, name: str, kind: str) -> None:
    trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
    films = generated_questions(4)
    samples = [predicted("yes", None, n, question=text) for n, (_, text) in enumerate(films)]
    runs = []
    for model, text in (("a", "yes"), ("b", "no")):
        found = [replace(sample, prediction=text) for sample in samples]
        (tmp_path / model).mkdir()
        write_records(tmp_path / model / "predictions.jsonl", found)
        write_scores(found, ["exact_match"], tmp_path / model, {})
        runs.append(str(tmp_path / model / "predictions.jsonl"))
    for sample, (film, _) in zip(samples, films):
        film.save(tmp_path / sample.only_image)
    asked = ["--scorer", "exact_match/pefomed", "--image-root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["rate", "export-preferences", *runs, *asked]) == 0
    rows = datasets.Dataset.from_parquet(str(tmp_path / "out" / f"{name}.parquet"), cache_dir=str(tmp_path / "cache"))
    folder, _ = write_talkative(tmp_path / "model")
    model, processor = loaded(folder)
    settings = getattr(trl, f"{kind}Config")(
        str(tmp_path / "run"),
        max_steps=1,
        per_device_train_batch_size=2,
        max_length=None,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = getattr(trl, f"{kind}Trainer")(
        model, ref_model=loaded(folder)[0], args=settings, train_dataset=rows, processing_class=processor
    )
    assert trainer.train().training_loss > 0


def test_verdicts_side_by_side_are_what_trl_makes_of_their_pairs(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    data_utils = pytest.importorskip("trl.data_utils")
    mine = answers(4)
    verdicts = [Preference(found.id, at, "r", 1, "a", "b", "ab"[at % 2], None) for at, found in enumerate(mine)]
    runs = []
    for name in "ab":
        runs.append(str(tmp_path / name / "predictions.jsonl"))
        (tmp_path / name).mkdir()
        texts = [f"{name}{at}" for at in range(4)]
        write_records(Path(runs[-1]), [replace(found, prediction=text) for found, text in zip(mine, texts)])
    write_preferences(tmp_path / "preferences.jsonl", ("a", "b"), verdicts)
    asked = ["--study", str(tmp_path / "preferences.jsonl"), "--out", str(tmp_path / "out")]
    assert main(["rate", "export-preferences", *runs, *asked]) == 0
    pairs, labels = (
        datasets.Dataset.from_json(str(tmp_path / "out" / f"{name}.jsonl"), cache_dir=str(tmp_path / "cache"))
        for name in ("dpo", "kto")
    )
    assert data_utils.is_conversational(pairs[0]) and data_utils.is_conversational(labels[0])
    columns = ("prompt", "chosen", "rejected")
    theirs = data_utils.unpair_preference_dataset(pairs.select_columns(list(columns)))

    def said(rows: Any) -> list[tuple[str, str, bool]]:
        return sorted((row["prompt"][0]["content"], row["completion"][0]["content"], row["label"]) for row in rows)

    assert said(theirs) == said(labels) and len(labels) == 8
