"""Questions that share the prefix of their image give the losses, gradients and answers that they give apart."""

from __future__ import annotations

import os
from functools import partial

import pytest
import torch

from pefomed_plugin.prompts import VQA_INSTRUCTION, template_of
from pefomed_plugin.toolkit.bundled import decoder
from pefomed_plugin.toolkit.bundled.packing import PREFIX
from tests.conformance.golden import arrays, golden, golden_model, samples

QUESTIONS = {0: (0, 1, 2, 3), 1: (4,), 2: (5, 2, 5)}
"""Image of the golden file -> questions asked about it, one of them twice."""


@pytest.fixture(scope="module")
def model():
    return golden_model().train()


def apart_and_packed(model, generation=False):
    """The same questions as plain samples in a mixed order, and packed."""
    pairs = [(image, text) for image, texts in QUESTIONS.items() for text in texts]
    pairs = pairs[1::2] + pairs[::2]
    plain = samples(*(text for _, text in pairs))
    plain["image"] = arrays()["images"][[image for image, _ in pairs]]
    layout, firsts = model.packer()(
        plain["instruction_input"], None if generation else plain["answer"], [image for image, _ in pairs]
    )
    return plain, {**plain, "layout": layout, "image": plain["image"][firsts]}


def gradients(model, batch):
    model.zero_grad()
    loss = model(batch)["loss"]
    loss.backward()
    return loss.item(), {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


def test_one_question_a_row_gives_the_golden_losses(model):
    for number in range(6):
        batch = samples(number)
        batch["layout"], _ = model.packer()(batch["instruction_input"], batch["answer"], [0])
        assert model(batch)["loss"].item() == pytest.approx(golden()["loss_per_sample"][number], rel=0, abs=1e-5)


def test_loss_and_gradients_of_shared_prefixes(model):
    plain, packed = apart_and_packed(model)
    expected, apart = gradients(model, plain)
    loss, shared = gradients(model, packed)
    assert loss == pytest.approx(expected, rel=0, abs=1e-6)
    assert apart.keys() == shared.keys()
    for name, each in apart.items():
        assert torch.allclose(shared[name], each, rtol=1e-4, atol=1e-6), name
    norms = [torch.stack([value.norm() for value in given.values()]).norm().item() for given in (apart, shared)]
    assert norms[1] == pytest.approx(norms[0], rel=2e-6)


def test_without_reduction(model):
    plain, packed = apart_and_packed(model)
    with torch.no_grad():
        expected, given = (model(batch, reduction="none")["loss"] for batch in (plain, packed))
    assert torch.allclose(given, expected, rtol=0, atol=1e-6)


def test_recomputed_layers_give_the_same_gradients(model):
    _, packed = apart_and_packed(model)
    _, expected = gradients(model, packed)
    model.use_grad_checkpoint_llm = True
    try:
        _, given = gradients(model, packed)
    finally:
        model.use_grad_checkpoint_llm = False
    assert all(torch.equal(given[name], each) for name, each in expected.items())


def test_an_image_goes_through_the_encoder_once_and_features_not_at_all(model):
    _, packed = apart_and_packed(model)
    before = model.vit_forwards
    expected = model(packed)["loss"]
    assert model.vit_forwards - before == len(QUESTIONS)
    features = model.encode_vision(packed["image"])
    before = model.vit_forwards
    assert torch.equal(model({**packed, "image": features})["loss"], expected)
    assert model.vit_forwards == before


def test_image_and_instruction_stand_in_the_row_once(model):
    texts = [template_of("vqa").ask(each) for each in ("is it?", "where is it?")]
    layout, _ = model.packer()(texts, ["yes", "left"], [0, 0])
    prefix = layout.token_ids[layout.segments == PREFIX].tolist()
    instruction = model.llama_tokenizer.encode("</Img> [vqa] " + VQA_INSTRUCTION.format(question="").strip())
    assert prefix[:1] == [1] and prefix[-len(instruction) :] == instruction
    assert len(prefix) == layout.visual_starts.item() + model.visual_tokens + len(instruction)


def test_a_question_does_not_see_the_others(model):
    """Changing one question's text leaves the loss of the others as it was."""
    batch = samples(0, 1)
    batch["image"] = batch["image"][:1]
    batch["layout"], _ = model.packer()(batch["instruction_input"], batch["answer"], [0, 0])
    other = {**batch, "instruction_input": [batch["instruction_input"][0], samples(3)["instruction_input"][0]]}
    other["layout"], _ = model.packer()(other["instruction_input"], other["answer"], [0, 0])
    with torch.no_grad():
        scale = [each["layout"].separately_padded_length - 1 for each in (batch, other)]
        first, second = (model(each, reduction="none")["loss"] * by for each, by in zip((batch, other), scale))
    assert first[0].item() == pytest.approx(second[0].item(), abs=1e-5)
    assert first[1].item() != pytest.approx(second[1].item(), abs=1e-3)


def test_golden_answers(model):
    model.eval()
    inputs = golden()["instruction_input"]
    layout, _ = model.packer()(inputs, None, range(6))
    expected = golden()["generate_ids"]["greedy"]
    ids = model.generate_packed_ids(arrays()["images"], layout, max_new_tokens=len(expected[0]) - 1)
    assert [[1, *row] for row in ids.tolist()] == expected
    assert model.generate_packed(arrays()["images"], layout, max_new_tokens=12) == golden()["generate_greedy"]


def test_answers_of_shared_prefixes(model):
    model.eval()
    plain, packed = apart_and_packed(model, generation=True)
    expected = model.generate(
        plain["image"], [f"[INST] {each} [/INST]" for each in plain["instruction_input"]], max_new_tokens=15
    )
    assert model.generate_packed(packed["image"], packed["layout"], max_new_tokens=15) == expected


def test_answers_with_lora_in_the_weights(model):
    """As many as apart; afterwards every weight is the tensor it was, and what is trained is trained."""
    model.load_state_dict(
        {
            **model.state_dict(),
            **{name: torch.randn_like(each) * 0.05 for name, each in model.state_dict().items() if "lora_B" in name},
        }
    )
    _, packed = apart_and_packed(model.eval(), generation=True)
    expected = model.generate_packed_ids(packed["image"], packed["layout"], max_new_tokens=15)
    before = {name: (each.data_ptr(), each.clone(), each.requires_grad) for name, each in model.named_parameters()}
    with model.merged_lora():
        calls = []
        hooks = [
            module.register_forward_hook(lambda *_: calls.append(1))
            for name, module in model.named_modules()
            if name.endswith("lora_A.default")
        ]
        merged = model.generate_packed_ids(packed["image"], packed["layout"], max_new_tokens=15)
        for hook in hooks:
            hook.remove()
    assert hooks and not calls
    assert torch.equal(merged, expected)
    for name, each in model.named_parameters():
        pointer, value, trained = before[name]
        assert (each.data_ptr(), each.requires_grad) == (pointer, trained) and torch.equal(each, value), name


@pytest.mark.skipif("PEFOMED_TEST_COMPILE" not in os.environ, reason="PEFOMED_TEST_COMPILE is not set: a minute of g++")
def test_compiled_layers_give_the_same_gradients():
    model = golden_model().train()
    _, packed = apart_and_packed(model)
    expected, plain = gradients(model, packed)
    model.compile_layers = True
    loss, compiled = gradients(model, packed)
    assert loss == pytest.approx(expected, rel=0, abs=1e-6)
    assert all(torch.allclose(compiled[name], each, rtol=1e-4, atol=1e-6) for name, each in plain.items())


def test_no_shape_of_batch_brings_torch_near_its_limit_of_compilations(monkeypatch):
    """Beyond it (eight) torch says a word and computes uncompiled from then on."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    decoder._compiled.cache_clear()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    model, batch = golden_model().train(), samples()
    model.compile_layers = True
    for recompute in (False, True):
        model.use_grad_checkpoint_llm = recompute
        for count, images in ((1, 1), (2, 1), (2, 2), (3, 3), (6, 2), (5, 1), (6, 6)):
            owners = [number % images for number in range(count)]
            layout, holders = model.packer()(batch["instruction_input"][:count], batch["answer"][:count], owners)
            model({"image": batch["image"][holders], "layout": layout})["loss"].backward()
            with torch.no_grad():  # as in validation
                model.eval()({"image": batch["image"][holders], "layout": layout})
            model.train()
    compiled = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    decoder._compiled.cache_clear()
    assert 1 <= compiled <= 4 < torch._dynamo.config.recompile_limit


def test_streamed_answers_grow_to_the_whole_ones(model):
    _, packed = apart_and_packed(model.eval(), generation=True)
    expected = model.generate_packed(packed["image"], packed["layout"], max_new_tokens=6)
    steps = list(model.stream(packed["image"], packed["layout"], max_new_tokens=6))
    assert len(steps) == 6 and steps[-1] == expected
    assert not model.generate_packed_ids(packed["image"], packed["layout"], 2).requires_grad
