"""How weights are used, by their form: the lines of a card that run."""

from __future__ import annotations

from ...origins import TINY
from ...vision_encoders import DEFAULT_ENCODER
from .model_facts import ModelFacts

_USE = {
    "checkpoint": "import pefomed_plugin\n\nmodel = pefomed_plugin.load({load})\n"
    'print(model.ask("chest.png", "Is there a fracture?"))',
    "adapter": "from peft import PeftModel\nfrom transformers import {model_class}\n\n"
    'llama = {model_class}.from_pretrained("{base}")\n'
    'model = PeftModel.from_pretrained(llama, ".")',
    "merged": 'from transformers import {model_class}\n\nmodel = {model_class}.from_pretrained(".")',
    "transformers": "from transformers import pipeline\n\n"
    'ask = pipeline("image-text-to-text", ".", trust_remote_code=True)\n'
    'print(ask(text=[{{"role": "user", "content": [{{"type": "image", "path": "chest.png"}}, '
    '{{"type": "text", "text": "Is there a fracture?"}}]}}], return_full_text=False)[0]["generated_text"])',
    "transformers_adapter": "from peft import PeftModel\nfrom transformers import AutoModelForImageTextToText\n\n"
    'base = AutoModelForImageTextToText.from_pretrained("./base", trust_remote_code=True)\n'
    'model = PeftModel.from_pretrained(base, "./adapter")',
}
"""Form of the weights -> what to type."""
_BESIDES = {
    "checkpoint": "To answer and score a test set with it: `pefomed evaluate --cfg-path "
    "eval_configs/pefomed_vqa_rad.yaml --options model.ckpt={weights}{encoder}`. What it holds: `pefomed "
    "checkpoint inspect {weights}`.",
    "adapter": "That is the language model alone. To ask about images: "
    "`pefomed_plugin.load(FOLDER)`; or make a checkpoint, `pefomed checkpoint convert FOLDER --to minigpt4`.",
    "merged": "That is the language model alone. To ask about images, give MiniGPT-v2 `model.llama_model=FOLDER "
    "model.ckpt=FOLDER/projector.safetensors model.lora_r=0`.",
    "transformers_adapter": "`AutoProcessor.from_pretrained` of either folder makes its inputs.",
}


def usage(facts: ModelFacts) -> list[str]:
    """The code of a card, and what stands below it."""
    code = _USE[facts.form].format(
        base=facts.base_model or "PATH OF THE LLAMA", model_class=facts.family.model_class, load=_load(facts)
    )
    encoder = facts.encoder
    options = (
        ""
        if encoder.name == DEFAULT_ENCODER
        else f" model.vit_model={encoder.name} model.image_size={encoder.image_size}"
    )
    beside = ", beside an image `chest.png`" if "chest.png" in code else ""
    elsewhere = "; from elsewhere with its path in place of `.`" if '"./' in code or '"."' in code else ""
    return [
        f"In this folder{beside}{elsewhere}:",
        f"```python\n{code}\n```",
        _BESIDES.get(facts.form, "").format(weights=_weights(facts), encoder=options),
    ]


def _load(facts: ModelFacts) -> str:
    """Arguments of ``load`` for a checkpoint; the tiny model's own parts are found by themselves."""
    weights = f'"{_weights(facts)}"'
    if facts.origins.model == TINY:
        return weights
    llama = facts.language_folder.name if facts.language_folder else "PATH OF THE LANGUAGE MODEL"
    vit = "eva_vit_g.pth" if facts.encoder.name == DEFAULT_ENCODER else "PATH OF THE VISION ENCODER"
    return f'{weights}, llama="{llama}", vit="{vit}"'


def _weights(facts: ModelFacts) -> str:
    return facts.weights or "checkpoint_last.pth"
