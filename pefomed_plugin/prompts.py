"""The exact strings the model is asked with, and the only place that knows the image markers.

What the weights were trained with, character by character (paper section 3.1 and 3.2): a user turn is
``[INST] <Img><ImageHere></Img> [vqa] ... [/INST]``. Training draws a report or caption instruction from a pool;
evaluation always takes the first, so that a score does not depend on the draw.
"""

from __future__ import annotations

from random import Random

IMAGE_PLACEHOLDER = "<ImageHere>"
"""Where the projected visual tokens are put in; split on this exact spelling."""
IMAGE_MARKER = f"<Img>{IMAGE_PLACEHOLDER}</Img>"
TURN_TEMPLATE = "[INST] {} [/INST]"
"""LLaMA-2-chat's user turn, ``prompt_template`` of MiniGPT-v2. No ``<s>``: the model adds the one BOS of training."""

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


def draw_instruction(task: str, question: str | None = None, rng: Random | None = None) -> str:
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
        return VQA_INSTRUCTION.format(question=question.strip())
    if task not in INSTRUCTION_POOLS:
        raise ValueError(f"unknown task {task!r}; known: {', '.join(sorted(TASK_IDENTIFIERS))}")
    pool = INSTRUCTION_POOLS[task]
    return rng.choice(pool) if rng is not None else pool[0]


def instruction_input(task: str, instruction: str) -> str:
    """``<Img><ImageHere></Img> [vqa] ...``: what samples carry under that key, before the turn template."""
    return f"{IMAGE_MARKER} {TASK_IDENTIFIERS[task]} {neutralise(instruction)}"


def user_turn(text: str, template: str = TURN_TEMPLATE) -> str:
    """An ``instruction_input`` as a complete prompt for ``generate``."""
    return template.format(text)


def neutralise(text: str) -> str:
    """Text of a data file with image markers taken apart, so that a question can never claim an image."""
    return text.replace(IMAGE_PLACEHOLDER, "< ImageHere >").replace("<Img>", "< Img >").replace("</Img>", "< /Img >")
