"""The exact strings the model is asked with, and the only place that knows the image markers.

What the weights were trained with, character by character (paper section 3.1 and 3.2): a user turn is
``[INST] <Img><ImageHere></Img> [vqa] ... [/INST]``. Training draws a report or caption instruction from a pool;
evaluation always takes the first, so that a score does not depend on the draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from .errors import near_names

IMAGE_PLACEHOLDER = "<ImageHere>"
"""Where the projected visual tokens are put in; split on this exact spelling."""
IMAGE_MARKER = f"<Img>{IMAGE_PLACEHOLDER}</Img>"

TASK_IDENTIFIERS = {"vqa": "[vqa]", "report": "[report]", "caption": "[caption]"}

VQA_INSTRUCTION = "Based on the image, respond to this question with a short answer: {question}"

REPORT_INSTRUCTIONS = (
    "Describe the given chest x-ray image in detail.",
    "Write the findings section of the report for this chest x-ray.",
    "What does this chest x-ray show?",
    "Report on the heart, the lungs and the bones seen in this chest x-ray.",
    "Give a detailed radiology report of the given chest x-ray.",
    "List every normal and abnormal finding of this chest x-ray.",
    "As a radiologist, describe this chest x-ray.",
    "Summarise what can be seen in the given chest x-ray image.",
)

CAPTION_INSTRUCTIONS = (
    "Describe the given medical image in detail.",
    "What does this medical image show?",
    "Write a caption for this medical image.",
    "Give a short description of the given medical image.",
    "Name the modality and the main findings of this image.",
    "Describe what can be seen in this image.",
)

INSTRUCTION_POOLS = {"report": REPORT_INSTRUCTIONS, "caption": CAPTION_INSTRUCTIONS}


@dataclass(frozen=True)
class PromptStyle:
    """How a language model is talked to: its turns, what ends an answer, and the instructions of the tasks."""

    name: str
    turn: str
    """A user turn, ``{}`` where the text goes. Without the token that begins a sequence: the model adds that one."""
    end: str
    """What ends an answer, as training appends it."""
    answer_mark: str
    """What the turn ends with; of a generated text that repeats it, only what follows is the answer."""
    system: str = ""
    """Put in front of every user turn; empty where the model was trained without."""
    identifiers: Mapping[str, str] = field(default_factory=lambda: TASK_IDENTIFIERS)
    question_instruction: str = VQA_INSTRUCTION
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: INSTRUCTION_POOLS)

    def draw_instruction(self, task: str, question: str | None = None, rng: Random | None = None) -> str:
        """Instruction of one sample, without task identifier or image marker.

        Args:
            task: ``vqa``, ``report`` or ``caption``.
            question: the question of a ``vqa`` sample.
            rng: draws from the pool while training; without it, the first of the pool (evaluation).

        Raises:
            ValueError: a ``vqa`` sample without a question, or an unknown task.
        """
        if task == "vqa":
            if not question or not question.strip():
                raise ValueError("a vqa sample needs a question")
            return self.question_instruction.format(question=question.strip())
        if task not in self.pools:
            raise ValueError(f"unknown task {task!r}; {near_names(task, self.identifiers)}")
        pool = self.pools[task]
        return rng.choice(pool) if rng is not None else pool[0]

    def instruction_input(self, task: str, instruction: str) -> str:
        """``<Img><ImageHere></Img> [vqa] ...``: what samples carry under that key, before the turn."""
        return f"{IMAGE_MARKER} {self.identifiers[task]} {neutralise(instruction)}"

    def user_turn(self, text: str, template: str | None = None) -> str:
        """An ``instruction_input`` as a complete prompt for ``generate``; ``template`` in place of the style's own."""
        return (template if template is not None else self.system + self.turn).format(text)

    def answer_of(self, generated: str) -> str:
        """The answer in a generated text."""
        return generated.rsplit(self.answer_mark, maxsplit=1)[-1].strip()


LLAMA2_CHAT = PromptStyle(name="llama2_chat", turn="[INST] {} [/INST]", end="</s>", answer_mark="[/INST]")
"""LLaMA-2-chat's turn with MiniGPT-v2's markers and identifiers and the paper's instructions."""
DEFAULT_STYLE = LLAMA2_CHAT
"""Of what is asked without a model at hand: lessons of the tiny model, other programs' models, estimates."""


def neutralise(text: str) -> str:
    """Text of a data file with image markers taken apart, so that a question can never claim an image."""
    return text.replace(IMAGE_PLACEHOLDER, "< ImageHere >").replace("<Img>", "< Img >").replace("</Img>", "< /Img >")
