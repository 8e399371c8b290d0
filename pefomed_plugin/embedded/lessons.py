"""What the tiny language model is taught before it sees an image: to answer about a scene's description.

The description stands where the visual tokens will. One page holds one description and several questions about it,
which share the beginning but do not see each other; the loss is that of separate pages, at a third of the cost.

Shapes: B pages, T tokens of the longest page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Callable

from .. import prompts
from .questions import presence, questions
from .scenes import CHEST, FINDINGS, LATERAL, Scene, draw_scene
from .wording import caption, describe, report

Tokenize = Callable[[str], list[int]]
Page = tuple[list[int], list[tuple[list[int], list[int]]]]
"""Token ids of the shared beginning; of each branch's rest of the prompt and answer."""
IGNORED = -100
TASK_SHARES = {"vqa": 0.70, "caption": 0.22, "report": 0.08}


def draw_page(rng: Random, tokenize: Tokenize, style: prompts.PromptStyle = prompts.DEFAULT_STYLE) -> Page:
    """A described scene with all its questions, or one caption, or (chest films) one report; no BOS.

    Args:
        style: the turns of the language model.
    """
    scene = draw_scene(rng.choice(sorted(FINDINGS)), rng)
    task = rng.choices(list(TASK_SHARES), list(TASK_SHARES.values()))[0]
    task = "caption" if task == "report" and scene.kind not in (CHEST, LATERAL) else task
    if task == "vqa":
        opening, rest = _turn("vqa", prompts.VQA_INSTRUCTION.format(question="").strip(), scene, rng, style)
        end = style.turn.partition("{}")[2]
        instruction = rest[: len(rest) - len(end)]
        # SentencePiece puts a blank in front of a text by itself
        blank = "" if style is prompts.LLAMA2_CHAT else " "
        shared = [*tokenize(opening[0]), *tokenize(opening[1]), *tokenize(instruction)]
        asked = [*questions(scene, rng), *(presence(scene, finding, rng) for finding in FINDINGS[scene.kind])]
        return shared, [(tokenize(f"{blank}{sample.text}{end}"), tokenize(sample.answer)) for sample in asked]
    opening, rest = _turn(task, prompts.template_of(task).draw_instruction(rng=rng), scene, rng, style)
    answer = report(scene, rng) if task == "report" else caption(scene, rng)
    return [*tokenize(opening[0]), *tokenize(opening[1])], [(tokenize(rest), tokenize(answer))]


def _turn(
    task: str, instruction: str, scene: Scene, rng: Random, style: prompts.PromptStyle
) -> tuple[tuple[str, str], str]:
    turn = style.user_turn(prompts.template_of(task).instruction_input(instruction))
    before, after = turn.split(prompts.IMAGE_PLACEHOLDER)
    return (before, describe(scene, rng)), after


def texts(rng: Random, pages: int, style: prompts.PromptStyle = prompts.DEFAULT_STYLE) -> Iterator[str]:
    """The text segments of ``pages`` pages, for the tokenizer's training."""
    found: list[str] = []

    def keep(text: str) -> list[int]:
        found.append(text)
        return []

    for _ in range(pages):
        draw_page(rng, keep, style)
    return iter(found)


def collate(pages: Sequence[Page], bos: int | None, eos: int) -> dict[str, Any]:
    """Tensors of a batch: ``input_ids``, ``position_ids`` and ``labels`` (B, T), ``attention_mask`` (B, 1, T, T)."""
    import torch  # late: heavy

    begin = [] if bos is None else [bos]
    length = max(
        len(begin) + len(shared) + sum(len(ask) + len(answer) + 1 for ask, answer in branches)
        for shared, branches in pages
    )
    ids, positions = torch.full((len(pages), length), eos), torch.zeros(len(pages), length, dtype=torch.long)
    labels = torch.full((len(pages), length), IGNORED)
    seen = torch.eye(length, dtype=torch.bool).repeat(len(pages), 1, 1)
    for row, (shared, branches) in enumerate(pages):
        start = len(begin) + len(shared)
        ids[row, :start] = torch.tensor([*begin, *shared])
        positions[row, :start] = torch.arange(start)
        seen[row, :, :start] = True
        at = start
        for ask, answer in branches:
            end = at + len(ask) + len(answer) + 1
            ids[row, at:end] = torch.tensor([*ask, *answer, eos])
            labels[row, at + len(ask) : end] = ids[row, at + len(ask) : end]
            positions[row, at:end] = torch.arange(start, start + end - at)
            seen[row, at:end, at:end] = True
            at = end
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return {"input_ids": ids, "position_ids": positions, "labels": labels, "attention_mask": (seen & causal)[:, None]}
