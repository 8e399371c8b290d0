"""The bundled model against MiniGPT-v2's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pefomed_plugin.toolkit.bundled.processors import (
    Blip2ImageEvalProcessor,
    Blip2ImageTrainProcessor,
    BlipCaptionProcessor,
)
from tests.conformance.golden import FOLDER, arrays, golden, golden_model, samples


@pytest.fixture(scope="module")
def model():
    return golden_model()


def test_token_ids_of_every_segment(model):
    tokens = golden()["tokens"]
    tokenizer = model.llama_tokenizer
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (
        tokens["pad_token_id"],
        tokens["bos_token_id"],
        tokens["eos_token_id"],
    )
    for segment, ids in tokens["segments"].items():
        assert tokenizer.encode(segment) == ids, segment


def test_vit_output_before_the_layer_norm(model):
    with torch.no_grad():
        assert torch.allclose(model.visual_encoder(arrays()["images"]), arrays()["vit"], rtol=0, atol=1e-5)


def test_visual_tokens(model):
    with torch.no_grad():
        assert torch.allclose(model.encode_img(arrays()["images"]), arrays()["emb"], rtol=0, atol=1e-5)


def test_loss_of_each_sample(model):
    with torch.no_grad():
        losses = [model(samples(number))["loss"].item() for number in range(6)]
    assert losses == pytest.approx(golden()["loss_per_sample"], rel=0, abs=1e-5)


def test_loss_of_the_batch_is_the_mean_over_all_answer_tokens(model):
    with torch.no_grad():
        output = model(samples())
    assert output["loss"].item() == pytest.approx(golden()["loss_batch_of_6"], rel=0, abs=1e-5)
    assert output["tokens"].item() == sum(
        len(golden()["tokens"]["segments"][answer + "</s>"]) for answer in golden()["answer"]
    )


def test_loss_without_reduction(model):
    with torch.no_grad():
        losses = model(samples(), reduction="none")["loss"]
    assert losses.tolist() == pytest.approx(golden()["loss_reduction_none"], rel=0, abs=1e-5)


@pytest.mark.parametrize(
    ("key", "bos", "beams"), [("greedy", "", 1), ("greedy_double_bos", "<s>", 1), ("beam3", "", 3)]
)
def test_generated_ids(model, key, bos, beams):
    expected = golden()["generate_ids"][key]
    prompts = [bos + prompt for prompt in golden()["prompts"]]
    ids = model.generate_ids(arrays()["images"], prompts, num_beams=beams, max_new_tokens=len(expected[0]) - 1)
    assert [[1, *row] for row in ids.tolist()] == expected


def test_generated_text(model):
    settings = {"max_new_tokens": 12}
    assert model.generate(arrays()["images"], golden()["prompts"], **settings) == golden()["generate_greedy"]


@pytest.mark.parametrize("processor", [Blip2ImageTrainProcessor, Blip2ImageEvalProcessor])
@pytest.mark.parametrize("name", ["rgb", "gray"])
def test_image_processors(processor, name):
    image = Image.open(FOLDER / f"image_{name}.png").convert("RGB")
    for key, expected in arrays().items():
        if key.startswith("proc_train_" + name):
            size = 448 if "448" in key else 56
            stride = 8 if size == 448 else 1
            tensor = processor(image_size=size)(image)[:, ::stride, ::stride]
            assert tensor.shape == expected.shape, key
            assert np.abs(tensor.numpy() - expected.numpy()).max() <= 1e-6, key


def test_blip_caption():
    processor = BlipCaptionProcessor()
    for text, expected in golden()["blip_caption"]:
        assert processor(text) == expected


def test_blip_caption_without_a_limit_has_upstreams():
    """The data sets' defaults say ``max_words: null``, which is no limit for ``medical_text`` and 50 for this one."""
    processor = BlipCaptionProcessor.from_config({"max_words": None, "prompt": None})
    assert processor(" ".join(["word"] * 60)) == " ".join(["word"] * 50)
