"""Runs inside a MiniGPT-v2 environment: the golden training run on the checkout's own model, through our runner.

``python -m tests.toolkit.checkout_process OUT``: writes ``OUT/log.jsonl`` and the checkpoint, prints what it registered
and the answers as JSON on the last line. Imports nothing of the bundled toolkit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch.utils.data import Dataset

from pefomed_plugin.adapters.runner import RunnerPefomed
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import NAME, registry
from pefomed_plugin.toolkit.checkpoint import load_weights, read_weights

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "golden"
GOLDEN = json.loads((FOLDER / "golden.json").read_text(encoding="utf-8"))
IMAGES = torch.randn(6, 3, 56, 56, generator=torch.Generator().manual_seed(3))


class GoldenSamples(Dataset):
    """The six samples as the runner's data set."""

    name, batch_size, sample_ratio = "golden", 2, 1.0

    def __len__(self):
        return 6

    def __getitem__(self, draw):
        return {
            "image": IMAGES[draw.sample],
            "instruction_input": GOLDEN["instruction_input"][draw.sample],
            "answer": GOLDEN["answer"][draw.sample],
            "image_id": str(draw.sample),
        }


class Cfg:
    """What a runner reads of a configuration."""

    def __init__(self, run, model):
        self.config = OmegaConf.create({"run": run, "model": model})
        self.run_cfg, self.model_cfg = self.config.run, self.config.model

    def to_dict(self):
        return OmegaConf.to_container(self.config)


def main() -> None:
    """Train 24 steps, then answer the six prompts; with a second argument, only load that checkpoint and answer."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    names = register_all()
    initial = load_file(str(FOLDER / "initial.safetensors"))
    torch.save(
        {key[len("visual_encoder.") :]: each for key, each in initial.items() if key.startswith("visual_encoder.")},
        out / "eva.pth",
    )
    settings = GOLDEN["model"]
    run = {
        key: GOLDEN["run"][key]
        for key in (
            "init_lr",
            "min_lr",
            "warmup_lr",
            "warmup_steps",
            "weight_decay",
            "max_epoch",
            "iters_per_epoch",
            "accum_grad_iters",
        )
    }
    cfg = Cfg(
        {"task": "medical_vqa", "output_dir": str(out), "device": "cpu", "shuffle": False, "log_freq": 5, **run},
        {
            "arch": "minigpt_v2",
            "llama_model": str(FOLDER / "tiny_llama"),
            "vit_weights": str(out / "eva.pth"),
            "vit": GOLDEN["vit"],
            "image_size": settings["img_size"],
            "max_txt_len": settings["max_txt_len"],
            "end_sym": settings["end_sym"],
            "chat_template": True,
            "lora_r": settings["lora_r"],
            "lora_alpha": settings["lora_alpha"],
            "lora_dropout": 0.0,
        },
    )
    task = registry.get_task_class("medical_vqa").setup_task(cfg=cfg)
    model = task.build_model(cfg)
    report = load_weights(model, initial, "initial.safetensors")
    assert not report.missing, str(report)
    if len(sys.argv) > 2:
        load_weights(model, read_weights(Path(sys.argv[2])), sys.argv[2])
        model.float()
    else:
        RunnerPefomed(cfg, task, model, {"golden": {"train": GoldenSamples()}}).train()
    model.eval()
    answers = model.generate(IMAGES, GOLDEN["prompts"], max_new_tokens=12)
    print(json.dumps({"toolkit": NAME, "names": names, "answers": answers}))


if __name__ == "__main__":
    main()
