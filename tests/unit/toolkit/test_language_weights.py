"""A checkpoint and the language model that it belongs to: another one of the same shape is refused, and both named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pefomed_plugin.adapters.exports.contents import read_contents
from pefomed_plugin.adapters.exports.merge import write_merged
from pefomed_plugin.adapters.exports.writing import save_tensors
from pefomed_plugin.doctor.findings import ERROR, OK, WARNING
from pefomed_plugin.doctor.weights import Sizes, check_checkpoint
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.loading import places_of
from pefomed_plugin.lora import LANGUAGE_WEIGHTS, MERGED
from pefomed_plugin.services.console import say_once
from pefomed_plugin.toolkit.checkpoint import read_checkpoint
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.toolkit.language_weights import fingerprint, require_language_weights
from pefomed_plugin.toolkit.start import settle_model
from pefomed_plugin.vision_encoders import encoder_of
from tests.conformance.golden import golden
from tests.unit.adapters.exported import LLAMA, UPSTREAM, lora_of

EYES = {"vit": golden()["vit"], "image_size": golden()["model"]["img_size"]}


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    contents = read_contents(UPSTREAM)
    (tmp_path / "merged").mkdir()
    write_merged(contents, lora_of(contents), open_language_folder(LLAMA), tmp_path / "merged")
    return tmp_path / "merged"


@pytest.fixture
def projector(merged: Path) -> Path:
    return merged / "projector.safetensors"


def older(projector: Path) -> Path:
    """As it was written before there were fingerprints."""
    content = read_checkpoint(projector)
    noted = {key: value for key, value in content.items() if key not in ("model", LANGUAGE_WEIGHTS)}
    assert noted[MERGED]
    out = projector.with_name("older.safetensors")
    save_tensors(content["model"], out, noted)
    return out


@pytest.mark.parametrize("lora_r", [0, None])
def test_the_projection_of_a_merged_model_wants_that_model(merged: Path, projector: Path, lora_r: int | None) -> None:
    section = {**EYES, "ckpt": str(projector), "lora_r": lora_r}
    settle_model({**section, "llama_model": str(merged)})
    with pytest.raises(CheckpointError) as caught:
        settle_model({**section, "llama_model": str(LLAMA)})
    said = str(caught.value)
    assert f"{projector} is the projection of a merged language model" in said
    assert f"than the one in {LLAMA}" in said and f"model.llama_model (--llama, PEFOMED_LLAMA) to {merged}" in said


def test_it_is_asked_with_that_model_alone(merged: Path, projector: Path, tmp_path: Path) -> None:
    contents, vit = read_contents(projector), tmp_path / "vit.pth"
    vit.write_bytes(b"")
    assert places_of(contents, merged, vit, "")["llama_model"] == str(merged)
    with pytest.raises(CheckpointError, match="is the projection of a merged language model"):
        places_of(contents, LLAMA, vit, "")


def test_an_older_file_is_warned_of(projector: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_once.cache_clear()
    section: Any = {**EYES, "ckpt": str(older(projector)), "lora_r": 0, "llama_model": str(LLAMA)}
    settle_model(section)
    settle_model(section)
    said = capsys.readouterr().err
    assert said.count("does not say which (an older file)") == 1 and str(LLAMA) in said


def test_the_doctor_says_the_same(merged: Path, projector: Path) -> None:
    sizes = Sizes(64, encoder=encoder_of(EYES))
    (fits,) = check_checkpoint(projector, sizes, {}, merged)
    (without,) = check_checkpoint(projector, sizes, {"r": 0}, merged)
    (left_out,) = check_checkpoint(UPSTREAM, sizes, {"r": 0}, LLAMA)
    (other,) = check_checkpoint(projector, sizes, {}, LLAMA)
    (unknown,) = check_checkpoint(older(projector), sizes, {}, LLAMA)
    assert [fits.state, other.state, unknown.state] == [OK, ERROR, WARNING]
    assert "its own LoRA is in the weights" in fits.found
    assert without.state == OK and "without LoRA (model.lora_r=0)" in without.found
    assert left_out.state == ERROR and "it holds LoRA" in left_out.found
    assert str(LLAMA) in other.found and str(merged) in other.remedy
    assert "does not say which" in unknown.found


def test_a_checkpoint_is_not_put_onto_weights_its_lora_is_in_already(merged: Path, tmp_path: Path) -> None:
    """It would be added twice, and the run would still end well."""
    content = {**read_checkpoint(UPSTREAM), LANGUAGE_WEIGHTS: fingerprint(open_language_folder(LLAMA))}
    require_language_weights(content, LLAMA, "run.pth")
    with pytest.raises(CheckpointError, match=r"run\.pth was trained on another language model than the one in"):
        require_language_weights(content, merged, "run.pth")
    torch.save(content, tmp_path / "run.pth")
    contents = read_contents(tmp_path / "run.pth")
    (tmp_path / "again").mkdir()
    with pytest.raises(CheckpointError, match="trained on another language model"):
        write_merged(contents, lora_of(contents), open_language_folder(merged), tmp_path / "again")
    assert not list((tmp_path / "again").iterdir())


def test_what_says_nothing_and_folders_without_weights_pass(tmp_path: Path, capsys: Any) -> None:
    require_language_weights(read_checkpoint(UPSTREAM), LLAMA, str(UPSTREAM))
    shutil.copyfile(LLAMA / "config.json", tmp_path / "config.json")
    require_language_weights({LANGUAGE_WEIGHTS: "another"}, tmp_path, "run.pth")
    assert capsys.readouterr() == ("", "")


def test_the_fingerprint_is_of_the_values(tmp_path: Path) -> None:
    """Not of files, shards or a wider precision; one value of one weight makes another."""
    weights, own = load_file(str(LLAMA / "model.safetensors")), fingerprint(open_language_folder(LLAMA))
    half = {key: tensor.half() for key, tensor in weights.items()}
    for name, values in (("half", half), ("wide", {key: tensor.float() for key, tensor in half.items()})):
        folder = shutil.copytree(LLAMA, tmp_path / name)
        (folder / "model.safetensors").unlink()
        torch.save(values, folder / "pytorch_model.bin")
        assert fingerprint(open_language_folder(folder)) == own
    weights["model.layers.1.self_attn.v_proj.weight"][0, 0] += 0.01
    shutil.copytree(LLAMA, tmp_path / "other")
    save_file(weights, str(tmp_path / "other" / "model.safetensors"))
    assert fingerprint(open_language_folder(tmp_path / "other")) != own
