"""GRPO on the embedded default, with a sound reward and with one that can be hacked; what each gained and what it says.

Trains the exported transformers model of a run through TRL, with our scorers as rewards, and answers the test split
greedily before and after. Prints exact match with its interval beside the reward, the probes that the completions of
training looked like, and the answers that became most common. Data and model are generated: nothing about medicine.

docs/rewards.md has the commands from nothing to the figures, and the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForImageTextToText, AutoProcessor, set_seed
from trl import GRPOConfig, GRPOTrainer

from pefomed_plugin.readers import read_data
from pefomed_plugin.records import Prediction, Sample
from pefomed_plugin.rewards import ProbeWatch, reward, rows_of
from pefomed_plugin.scoring import find_scorer
from pefomed_plugin.scoring.files import measure

REWARDS = ("exact_match/pefomed", "token_recall/llava_med")
MEASURED = ("exact_match/pefomed", "token_recall/llava_med", "token_f1/corrected", "closed_accuracy/llava_med")
BATCH = 32


def main() -> int:
    """Train with each reward; the summary goes to ``summary.json``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path, required=True, help="exported folder (--format transformers)")
    parser.add_argument("--data", type=Path, required=True, help="the generated VQA-RAD")
    parser.add_argument("--dataset", default="vqa_rad")
    parser.add_argument("--reward", action="append", default=[], help=f"default: {', '.join(REWARDS)}")
    parser.add_argument("--samples", type=int, default=512, help="of the training split, evenly chosen")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--lr", type=float, default=3e-5)
    parser.add_argument("--temperature", type=float, default=1.0, help="of the completions of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("output/rewards"))
    given = parser.parse_args()
    release = read_data(given.dataset, given.data)
    splits = release.splits()
    model, processor = load(given.model)
    found = {"before": answer(model, processor, splits["test"], release.image_root, given.out / "before")}
    show("before", found["before"])
    for name in given.reward or REWARDS:
        set_seed(given.seed)
        model, processor = load(given.model)
        watch, spent = train(model, processor, name, splits["train"], release.image_root, given)
        after = answer(model, processor, splits["test"], release.image_root, given.out / name.replace("/", "-"))
        found[name] = {**after, "cpu_seconds": round(spent, 1), "training": watched(watch)}
        show(f"after {given.steps} steps of {name} ({spent:.0f} s of CPU)", found[name])
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "summary.json").write_text(json.dumps(found, indent=1) + "\n")
    return 0


def load(folder: Path) -> tuple[Any, Any]:
    """Model and processor."""
    model = AutoModelForImageTextToText.from_pretrained(str(folder), trust_remote_code=True, dtype=torch.float32)
    return model, AutoProcessor.from_pretrained(str(folder), trust_remote_code=True)


def settings_of(given: argparse.Namespace) -> GRPOConfig:
    """Small, on the CPU: 8 questions with 8 completions each a step."""
    return GRPOConfig(
        str(given.out / "trainer"),
        max_steps=given.steps,
        per_device_train_batch_size=64,
        num_generations=8,
        max_completion_length=20,
        learning_rate=given.lr,
        lr_scheduler_type="constant",
        temperature=given.temperature,
        beta=0.0,
        loss_type="dr_grpo",
        remove_unused_columns=False,
        logging_steps=5,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        seed=given.seed,
        disable_tqdm=True,
    )


def train(
    model: Any, processor: Any, name: str, samples: Sequence[Sample], image_root: Path, given: argparse.Namespace
) -> tuple[ProbeWatch, float]:
    """Train the language model and the projection; what was counted on the way, and seconds of CPU."""
    begun = time.process_time()
    scored = [sample for sample in samples if has_value(name, sample)]
    taught = scored[:: max(1, len(scored) // given.samples)][: given.samples]
    rows = Dataset.from_list(list(rows_of(taught, image_root)))
    watch = ProbeWatch(reward(name), taught)
    trainer = GRPOTrainer(
        model, reward_funcs=watch, args=settings_of(given), train_dataset=rows, processing_class=processor
    )
    trainer.train()
    (given.out / name.replace("/", "-")).mkdir(parents=True, exist_ok=True)
    log = given.out / name.replace("/", "-") / "log.jsonl"
    log.write_text("".join(json.dumps(entry) + "\n" for entry in trainer.state.log_history))
    return watch, time.process_time() - begun


def has_value(name: str, sample: Sample) -> bool:
    """Whether the reward scores this sample at all: a rule of open questions has nothing to say of closed ones."""
    return reward(name).of([Prediction.of(sample, sample.answer, {})]) != [None]


@torch.inference_mode()
def answer(model: Any, processor: Any, samples: Sequence[Sample], image_root: Path, out: Path) -> dict[str, Any]:
    """Greedy answers to a split, written as predictions, and their figures."""
    model.eval()
    predictions = []
    for begin in range(0, len(samples), BATCH):
        some = samples[begin : begin + BATCH]
        messages = [
            [
                {
                    "role": "user",
                    "content": [{"type": "image", "image": row["images"][0]}, {"type": "text", "text": text}],
                }
            ]
            for row in rows_of(some, image_root)
            for text in [row["prompt"][0]["content"]]
        ]
        batch = processor.apply_chat_template(
            messages,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        ids = model.generate(**batch, do_sample=False, max_new_tokens=20)[:, batch["input_ids"].shape[1] :]
        texts = processor.batch_decode(ids, skip_special_tokens=True)
        predictions += [Prediction.of(sample, text, {"model": str(out.name)}) for sample, text in zip(some, texts)]
    out.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(found.to_json(), ensure_ascii=False) + "\n" for found in predictions)
    (out / "predictions.jsonl").write_text(lines)
    figures = {name: measure(find_scorer(name), predictions).figures for name in MEASURED}
    said = [(found.prediction or "").split() for found in predictions]
    return {
        "figures": {
            name: {group: figure[group] for group in ("open", "closed", "overall") if group in figure}
            for name, figure in figures.items()
        },
        "words": round(sum(map(len, said)) / len(said), 2),
        "most_common": Counter(" ".join(words) for words in said).most_common(4),
        "examples": [
            [found.question, found.answer, found.prediction] for found in predictions if found.answer_type == "OPEN"
        ][:4],
    }


def watched(watch: ProbeWatch) -> dict[str, Any]:
    """Shares over all of training."""
    shares = {share.probe: [round(share.completions, 4), round(share.references, 4)] for share in watch.shares()}
    return {"completions": watch.completions, "shares": shares, "words": round(watch.words, 2)}


def show(title: str, found: dict[str, Any]) -> None:
    """What a person wants to see."""
    print(f"\n== {title}: {found['words']} words an answer")
    for name, figures in found["figures"].items():
        for group, figure in figures.items():
            interval = figure.get("interval") or {}
            print(
                f"  {name:24} {group:8} {figure['value']} {interval.get('low')} {interval.get('high')} n={figure['n']}"
            )
    for probe, (said, expected) in found.get("training", {}).get("shares", {}).items():
        print(f"  while training, like {probe!r}: {said:.1%} of completions, {expected:.1%} of references")
    print("  most common:", found["most_common"])
    for example in found["examples"]:
        print("  ", example)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    raise SystemExit(main())
