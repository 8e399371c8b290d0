"""A Hugging Face model in this process as the judge, for texts that may not leave this machine."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import ConfigError, one_line
from ...input_files import read_bytes
from ..attention import attention_without_plans
from .chat import ChatRequest, Gate, Reply

DEFAULT_MAX_TOKENS = 1024
_TEMPLATES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates")
"""Where a folder keeps its chat template, if not in ``tokenizer_config.json``."""


def check_local_judge(folder: str) -> None:
    """Whether a folder looks like a model that can judge, as far as that can be told without loading it.

    Raises:
        ConfigError: a package is missing, no folder is named or there, or it lacks configuration or chat template.
    """
    absent = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if absent:
        raise ConfigError(f"the local judge needs {' and '.join(absent)}: pip install {' '.join(absent)}")
    if not folder:
        raise ConfigError("which model judges? Name its folder with --model (in a YAML: run.judge_model)")
    place = Path(folder)
    if not place.is_dir():
        raise ConfigError(f"no folder {folder}; download the judge's model first, nothing is fetched here")
    if not (place / "config.json").is_file():
        raise ConfigError(f"{folder} holds no causal language model: no config.json")
    if any((place / name).exists() for name in _TEMPLATES):
        return
    settings = place / "tokenizer_config.json"
    if not settings.is_file() or b'"chat_template"' not in read_bytes(settings):
        raise ConfigError(f"{folder} has no chat template; use a model that was tuned for instructions")


class LocalChat:
    """Answers with the causal language model of a folder; each question's ``seed`` decides what is drawn.

    Raises:
        ConfigError: transformers is missing, or the folder holds no language model with a chat template.
    """

    def __init__(self, folder: str) -> None:
        check_local_judge(folder)
        import torch  # late: heavy
        from transformers import AutoModelForCausalLM, AutoTokenizer  # late: optional

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="auto")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{folder} holds no causal language model: {one_line(error)}") from None
        if not getattr(self._tokenizer, "chat_template", None):
            raise ConfigError(f"{folder} has no chat template; use a model that was tuned for instructions")
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self._name = Path(folder).resolve().name
        self._lock = threading.Lock()

    def ask(self, question: ChatRequest, gate: Gate) -> Reply:
        """One reply. Raises Halted when the gate is closed."""
        with self._lock:
            gate.enter()
            return self._answer(question)

    def _answer(self, question: ChatRequest) -> Reply:
        import torch  # late: heavy

        parameters = question.parameters
        most = parameters.get("max_tokens") or DEFAULT_MAX_TOKENS
        temperature = parameters.get("temperature", 1.0)
        sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
        prompt = self._tokenizer.apply_chat_template(
            list(question.messages), tokenize=False, add_generation_prompt=True
        )
        inputs = self._tokenizer(prompt, add_special_tokens=False, return_tensors="pt").to(self._model.device)
        torch.manual_seed(parameters.get("seed", 0))
        with torch.inference_mode(), attention_without_plans():
            ids = self._model.generate(**inputs, max_new_tokens=most, **sampling)[0, inputs["input_ids"].shape[1] :]
        text = self._tokenizer.decode(ids, skip_special_tokens=True)
        usage = {"prompt_tokens": int(inputs["input_ids"].shape[1]), "completion_tokens": len(ids)}
        cut = len(ids) == most and int(ids[-1]) not in self._ends()
        fault = "cut off by --max-tokens" if cut else None if text.strip() else "empty reply"
        return Reply(None if fault else text, fault, self._name, None, "length" if cut else "stop", usage)

    def _ends(self) -> list[int]:
        """Tokens that end a reply."""
        ends: Any = self._model.generation_config.eos_token_id
        return list(ends) if isinstance(ends, (list, tuple)) else [ends]
