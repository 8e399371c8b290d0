"""A tokenizer under which VQA-RAD's texts are as long as under a real model's, for counting and timing without one.

A run's cost depends on how long texts are beside the visual tokens. The embedded default's tokenizer knows generated
text and cuts medical words to pieces: 16.7 tokens a question of VQA-RAD. That of Mistral-7B (32,000 pieces, openly
licensed, in the package mistral-common; LLaMA's is much like it but not free to take) makes 10.3 of a question, 3.6 of
an answer with its end, 22 of the prompt's words before a question and 4 behind it. This one makes 10.3, 3.8, 22 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pefomed_plugin.embedded.tiny_language import train_pieces
from pefomed_plugin.prompts import DEFAULT_STYLE, IMAGE_PLACEHOLDER, template_of
from pefomed_plugin.readers import read_data

PIECES = 1150
_WEIGHT_OF_PROMPT = 200
"""The prompt's words count as so many texts, so that they become whole pieces."""


def write_tokenizer(release: Path, folder: Path) -> None:
    """Train it on the training questions and answers of VQA-RAD, as ``folder/tokenizer.model``."""
    (folder / "tokenizer.model").write_bytes(train_pieces(_texts(release), PIECES))


def _texts(release: Path) -> Iterator[str]:
    for sample in read_data("vqa_rad", release).splits()["train"]:
        yield sample.question or ""
        yield sample.answer
    prompt = DEFAULT_STYLE.user_turn(template_of("vqa").ask("?"))
    for _ in range(_WEIGHT_OF_PROMPT):
        yield prompt.replace(IMAGE_PLACEHOLDER, "")
