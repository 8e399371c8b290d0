"""Drafts spare calls and change no token: what the model does not say itself is thrown away."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pefomed_plugin.toolkit.bundled import drafts as drafts_module
from pefomed_plugin.toolkit.bundled import greedy
from pefomed_plugin.toolkit.bundled.drafts import DRAFT, Drafts
from pefomed_plugin.toolkit.bundled.greedy import Counted
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from tests.conformance.golden import arrays, golden, golden_model
from tests.conformance.test_answering import ASKED, LIMIT, Feed, alone, random_model, texts_of


@pytest.fixture(params=[False, True], ids=["as on a CPU", "shapes as on a GPU"])
def shapes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(greedy.Slots, "_fixed_shapes", request.param)
    monkeypatch.setattr(MiniGPTv2, "_answer_text", lambda _, ids: list(ids))
    return request.param


def drafted(model: MiniGPTv2, drafts: Drafts | None, slots: int) -> tuple[list[Any], Counted]:
    """Tokens of the answers in the order of the questions, and what they took."""
    told: list[Counted] = []
    found: dict[Any, Any] = dict(
        model.answers(Feed(model, ASKED, texts_of(ASKED)), slots, LIMIT, drafts=drafts, told=told.append)
    )
    return [found[number] for number in range(len(ASKED))], told[0]


@pytest.mark.usefixtures("shapes")
@pytest.mark.parametrize("seed", range(4))
def test_tokens_are_the_models_own_whatever_is_guessed(seed: int) -> None:
    model, expected = random_model(seed), alone(seed)
    tokens = sum(map(len, expected))
    right = Drafts(expected)
    half = Drafts([ids[: len(ids) // 2] + [7, 8, 9] * 3 for ids in expected])
    wrong = Drafts([[token, 3, 4, 5] for token in range(512)])
    for slots in (1, 4):
        apart, plain = drafted(model, None, slots)
        assert apart == expected
        assert (plain.tokens, plain.calls, plain.drafted) == (tokens, tokens, 0)
        for drafts, spared in ((right, 0.4), (half, 0.15), (wrong, 0.0)):
            given, told = drafted(model, drafts, slots)
            assert given == expected
            assert told.tokens == tokens and told.calls <= tokens * (1 - spared)
            assert told.steps <= plain.steps and told.drafted > 0


@pytest.mark.usefixtures("shapes")
def test_golden_answers_with_drafts() -> None:
    model = golden_model()
    expected = [row[1:] for row in golden()["generate_ids"]["greedy"]]
    layout, _ = model.packer()(golden()["instruction_input"], None, range(6))  # type: ignore[misc]
    batch = {"image": arrays()["images"], "layout": layout, "index": range(6)}
    batches = iter([batch])
    drafts = Drafts([ids[:-3] for ids in expected])
    found = dict(model.answers(lambda _: next(batches, None), 6, len(expected[0]), drafts=drafts))
    pad = model.llama_tokenizer.pad_token_id
    assert [found[number] + [pad] * (len(expected[0]) - len(found[number])) for number in range(6)] == expected


def test_the_longest_context_that_was_seen_says_what_follows() -> None:
    drafts = Drafts([[5, 6, 7, 2], [5, 6, 7, 2], [5, 6, 8, 2], [9, 6, 8, 8, 2]])
    assert drafts.after([], 1, 0.0) == [5]
    assert drafts.after([5], DRAFT, 0.0) == [6, 7, 2]
    assert drafts.after([9], 2, 0.0) == [6, 8]  # not 7, which follows 6 as often, but never behind 9
    assert drafts.after([5], DRAFT, 0.9) == [6]
    assert drafts.after([5], DRAFT, 0.6) == [6, 7, 2]
    assert drafts.after([77], DRAFT, 0.0) == drafts.after([5, 6, 7, 2], DRAFT, 0.0) == []
    assert drafts.after([5], 0, 0.0) == []


def test_what_is_too_much_to_look_up_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts_module, "MOST_TOKENS", 5)
    drafts = Drafts([[5, 6, 2], [7, 8, 2], [9, 2]])
    assert drafts.answers == 1
    assert drafts.after([7], 1, 0.0) == []


def test_drafts_are_cut_from_training_answers_as_training_sees_them() -> None:
    model = golden_model()
    drafts = model.drafts_of(["no acute disease", "no acute disease"])
    ids = model.llama_tokenizer.encode("no acute disease</s>")
    assert drafts.after([], len(ids), 0.0) == ids and ids[-1] == model.llama_tokenizer.eos_token_id
    assert torch.is_grad_enabled()
