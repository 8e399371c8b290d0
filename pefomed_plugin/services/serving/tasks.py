"""Which task a request asks for, and what is left of its words: named by the system message or by a tag in the text.

Evaluation's own instruction names its task too, so that a harness that sends it whole gets evaluation's answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...errors import near_names
from ...prompts import QUESTION
from .faults import wrong
from .messages import Spoken

_TAG = re.compile(r"\[([A-Za-z][A-Za-z_-]{0,30})\]")
_SYSTEM = re.compile(r"(?:task\s*:\s*)?\[?([A-Za-z][A-Za-z_-]{0,30})\]?\.?", re.IGNORECASE)


def choose_task(
    spoken: Spoken, tasks: Sequence[str], instructions: Mapping[str, Sequence[str]], default: str
) -> tuple[str, str]:
    """Task, and the question or instruction without what named it.

    Raises:
        ApiFault: 400; an unknown task, two of them, or a question without words.
    """
    named = _of_system(spoken, tasks)
    for name in [named] if named else tasks:  # evaluation's instruction, whatever stands in its question
        rest = _without_instruction(" ".join(spoken.text.split()), instructions.get(name, ()))
        if rest is not None:
            return name, _asked(name, rest, instructions, spoken)
    found = [tag.lower() for tag in _TAG.findall(spoken.text)]
    known = list(dict.fromkeys(tag for tag in found if tag in tasks))
    first = _TAG.match(spoken.text.strip())
    if first and first[1].lower() not in tasks:
        raise wrong(spoken.text_param, f"no task [{first[1]}]; {near_names(first[1].lower(), tasks)}", "invalid_value")
    said = list(dict.fromkeys([*([named] if named else []), *known]))
    if len(said) > 1:
        raise wrong(spoken.text_param, f"two tasks are named, {' and '.join(said)}; name one", "invalid_value")
    text = " ".join(_TAG.sub(lambda tag: "" if tag[1].lower() in tasks else tag[0], spoken.text).split())
    task = said[0] if said else None
    for name in [task] if task else tasks:
        rest = _without_instruction(text, instructions.get(name, ()))
        if rest is not None:
            return name, _asked(name, rest, instructions, spoken)
    return task or default, _asked(task or default, text, instructions, spoken)


def _of_system(spoken: Spoken, tasks: Sequence[str]) -> str | None:
    words = spoken.system.strip()
    if not words:
        return None
    found = _SYSTEM.fullmatch(words)
    if found is None:
        known = ", ".join(f"[{task}]" for task in tasks)
        words = f"a system message can only name the task ({known}): the model was trained without other instructions"
        raise wrong(spoken.system_param, words, "unsupported_value")
    name = found[1].lower()
    if name not in tasks:
        raise wrong(spoken.system_param, f"no task {found[1]!r}; {near_names(name, tasks)}", "invalid_value")
    return name


def _asked(task: str, text: str, instructions: Mapping[str, Sequence[str]], spoken: Spoken) -> str:
    if not text and any(QUESTION in instruction for instruction in instructions.get(task, ())):
        raise wrong(spoken.text_param, f"an empty question; ask something, or name another task than {task}")
    return text


def _without_instruction(text: str, instructions: Sequence[str]) -> str | None:
    """The question in an instruction of evaluation, empty where that asks none; None where the text is none of them."""
    for instruction in instructions:
        before, asks, behind = (" ".join(part.split()) for part in instruction.partition(QUESTION))
        if not asks:
            if text == before:
                return ""
        elif text.startswith(before) and text.endswith(behind) and len(text) > len(before) + len(behind):
            return text[len(before) : len(text) - len(behind)].strip()
    return None
