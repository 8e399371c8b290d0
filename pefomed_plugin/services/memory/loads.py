"""The largest batch of a run: how many sequences of how many tokens, from its configuration and what is known of the
releases. Arithmetic; no tokenizer, no data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...config.compose import Configuration
from ...config.datasets import DatasetConfig
from ...families import ModelSize
from ...prompts import DEFAULT_STYLE, IMAGE_PLACEHOLDER, INSTRUCTION, QUESTION, template_of
from ...readers import DATASETS, describe

CHARACTERS_A_TOKEN = 3
"""Of English text in LLaMA's vocabulary, a cautious assumption."""
MARKUP_CHARACTERS_A_TOKEN = 2
"""Of a prompt's fixed text, which is half markup."""

NEW_TOKENS = {"medical_vqa": 20, "exact_match": 20, "medical_caption": 120}
"""Task -> limit of an answer where the run sets none (``adapters/tasks.py``); 300 for the others."""
_LONGEST_QUESTION = max(spec.longest[0] for spec in DATASETS.own.values() if spec.longest)
"""Characters that a question is taken to have at most where a data set does not declare its longest."""


@dataclass(frozen=True)
class Load:
    """The largest batch of a phase."""

    dataset: str
    samples: int
    rows: int
    """Sequences; questions of one image share one with ``questions_per_image``."""
    row_tokens: int
    """Length of the longest, to which all are padded."""
    answer_tokens: int
    """Answer tokens of the batch, or those each sample may generate."""
    alone_tokens: int
    """Length of the longest question's own sequence, what others share with it included."""

    @property
    def tokens(self) -> int:
        """Of the whole batch."""
        return self.rows * self.row_tokens


def training_load(config: Configuration, size: ModelSize, name: str) -> Load:
    """The largest batch of one data set in training."""
    samples = config.datasets[name].batch_size
    question, answer = _lengths(config, name)
    return _load(config, size, name, samples, question + answer, samples * answer)


def answering_load(config: Configuration, size: ModelSize) -> Load:
    """The largest batch in answering, that of the data set with the longest prompts."""
    run = config.run
    name = max(config.datasets, key=lambda dataset: _lengths(config, dataset)[0])
    limit = run.max_new_tokens or NEW_TOKENS.get(run.task, 300)
    return _load(config, size, name, run.batch_size_eval, _lengths(config, name)[0], limit)


def _load(config: Configuration, size: ModelSize, name: str, samples: int, own: int, answer: int) -> Load:
    """``own``: tokens of one question (and answer) behind what questions of one image share."""
    together = config.run.questions_together(samples)
    markup = _markup(config.datasets[name])
    prefix = 1 + markup[0] + size.vision.patches // 4 + markup[1]
    return Load(name, samples, math.ceil(samples / together), prefix + together * own, answer, prefix + own)


def _markup(section: DatasetConfig) -> list[int]:
    """Tokens of the longest prompt's fixed text: before the image, between it and the question, behind the question."""
    prompt = section.prompt_of(template_of("vqa"))
    turn = DEFAULT_STYLE.user_turn(prompt.template.replace(INSTRUCTION, max(prompt.pool, key=len)))
    before, after = turn.split(IMAGE_PLACEHOLDER)
    between, _, behind = after.partition(QUESTION)
    return [math.ceil(len(part) / MARKUP_CHARACTERS_A_TOKEN) for part in (before, between, behind)]


def _lengths(config: Configuration, name: str) -> tuple[int, int]:
    """Tokens of the longest question with what follows it, and of the longest answer with its end symbol."""
    limit = config.model.max_txt_len
    question, answer = describe(name).longest or (_LONGEST_QUESTION, limit * CHARACTERS_A_TOKEN)
    return (
        _markup(config.datasets[name])[2] + math.ceil(question / CHARACTERS_A_TOKEN),
        min(math.ceil(answer / CHARACTERS_A_TOKEN) + 1, limit),
    )
