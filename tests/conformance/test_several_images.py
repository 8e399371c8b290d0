"""Prompts of several images: shared prefixes, separate rows and transformers' own order of work agree, and with one
image nothing changed (``test_model.py`` and ``test_packed.py`` hold that against the golden file).
"""

from __future__ import annotations

import pytest
import torch

from pefomed_plugin.adapters.data.datasets import MedicalDataset, PackedCollater
from pefomed_plugin.prompts import IMAGE_PLACEHOLDER, template_of
from pefomed_plugin.toolkit.bundled.packing import PREFIX
from tests.conformance.golden import arrays, golden_model

ASKED = (((0, 1), "is it?"), ((2,), "where is it?"), ((0, 1), "what is it?"), ((1, 0), "is it?"), ((3, 4, 5), "is it?"))
"""Images of the golden file that are shown, and the question."""


@pytest.fixture(scope="module")
def model():
    return golden_model().train()


def items():
    images = arrays()["images"]
    found = []
    for number, (shown, question) in enumerate(ASKED):
        names = ("frontal", "lateral", "current")[: len(shown)]
        found.append(
            {
                "image": images[shown[0]] if len(shown) == 1 else tuple(images[one] for one in shown),
                "instruction_input": template_of("vqa").ask(question, names=names),
                "answer": ("yes", "left lung", "no", "yes", "a mass")[number],
                "image_key": shown,
            }
        )
    return found


def batches(model, generation=False):
    """The same samples as plain rows, packed one question a row, and packed with shared prefixes."""
    packed = [PackedCollater(model.packer(), share=share, generation=generation)(items()) for share in (False, True)]
    return [MedicalDataset.collater(items()), *packed]


def gradients(model, batch):
    model.zero_grad()
    loss = model(batch)["loss"]
    loss.backward()
    return loss.item(), {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


def test_rows_share_what_shows_the_same_images_in_the_same_order(model):
    plain, apart, shared = batches(model)
    assert len(plain["image"]) == len(apart["image"]) == 10 and len(apart["layout"].token_ids) == 5
    assert len(shared["image"]) == 8 and len(shared["layout"].token_ids) == 4
    visual = model.visual_tokens
    layout, length = shared["layout"], shared["layout"].token_ids.shape[1]
    assert (layout.visual_starts // length).tolist() == [0, 0, 1, 2, 2, 3, 3, 3]
    between = layout.visual_starts[1] - layout.visual_starts[0] - visual
    assert between == len(model.llama_tokenizer.encode("</Img> lateral: <Img>"))
    assert (layout.segments[0] == PREFIX).sum() > layout.visual_starts[1] + visual


def test_loss_and_gradients(model):
    (expected, apart), *others = (gradients(model, batch) for batch in batches(model))
    for loss, given in others:
        assert loss == pytest.approx(expected, rel=0, abs=1e-6)
        assert given.keys() == apart.keys()
        for name, each in apart.items():
            assert torch.allclose(given[name], each, rtol=1e-4, atol=1e-6), name


def test_greedy_answers(model):
    model.eval()
    plain, apart, shared = batches(model, generation=True)
    prompts = [model.prompt_template.format(text) for text in plain["instruction_input"]]
    expected = model.generate(plain["image"], prompts, max_new_tokens=12)
    for batch in (apart, shared):
        assert model.generate_packed(batch["image"], batch["layout"], max_new_tokens=12) == expected
    assert model.train()


def test_the_second_image_and_the_order_matter(model):
    """A prompt that showed only its first image would pass all of the above."""
    text = template_of("vqa").ask("is it?", names=("frontal", "lateral"))
    images = arrays()["images"]

    def loss(*shown):
        batch = {"image": images[list(shown)], "instruction_input": [text], "answer": ["a mass"]}
        with torch.no_grad():
            return model(batch)["loss"].item()

    assert len({round(loss(*shown), 5) for shown in ((0, 1), (0, 2), (1, 0))}) == 3


def test_features_in_place_of_images(model):
    _, apart, shared = batches(model)
    for batch in (apart, shared):
        expected = model(batch)["loss"]
        before = model.vit_forwards
        assert torch.equal(model({**batch, "image": model.encode_vision(batch["image"])})["loss"], expected)
        assert model.vit_forwards - before == len(batch["image"])


def test_a_prompt_and_its_images_must_agree(model):
    plain, apart, _ = batches(model)
    for batch in (plain, apart):
        with pytest.raises(ValueError, match="9 images for prompts that show 10"):
            model({**batch, "image": batch["image"][1:]})
    with pytest.raises(ValueError, match="holds no image placeholder"):
        model.packer()(["[vqa] is it?"], ["yes"], [0])


def test_length_of_a_prompt(model):
    text = items()[4]["instruction_input"]
    assert text.count(IMAGE_PLACEHOLDER) == 3
    layout = model.lay_out([model.prompt_template.format(text)])
    assert model.prompt_length(text) == layout.lengths.item() - 1  # <s>
    assert layout.visual_counts.tolist() == [model.visual_tokens] * 3
