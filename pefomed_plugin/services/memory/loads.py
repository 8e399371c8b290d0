"""The largest batch of a run: how many sequences of how many tokens, from its configuration and what is known of the
releases. Arithmetic; no tokenizer, no data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ...config.compose import Configuration
from ...config.datasets import DatasetConfig
from ...families import ModelSize
from ...prompts import DEFAULT_STYLE, IMAGE_PLACEHOLDER, INSTRUCTION, QUESTION, SEVERAL_IMAGES, template_of
from ...readers import DATASETS, describe
from ...readers.prepared import SHARD_INDEX, is_prepared, read_manifest
from ...readers.textfiles import read_json_object

CHARACTERS_A_TOKEN = 3
"""Of English text in LLaMA's vocabulary, a cautious assumption."""
MARKUP_CHARACTERS_A_TOKEN = 2
"""Of a prompt's fixed text, which is half markup."""

NEW_TOKENS = {"medical_vqa": 20, "exact_match": 20, "medical_caption": 120}
"""Task -> limit of an answer where the run sets none (``adapters/tasks.py``); 300 for the others."""
_LONGEST_QUESTION = max(spec.longest[0] for spec in DATASETS.own.values() if spec.longest)
"""Characters that a question is taken to have at most where a data set does not declare its longest."""
_USUAL = (40, 150)
"""Characters of a question and an answer where a data set does not declare their mean: VQA's questions have 38 to 43,
captions of ROCO and MedICaT 138 and 149."""


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

    images_a_row: int = 1
    """Images that each row shows."""

    @property
    def images(self) -> int:
        """Of the whole batch."""
        return self.rows * self.images_a_row

    @property
    def tokens(self) -> int:
        """Of the whole batch."""
        return self.rows * self.row_tokens


def training_load(config: Configuration, size: ModelSize, name: str) -> Load:
    """The largest batch of one data set in training."""
    samples = config.datasets[name].batch_size
    question, answer = _lengths(config, name)
    return _load(config, size, name, samples, question + answer, samples * answer)


def mean_load(config: Configuration, size: ModelSize, name: str) -> Load:
    """A row of mean texts of one data set: one image, and of its questions as many as come together."""
    spec, batch = describe(name), config.datasets[name].batch_size
    question, answer = spec.mean_length or (_USUAL[0] * ("vqa" in spec.tasks), _USUAL[1])
    answer_tokens = min(math.ceil(answer / CHARACTERS_A_TOKEN) + 1, config.model.max_txt_len)
    own = _markup(config, name)[2] + math.ceil(question / CHARACTERS_A_TOKEN) + answer_tokens
    an_image = sum(spec.splits.values()) / spec.images if spec.images else 1
    together = max(1, min(config.run.questions_together(batch), round(an_image)))
    return _load(config, size, name, together, own, together * answer_tokens)


def answer_limit(config: Configuration) -> int:
    """Tokens that an answer may have."""
    return config.run.max_new_tokens or NEW_TOKENS.get(config.run.task, 300)


def answering_load(config: Configuration, size: ModelSize) -> Load:
    """The largest batch in answering, that of the data set whose prompts have most images, then the longest texts."""
    run = config.run
    sections = config.datasets
    name = max(sections, key=lambda name: (images_shown(name, sections[name]), _lengths(config, name)[0]))
    return _load(config, size, name, run.batch_size_eval, _lengths(config, name)[0], answer_limit(config))


def _load(config: Configuration, size: ModelSize, name: str, samples: int, own: int, answer: int) -> Load:
    """``own``: tokens of one question (and answer) behind what questions of one image share."""
    together = config.run.questions_together(samples)
    markup, images = _markup(config, name), images_shown(name, config.datasets[name])
    between = math.ceil(len(SEVERAL_IMAGES) / MARKUP_CHARACTERS_A_TOKEN) * (images if images > 1 else 0)
    prefix = 1 + markup[0] + between + images * size.vision.visual_tokens + markup[1]
    return Load(name, samples, math.ceil(samples / together), prefix + together * own, answer, prefix + own, images)


def images_shown(name: str, section: DatasetConfig) -> int:
    """Images of the sample that shows most: as a prepared folder or an index of shards says, else by the options.

    Data that are neither are not read: of one's own data that were not prepared it is not known, and 1.
    """
    storage, spec = Path(section.build_info.storage or ""), describe(name)
    if is_prepared(storage):
        views = read_manifest(storage).get("views") or {}
        return max((len(shown.split(" + ")) for split in views.values() for shown in split), default=1)
    if (storage / SHARD_INDEX).is_file():
        return int(read_json_object(storage / SHARD_INDEX, {}).get("most_images") or 1)
    return spec.most_images(spec.complete_options(section.options)) if spec.options else 1


def _markup(config: Configuration, name: str) -> list[int]:
    """Tokens of the longest prompt's fixed text: before the image, between it and the question, behind the question."""
    prompt = config.datasets[name].prompt_of(template_of("vqa"))
    instruction = prompt.template.replace(INSTRUCTION, max(prompt.pool, key=len))
    turn = DEFAULT_STYLE.user_turn(instruction, config.model.prompt_template)
    before, after = turn.split(IMAGE_PLACEHOLDER)
    between, _, behind = after.partition(QUESTION)
    return [math.ceil(len(part) / MARKUP_CHARACTERS_A_TOKEN) for part in (before, between, behind)]


def _lengths(config: Configuration, name: str) -> tuple[int, int]:
    """Tokens of the longest question with what follows it, and of the longest answer with its end symbol."""
    limit = config.model.max_txt_len
    question, answer = describe(name).longest or (_LONGEST_QUESTION, limit * CHARACTERS_A_TOKEN)
    return (
        _markup(config, name)[2] + math.ceil(question / CHARACTERS_A_TOKEN),
        min(math.ceil(answer / CHARACTERS_A_TOKEN) + 1, limit),
    )
