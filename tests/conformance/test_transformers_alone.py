"""``pefomed checkpoint export --format transformers``, and a Python that has transformers and nothing of ours."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from pefomed_plugin import load
from pefomed_plugin.cli import main
from pefomed_plugin.embedded.tiny_model import make_tiny_model
from pefomed_plugin.origins import is_generated
from tests.conformance.exported_model import (
    LLAMA,
    UPSTREAM,
    chat,
    generated_questions,
    loaded,
    talkative,
    write_vit,
)
from tests.conformance.golden import arrays, golden

ROOT = Path(__file__).resolve().parents[2]

ALONE = """
import json, sys
try:
    import pefomed_plugin
except ImportError:
    pass
else:
    print(json.dumps({"is_here": True}))
    sys.exit()
from transformers import AutoModelForImageTextToText, AutoProcessor, pipeline
folder, asked = sys.argv[1], json.loads(sys.argv[2])
model = AutoModelForImageTextToText.from_pretrained(folder, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
ask = pipeline("image-text-to-text", folder, trust_remote_code=True)
chats = [[{"role": "user", "content": [{"type": "image", "path": path}, {"type": "text", "text": text}]}]
         for path, text in asked]
batch = processor.apply_chat_template(chats, add_generation_prompt=True, tokenize=True, return_dict=True,
                                      return_tensors="pt", processor_kwargs={"padding": True})
new = model.generate(**batch, max_new_tokens=20)[:, batch["input_ids"].shape[1]:]
print(json.dumps({
    "is_here": False,
    "generated": [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)],
    "piped": [ask(text=one, return_full_text=False, max_new_tokens=20)[0]["generated_text"].strip() for one in chats],
}))
"""


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder, and no network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


def clean_python(folder: Path) -> Path:
    """An environment with transformers, torch and Pillow, and nothing but what these require."""
    venv.create(folder, with_pip=False, symlinks=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    waiting, known = ["transformers", "torch", "pillow"], set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in known:
            continue
        known.add(name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system
        needed = [Requirement(line) for line in package.requires or ()]
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
        for part in {file.parts[0] for file in package.files or () if file.parts[0] != ".."}:
            if not (site / part).exists():
                (site / part).symlink_to(Path(str(package.locate_file(part))).resolve())
    assert not {"torchvision", "timm", "peft", "accelerate", "sentencepiece"} & known
    return folder / "bin" / "python"


def test_a_python_without_ours_answers_the_sample(
    offline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = offline / "sample"
    tiny = make_tiny_model(sample, seed=0, steps=2)
    monkeypatch.setenv("PEFOMED_SAMPLE", str(sample))
    for name in ("PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.delenv(name, raising=False)
    llama, vit = str(tiny["llama"]), str(tiny["vit"])
    out = offline / "hub"
    settled = ["--llama", llama, "--vit", vit]
    assert (
        main(["checkpoint", "export", str(tiny["checkpoint"]), "--format", "transformers", *settled, "--out", str(out)])
        == 0
    )
    said = capsys.readouterr()
    assert "trust_remote_code=True" in said.out + said.err
    assert is_generated(out)
    asked = []
    for number, (film, text) in enumerate(generated_questions(6)):
        film.save(offline / f"{number}.png")
        asked.append((str(offline / f"{number}.png"), text))
    asked.append((asked[0][0], "[report]"))
    python = clean_python(offline / "clean")
    done = subprocess.run(
        [str(python), "-I", "-c", ALONE, str(out), json.dumps(asked)],
        cwd=offline,
        env={
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(offline / "hf2"),
            "PATH": os.environ["PATH"],
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found["is_here"]
    model = load(tiny["checkpoint"], llama=llama, vit=vit, device="cpu")
    wanted = model.ask([path for path, _ in asked[:-1]], [text for _, text in asked[:-1]])
    wanted.append(model.report(asked[-1][0], max_new_tokens=20))
    assert found["generated"] == wanted
    assert found["piped"] == wanted
    assert load(out).ask(*asked[0]) == wanted[0]


def exported(folder: Path, *more: str) -> Path:
    """By the command, of a checkpoint with much to say."""
    checkpoint, _ = talkative(folder / "checkpoint.pth")
    vit = write_vit(folder / "eva_vit.pth")
    out = folder / "hub"
    command = ["checkpoint", "export", str(checkpoint), "--format", "transformers", "--out", str(out)]
    assert main([*command, "--llama", str(LLAMA), "--vit", str(vit), *more]) == 0
    return out


def test_the_command_writes_base_and_adapter(offline: Path) -> None:
    out = exported(offline, "--adapter", "--adapter-base", "me/base")
    settings = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "me/base"
    assert {path.name for path in out.iterdir()} == {"base", "adapter", "README.md"}
    with pytest.raises(Exception, match="an adapter on a transformers model"):
        load(out / "adapter")
    assert "base_model_name_or_path" not in (out / "README.md").read_text()


def test_a_base_that_is_named_by_its_path_is_said(offline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = exported(offline, "--adapter")
    told = "names its base by a path of the machine that wrote it"
    captured = capsys.readouterr()
    for said in (captured.out + captured.err, (out / "README.md").read_text()):
        assert told in " ".join(said.split()) and "--adapter-base" in said


def test_the_card_has_three_lines_that_work_as_they_stand(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = exported(offline)
    card = (out / "README.md").read_text()
    code = card.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in code.splitlines() if line.strip()]) == 3
    film, text = generated_questions(1)[0]
    film.save(out / "chest.png")
    monkeypatch.chdir(out)
    said: list[str] = []
    exec(code.replace("Is there a fracture?", text), {"print": said.append})
    assert said[0].strip() == load(out).ask(film, text, max_new_tokens=300)
    assert "library_name: transformers" in card
    assert "pipeline_tag: image-text-to-text" in card


def test_transformers_own_trainer_takes_a_step(offline: Path) -> None:
    from transformers import Trainer, TrainingArguments

    model, processor = loaded(exported(offline))
    film = Image.new("RGB", (9, 9))
    texts = [processor.apply_chat_template(chat(film, text, "yes")) for _, text in generated_questions(4)]

    def collate(rows: list[str]) -> Any:
        batch = processor(text=rows, images=[film] * len(rows), return_tensors="pt", padding=True)
        return {**batch, "labels": batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)}

    before = {name: one.clone() for name, one in model.named_parameters()}
    settings = TrainingArguments(
        str(offline / "run"),
        max_steps=1,
        per_device_train_batch_size=2,
        learning_rate=1e-3,
        remove_unused_columns=False,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
        disable_tqdm=True,
    )
    Trainer(model, settings, data_collator=collate, train_dataset=texts).train()
    changed = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    assert "model.llama_proj.weight" in changed
    assert not any("visual_encoder" in name for name in changed)


@pytest.mark.parametrize("recomputed", [False, True])
def test_trl_trains_it_on_questions_and_answers(offline: Path, recomputed: bool) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    from peft import LoraConfig

    model, processor = loaded(exported(offline))
    film = Image.new("RGB", (80, 60))
    rows = [
        {
            "images": [film],
            "prompt": [{"role": "user", "content": text}],
            "completion": [{"role": "assistant", "content": "yes"}],
        }
        for _, text in generated_questions(4)
    ]
    settings = trl.SFTConfig(
        str(offline / "run"),
        max_steps=1,
        per_device_train_batch_size=2,
        max_length=None,
        report_to=[],
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        gradient_checkpointing=recomputed,
        disable_tqdm=True,
    )
    trainer = trl.SFTTrainer(
        model,
        args=settings,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=processor,
        peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"]),
    )
    batch = trainer.data_collator([trainer.train_dataset[number] for number in range(2)])
    answers = batch["labels"][batch["labels"] != -100].tolist()
    assert answers == [*processor.tokenizer.encode("yes</s>", add_special_tokens=False)] * 2
    begun = {name: one.clone() for name, one in trainer.model.named_parameters() if one.requires_grad}
    assert trainer.train().training_loss > 0
    still = [name for name, one in trainer.model.named_parameters() if name in begun and torch.equal(one, begun[name])]
    assert begun and not [name for name in still if "lora_B" in name]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--format", "transformer"], "did you mean 'transformers'"),
        (["--format", "gguf"], "known: peft, transformers"),
        (["--adapter"], "--adapter: that is for --format transformers"),
        (["--llama", "x"], "--llama: that is for --format transformers"),
        (["--format", "transformers", "--adapter-base", "x"], "--adapter-base is for --adapter"),
        (["--format", "transformers", "--vit", "VIT"], "llama: not given, and PEFOMED_LLAMA is not set"),
        (["--format", "transformers", "--vit", "VIT", "--llama", "nowhere"], "llama=nowhere: no such path"),
    ],
)
def test_flags_that_cannot_be_meant(
    offline: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, flags: list[str], said: str
) -> None:
    for name in ("PEFOMED_LLAMA", "PEFOMED_VIT"):
        monkeypatch.delenv(name, raising=False)
    vit = str(write_vit(offline / "eva_vit.pth"))
    flags = [vit if flag == "VIT" else flag for flag in flags]
    assert main(["checkpoint", "export", str(UPSTREAM), *flags, "--out", str(offline / "out")]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (offline / "out").exists()


def test_files_that_cannot_be_exported(offline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = torch.load(UPSTREAM, weights_only=True)
    vit = str(write_vit(offline / "eva_vit.pth"))

    def refused(name: str, changed: Any, out: Path, *, vit: str = vit) -> str:
        torch.save(changed, offline / name)
        command = ["checkpoint", "export", str(offline / name), "--format", "transformers", "--out", str(out)]
        assert main([*command, "--llama", str(LLAMA), "--vit", vit]) != 0
        return " ".join(capsys.readouterr().err.split())

    out = offline / "out"
    parts = {
        key: {name: one for name, one in content["model"].items() if key in name} for key in ("llama_proj", "lora_")
    }
    assert "holds no LoRA" in refused("projection.pth", {"model": parts["llama_proj"]}, out)
    assert "no llama_proj" in refused("lora.pth", {"model": parts["lora_"]}, out)
    model = {"image_size": 56, "vit": {"embed_dim": 32, "depth": 2, "num_heads": 4}}
    whole = {**content, "config": {"model": {**model, "lora_r": 8, "lora_alpha": 16}}}
    other = {**whole, "config": {"model": {**whole["config"]["model"], "vit": {**model["vit"], "depth": 3}}}}
    assert "does not fit the vision encoder" in refused("deep.pth", other, out)
    timm = {**whole["config"]["model"], "vit_model": "timm/vit_tiny_patch16_224", "vit": None, "image_size": 224}
    assert "use --format peft" in refused("timm.pth", {**whole, "config": {"model": timm}}, out)
    broken = {**whole, "model": {**content["model"], "llama_proj.bias": torch.full((64,), float("nan"))}}
    assert "not finite" in refused("nan.pth", broken, out)
    assert not out.exists()
    out.mkdir()
    (out / "kept.txt").write_text("mine")
    assert "is there already and is not overwritten" in refused("whole.pth", whole, out)
    inside = offline / "file"
    inside.write_text("a file")
    assert "cannot write" in refused("whole.pth", whole, inside / "out")
    assert sorted(path.name for path in out.iterdir()) == ["kept.txt"]
    assert not list(offline.glob("*.part"))


def test_a_run_takes_the_whole_model_of_its_folder(
    offline: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another language model the projection would mean nothing, and the run would still end well."""
    from pefomed_plugin.launch import compose
    from pefomed_plugin.registration import register_all
    from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2

    register_all()
    out = exported(offline)
    (offline / "vqa_rad").mkdir()
    monkeypatch.setenv("PEFOMED_DATA", str(offline))
    monkeypatch.setenv("PEFOMED_LLAMA", str(LLAMA))
    monkeypatch.setenv("PEFOMED_VIT", str(offline / "eva_vit.pth"))
    monkeypatch.setenv("PEFOMED_CKPT", str(out))
    composed = compose(str(ROOT / "eval_configs" / "pefomed_vqa_rad.yaml"), [])
    model = composed.configuration.model
    assert (model.llama_model, model.vit_weights, model.image_size) == (str(out), str(out), 56)
    assert "its own language model and vision encoder are used" in " ".join(capsys.readouterr().out.split())
    section: Any = OmegaConf.to_container(OmegaConf.create(composed.text), resolve=True)
    network = MiniGPTv2.from_config(section["model"]).eval()
    wanted = golden_model_of(offline).generate_ids(arrays()["images"], golden()["prompts"], max_new_tokens=8)
    assert torch.equal(network.generate_ids(arrays()["images"], golden()["prompts"], max_new_tokens=8), wanted)
    assert main(["checkpoint", "inspect", str(out)]) == 0
    assert "eva_clip_g, 56 pixels" in capsys.readouterr().out


def golden_model_of(folder: Path) -> Any:
    """Our model as it was exported."""
    return talkative(folder / "again.pth")[1].eval()


def test_the_projection_of_a_merged_llama_is_exported_with_it(
    offline: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, ours = talkative(offline / "checkpoint.pth")
    vit = str(write_vit(offline / "eva_vit.pth"))
    assert main(["checkpoint", "merge", str(checkpoint), "--llama", str(LLAMA), "--out", str(offline / "merged")]) == 0
    merged, out = offline / "merged", offline / "hub"
    command = ["checkpoint", "export", str(merged / "projector.safetensors"), "--format", "transformers"]
    assert main([*command, "--llama", str(merged), "--vit", vit, "--out", str(out)]) == 0
    found = load(out).network.generate_ids(arrays()["images"], golden()["prompts"], max_new_tokens=8)
    assert main(["checkpoint", "merge", str(checkpoint), "--llama", str(out), "--out", str(offline / "no")]) != 0
    assert "whole exported model" in capsys.readouterr().err
    assert torch.equal(found, ours.eval().generate_ids(arrays()["images"], golden()["prompts"], max_new_tokens=8))
