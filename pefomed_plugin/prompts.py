"""The exact strings the model is asked with, and the only place that knows the image markers.

What the weights were trained with, character by character (paper section 3.1 and 3.2): a user turn is
``[INST] <Img><ImageHere></Img> [vqa] ... [/INST]``. Training draws a report or caption instruction from a pool;
evaluation always takes the first, so that a score does not depend on the draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from .errors import near_names

IMAGE_PLACEHOLDER = "<ImageHere>"
"""Where the projected visual tokens are put in; split on this exact spelling."""
IMAGE_MARKER = f"<Img>{IMAGE_PLACEHOLDER}</Img>"

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

INSTRUCTION, QUESTION, VIEW = "{instruction}", "{question}", "{view}"
"""Where a template takes the instruction, an instruction the sample's question, and one of several images its name."""
SEVERAL_IMAGES = f"{VIEW}: {IMAGE_MARKER}"
"""How each of several images is shown, one behind the other with a blank between. MiniGPT-v2 has no prompt for several
images; one image is shown by its marker alone, as it was trained."""


@dataclass(frozen=True)
class PromptTemplate:
    """What samples of one task are asked with, before the language model's turn. In the host's registry by its name."""

    name: str
    """MiniGPT-v2's task identifier: ``[vqa]``."""
    template: str
    """Image marker, identifier, and ``{instruction}`` where the instruction goes."""
    pool: tuple[str, ...]
    """Instructions, with ``{question}`` where the sample's question goes; the first is evaluation's."""
    several: str = SEVERAL_IMAGES
    """What stands for each of several images in place of the one marker: the marker, and ``{view}``."""

    @property
    def asks(self) -> bool:
        """Whether the samples must have a question."""
        return any(QUESTION in instruction for instruction in self.pool)

    def draw_instruction(self, question: str | None = None, rng: Random | None = None) -> str:
        """Instruction of one sample, without task identifier or image marker.

        Args:
            question: the sample's question, where the pool asks one.
            rng: draws from the pool while training; without it, the first of the pool (evaluation).

        Raises:
            ValueError: a sample without a question.
        """
        instruction = rng.choice(self.pool) if rng is not None else self.pool[0]
        if QUESTION not in instruction:
            return instruction
        if not question or not question.strip():
            raise ValueError(f"a {self.name.strip('[]')} sample needs a question")
        return instruction.replace(QUESTION, question.strip())

    def instruction_input(self, instruction: str, names: Sequence[str] = ()) -> str:
        """``<Img><ImageHere></Img> [vqa] ...``: what samples carry under that key, before the turn.

        Args:
            names: of the images where there are several: ``frontal: <Img>...</Img> lateral: <Img>...</Img> [vqa] ...``.
        """
        return self._with_images(names).replace(INSTRUCTION, neutralise(instruction))

    def ask(self, question: str | None = None, rng: Random | None = None, names: Sequence[str] = ()) -> str:
        """``instruction_input`` of a drawn instruction. Raises as ``draw_instruction``."""
        return self.instruction_input(self.draw_instruction(question, rng), names)

    def _with_images(self, names: Sequence[str]) -> str:
        if len(names) < 2:
            return self.template
        shown = " ".join(self.several.replace(VIEW, _plain_name(name)) for name in names)
        return self.template.replace(IMAGE_MARKER, shown)

    def to_json(self) -> dict[str, Any]:
        """For a checkpoint."""
        own = {} if self.several == SEVERAL_IMAGES else {"several": self.several}
        return {"template": self.template, "pool": list(self.pool), **own}


def plain_parts(
    task: str, question: str | None, names: Sequence[str], templates: Mapping[str, PromptTemplate] | None = None
) -> list[int | str]:
    """What a model is asked that knows none of our markers: places of images and texts between them, in order.

    The image, then evaluation's instruction; of several images each stands behind its name.

    Args:
        names: of the images (``Sample.image_names``).

    Raises:
        ValueError: an unknown task, or one that asks and a sample without a question.
    """
    instruction = template_of(task, templates or PROMPT_TEMPLATES).draw_instruction(question)
    if len(names) == 1:
        return [0, instruction]
    return [*(part for place, name in enumerate(names) for part in (name + ":", place)), instruction]


def template_problems(template: str, several: str = SEVERAL_IMAGES) -> list[str]:
    """What is wrong with texts as ``PromptTemplate.template`` and ``several``."""
    wanted = {IMAGE_MARKER: "where the image goes", INSTRUCTION: "where the instruction goes"}
    problems = [f"{part} ({what}) must be in it once" for part, what in wanted.items() if template.count(part) != 1]
    if several.count(IMAGE_MARKER) != 1:
        problems.append(f"{IMAGE_MARKER} must be once in what stands for each of several images")
    return problems


def _declare(name: str, pool: tuple[str, ...]) -> PromptTemplate:
    return PromptTemplate(name, f"{IMAGE_MARKER} {name} {INSTRUCTION}", pool)


PROMPT_TEMPLATES: Mapping[str, PromptTemplate] = {
    "caption": _declare("[caption]", CAPTION_INSTRUCTIONS),
    "vqa": _declare("[vqa]", (VQA_INSTRUCTION,)),
    "report": _declare("[report]", REPORT_INSTRUCTIONS),
}
"""``Sample.task`` -> its template, with MiniGPT-v2's markers and identifiers and the paper's instructions."""


def template_of(task: str, templates: Mapping[str, PromptTemplate] = PROMPT_TEMPLATES) -> PromptTemplate:
    """The template of a ``Sample.task``. Raises ValueError for an unknown one."""
    if task not in templates:
        raise ValueError(f"unknown task {task!r}; {near_names(task, templates)}")
    return templates[task]


@dataclass(frozen=True)
class PromptStyle:
    """How a language model is talked to: its turns, and what ends an answer."""

    name: str
    turn: str
    """A user turn, ``{}`` where the text goes. Without the token that begins a sequence: the model adds that one."""
    end: str
    """What ends an answer, as training appends it."""
    answer_mark: str
    """What the turn ends with; of a generated text that repeats it, only what follows is the answer. Empty where it is
    made of special tokens, which no decoded text holds."""
    system: str = ""
    """Put in front of every user turn; empty where the model was trained without."""

    def user_turn(self, text: str, template: str | None = None) -> str:
        """An ``instruction_input`` as a complete prompt for ``generate``; ``template`` in place of the style's own."""
        return (template if template is not None else self.system + self.turn).format(text)

    def answer_of(self, generated: str) -> str:
        """The answer in a generated text."""
        return (generated.rsplit(self.answer_mark, maxsplit=1)[-1] if self.answer_mark else generated).strip()


LLAMA2_CHAT = PromptStyle(name="llama2_chat", turn="[INST] {} [/INST]", end="</s>", answer_mark="[/INST]")
"""LLaMA-2-chat's turn."""
LLAMA3_CHAT = PromptStyle(
    name="llama3_chat",
    turn="<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    end="<|eot_id|>",
    answer_mark="",
)
"""The turn of LLaMA-3 to 3.3, instruct. Their templates since 3.1 put today's date in front, which is left out."""
_CHATML = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
QWEN25_CHAT = PromptStyle(
    name="qwen2.5_chat",
    turn=_CHATML,
    end="<|im_end|>",
    answer_mark="",
    system="<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n",
)
"""ChatML as Qwen2.5's template fills it in where no system message is given."""
QWEN3_CHAT = PromptStyle(
    name="qwen3_chat", turn=_CHATML + "<think>\n\n</think>\n\n", end="<|im_end|>", answer_mark="</think>"
)
"""ChatML as Qwen3's template writes it with ``enable_thinking=False``: thoughts that are there already, and empty."""
DEFAULT_STYLE = LLAMA2_CHAT
"""Of what is asked without a model at hand: lessons of the tiny model, other programs' models, estimates."""


def _plain_name(name: str) -> str:
    """A view's name that claims neither an image nor the place of the instruction."""
    return neutralise(name).replace(INSTRUCTION, "instruction")


def neutralise(text: str) -> str:
    """Text of a data file with image markers taken apart, so that a question can never claim an image."""
    return text.replace(IMAGE_PLACEHOLDER, "< ImageHere >").replace("<Img>", "< Img >").replace("</Img>", "< /Img >")
