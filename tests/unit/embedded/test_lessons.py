"""What the tiny language model is taught: true, in the exact prompts, and without one question seeing another."""

from __future__ import annotations

from random import Random

import pytest

from pefomed_plugin.embedded import lessons
from pefomed_plugin.prompts import IMAGE_PLACEHOLDER

torch = pytest.importorskip("torch")


class Words:
    """A tokenizer for tests: one id a word."""

    def __init__(self):
        self.ids = {}

    def encode(self, text):
        return [self.ids.setdefault(word, 3 + len(self.ids)) for word in text.split()]

    def decode(self, ids):
        words = {number: word for word, number in self.ids.items()}
        return " ".join(words[token_id] for token_id in ids)


def pages(count, seed=0):
    words, rng = Words(), Random(seed)
    return words, [lessons.draw_page(rng, words.encode) for _ in range(count)]


def prompts(words, page):
    shared, branches = page
    return [words.decode([*shared, *ask]) for ask, _ in branches]


def test_prompts_are_those_of_fine_tuning_with_words_for_the_image():
    words, drawn = pages(60)
    for page in drawn:
        for text in prompts(words, page):
            assert text.startswith("[INST] <Img> ") and text.endswith(" [/INST]")
            assert (
                " </Img> [vqa] Based on the image, respond to this question with a short answer: " in text
                or " </Img> [caption] " in text
                or " </Img> [report] " in text
            )
            assert IMAGE_PLACEHOLDER not in text


def test_every_task_is_taught():
    words, drawn = pages(120)
    joined = " ".join(text for page in drawn for text in prompts(words, page))
    assert all(f"[{task}]" in joined for task in lessons.TASK_SHARES)


def test_pages_are_deterministic():
    assert pages(20, seed=4)[1] == pages(20, seed=4)[1] != pages(20, seed=5)[1]


def test_texts_hold_every_segment_and_no_marker():
    joined = " ".join(lessons.texts(Random(0), 80))
    assert "hemorrhage" in joined and "[/INST]" in joined and IMAGE_PLACEHOLDER not in joined


def test_the_loss_is_over_answers_and_their_end_only():
    batch = lessons.collate([([10, 11], [([12], [13, 14]), ([15, 16], [17])]), ([20], [([21], [22])])], bos=1, eos=2)
    ids, ignored = batch["input_ids"].tolist(), lessons.IGNORED
    assert ids[0] == [1, 10, 11, 12, 13, 14, 2, 15, 16, 17, 2]
    assert batch["labels"][0].tolist() == [ignored] * 4 + [13, 14, 2] + [ignored] * 2 + [17, 2]
    assert batch["position_ids"][0].tolist() == [0, 1, 2, 3, 4, 5, 6, 3, 4, 5, 6]
    assert batch["labels"][1].tolist() == [ignored] * 3 + [22, 2] + [ignored] * 6


def test_a_question_gives_the_same_logits_alone_and_beside_others():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=400,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.3,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    _, drawn = pages(30)
    shared, branches = max(drawn, key=lambda page: len(page[1]))
    assert len(branches) > 3
    batch = lessons.collate([(shared, branches)], bos=1, eos=2)
    batch.pop("labels")
    with torch.no_grad():
        together = model(**batch).logits[0]
        at = 1 + len(shared)
        for ask, answer in branches:
            alone = model(input_ids=torch.tensor([[1, *shared, *ask, *answer, 2]])).logits[0, 1 + len(shared) :]
            assert torch.allclose(together[at : at + len(alone)], alone, atol=1e-5)
            at += len(alone)
