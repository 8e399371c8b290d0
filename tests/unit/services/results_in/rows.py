"""Files of every format about two questions or two reports, made from what its project's source says it writes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pefomed_plugin.cli import main
from pefomed_plugin.storage import read_predictions

QUESTIONS = [("q0", "p0.png", "Is the square filled?", "yes"), ("q1", "p1.png", "Which shape is drawn?", "triangle")]
TEXTS = ("no", "circle")

Rows = Sequence[tuple[str, str, str, str]]


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def whole(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def of_each(make: Callable[[str, str, str, str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [make(*row, text) for row, text in zip(QUESTIONS, TEXTS)]


def inspect_samples(**more: Any) -> list[dict[str, Any]]:
    return of_each(
        lambda key, image, question, answer, text: {
            "id": key,
            "epoch": 1,
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "image", "image": "attachment://0"}, {"type": "text", "text": question}],
                }
            ],
            "target": answer,
            "output": {"completion": text, "choices": [{"message": {"role": "assistant", "content": text}}]},
            **more,
        }
    )


def archive(path: Path, samples: Sequence[dict[str, Any]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("header.json", "{}")
        for number, sample in enumerate(samples):
            file.writestr(f"samples/{number}_epoch_{sample.get('epoch', 1)}.json", json.dumps(sample))
    return path


def write(name: str, folder: Path) -> Path:
    """A file of the format, with ``TEXTS`` as answers to ``QUESTIONS``."""
    if name == "r2gen":
        for file, column in (("res.csv", TEXTS), ("gts.csv", [row[3] for row in QUESTIONS])):
            (folder / file).write_text("".join(text + "\n" for text in column), encoding="utf-8")
        return folder / "res.csv"
    if name == "inspect_ai":
        return archive(folder / "log.eval", inspect_samples())
    make: dict[str, Any] = {
        "llava_med": lambda key, image, question, answer, text: {
            "question_id": key,
            "prompt": question,
            "text": text,
            "answer_id": "x",
            "model_id": "m",
            "metadata": {},
        },
        "medevalkit": lambda key, image, question, answer, text: {
            "question": question,
            "answer": answer,
            "response": text,
            "correct": False,
        },
        "vlmevalkit": lambda key, image, question, answer, text: {
            "index": 7,
            "question": question,
            "answer": answer,
            "prediction": text,
        },
        "lmms_eval": lambda key, image, question, answer, text: {
            "doc_id": 0,
            "target": answer,
            "filtered_resps": text,
            "token_counts": [None],
            "doc_hash": "0",
            "exact_match": 0.0,
            "input": f"{question}\nAnswer the question using a single word or phrase.",
        },
        "ms_swift": lambda key, image, question, answer, text: {
            "response": text,
            "labels": answer,
            "logprobs": None,
            "messages": [{"role": "user", "content": f"<image>{question}"}, {"role": "assistant", "content": text}],
            "images": [{"bytes": None, "path": f"/data/{image}"}],
        },
        "llama_factory": lambda key, image, question, answer, text: {
            "prompt": f"user\n{question}assistant\n",
            "predict": text,
            "label": answer,
        },
    }
    if name in ("medevalkit", "vlmevalkit"):
        return whole(folder / "file.json", of_each(make[name]))
    if name in make:
        return lines(folder / "file.jsonl", of_each(make[name]))
    if name == "rexrank":
        return whole(
            folder / "file.json", {key: {"model_prediction": text} for (key, *_), text in zip(QUESTIONS, TEXTS)}
        )
    return whole(
        folder / "file.json",
        {
            key: {"question": question, "ground_truth": answer, "generated_answer": text}
            for (key, _, question, answer), text in zip(QUESTIONS, TEXTS)
        },
    )


def arguments(own: Path, *given: str | Path) -> list[str]:
    """Command that imports a file for the release of ``own`` into a folder beside it."""
    where = ["--dataset", "medical_custom", "--data", str(own), "--out", str(own.parent / "out")]
    return ["import-predictions", *map(str, given), *where]


def imported(own: Path, *given: str | Path) -> list[str | None]:
    """Answers that the command wrote."""
    assert main(arguments(own, *given)) == 0
    return [prediction.prediction for prediction in read_predictions(own.parent / "out" / "predictions.jsonl")]
