"""Prompts of several images: shared prefixes, separate rows and transformers' own order of work agree, and with one
image nothing changed (``test_model.py`` and ``test_packed.py`` hold that against the golden file).
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from pefomed_plugin.adapters.data.collating import PackedCollater
from pefomed_plugin.adapters.data.datasets import MedicalDataset
from pefomed_plugin.adapters.runner import RunnerPefomed
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.prompts import IMAGE_PLACEHOLDER, template_of
from pefomed_plugin.records import Sample
from pefomed_plugin.storage import read_predictions
from pefomed_plugin.toolkit.bundled.packing import PREFIX
from pefomed_plugin.toolkit.bundled.processors import Blip2ImageTrainProcessor
from tests.conformance.golden import arrays, golden_model
from tests.conformance.golden_run import Cfg

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


STUDIES = (2, 2, 1, 2)
"""Images of each study of the runs below; two questions a study."""


def studies(root, split):
    samples = []
    for number, count in enumerate(STUDIES):
        names = tuple(f"{split}{number}-{view}.png" for view in range(count))
        for view, name in enumerate(names):
            noise = np.random.default_rng([len(split), number, view]).integers(0, 256, (56, 56, 3), np.uint8)
            Image.fromarray(noise).save(root / name)
        views = ("frontal", "lateral") if count == 2 else ()
        samples += [
            Sample(f"d-{split}{number}{more}", "d", split, names, "vqa", f"is it {more}?", "yes", views=views)
            for more in range(2)
        ]
    processor = Blip2ImageTrainProcessor(56)
    return MedicalDataset("d", samples, root, processor, str, draws_instructions=False)


def run(folder, model, **options):
    """Trains and answers; gives the losses and the predictions."""
    folder.mkdir()
    sets = {"d": {split: studies(folder, split) for split in ("train", "test")}}
    sets["d"]["train"].batch_size = 4
    section = {"task": "medical_vqa", "output_dir": str(folder / "out"), "device": "cpu", "test_splits": ["test"]}
    cfg = Cfg({**section, "max_epoch": 2, "init_lr": 1e-3, "log_freq": 1, "cache_dir": str(folder / "c"), **options})
    RunnerPefomed(cfg, MedicalVqaTask(), model, sets).train()
    log = folder / "out/log.jsonl"
    steps = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    losses = [step["loss"] for step in steps if "iteration" in step]
    return losses, read_predictions(folder / "out/results/d-test/predictions.jsonl")


def test_runs_with_and_without_caches_and_shared_prefixes(tmp_path):
    losses, expected = run(tmp_path / "plain", golden_model())
    saved = torch.load(tmp_path / "plain/out/checkpoint_last.pth", weights_only=True)["pefomed"]
    assert saved["images_a_prompt"] == {"vqa": 2}
    assert len(losses) == 4 and len(expected) == 8
    assert expected[0].images == ("test0-0.png", "test0-1.png") and expected[0].views == ("frontal", "lateral")
    assert expected[0].producer["prompt"].startswith("[INST] frontal: <Img><ImageHere></Img> lateral: <Img>")
    assert expected[4].producer["prompt"].startswith("[INST] <Img><ImageHere></Img> [vqa]")
    for kind in ("pixels", "features"):
        again, predictions = run(tmp_path / kind, golden_model(), image_cache=kind)
        assert again == pytest.approx(losses, rel=0, abs=1e-6)
        assert [each.prediction for each in predictions] == [each.prediction for each in expected]
    model = golden_model()
    model.decoder = "plain"
    again, predictions = run(tmp_path / "transformers", model)
    assert again == pytest.approx(losses, rel=0, abs=1e-5)
    assert [each.prediction for each in predictions] == [each.prediction for each in expected]
    together, _ = run(tmp_path / "shared", golden_model(), questions_per_image="auto")
    assert len(together) == 4


def test_an_evaluation_with_exchanged_further_images(tmp_path, capsys):
    said = {}
    for images in ("own", "further_shuffled", "blind"):
        folder = tmp_path / images
        _, predictions = run(folder, golden_model(), evaluate=True, images=images)
        assert {each.producer["images"] for each in predictions} == {images}
        assert [each.images for each in predictions] == [each.images for each in studies(folder, "test").samples]
        said[images] = [each.prediction for each in predictions]
    assert "d: 2 of 8 samples keep their own images: they show one" in capsys.readouterr().out
    assert said["own"][4:6] == said["further_shuffled"][4:6]
    assert said["own"] != said["further_shuffled"] != said["blind"]


def test_a_context_without_room_is_refused_before_anything_is_computed(tmp_path):
    model = golden_model()
    model.max_context_len = 2 * model.visual_tokens
    with pytest.raises(ConfigError, match="cannot be shown like this") as caught:
        run(tmp_path / "short", model)
    assert "d, train: 2 images make prompts of" in caught.value.problems[0] and len(caught.value.problems) == 2
    assert model.vit_forwards == 0


def test_the_loss_is_transformers_own_with_the_images_put_in_by_hand(model):
    """As a checkout's ``prompt_wrap`` does it: texts are tokenised apart, and each image stands behind its text."""
    embed, encode = model._decoder().embed_tokens, model.llama_tokenizer.encode
    for item in items():
        shown = item["image"] if isinstance(item["image"], tuple) else (item["image"],)
        visual = iter(model.encode_img(torch.stack(shown)))
        *before, behind = model.prompt_template.format(item["instruction_input"]).split(IMAGE_PLACEHOLDER)
        parts = [embed(torch.tensor([model.llama_tokenizer.bos_token_id]))]
        for text in before:
            parts += [embed(torch.tensor(encode(text))), next(visual)]
        answer = torch.tensor(encode(item["answer"] + model.end_sym))
        context = torch.cat([*parts, embed(torch.tensor(encode(behind)))])
        labels = torch.cat([torch.full((len(context),), -100), answer])
        expected = model.llama_model(inputs_embeds=torch.cat([context, embed(answer)])[None], labels=labels[None]).loss
        for batch in (MedicalDataset.collater([item]), PackedCollater(model.packer(), share=True)([item])):
            assert model(batch)["loss"].item() == pytest.approx(expected.item(), rel=0, abs=1e-5)
