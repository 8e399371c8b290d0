"""The tiny model's files are read by transformers and by the bundled MiniGPT-v2, as those of a real run are."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
import torch

from pefomed_plugin.embedded import tiny_vision
from pefomed_plugin.embedded.tiny_model import LORA_RANK, make_tiny_model, untrained_tensors

PIECE_IDS = {"<unk>": 0, "<s>": 1, "</s>": 2, "$$": 3}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("model"), seed=0, steps=2)


def contents(paths):
    files = [path for each in paths.values() for path in ([each] if each.is_file() else sorted(each.iterdir()))]
    return {path.name: path.read_bytes() for path in files}


def config(tiny, **changes):
    return {
        "llama_model": str(tiny["llama"]),
        "vit_weights": str(tiny["vit"]),
        "ckpt": str(tiny["checkpoint"]),
        "image_size": 112,
        "vit": {"embed_dim": 96, "depth": 2, "num_heads": 4, "mlp_ratio": 4.0},
        "lora_r": 16,
        "lora_dropout": 0.0,
        **changes,
    }


def test_the_files_of_a_real_run_are_there(tiny):
    root = tiny["llama"].parent
    assert root.name == "tiny"
    assert {path.name for path in tiny["llama"].iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.model",
        "tokenizer_config.json",
    }
    assert [tiny["vit"].name, tiny["checkpoint"].name] == ["eva_vit.pth", "minigptv2_tiny.pth"]


def test_transformers_reads_model_and_tokenizer(tiny):
    from transformers import LlamaForCausalLM, LlamaTokenizer

    model, info = LlamaForCausalLM.from_pretrained(str(tiny["llama"]), output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    tokenizer = LlamaTokenizer.from_pretrained(str(tiny["llama"]))
    assert len(tokenizer) == model.config.vocab_size
    assert {piece: tokenizer.convert_tokens_to_ids(piece) for piece in PIECE_IDS} == PIECE_IDS
    assert tokenizer.decode(tokenizer("Is there a mass?")["input_ids"], skip_special_tokens=True) == "Is there a mass?"


def test_the_tokenizer_has_llama_2s_settings(tiny):
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor(model_file=str(tiny["llama"] / "tokenizer.model"))
    assert {piece: pieces.piece_to_id(piece) for piece in PIECE_IDS} == PIECE_IDS
    assert pieces.pad_id() == -1
    for text in ("Two  blanks, 12 \u00e9 \u80ba", "CASE is kept"):
        assert pieces.decode(pieces.encode(text)) == text
        assert pieces.unk_id() not in pieces.encode(text)


def test_minigpt_v2_is_built_from_them_and_answers(tiny):
    from pefomed_plugin.prompts import DEFAULT_STYLE, template_of
    from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2

    model = MiniGPTv2.from_config(config(tiny)).eval()
    asked = template_of("vqa").ask("Is there a mass?")
    images = torch.rand(2, 3, 112, 112)
    loss = model({"image": images, "instruction_input": [asked] * 2, "answer": ["yes", "no"]})["loss"]
    assert torch.isfinite(loss)
    assert model.visual_tokens == 16
    assert len(model.generate(images, [DEFAULT_STYLE.user_turn(asked)] * 2, max_new_tokens=2)) == 2


def test_a_checkpoint_of_another_rank_is_refused(tiny):
    from pefomed_plugin.errors import ConfigError
    from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2

    with pytest.raises(ConfigError, match="model.lora_r: 8 is given, but .* was trained with 16"):
        MiniGPTv2.from_config(config(tiny, lora_r=8))


def test_fine_tuning_starts_from_the_language_model_unchanged():
    tensors = untrained_tensors(seed=0)
    second = [tensor for key, tensor in tensors.items() if "lora_B" in key]
    first = [tensor for key, tensor in tensors.items() if "lora_A" in key]
    assert len(first) == len(second) == 6
    assert all(not each.any() for each in second) and all(each.any() and each.shape[0] == LORA_RANK for each in first)


def test_the_vit_tells_images_and_places_apart():
    from pefomed_plugin.toolkit.bundled.vision import build_vision_encoder
    from pefomed_plugin.vision_encoders import encoder_of

    encoder = build_vision_encoder(
        encoder_of({"image_size": 112, "vit": dict(embed_dim=96, depth=2, num_heads=4, mlp_ratio=4.0)})
    )
    encoder.eval()
    encoder.load_state_dict(tiny_vision.random_vit(0))
    dark = torch.full((1, 3, 112, 112), -1.0)
    spot = dark.clone()
    spot[:, :, 28:42, 70:84] = 1.0
    with torch.no_grad():
        features = encoder(torch.cat([dark, spot]))[:, 1:]
    changed = (features[1] - features[0]).norm(dim=1)
    assert int(changed.argmax()) == 2 * 8 + 5
    assert (features[0, 0] - features[0, 63]).norm() > 1.0


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tiny, tmp_path):
    again, other = (make_tiny_model(tmp_path / str(seed), seed=seed, steps=2) for seed in (0, 1))
    assert contents(again) == contents(tiny)
    different = contents(other)
    assert all(
        different[name] != data
        for name, data in contents(tiny).items()
        if name.endswith((".pth", ".safetensors", ".model"))
    )


def test_a_second_call_does_nothing_and_another_seed_makes_it_again(tmp_path):
    paths = make_tiny_model(tmp_path, seed=0, steps=1)
    paths["vit"].write_bytes(b"left alone")
    assert make_tiny_model(tmp_path, seed=0, steps=1) == paths
    assert paths["vit"].read_bytes() == b"left alone"
    make_tiny_model(tmp_path, seed=1, steps=1)
    assert paths["vit"].read_bytes() != b"left alone"
    assert json.loads((tmp_path / "tiny/made_from.json").read_text())["seed"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_what_is_interrupted_leaves_nothing_behind(tmp_path, monkeypatch):
    from pefomed_plugin.embedded import tiny_model

    def full_disk(seed, family):
        raise OSError("No space left on device")

    monkeypatch.setattr(tiny_model, "untrained_tensors", full_disk)
    with pytest.raises(OSError, match="No space"):
        make_tiny_model(tmp_path, steps=1)
    assert list(tmp_path.iterdir()) == []


def test_the_language_model_learns(tmp_path):
    """A few steps already bring the loss of fresh lessons far below that of untrained weights."""
    from random import Random

    from pefomed_plugin.embedded import lessons
    from pefomed_plugin.embedded.tiny_language import CONFIG, train_language, train_tokenizer
    from pefomed_plugin.families.llama import load_tokenizer

    (tmp_path / "tokenizer.model").write_bytes(train_tokenizer(0))
    tokenizer = load_tokenizer(tmp_path)
    small = {
        **CONFIG,
        "vocab_size": tokenizer.pieces,
        "num_hidden_layers": 1,
        "hidden_size": 64,
        "intermediate_size": 96,
    }
    rng = Random("held out")
    batch = lessons.collate([lessons.draw_page(rng, tokenizer.encode) for _ in range(8)], 1, 2)
    losses = [_loss(train_language(small, tokenizer, 0, steps), batch) for steps in (0, 12)]
    assert losses[1] < losses[0] - 1.0


def _loss(model, batch):
    inputs = {key: each for key, each in batch.items() if key != "labels"}
    with torch.no_grad():
        logits = model(**inputs).logits[:, :-1]
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten()))
