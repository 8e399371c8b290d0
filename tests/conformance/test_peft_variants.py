"""Every variant of LoRA trains, is saved, loaded, merged, exported and read back, and computes what peft computes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from pefomed_plugin.adapters.exports.adapter import write_adapter
from pefomed_plugin.adapters.exports.contents import find_lora, read_contents
from pefomed_plugin.adapters.exports.convert import convert
from pefomed_plugin.adapters.exports.merge import write_merged
from pefomed_plugin.config.model import read_model_config
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.families import read_model_size
from pefomed_plugin.lora import RECORD, LoraSettings, recorded, settings_of
from pefomed_plugin.toolkit.checkpoint import load_checkpoint, read_checkpoint, trainable_state
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.toolkit.start import settle_model
from tests.conformance.golden import golden, golden_model, samples
from tests.conformance.test_lora import logits_of, plain_llama
from tests.unit.adapters.exported import LLAMA, lora_of

EYES = {"vit": golden()["vit"], "image_size": 56}
TARGETS = ("q_proj", "v_proj")
ALL = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
VARIANTS: dict[str, LoraSettings] = {
    "rslora": LoraSettings(4, 16, TARGETS, use_rslora=True),
    "dora": LoraSettings(4, 16, TARGETS, use_dora=True),
    "dora on all, rslora": LoraSettings(4, 16, ALL, use_dora=True, use_rslora=True),
    "gaussian": LoraSettings(4, 16, TARGETS, init_lora_weights="gaussian"),
    "pissa": LoraSettings(4, 16, TARGETS, init_lora_weights="pissa"),
    "pissa by iteration, ranks": LoraSettings(
        4, 16, TARGETS, use_rslora=True, rank_pattern={"v_proj": 6}, init_lora_weights="pissa_niter_4"
    ),
    "olora": LoraSettings(4, 8, TARGETS, init_lora_weights="olora"),
    "all-linear": LoraSettings(4, 16, ALL),
    "head and norms whole": LoraSettings(4, 16, TARGETS, modules_to_save=("lm_head", "norm")),
    "embedding whole, dora": LoraSettings(4, 16, TARGETS, use_dora=True, modules_to_save=("embed_tokens",)),
    "embedding whole, pissa": LoraSettings(
        4, 16, TARGETS, init_lora_weights="pissa", modules_to_save=("embed_tokens",)
    ),
}


def take_steps(model: Any, steps: int = 2) -> None:
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        model(samples(0, 1))["loss"].backward()
        missing = [name for name, own in model.named_parameters() if own.requires_grad and own.grad is None]
        assert not missing, "everything that is trained gets a gradient"
        optimizer.step()
    model.eval()


@cache
def trained(variant: str) -> Any:
    torch.manual_seed(1)
    model = golden_model(lora=VARIANTS[variant])
    take_steps(model)
    return model


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def saved(variant: str, tmp_path: Path) -> Path:
    """A checkpoint of a variant after two steps."""
    model = trained(variant)
    torch.save({"model": trainable_state(model), **recorded(model)}, tmp_path / "saved.pth")
    return tmp_path / "saved.pth"


def loaded_from(path: Path, lora_is_read: bool = True) -> Any:
    section = settle_model({"llama_model": str(LLAMA), "ckpt": str(path), **EYES})
    torch.manual_seed(7)
    model = golden_model(lora=settings_of(section, ()), lora_is_read=lora_is_read)
    report = load_checkpoint(model, read_checkpoint(path), str(path))
    assert not report.anew
    return model


@pytest.mark.parametrize("variant", [name for name in VARIANTS if not VARIANTS[name].modules_to_save], indirect=True)
def test_a_variant_begins_as_the_model_it_stands_beside(variant: str) -> None:
    fresh = golden_model(lora=VARIANTS[variant])
    assert torch.allclose(logits_of(fresh.llama_model), logits_of(plain_llama()), rtol=0, atol=1e-5)
    assert not torch.allclose(logits_of(trained(variant).llama_model), logits_of(plain_llama()), atol=1e-2)


def test_estimate_counts_the_parameters(variant: str) -> None:
    settings, model = VARIANTS[variant], trained(variant)
    keys: dict[str, Any] = {**settings.yaml(), "lora_target_modules": list(settings.target_modules)}
    vit = {"embed_dim": 32, "depth": 1, "num_heads": 2}
    config = read_model_config({"llama_model": str(LLAMA), "vit": vit, "image_size": 56, **keys})
    size = read_model_size(config)
    assert size.trained == sum(own.numel() for own in model.parameters() if own.requires_grad)
    held = sum(own.numel() for own in trainable_state(model).values())
    assert held == size.trained + size.starts * size.pairs


def test_packed_and_plain_give_the_same_loss_and_gradients(variant: str) -> None:
    """Our order of work through peft's modules is transformers' own."""
    model = trained(variant)
    found = []
    for packed in (False, True):
        batch: dict[str, Any] = samples(0, 1)
        if packed:
            packer = model.packer()
            batch = {**batch, "layout": packer(batch["instruction_input"], batch["answer"], [0, 1])[0]}
        model.zero_grad()
        loss = model(batch)["loss"]
        loss.backward()
        found.append((loss, {name: own.grad for name, own in model.named_parameters() if own.grad is not None}))
    model.zero_grad()
    assert torch.allclose(found[0][0], found[1][0], rtol=0, atol=1e-5)
    assert set(found[0][1]) == set(found[1][1])
    for name, gradient in found[0][1].items():
        assert torch.allclose(gradient, found[1][1][name], rtol=0, atol=1e-5), name


@pytest.mark.parametrize("lora_is_read", [True, False])
def test_a_checkpoint_gives_the_same_bits(variant: str, saved: Path, lora_is_read: bool) -> None:
    """Also where the model has parted its weights itself before, as a run that is resumed does."""
    model = loaded_from(saved, lora_is_read)
    one, two = trainable_state(trained(variant)), trainable_state(model)
    assert list(one) == list(two) and all(torch.equal(one[key], two[key]) for key in one)
    assert torch.equal(logits_of(model.llama_model), logits_of(trained(variant).llama_model))
    assert torch.load(saved, weights_only=True)[RECORD] == VARIANTS[variant].record()


def test_training_goes_on_bit_for_bit(variant: str, saved: Path) -> None:
    take_steps(one := loaded_from(saved), 1)
    take_steps(two := loaded_from(saved, lora_is_read=False), 1)
    first, second = trainable_state(one), trainable_state(two)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_merged_while_answering_computes_the_same(variant: str) -> None:
    model = trained(variant)
    expected, before = logits_of(model.llama_model), {name: own.clone() for name, own in model.state_dict().items()}
    trains = {name for name, own in model.named_parameters() if own.requires_grad}
    with model.merged_lora():
        assert torch.allclose(logits_of(model.llama_model), expected, rtol=0, atol=1e-5)
    assert torch.equal(logits_of(model.llama_model), expected)
    assert all(torch.equal(own, before[name]) for name, own in model.state_dict().items())
    assert trains == {name for name, own in model.named_parameters() if own.requires_grad}


def test_peft_reads_the_adapter_and_merges_to_the_same(variant: str, saved: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    folder = tmp_path / "adapter"
    folder.mkdir()
    contents = read_contents(saved)
    write_adapter(contents, lora_of(contents), None, folder)
    expected = logits_of(trained(variant).llama_model)
    theirs = PeftModel.from_pretrained(plain_llama(), str(folder))
    assert torch.allclose(logits_of(theirs), expected, rtol=0, atol=1e-5)
    assert torch.allclose(logits_of(theirs.merge_and_unload(safe_merge=True)), expected, rtol=0, atol=1e-5)
    # and it is read back from there
    back = read_contents(folder)
    lora = lora_of(back)
    model = golden_model(lora=lora.settings)
    load_checkpoint(model, back.content, str(folder))
    assert torch.allclose(logits_of(model.llama_model), expected, rtol=0, atol=1e-5)


def test_peft_writes_an_adapter_that_is_read(variant: str, tmp_path: Path) -> None:
    """peft's own folder, with PiSSA and OLoRA converted as it converts them."""
    model, settings = trained(variant), VARIANTS[variant]
    if settings.splits_weights:
        return  # peft converts only what it began itself: test_what_peft_converted_is_read
    model.llama_model.save_pretrained(str(tmp_path / "theirs"), save_embedding_layers=False)
    with_projection(tmp_path / "theirs", model)
    contents = read_contents(tmp_path / "theirs")
    again = golden_model(lora=lora_of(contents).settings)
    load_checkpoint(again, contents.content, "theirs")
    assert torch.allclose(logits_of(again.llama_model), logits_of(model.llama_model), rtol=0, atol=1e-5)


def with_projection(folder: Path, model: Any) -> None:
    from safetensors.torch import save_file

    projection = {key: own for key, own in trainable_state(model).items() if key.startswith("llama_proj.")}
    save_file(projection, str(folder / "projector.safetensors"), {"format": "pt"})


@pytest.mark.parametrize("begin", ["pissa", "olora"])
def test_what_peft_converted_is_read(tmp_path: Path, begin: str) -> None:
    """An adapter that peft itself began, trained and saved with ``path_initial_model_for_weight_conversion``."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=4, lora_alpha=16, target_modules=list(TARGETS), init_lora_weights=begin, task_type="CAUSAL_LM"
    )
    theirs: Any = get_peft_model(plain_llama(), config)
    theirs.peft_config["default"].init_lora_weights = True  # as peft's own guide has it, to save how it began
    theirs.save_pretrained(str(tmp_path / "began"))
    theirs.peft_config["default"].init_lora_weights = begin
    with torch.no_grad():
        for name, own in theirs.named_parameters():
            if "lora_B" in name:
                own.add_(0.05 * torch.randn(own.shape, generator=torch.Generator().manual_seed(0)))
    expected = logits_of(theirs)
    theirs.save_pretrained(str(tmp_path / "theirs"), path_initial_model_for_weight_conversion=str(tmp_path / "began"))
    with_projection(tmp_path / "theirs", golden_model())
    contents = read_contents(tmp_path / "theirs")
    again = golden_model(lora=lora_of(contents).settings)
    load_checkpoint(again, contents.content, "theirs")
    assert torch.allclose(logits_of(again.llama_model), expected, rtol=0, atol=1e-5)


def test_the_merged_folder_says_the_same(variant: str, saved: Path, tmp_path: Path) -> None:
    from transformers import LlamaForCausalLM

    (tmp_path / "merged").mkdir()
    contents = read_contents(saved)
    write_merged(contents, lora_of(contents), open_language_folder(LLAMA), tmp_path / "merged")
    expected = logits_of(trained(variant).llama_model)
    merged = LlamaForCausalLM.from_pretrained(str(tmp_path / "merged"), dtype=torch.float32)
    assert torch.allclose(logits_of(merged), expected, rtol=0, atol=1e-5)
    # and another variant begins on what this one has learned
    section = {"llama_model": str(tmp_path / "merged"), "ckpt": str(tmp_path / "merged" / "projector.safetensors")}
    settled = settle_model({**section, **EYES, "lora_r": 2, "peft": {"use_dora": True}})
    model = golden_model(lora=settings_of(settled, ()), folder=tmp_path / "merged")
    report = load_checkpoint(model, read_checkpoint(Path(section["ckpt"])), "projector")
    assert str(report).endswith("LoRA beside them begins as nothing, and changes answers only if it is trained")
    assert torch.equal(model.llama_proj.weight, trained(variant).llama_proj.weight)
    assert torch.allclose(logits_of(model.llama_model), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("to", ["peft", "minigpt4", "safetensors"])
def test_another_spelling_loads_with_the_same_bits(variant: str, saved: Path, tmp_path: Path, to: str) -> None:
    out = convert(read_contents(saved), to, tmp_path / ("other" + (".safetensors" if to == "safetensors" else ".pth")))
    if to == "peft":
        own = set(trained(variant).state_dict())
        named = {key for key in read_checkpoint(out)["model"] if ".lora_initial_" not in key}
        assert named <= own, "today's peft's own names"
    assert torch.equal(logits_of(loaded_from(out).llama_model), logits_of(trained(variant).llama_model))


def test_peft_adapters_whose_weights_were_parted_elsewhere_are_refused(tmp_path: Path) -> None:
    model = trained("pissa")
    content = {"model": trainable_state(model), **recorded(model)}
    content["model"] = {key: own for key, own in content["model"].items() if "lora_initial" not in key}
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="path_initial_model_for_weight_conversion"):
        find_lora(read_contents(tmp_path / "a.pth"))


@pytest.mark.parametrize(
    ("part", "lost", "told"),
    [
        ("dora", "lora_magnitude_vector", "use_dora is True by its settings"),
        ("head and norms whole", "lm_head", "lm_head: trained whole by its settings"),
    ],
)
def test_a_file_that_lost_a_part_is_refused(tmp_path: Path, part: str, lost: str, told: str) -> None:
    model = trained(part)
    content = {"model": {key: own for key, own in trainable_state(model).items() if lost not in key}, **recorded(model)}
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=told) as caught:
        find_lora(read_contents(tmp_path / "a.pth"))
    assert told in str(caught.value)


def test_a_pattern_of_pefts_is_what_its_tensors_are(tmp_path: Path) -> None:
    model = trained("all-linear")
    for pattern in ("all-linear", r".*\.(self_attn|mlp)\..*_proj"):
        record = {**VARIANTS["all-linear"].record(), "target_modules": pattern}
        torch.save({"model": trainable_state(model), RECORD: record}, tmp_path / "a.pth")
        assert lora_of(read_contents(tmp_path / "a.pth")).settings == VARIANTS["all-linear"]
