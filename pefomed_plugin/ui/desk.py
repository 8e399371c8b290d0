"""What the page's buttons do, without gradio: show an image, ask one model or two, explain an answer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

    from ..adapters.medical_model import MedicalModel, Request

TASKS = {"Question [vqa]": "vqa", "Report [report]": "report", "Caption [caption]": "caption"}
"""As the page calls them -> as prompts do."""
NOT_CALIBRATED = "the model's own word, not calibrated"
"""Said beside every confidence."""


class Said(NamedTuple):
    """What one model has said so far."""

    text: str
    prompt: str
    """As the network got it, whole."""
    confidence: float | None = None
    """Geometric mean of its tokens' probabilities, 0 to 1; None until the answer has ended."""


class Desk:
    """One model, or two that are asked the same."""

    def __init__(self, model: MedicalModel, max_new_tokens: int = 0, against: MedicalModel | None = None) -> None:
        self.model = model
        self.models = [model] if against is None else [model, against]
        self.max_new_tokens = max_new_tokens or None

    @property
    def names(self) -> list[str]:
        """What each model is called: of two ``A: stage1/checkpoint_last.pth``, ``B: ...``."""
        names = [checkpoint_name(model.facts) for model in self.models]
        return names if len(names) == 1 else [f"{letter}: {name}" for letter, name in zip("AB", names)]

    def show(self, path: str | None) -> Image.Image | None:
        """The image of a file that was dropped, as the model gets it (before it is resized)."""
        from ..services.images.given_images import open_given  # late: loads PIL

        return open_given(path, self.model.policy) if path else None

    def ask(self, path: str | None, task: str, question: str) -> Iterator[list[Said]]:
        """What each model has said so far, again and again; the last time with confidences.

        Raises:
            ConfigError: no image, or an empty question.
            ImageError: the image cannot be used.
        """
        request = _request(path, task, question, "no image yet; drop one, or choose an example")
        prompts = [model.prompt(request) for model in self.models]
        texts = [""] * len(self.models)
        for pieces in zip_longest(*(model.stream(request, self.max_new_tokens) for model in self.models)):
            texts = [text if piece is None else piece for text, piece in zip(texts, pieces)]
            yield [Said(text, prompt) for text, prompt in zip(texts, prompts)]
        yield [
            Said(text, prompt, model.confidences([request], [text])[0])
            for model, text, prompt in zip(self.models, texts, prompts)
        ]

    def explain(self, path: str | None, task: str, question: str, answer: str) -> tuple[Image.Image, str]:
        """The image with what the first model's answer leans on drawn over it, and the same in words."""
        from ..adapters.occlusion import in_words, occlusion_map  # late: loads torch
        from ..services.images.overlay import SCALE, draw_overlay  # late: loads PIL

        if not answer.strip():
            raise ConfigError("no answer yet; ask something first")
        request = _request(path, task, question, "no answer yet; ask something first")
        found = occlusion_map(self.model, request, answer)
        drawn = draw_overlay(self.model.open(request.image), found.drops, SCALE)  # type: ignore[arg-type]
        return drawn, f"{in_words(found)}. What the answer leans on, not where a finding is."


def checkpoint_name(facts: Any) -> str:
    """A checkpoint's file with its folder: several runs have a ``checkpoint_last.pth``."""
    return "/".join(Path(str(facts.get("checkpoint"))).parts[-2:])


def confidence_in_words(confidence: float) -> str:
    """A confidence as it is shown."""
    return f"confidence {confidence:.2f} ({NOT_CALIBRATED})"


def _request(path: str | None, task: str, question: str, missing: str) -> Request:
    from ..adapters.medical_model import Request  # late: loads torch

    if not path:
        raise ConfigError(missing)
    return Request(path, TASKS[task], question if TASKS[task] == "vqa" else None)
