"""The prompts that weights were trained with, as a chat template: Jinja text that every program with one can fill in.

One turn of the user with one image or several, and for training the answer behind it; that is what the weights have
learnt. The task is said by ``[vqa]``, ``[report]`` or ``[caption]`` in front of the text, as the system
message, or by evaluation's own instruction; everything else about the wording is what ``prompts`` says. How it is put
together stands in ``hub/chat_template.jinja``; what is put together is set in front of that here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...prompts import IMAGE_MARKER, INSTRUCTION, QUESTION, VIEW, PromptTemplate
from . import hub

CHAT_TEMPLATE = "chat_template.jinja"
_TAKEN_APART = (("<ImageHere>", "< ImageHere >"), ("<Img>", "< Img >"), ("</Img>", "< /Img >"))
"""As ``prompts.neutralise``."""
_MARKS = {"image": IMAGE_MARKER, "instruction": INSTRUCTION, "question": QUESTION, "view": VIEW}


def chat_template(
    templates: Mapping[str, PromptTemplate],
    default: str,
    turn: str,
    end: str,
    begin: str = "",
    special: Sequence[str] = (),
) -> str:
    """A Jinja template.

    Args:
        templates: what samples of each task are asked with.
        default: the task of a text that names none.
        turn: a user turn, ``{}`` where the text goes.
        end: what ends an answer.
        begin: what a sequence begins with.
        special: spellings of special tokens, taken apart in what the user wrote.
    """
    before, behind = turn.split("{}")
    values = {
        "tasks": {template.name: _task(template) for template in templates.values()},
        "default": templates[default].name,
        "marks": _MARKS,
        "taken_apart": _TAKEN_APART,
        "special": list(special),
        "before": begin + before,
        "behind": behind,
        "before_answer": "" if special else " ",  # the answer is tokenised as by itself either way
        "end": end,
    }
    # as Jinja writes a value, which is as JSON does
    head = [f"{{%- set {name} = {json.dumps(value, ensure_ascii=False)} -%}}\n" for name, value in values.items()]
    return "".join(head) + Path(hub.__file__).with_name(CHAT_TEMPLATE).read_text(encoding="utf-8")


def _task(template: PromptTemplate) -> dict[str, object]:
    first = template.pool[0]
    return {
        "template": template.template,
        "several": template.several,
        "instruction": first,
        "asks": template.asks,
        "lead": first.partition(QUESTION)[0].strip() if template.asks else "",
    }
