"""Our tokenizers as a ``tokenizer.json`` that makes the same ids, and a token in it that stands for images.

MiniGPT-v2 tokenises each piece of a prompt apart, and so does what is written here: a text is cut where an image goes,
and an answer behind its prompt gets the ids it gets by itself, whether a blank stands between them or not.

No row is added to the embedding, because every further row would change all probabilities. The image token takes the
place of one that no text is ever made into: LLaMA's ``<unk>`` (its bytes stand for what it does not know), a row that
the embedding has beyond the vocabulary, or a token that was reserved.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import CheckpointError
from ...families import LanguageModelFamily
from ...families.byte_level import FILE as BYTE_LEVEL_FILE
from ...families.llama import SegmentTokenizer
from ...json_text import parse_json
from ...prompts import IMAGE_PLACEHOLDER, PROMPT_TEMPLATES

SENTENCEPIECE = "tokenizer.model"
_PAD = "<0x00>"
"""LLaMA's padding here: a token that answers never hold, so that what masks padding never masks an answer's end."""
_SAMPLE = (
    "Is there a fracture of the left 7th rib?",
    "Heart size is NORMAL. No effusion; 1.5 cm nodule (RUL), \u00b5m, caf\u00e9 \u80ba, 37\u00b0",
    "yes",
    "two  blanks and\ta tab\nand a line",
    "</Img> [vqa] Based on the image, respond to this question with a short answer: [/INST] $$ </s>",
    *(text for template in PROMPT_TEMPLATES.values() for text in template.pool),
)
"""What both tokenizers must make the same ids of before anything is written."""


@dataclass(frozen=True)
class HubTokenizer:
    """A tokenizer for the folder."""

    content: Mapping[str, Any]
    """Of ``tokenizer.json``."""
    config: Mapping[str, Any]
    """Of ``tokenizer_config.json``."""
    image_token_id: int
    pad_token_id: int
    bos_token_id: int | None
    stop_token_ids: Sequence[int]
    bos: str
    """What a sequence begins with, in words; empty where it begins with its text."""
    special: Sequence[str]
    """Spellings that a text of data or user must not have as they are; empty where MiniGPT-v2 lets them pass."""

    def write(self, folder: Path) -> None:
        """Write the two files."""
        for name, content in ((BYTE_LEVEL_FILE, self.content), ("tokenizer_config.json", self.config)):
            (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def hub_tokenizer(family: LanguageModelFamily, folder: Path, rows: int, answer_mark: str) -> HubTokenizer:
    """The tokenizer of a language model's folder.

    Args:
        rows: of its embedding.
        answer_mark: what a prompt ends with; an answer behind it is tokenised apart.

    Raises:
        CheckpointError: it is of a kind that cannot be written so, or would make other ids.
    """
    own = family.load_tokenizer(folder)
    if isinstance(own, SegmentTokenizer):
        found = _sentencepiece(folder / SENTENCEPIECE, own, answer_mark)
    elif (folder / BYTE_LEVEL_FILE).is_file():
        found = _byte_level(folder / BYTE_LEVEL_FILE, own, rows)
    else:
        raise CheckpointError(
            f"--format transformers: the tokenizer of {folder} ({family.title}) is neither {SENTENCEPIECE} nor "
            f"{BYTE_LEVEL_FILE}; use --format peft, or pefomed checkpoint merge"
        )
    _require_same_ids(found, own, folder)
    return found


def _sentencepiece(path: Path, own: SegmentTokenizer, answer_mark: str) -> HubTokenizer:
    """LLaMA-2's BPE, whose merges are all pairs of pieces that make a piece, the likeliest first."""
    from sentencepiece import SentencePieceProcessor  # late: optional

    pieces = SentencePieceProcessor(model_file=str(path))
    texts = [pieces.id_to_piece(number) for number in range(pieces.vocab_size())]
    if sum(pieces.is_byte(number) for number in range(len(texts))) != 256:
        raise CheckpointError(
            f"--format transformers: {path} has no byte pieces, so that <unk> is a token of texts and cannot stand for "
            "images; use --format peft, or pefomed checkpoint merge"
        )
    vocabulary = {text: number for number, text in enumerate(texts)}
    unknown = pieces.unk_id()
    vocabulary = {IMAGE_PLACEHOLDER if number == unknown else text: number for text, number in vocabulary.items()}
    merges, whole = _merges(pieces, vocabulary)
    begin, end = pieces.id_to_piece(own.bos_token_id), pieces.id_to_piece(own.eos_token_id)
    special = {IMAGE_PLACEHOLDER: unknown, begin: own.bos_token_id, end: own.eos_token_id}
    special[_PAD] = vocabulary[_PAD]
    content = _sentencepiece_content(vocabulary, special, merges, whole, answer_mark)
    names = {"bos_token": begin, "eos_token": end, "pad_token": _PAD}
    return HubTokenizer(
        content,
        _config(names),
        unknown,
        vocabulary[_PAD],
        own.bos_token_id,
        own.stop_token_ids,
        begin,
        (),
    )


def _merges(pieces: Any, vocabulary: Mapping[str, int]) -> tuple[list[list[str]], list[str]]:
    """The pairs that are merged, the likeliest first, and the texts that no merge makes."""
    made = [
        (text, number)
        for text, number in vocabulary.items()
        if not (pieces.is_byte(number) or pieces.is_control(number) or number == pieces.unk_id())
    ]
    pairs: list[tuple[float, int, int, str, str]] = []
    whole = []
    for text, number in made:
        splits = [(text[:at], text[at:]) for at in range(1, len(text))]
        known = [(left, right) for left, right in splits if left in vocabulary and right in vocabulary]
        score = -pieces.get_score(number)
        pairs += [(score, vocabulary[left], vocabulary[right], left, right) for left, right in known]
        if splits and not known:  # no merge makes it: a symbol that whoever trained the model declared
            whole.append(text)
    return [[left, right] for *_, left, right in sorted(pairs)], whole


def _sentencepiece_content(
    vocabulary: Mapping[str, int],
    special: Mapping[str, int],
    merges: Sequence[Sequence[str]],
    whole: Sequence[str],
    answer_mark: str,
) -> dict[str, Any]:
    """Of ``tokenizer.json``."""
    steps: list[dict[str, Any]] = []
    if answer_mark:
        # the last mark alone: a question may have it too
        mark = re.escape(answer_mark)
        steps.append(_split({"Regex": rf"{mark}(?![\s\S]*{mark})"}, "MergedWithPrevious"))
    steps.append({"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": False})
    steps += [_split({"String": text}, "Isolated") for text in whole]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(text, number) for text, number in sorted(special.items(), key=lambda pair: pair[1])],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": True,
            "ignore_merges": bool(whole),
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def _byte_level(path: Path, own: Any, rows: int) -> HubTokenizer:
    """The file as it is, but for the image token and for what it would add to a text by itself."""
    content = dict(parse_json(path.read_bytes()))
    added = [dict(token) for token in content["added_tokens"]]
    reserved = [token for token in added if "reserved_special_token" in str(token["content"])]
    there = [token for token in added if token["content"] == IMAGE_PLACEHOLDER]
    if there:  # of a folder that was exported before
        number = there[0]["id"]
    elif rows > own.pieces:
        added.append(_added(IMAGE_PLACEHOLDER, own.pieces))
        number = own.pieces
    elif reserved:
        number = reserved[-1]["id"]
        reserved[-1].update(_added(IMAGE_PLACEHOLDER, number))
    else:
        raise CheckpointError(
            f"--format transformers: {path} has no token to spare that could stand for images: its {own.pieces:,} "
            f"tokens fill the embedding's {rows:,} rows and none is reserved; use --format peft"
        )
    content.update(added_tokens=added, post_processor=None, truncation=None, padding=None)
    texts = {int(token["id"]): str(token["content"]) for token in added}
    begin = "" if own.bos_token_id is None else texts[own.bos_token_id]
    names = {"bos_token": begin or None, "eos_token": texts[own.eos_token_id], "pad_token": texts[own.pad_token_id]}
    special = sorted((text for text in texts.values() if text != IMAGE_PLACEHOLDER), key=len, reverse=True)
    return HubTokenizer(
        content,
        _config(names),
        number,
        own.pad_token_id,
        own.bos_token_id,
        own.stop_token_ids,
        begin,
        special,
    )


def _config(names: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "processor_class": "MiniGPTv2Processor",
        **names,
        "extra_special_tokens": {"image_token": IMAGE_PLACEHOLDER},
        "image_token": IMAGE_PLACEHOLDER,
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
        "model_max_length": 1_000_000_000,
    }


def _added(text: str, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _split(pattern: Mapping[str, str], behaviour: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": pattern, "behavior": behaviour, "invert": False}


def _require_same_ids(found: HubTokenizer, own: Any, folder: Path) -> None:
    from tokenizers import Tokenizer  # late: optional

    written = Tokenizer.from_str(json.dumps(found.content))
    problems = []
    for text in (own.plain(text) for text in _SAMPLE):
        ids, wanted = written.encode(text, add_special_tokens=False).ids, own.encode(text)
        if ids != wanted:
            problems.append(f"{text[:60]!r}: {ids[:12]} in place of {wanted[:12]}")
    if problems:
        raise CheckpointError(
            f"--format transformers: the tokenizer of {folder} cannot be written as a tokenizer.json that makes the "
            "same ids; use --format peft, or pefomed checkpoint merge",
            problems,
        )
