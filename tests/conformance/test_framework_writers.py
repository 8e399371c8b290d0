"""Files that the own code of ms-swift and LLaMA-Factory writes, with an engine that answers by heart.

Run once with ms-swift 4.6.0 and LLaMA-Factory 0.9.5 (DISABLE_VERSION_CHECK=1, trl 0.24.0).
"""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.services.results_in import recognise
from pefomed_plugin.storage import read_predictions

from ..unit.services.results_in.rows import QUESTIONS, TEXTS, lines

pytestmark = pytest.mark.slow


def imported(file: Path, folder: Path) -> list[str | None]:
    own = folder / "own"
    own.mkdir()
    lines(own / "test.jsonl", [dict(zip(("id", "image", "question", "answer"), row)) for row in QUESTIONS])
    where = ["--dataset", "medical_custom", "--data", str(own), "--out", str(folder / "out")]
    assert main(["import-predictions", str(file), *where]) == 0
    return [found.prediction for found in read_predictions(folder / "out" / "predictions.jsonl")]


def test_ms_swift(tmp_path: Path) -> None:
    swift = pytest.importorskip("swift.pipelines.infer.infer")
    writer = pytest.importorskip("swift.utils").JsonlWriter
    datasets = pytest.importorskip("datasets")
    asked = [
        {
            "messages": [{"role": "user", "content": f"<image>{question}"}, {"role": "assistant", "content": answer}],
            "images": [{"bytes": None, "path": f"/data/{image}"}],
        }
        for _, image, question, answer in QUESTIONS
    ]
    arguments = types.SimpleNamespace(infer_backend="pt", rank=-1, global_world_size=1, task_type="causal_lm")
    arguments.vllm_tensor_parallel_size = 1
    engine = types.SimpleNamespace(
        args=arguments, infer_kwargs={}, infer=lambda *_, **__: [said(text) for text in TEXTS]
    )
    file = tmp_path / "result.jsonl"
    rows = swift.SwiftInfer._batch_infer(engine, datasets.Dataset.from_list(asked), None)
    writer(str(file)).append(rows, gather_obj=True)
    assert recognise(file).name == "ms_swift"
    assert imported(file, tmp_path) == list(TEXTS)


def said(text: str) -> types.SimpleNamespace:
    message = types.SimpleNamespace(content=text)
    return types.SimpleNamespace(choices=[types.SimpleNamespace(message=message, logprobs=None)])


def test_llama_factory(tmp_path: Path) -> None:
    trainer = pytest.importorskip("llamafactory.train.sft.trainer").CustomSeq2SeqTrainer
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    numpy = pytest.importorskip("numpy")
    prompts = [f"<s> user <image> {question} assistant" for _, _, question, _ in QUESTIONS]
    answers = [answer for *_, answer in QUESTIONS]
    words = {"<pad>": 0, "<s>": 1, "<image>": 2, "</s>": 3, "<unk>": 4}
    for text in (*prompts, *answers, *TEXTS):
        for word in text.split():
            words.setdefault(word, len(words))
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )

    def ids(texts: list[str], filler: int) -> object:
        found = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        longest = max(map(len, found)) + 2
        return numpy.array([row + [filler] * (longest - len(row)) for row in found])

    me = types.SimpleNamespace(
        is_world_process_zero=lambda: True,
        args=types.SimpleNamespace(output_dir=str(tmp_path)),
        processing_class=tokenizer,
    )
    results = types.SimpleNamespace(label_ids=ids(answers, -100), predictions=ids(list(TEXTS), -100))
    trainer.save_predictions(me, {"input_ids": [tokenizer(text)["input_ids"] for text in prompts]}, results)
    file = tmp_path / "generated_predictions.jsonl"
    assert recognise(file).name == "llama_factory"
    assert imported(file, tmp_path) == list(TEXTS)
