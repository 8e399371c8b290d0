"""What the check-up says of weights that are whole, of another size, damaged, or something else altogether."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pefomed_plugin.doctor.findings import ERROR, NOTE, OK, WARNING
from pefomed_plugin.doctor.weights import (
    Sizes,
    check_checkpoint,
    check_language_model,
    check_modules,
    check_vit,
    no_checkpoint,
)
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.toolkit.weights_file import read_shapes

from .fabricated import SMALL, lora_tensors, make_llama, save, vit_tensors


def states(findings):
    return [finding.state for finding in findings]


def test_a_whole_llama_folder(tmp_path):
    (finding,) = check_language_model(make_llama(tmp_path / "llama"), SMALL)
    assert finding.state == OK and finding.found.endswith("2 layers of width 32")


def test_another_width_than_the_papers_is_a_warning(tmp_path):
    (finding,) = check_language_model(make_llama(tmp_path / "llama"))
    assert finding.state == WARNING and "width 32" in finding.found and "4096" in finding.found and finding.remedy


@pytest.mark.parametrize("kind", ["mistral", "phi3", "gemma"])
def test_another_family_is_an_error_that_names_the_known_ones(tmp_path, kind):
    (finding,) = check_language_model(make_llama(tmp_path / "llama", model_type=kind), SMALL)
    assert finding.state == ERROR and f"of type {kind!r}, which is not supported; known: llama" in finding.found


def test_a_checkpoint_of_another_family_is_an_error(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"model": lora_tensors(), "language_model": "qwen3"}, path)
    (finding,) = check_checkpoint(path, SMALL)
    assert finding.state == ERROR and "of the family qwen3, this one is of llama" in finding.found


def test_missing_unexpected_and_misshapen_tensors_are_named(tmp_path):
    folder = make_llama(tmp_path / "llama")
    tensors = load_file(str(folder / "model.safetensors"))
    del tensors["model.layers.1.mlp.up_proj.weight"]
    tensors["model.layers.0.self_attn.q_proj.bias"] = torch.zeros(32)
    tensors["model.norm.weight"] = torch.zeros(16)
    save_file(tensors, str(folder / "model.safetensors"))
    (finding,) = check_language_model(folder, SMALL)
    assert finding.state == ERROR
    for told in (
        "model.layers.1.mlp.up_proj.weight: missing",
        "model.layers.0.self_attn.q_proj.bias: unexpected",
        "model.norm.weight: shape (16,) in the file, (32,) in the model",
    ):
        assert told in finding.found


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "config.json").write_text("[1]"), "no JSON object"),
        (lambda folder: (folder / "tokenizer.model").unlink(), "no tokenizer"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
            "git lfs pull",
        ),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "part-1.safetensors"}}'
            ),
            "part-1.safetensors: not there",
        ),
        (lambda folder: (folder / "model.safetensors.index.json").write_text('{"weights": 1}'), "no weight_map"),
    ],
)
def test_a_spoilt_llama_folder(tmp_path, spoil, told):
    folder = make_llama(tmp_path / "llama")
    spoil(folder)
    findings = check_language_model(folder, SMALL)
    assert states(findings) == [ERROR] and told in findings[0].found and findings[0].remedy


def test_an_incomplete_file_of_weights_says_how_much_is_missing(tmp_path):
    path = make_llama(tmp_path / "llama") / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    (finding,) = check_language_model(path.parent, SMALL)
    assert f"{len(whole) - 100:,} of {len(whole):,} bytes" in finding.found


def test_a_folder_that_is_not_there(tmp_path):
    assert "no folder" in check_language_model(tmp_path / "none", SMALL)[0].found


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path):
    folder = make_llama(tmp_path / "llama")
    folder.chmod(0)
    (finding,) = check_language_model(folder, SMALL)
    folder.chmod(0o700)
    assert "may not be read" in finding.found and finding.remedy.startswith("chmod")


def test_a_vision_encoder(tmp_path):
    (finding,) = check_vit(save(vit_tensors(), tmp_path / "eva.pth"), SMALL)
    assert finding.state == OK and finding.found.endswith("width 8, 3 blocks")


def test_a_vision_encoder_of_other_sizes_names_what_differs(tmp_path):
    path = save(vit_tensors(), tmp_path / "eva.pth")
    (finding,) = check_vit(path)
    assert finding.state == ERROR
    assert "patch_embed.proj.weight is (8, 3, 4, 4), not (1408, 3, 14, 14)" in finding.found
    assert "no blocks.38.attn.qkv.weight" in finding.found and finding.remedy.endswith("eva_vit_g.pth")


def test_other_weights_in_place_of_the_vision_encoder(tmp_path):
    (finding,) = check_vit(save(lora_tensors(), tmp_path / "eva.pth"), SMALL)
    assert finding.state == ERROR and "no cls_token" in finding.found


@pytest.mark.parametrize("spelling", ["lora_A.weight", "lora_A.default.weight"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_checkpoint_in_either_spelling(tmp_path, spelling, wrapped):
    tensors = lora_tensors(spelling=spelling)
    path = save({"model": tensors, "epoch": 3} if wrapped else tensors, tmp_path / "ckpt.pth")
    (finding,) = check_checkpoint(path, SMALL)
    assert finding.state == OK and "rank 4 on q_proj, v_proj, alpha 16" in finding.found


def test_another_lora_than_the_checkpoints_names_both_values(tmp_path):
    trained = {name: tensor + 1 for name, tensor in lora_tensors(rank=2).items()}
    path = save({"model": trained}, tmp_path / "ckpt.pth")
    (finding,) = check_checkpoint(path, SMALL, {"r": 4, "target_modules": ("q_proj",)})
    assert finding.state == ERROR and "leave model.lora_r, model.lora_target_modules out" in finding.found
    assert f"model.lora_r: 4 is given, but {path} was trained with 2" in finding.found
    assert "model.lora_target_modules: q_proj is given, but" in finding.found


def test_a_checkpoint_with_nan_is_not_ready(tmp_path):
    tensors = lora_tensors()
    name = next(name for name in tensors if "lora_B" in name)
    tensors[name][0, 0] = float("nan")
    (finding,) = check_checkpoint(save({"model": tensors}, tmp_path / "ckpt.pth"), SMALL)
    assert finding.state == ERROR and name in finding.found and "not finite" in finding.found


@pytest.mark.parametrize(
    ("tensors", "sizes", "told"),
    [
        (lora_tensors(), replace(SMALL, hidden=64), "llama_proj.weight is (32, 32), the run needs (64, 32)"),
        (lora_tensors(targets=()), SMALL, "no LoRA tensors"),
        ({"weight": torch.zeros(1)}, SMALL, "no MiniGPT-v2 checkpoint"),
    ],
)
def test_a_checkpoint_that_does_not_fit(tmp_path, tensors, sizes, told):
    (finding,) = check_checkpoint(save({"model": tensors}, tmp_path / "ckpt.pth"), sizes)
    assert finding.state == ERROR and told in finding.found and finding.remedy


def test_no_checkpoint_is_only_a_note():
    assert no_checkpoint().state == NOTE


def test_the_papers_sizes():
    sizes = Sizes()
    encoder = sizes.encoder
    assert (sizes.hidden, encoder.embed_dim, encoder.depth, encoder.patch_size) == (4096, 1408, 39, 14)


class Harmful:
    """Would run code when unpickled."""

    def __reduce__(self):
        return os.mkdir, ("harmed",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<!DOCTYPE html><title>log in</title>", "web page"),
        (b"PK\x03\x04 cut off here", "damaged|code"),
        (b"", "damaged|code|read"),
    ],
)
def test_files_that_are_no_weights(tmp_path, content, told):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=told) as caught:
        read_shapes(path)
    assert str(path) in str(caught.value)


def test_code_in_a_file_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="pickled code"):
        read_shapes(save({"model": Harmful()}, tmp_path / "ckpt.pth"))
    assert not (tmp_path / "harmed").exists()


def test_a_truncated_checkpoint(tmp_path):
    path = save({"model": lora_tensors()}, tmp_path / "ckpt.pth")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (finding,) = check_checkpoint(path, SMALL)
    assert finding.state == ERROR


def test_a_safetensors_header_that_lies(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((2**60).to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="no safetensors file"):
        read_shapes(path)
    path.write_bytes((2).to_bytes(8, "little") + json.dumps({}).encode())
    with pytest.raises(CheckpointError, match="holds no tensors"):
        read_shapes(path)


def test_old_files_of_torch_are_read_too(tmp_path: Path):
    path = tmp_path / "old.pth"
    torch.save(vit_tensors(), str(path), _use_new_zipfile_serialization=False)
    assert read_shapes(path)["cls_token"] == (1, 1, 8)


def test_modules_to_train_whole_are_looked_for(tmp_path):
    folder = make_llama(tmp_path / "llama")
    assert check_modules(folder, ()) == check_modules(folder, ("norm", "lm_head")) == []
    (finding,) = check_modules(folder, ("lm_haed", "k_proj"))
    assert finding.state == ERROR
    assert "'lm_haed': no module of the LLaMA is called so; did you mean 'lm_head'?" in finding.found
    assert "'k_proj' is a matrix of a layer" in finding.found
    tied = make_llama(tmp_path / "tied", tie_word_embeddings=True)
    for name in ("embed_tokens", "lm_head"):
        (finding,) = check_modules(tied, (name,))
        assert f"'{name}': embedding and output layer are one tensor here; leave it out" in finding.found
    assert check_modules(tied, ("norm",)) == []


def test_another_kind_of_lora_begins_where_the_checkpoints_is_untrained(tmp_path):
    tensors = lora_tensors()
    path = save({"model": tensors}, tmp_path / "ckpt.pth")
    (finding,) = check_checkpoint(path, SMALL, {"use_dora": True})
    assert finding.state == OK and "untrained (B is zero): LoRA begins untrained; it is of rank 4" in finding.found
    trained = {name: tensor + 1 for name, tensor in tensors.items()}
    (finding,) = check_checkpoint(save({"model": trained}, tmp_path / "trained.pth"), SMALL, {"use_dora": True})
    assert finding.state == ERROR and "model.peft.use_dora: True is given, but" in finding.found
