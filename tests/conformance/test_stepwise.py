"""Questions that are admitted, advanced and dropped from outside get the answers they get alone; their likelihoods."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pefomed_plugin.toolkit.bundled import greedy
from tests.conformance.golden import arrays
from tests.conformance.test_answering import ASKED, LIMIT, alone, random_model, texts_of


def admit(model: Any, rows: Any, numbers: list[int], scored: bool = False, limits: Any = None) -> list[Any]:
    texts = texts_of(ASKED)
    images = [ASKED[number][0] for number in numbers]
    layout, firsts = model.packer()([texts[number] for number in numbers], None, images)
    features = rows.encode(arrays()["images"][[images[first] for first in firsts]])
    return rows.admit(features, layout, limits or [LIMIT] * len(numbers), numbers, [scored] * len(numbers))


@pytest.mark.parametrize("fixed", [False, True], ids=["as on a CPU", "shapes as on a GPU"])
@pytest.mark.parametrize("seed", range(3))
def test_rows_that_enter_and_leave_mid_way(seed: int, fixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greedy.Slots, "_fixed_shapes", fixed)
    monkeypatch.setattr(greedy.Slots, "_lag", int(fixed))
    model, expected = random_model(seed), alone(seed)
    rows = model.stepwise(4)
    waiting, running, steps = list(range(len(ASKED))), [], 0
    found: dict[int, list[int]] = {}
    while waiting or running:
        if waiting and rows.free and steps % 2 == 0:
            taken = waiting[: min(rows.free, 1 + steps % 3)]
            waiting = waiting[len(taken) :]
            running += admit(model, rows, taken, scored=steps % 4 == 0)
        rows.step()
        steps += 1
        found.update({answer.name: answer.ids for answer in running if answer.is_done})
        running = [answer for answer in running if not answer.is_done]
    assert [found[number] for number in range(len(ASKED))] == expected


@pytest.mark.parametrize("fixed", [False, True], ids=["as on a CPU", "shapes as on a GPU"])
def test_a_dropped_row_changes_no_other(fixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greedy.Slots, "_fixed_shapes", fixed)
    monkeypatch.setattr(greedy.Slots, "_lag", int(fixed))
    model, expected = random_model(1), alone(1)
    rows = model.stepwise(3)
    first = admit(model, rows, [0, 1, 2])
    rows.step()
    rows.drop(first[1])
    assert rows.free == 1 + sum(answer.is_done for answer in (first[0], first[2]))
    (late,) = admit(model, rows, [3])
    for _ in range(LIMIT + 1):
        rows.step()
    assert [first[0].ids, first[2].ids, late.ids] == [expected[0], expected[2], expected[3]]
    assert len(first[1].ids) <= 2 and rows.free == 3


def test_limits_of_their_own() -> None:
    model, expected = random_model(0), alone(0)
    rows = model.stepwise(4)
    answers = admit(model, rows, [0, 1, 2], limits=[1, 3, LIMIT])
    for _ in range(LIMIT):
        rows.step()
    assert [answer.ids for answer in answers] == [expected[0][:1], expected[1][:3], expected[2]]


@pytest.mark.parametrize("fixed", [False, True], ids=["as on a CPU", "shapes as on a GPU"])
def test_likelihoods_are_those_of_the_whole_sequence_read_at_once(fixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greedy.Slots, "_fixed_shapes", fixed)
    monkeypatch.setattr(greedy.Slots, "_lag", int(fixed))
    model = random_model(1)
    rows = model.stepwise(4)
    answers = admit(model, rows, [0, 1, 4], scored=True) + admit(model, rows, [2])
    for _ in range(LIMIT + 1):
        rows.step()
    assert answers[-1].scores is None
    for answer in answers[:-1]:
        image, text = ASKED[answer.name][0], texts_of(ASKED)[answer.name]
        layout = model.lay_out([model.prompt_template.format(text)])
        begin = model._embed(model.encode_img(arrays()["images"][[image]]), layout)
        more = model._causal_lm().model.embed_tokens(torch.tensor([answer.ids[:-1]]))
        with torch.no_grad():
            logits = model.llama_model(inputs_embeds=torch.cat([begin, more], 1)).logits[0, begin.shape[1] - 1 :]
        likely = logits.log_softmax(-1)
        assert len(answer.scores) == len(answer.ids)
        for place, (token, row) in enumerate(zip(answer.ids, answer.scores)):
            known = rows.score(row)
            assert known.logprob == pytest.approx(likely[place, token].item(), abs=1e-5)
            top = likely[place].topk(20)
            assert [value for _, value in known.top] == pytest.approx(top.values.tolist(), abs=1e-5)
            assert known.top[0][0] == token
            for other, value in known.top:
                assert value == pytest.approx(likely[place, other].item(), abs=1e-5)


def test_a_piece_is_what_a_token_adds() -> None:
    model = random_model(0)
    rows, tokenizer = model.stepwise(1), model.llama_tokenizer
    ids = tokenizer.encode("Is there a fracture of the left rib?")
    assert "".join(map(rows.piece, ids)).strip() == rows.text(ids)
    assert rows.piece(tokenizer.eos_token_id) == "" and rows.is_end(tokenizer.eos_token_id)
