"""Weights files: every damage has a name, and an older checkpoint is never lost."""

from __future__ import annotations

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.toolkit.checkpoint import load_weights, read_checkpoint, read_weights, write_checkpoint
from pefomed_plugin.toolkit.tensor_names import canonical, upstream_key

LORA = "llama_model.base_model.model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (LORA + ".lora_A.default.weight", LORA + ".lora_A.weight"),
        (LORA + ".base_layer.weight", LORA + ".weight"),
        ("llama_model.base_model.model.lm_head.weight", "llama_model.base_model.model.lm_head.0.weight"),
        ("llama_proj.bias", "llama_proj.bias"),
    ],
)
def test_spellings(ours, theirs):
    assert upstream_key(ours) == theirs
    assert canonical(ours) == canonical(theirs) == canonical("module." + theirs)


def test_tensors_under_model_or_bare_or_safetensors(tmp_path):
    tensors = {"llama_proj.weight": torch.ones(2, 2)}
    torch.save({"model": tensors, "epoch": 3}, tmp_path / "a.pth")
    torch.save(tensors, tmp_path / "b.pth")
    save_file(tensors, str(tmp_path / "c.safetensors"))
    for name in os.listdir(tmp_path):
        assert torch.equal(read_weights(tmp_path / name)["llama_proj.weight"], torch.ones(2, 2)), name


class Evil:
    def __reduce__(self):
        return os.mkdir, ("/tmp/pefomed-evil",)


def test_pickled_code_is_refused_and_never_runs(tmp_path):
    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "evil.bin").write_bytes(pickle.dumps(Evil()))
    for name in ("evil.pth", "evil.bin"):
        with pytest.raises(CheckpointError, match="refused|cannot be read"):
            read_checkpoint(tmp_path / name)
    assert not os.path.exists("/tmp/pefomed-evil")


def test_a_truncated_file(tmp_path):
    torch.save({"model": {"a": torch.zeros(1000)}}, tmp_path / "a.pth")
    whole = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged or incomplete"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("content", [[1, 2], {"model": {}}, {"a": 1}])
def test_a_file_without_tensors(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="no tensors|not a dictionary"):
        read_weights(tmp_path / "a.pth")


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"no weights file .*none\.pth$"):
        read_checkpoint(tmp_path / "none.pth")
    for name in ("checkpoint_last.pth", "log.jsonl"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"checkpont_last\.pth; did you mean 'checkpoint_last\.pth'\?"):
        read_checkpoint(tmp_path / "checkpont_last.pth")


def test_another_shape_is_named_and_nothing_is_loaded():
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, {"weight": torch.zeros(4, 3), "bias": torch.zeros(2)}, "x.pth")
    assert caught.value.problems == ("weight: shape (4, 3) in the file, (2, 3) in the model",)
    assert torch.equal(model.weight, before)


def test_frozen_tensors_may_be_missing_and_are_reported():
    model = nn.Linear(3, 2)
    model.weight.requires_grad_(False)
    report = load_weights(model, {"bias": torch.ones(2)}, "x.pth")
    assert (report.loaded, report.missing) == (("bias",), ("weight",))
    assert str(report) == "x.pth: 1 tensors loaded, 1 not in the file (frozen)"


def test_a_tensor_that_the_model_has_no_place_for_stops_the_run():
    model = nn.Linear(3, 2)
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, {**model.state_dict(), "other": torch.ones(1)}, "x.pth")
    assert caught.value.problems == ("other: in the file, but the model has no such tensor",)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused_and_nothing_is_loaded(value):
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    weight = torch.zeros(2, 3)
    weight[1, 2] = value
    with pytest.raises(CheckpointError, match="not finite") as caught:
        load_weights(model, {"weight": weight, "bias": torch.zeros(2)}, "x.pth")
    assert caught.value.problems == ("weight: 1 of 6 values",)
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("wrap", "section"),
    [
        ("_orig_mod.{}", "model"),
        ("module._orig_mod.{}", "model"),
        ("_fsdp_wrapped_module.{}", "model"),
        ("model.{}", "state_dict"),
        ("_forward_module.model.{}", "state_dict"),
        ("{}", "module"),
        ("module.{}", "module"),
    ],
)
def test_names_and_sections_of_other_programs(tmp_path, wrap, section):
    """torch.compile, FSDP, Lightning, Lightning with DeepSpeed, DeepSpeed (huggingface/peft#2699, #2566)."""
    names = [LORA + ".lora_A.weight", "llama_proj.weight"]
    inner = LORA.replace("layers.0.", "layers.0._checkpoint_wrapped_module.") + ".lora_A.weight"
    tensors = {wrap.format(name): torch.ones(1, 1) for name in [inner, "llama_proj.weight"]}
    torch.save({section: tensors, "global_step": 7}, tmp_path / "a.pth")
    content = read_checkpoint(tmp_path / "a.pth")
    assert [canonical(name) for name in content["model"]] == names
    assert content["global_step"] == 7


class FullDisk:
    """A file object of a full disk."""

    def __init__(self, file):
        self.file = file

    def write(self, data):
        raise OSError(28, "No space left on device")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint_last.pth"
    write_checkpoint({"model": {"a": torch.ones(1)}}, path)
    real = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda *arguments: FullDisk(real(*arguments)))
    with pytest.raises(CheckpointError, match="make room, .*; the checkpoint before it is untouched"):
        write_checkpoint({"model": {"a": torch.zeros(1)}}, path)
    assert os.listdir(tmp_path) == ["checkpoint_last.pth"]
    assert read_weights(path)["a"].item() == 1.0


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        write_checkpoint({}, tmp_path / "file" / "checkpoint.pth")


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o027)
    try:
        write_checkpoint({"model": {"a": torch.ones(1)}}, tmp_path / "checkpoint.pth")
    finally:
        os.umask(before)
    assert (tmp_path / "checkpoint.pth").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("content", ['{"a": 1}', "a,b\n1,2\n", "model: x\n"])
def test_a_text_file_is_not_called_pickled_code(tmp_path, content):
    path = tmp_path / "adapter_config.pth"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"is not a weights file \(it begins with") as caught:
        read_checkpoint(path)
    assert "pickled" not in str(caught.value)
