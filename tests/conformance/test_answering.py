"""Questions that leave and enter slots get the answers they get alone, from transformers' own ``generate``."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pefomed_plugin.families.sizes import KEY_BLOCK
from pefomed_plugin.lora import LoraSettings
from pefomed_plugin.toolkit.bundled import decoder, generation, greedy
from pefomed_plugin.toolkit.bundled.key_values import KeyValues, in_blocks
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.vision_encoders import encoder_of
from tests.conformance.golden import arrays, golden, golden_model

END = 2
LIMIT = 12
ASKED = [(0, 0), (0, 1), (1, 2), (2, 3), (2, 4), (2, 5), (1, 0), (0, 3), (3, 1), (4, 2), (5, 5)]
"""Image and question of the golden file; neighbours of one image come together."""


def random_model(seed: int) -> MiniGPTv2:
    """Another tiny model each time, which ends its answers now and then; odd ones have two key heads."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "vocab_size": 512,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2 if seed % 2 else 4,
        "initializer_range": 0.3,
        "eos_token_id": END,
        "pad_token_id": 0,
    }
    language = LlamaForCausalLM(LlamaConfig(**sizes))
    with torch.no_grad():
        language.lm_head.weight[END] *= 4
    model = MiniGPTv2(
        language.requires_grad_(False),
        golden_model().llama_tokenizer,
        LoraSettings(4, 16, ("q_proj", "v_proj")),
        encoder=encoder_of({"vit": golden()["vit"], "image_size": 56}),
    )
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def texts_of(asked: list[tuple[int, int]], long: bool = False) -> list[str]:
    """What is asked; ``long``: the last ones need more columns than the first."""
    texts = [golden()["instruction_input"][question] for _, question in asked]
    return [text + " and so on" * 12 if long and number > 6 else text for number, text in enumerate(texts)]


@cache
def alone(seed: int, long: bool = False) -> list[list[int]]:
    """Each question's tokens by transformers, up to the end."""
    found, model = [], random_model(seed)
    for (image, _), text in zip(ASKED, texts_of(ASKED, long)):
        prompt = model.prompt_template.format(text)
        ids = model.generate_ids(arrays()["images"][[image]], [prompt], max_new_tokens=LIMIT)[0].tolist()
        found.append(ids[: ids.index(END) + 1] if END in ids else ids)
    return found


class Feed:
    """Hands out the questions in their order, as many as are wanted; what it was asked for is noted."""

    def __init__(self, model: MiniGPTv2, asked: list[tuple[int, int]], texts: list[str]) -> None:
        packer: Any = model.packer()
        self.packer, self.asked, self.texts = packer, asked, texts
        self.given, self.wanted = 0, []

    def __call__(self, free: int) -> dict[str, Any] | None:
        self.wanted.append(free)
        numbers = list(range(self.given, min(self.given + free, len(self.asked))))
        if not numbers:
            return None
        self.given += len(numbers)
        layout, firsts = self.packer(
            [self.texts[number] for number in numbers], None, [self.asked[number][0] for number in numbers]
        )
        images = arrays()["images"][[self.asked[numbers[first]][0] for first in firsts]]
        return {"image": images, "layout": layout, "index": numbers}


def in_slots(model: MiniGPTv2, texts: list[str], slots: int, monkeypatch: Any) -> dict[Any, list[int]]:
    """Tokens of the answers, as they came."""
    monkeypatch.setattr(MiniGPTv2, "_answer_text", lambda _, ids: list(ids))
    return dict(model.answers(Feed(model, ASKED, texts), slots, LIMIT))


@pytest.mark.parametrize("fixed", [False, True], ids=["as on a CPU", "shapes as on a GPU"])
@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("slots", [1, 2, 5, 16])
def test_answers_in_any_number_of_slots(slots: int, long: bool, fixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greedy.Slots, "_fixed_shapes", fixed)
    monkeypatch.setattr(greedy.Slots, "_lag", int(fixed))
    different = 0
    for seed in range(3):
        expected = alone(seed, long)
        given = in_slots(random_model(seed), texts_of(ASKED, long), slots, monkeypatch)
        assert [given[number] for number in range(len(ASKED))] == expected
        different += len({len(ids) for ids in expected})
    assert different > 6, "all answers are of one length: nobody left early"


def test_a_question_leaves_when_it_is_answered_and_another_enters(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(1)
    lengths = [len(ids) for ids in alone(1)]
    computed = []
    monkeypatch.setattr(generation, "REFILL", 10**9)
    real = greedy.Slots._places
    monkeypatch.setattr(
        greedy.Slots, "_places", lambda self, running: computed.append(len(running)) or real(self, running)
    )
    names = list(in_slots(model, texts_of(ASKED), 3, monkeypatch))
    assert sum(computed) == sum(length - 1 for length in lengths), "a token was computed for nobody"
    assert len(computed) < sum(max(lengths[start : start + 3]) for start in range(0, len(ASKED), 3))
    assert names != sorted(names)


def test_waiting_questions_enter_when_a_quarter_is_free() -> None:
    model = random_model(1)
    feed = Feed(model, ASKED, texts_of(ASKED))
    assert len(list(model.answers(feed, 8, LIMIT))) == len(ASKED)
    assert feed.wanted[0] == 8 and feed.wanted[1] >= 2


def test_slots_are_used_again_until_the_model_trains_or_moves() -> None:
    model = random_model(0)
    feed = [Feed(model, ASKED, texts_of(ASKED)) for _ in range(4)]
    first = dict(model.answers(feed[0], 4, LIMIT))
    kept = model._idle_slots
    assert kept is not None
    version = kept[1].store.version
    steps = model.answers(feed[1], 4, LIMIT)
    next(steps)
    del steps  # nobody wants to know the rest
    assert dict(model.answers(feed[2], 4, LIMIT)) == first
    assert model._idle_slots is kept and kept[1].store.version == version
    with model.merged_lora():
        assert model._idle_slots is None
    dict(model.answers(feed[3], 4, LIMIT))
    model.train()
    assert model._idle_slots is None


def test_two_at_once_have_slots_of_their_own() -> None:
    model = random_model(0)
    expected = dict(model.answers(Feed(model, ASKED, texts_of(ASKED)), 4, LIMIT))
    one, other = (model.answers(Feed(model, ASKED, texts_of(ASKED)), 4, LIMIT) for _ in range(2))
    pairs = list(zip(one, other))
    assert dict(pair[0] for pair in pairs) == dict(pair[1] for pair in pairs) == expected


def test_a_compiled_step_gives_the_same_tokens_far_from_torchs_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """All layers and key blocks take the same code: after eight compilations of a function torch compiles no more."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    monkeypatch.setattr(greedy.Slots, "_fixed_shapes", True)
    for seed in range(2):
        decoder._compiled.cache_clear()
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        model = random_model(seed)
        model.compile_layers = True
        for slots, long in ((1, False), (5, True), (3, False)):
            given = in_slots(model, texts_of(ASKED, long), slots, monkeypatch)
            assert [given[number] for number in range(len(ASKED))] == alone(seed, long)
        # a layer is cut in three at the store; one slot and several are compiled apart
        assert 3 <= torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 3 * 3
    decoder._compiled.cache_clear()


def test_too_many_questions_are_an_error() -> None:
    model = random_model(0)
    batch = Feed(model, ASKED, texts_of(ASKED))(5)
    assert batch is not None
    with pytest.raises(ValueError, match="5 questions, but 4 free slots"):
        list(model.answers(lambda free: batch, 4))


def test_columns_come_in_blocks_and_keep_what_they_hold() -> None:
    store = KeyValues(2)
    store.reserve(5)
    store.put(0, torch.ones(1, 3, 4), torch.full((1, 3, 4), 2.0), torch.tensor([KEY_BLOCK + 1]))
    before = store.version
    store.reserve(KEY_BLOCK)
    assert (store.columns, store.version) == (KEY_BLOCK, before)
    store.reserve(KEY_BLOCK + 1)
    assert (store.columns, store.version) == (2 * KEY_BLOCK, before + 1)
    keys, values = store.first(0, 2 * KEY_BLOCK)
    assert keys.shape == (2, 3, 2 * KEY_BLOCK, 4) and keys.sum() == 12 and keys[1, :, 1].sum() == 12
    assert values.sum() == 24
    assert [in_blocks(number) for number in (1, KEY_BLOCK, KEY_BLOCK + 1)] == [KEY_BLOCK, KEY_BLOCK, 2 * KEY_BLOCK]
