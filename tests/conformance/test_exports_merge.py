"""LoRA worked into its LLaMA: the merged folder says what the adapter says; another LLaMA is named tensor by tensor."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pefomed_plugin.adapters.exports import shards
from pefomed_plugin.adapters.exports.contents import Contents, read_contents
from pefomed_plugin.adapters.exports.merge import check_fit, write_merged
from pefomed_plugin.adapters.exports.writing import fresh_folder
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.families.llama import load_tokenizer, tensor_shapes
from pefomed_plugin.origins import is_generated, mark_generated
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.toolkit.checkpoint import load_weights
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.toolkit.lora_tensors import merged_weight
from pefomed_plugin.vision_encoders import encoder_of
from tests.conformance.golden import FOLDER, golden, samples
from tests.unit.adapters.exported import LLAMA, TOKENS, UPSTREAM, adapter_logits, lora_of


@pytest.fixture
def upstream() -> Contents:
    return read_contents(UPSTREAM)


def merged(contents: Contents, out: Path, llama: Path = LLAMA) -> Path:
    with fresh_folder(out) as folder:
        write_merged(contents, lora_of(contents), open_language_folder(llama), folder)
    return out


@pytest.mark.parametrize("shard_bytes", [1 << 30, 100_000])
def test_merged_llama_says_what_the_adapter_says(
    upstream: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard_bytes: int
) -> None:
    from transformers import LlamaForCausalLM

    monkeypatch.setattr(shards, "SHARD_BYTES", shard_bytes)
    folder = merged(upstream, tmp_path / "merged")
    written = sorted(path.name for path in folder.glob("model*.safetensors"))
    assert written == ["model.safetensors"] if shard_bytes > 1e6 else len(written) > 3 and "-of-" in written[0]
    loaded: Any = LlamaForCausalLM.from_pretrained(str(folder), dtype=torch.float32, output_loading_info=True)
    model, info = loaded
    assert not info["missing_keys"] and not info["unexpected_keys"]
    with torch.no_grad():
        assert torch.allclose(model(TOKENS).logits, adapter_logits(), rtol=0, atol=1e-5)
    assert {"config.json", "tokenizer.model", "projector.safetensors"} <= set(os.listdir(folder))


def test_merged_llama_and_projector_are_the_model_again(upstream: Contents, tmp_path: Path) -> None:
    """As the model card says: ``model.llama_model=FOLDER model.ckpt=FOLDER/projector.safetensors model.lora_r=0``."""
    folder, settings = merged(upstream, tmp_path / "merged"), golden()["model"]
    model = MiniGPTv2(
        language.load_language_model(open_language_folder(folder), torch.float32),
        load_tokenizer(folder),
        encoder=encoder_of({"vit": golden()["vit"], "image_size": settings["img_size"]}),
        max_txt_len=settings["max_txt_len"],
        end_sym=settings["end_sym"],
        chat_template=settings["chat_template"],
    )
    initial = load_file(str(FOLDER / "initial.safetensors"))
    vision = {key: each for key, each in initial.items() if not key.startswith("llama_model.")}
    load_weights(model, vision, "vision")
    model.load_checkpoint(folder / "projector.safetensors")
    with torch.no_grad():
        loss = model.eval()(samples())["loss"].item()
    assert loss == pytest.approx(golden()["loss_after"], rel=0, abs=1e-4)


def test_bin_shards_and_half_precision(upstream: Contents, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.mkdir()
    shutil.copyfile(LLAMA / "config.json", half / "config.json")
    weights = {key: each.half() for key, each in load_file(str(LLAMA / "model.safetensors")).items()}
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    torch.save(weights, half / "pytorch_model.bin")
    found = load_file(str(merged(upstream, tmp_path / "merged", half) / "model.safetensors"))
    key, (a, b) = "model.layers.0.self_attn.q_proj.weight", lora_of(upstream).pairs["model.layers.0.self_attn.q_proj"]
    assert set(found) == {weight for weight in weights if "inv_freq" not in weight}
    assert torch.equal(found[key], (weights[key].float() + 2.0 * b @ a).half())
    assert torch.equal(found["lm_head.weight"], weights["lm_head.weight"])


def test_merging_one_weight_by_hand() -> None:
    weight, a, b = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [0.5]])
    assert merged_weight(weight, (a, b), 2.0).tolist() == [[7.0, 12.0], [1.0, 3.0]]


def test_a_llama_of_another_size_is_named_tensor_by_tensor(upstream: Contents, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    config = json.loads((LLAMA / "config.json").read_text())
    config.update(hidden_size=32, num_hidden_layers=1)
    (other / "config.json").write_text(json.dumps(config))
    zeros = {name: torch.zeros(shape) for name, shape in tensor_shapes(config).items()}
    save_file(zeros, str(other / "model.safetensors"))
    with pytest.raises(CheckpointError) as caught:
        check_fit(upstream, lora_of(upstream), open_language_folder(other))
    assert "was not trained on the LLaMA in" in caught.value.summary
    assert "llama_proj.weight: for a width of 64, this one has 32" in caught.value.problems
    assert "LoRA of 2 layers, this one has 1" in caught.value.problems
    assert (
        "model.layers.0.self_attn.q_proj.weight: (32, 32) in the language model, the LoRA is for (64, 64)"
        in caught.value.problems
    )
    assert "model.layers.1.self_attn.v_proj.weight: not in the language model" in caught.value.problems


def write_config(folder: Path, **changes: Any) -> None:
    folder.mkdir(exist_ok=True)
    config = json.loads((LLAMA / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def test_llama_folders_that_cannot_be_merged_into(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no folder"):
        open_language_folder(tmp_path / "nowhere")
    write_config(tmp_path / "a", model_type="gpt2")
    with pytest.raises(CheckpointError, match="of type 'gpt2', which is not supported; known: llama"):
        open_language_folder(tmp_path / "a")
    write_config(tmp_path / "a", quantization_config={"bits": 4})
    with pytest.raises(CheckpointError, match="is quantised"):
        open_language_folder(tmp_path / "a")
    write_config(tmp_path / "a")
    with pytest.raises(CheckpointError, match="holds no weights"):
        open_language_folder(tmp_path / "a")
    index = tmp_path / "a" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "one.safetensors", "y": "../two.safetensors"}}))
    (tmp_path / "two.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        open_language_folder(tmp_path / "a")
    assert len(caught.value.problems) == 2, "the one is missing, the other lies outside the folder"
    index.unlink()
    whole = (LLAMA / "model.safetensors").read_bytes()
    (tmp_path / "a" / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="is incomplete"):
        open_language_folder(tmp_path / "a")


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    upstream: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6, 1000))
    with pytest.raises(CheckpointError, match="GB free, the merged model needs"):
        merged(upstream, tmp_path / "merged")
    assert not list(tmp_path.iterdir())


def test_what_is_merged_into_a_generated_model_is_generated(tmp_path: Path) -> None:
    """The tiny model's figures say nothing, in whatever form."""
    contents = read_contents(UPSTREAM)
    for name in ("generated", "real"):
        base = shutil.copytree(LLAMA, tmp_path / name / "llama")
        if name == "generated":
            mark_generated(base, {})
        with fresh_folder(tmp_path / name / "merged") as folder:
            write_merged(contents, lora_of(contents), open_language_folder(base), folder)
        assert is_generated(tmp_path / name / "merged") == (name == "generated")
