"""Byte-level BPE, the tokenizer of LLaMA-3 and Qwen: a ``tokenizer.json``, read with the ``tokenizers`` package."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, one_line
from ..json_text import parse_json

FILE = "tokenizer.json"


class ByteLevelTokenizer:
    """Every text segment tokenised apart, no special token added, as MiniGPT-v2 does with LLaMA-2's.

    The special tokens are taken out of the file's own machinery: text is split at their spellings here, and ``plain``
    takes the same spellings apart, so that what a user wrote can never be one. Ids equal those of transformers.
    """

    def __init__(self, path: Path, end: str, stops: Sequence[str], pads: Sequence[str], bos: str | None = None) -> None:
        """Read a ``tokenizer.json``.

        Args:
            end: the special token that ends an answer.
            stops: all that do; those that the file does not know are left out.
            pads: the first that the file knows fills rows up.
            bos: what a sequence begins with; None: nothing.

        Raises:
            CheckpointError: the file cannot be read, is not byte-level, or lacks a token.
        """
        from tokenizers import Tokenizer  # late: optional

        content = _read(path)
        added = {str(token["content"]): token for token in content.get("added_tokens") or ()}
        ids = {text: int(token["id"]) for text, token in added.items()}
        missing = [text for text in (end, bos) if text is not None and text not in ids]
        missing += [] if any(pad in ids for pad in pads) else [" or ".join(pads)]
        if missing:
            raise CheckpointError(f"{path} has no special token {', '.join(missing)}; it is another family's tokenizer")
        try:
            pieces = Tokenizer.from_str(json.dumps({**content, "added_tokens": [], "post_processor": None}))
        except Exception as error:  # tokenizers raises bare Exception
            raise CheckpointError(f"{path} cannot be read ({one_line(error)}); download it again") from error
        self._pieces: Any = pieces
        self.pieces: int = max([pieces.get_vocab_size(), *(number + 1 for number in ids.values())])
        """Size of the vocabulary; an embedding can have more rows."""
        self.bos_token_id: int | None = None if bos is None else ids[bos]
        self.eos_token_id: int = ids[end]
        self.stop_token_ids = tuple(dict.fromkeys(ids[text] for text in (end, *stops) if text in ids))
        self.pad_token_id: int = next(ids[pad] for pad in pads if pad in ids)
        self._ids = ids
        self._texts = {ids[text]: "" if token.get("special") else text for text, token in added.items()}
        spellings = "|".join(re.escape(text) for text in sorted(ids, key=len, reverse=True))
        self._pattern = f"({spellings})"

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Token ids, what begins a sequence in front if asked for; spellings of special tokens are special tokens."""
        ids = [self.bos_token_id] if add_special_tokens and self.bos_token_id is not None else []
        for number, part in enumerate(re.split(self._pattern, text)):
            if number % 2:
                ids.append(self._ids[part])
            elif part:
                ids.extend(self._pieces.encode(part, add_special_tokens=False).ids)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens left out."""
        parts: list[str] = []
        run: list[int] = []
        for token_id in ids:
            if token_id in self._texts:
                parts += [self._pieces.decode(run), self._texts[token_id]]
                run = []
            else:
                run.append(token_id)
        return "".join([*parts, self._pieces.decode(run)])

    def plain(self, text: str) -> str:
        """The text with a blank in every spelling of a special token: ``< |im_end|>``."""
        return re.sub(self._pattern, lambda found: found[0][0] + " " + found[0][1:], text)


def is_byte_level(folder: Path | None) -> bool:
    """Whether a folder has a byte-level ``tokenizer.json`` and no SentencePiece model."""
    path = None if folder is None else Path(folder) / FILE
    if path is None or not path.is_file() or (path.parent / "tokenizer.model").is_file():
        return False
    return bool(_facts(str(path), path.stat().st_mtime_ns)[0])


def special_tokens(folder: Path | None) -> frozenset[str]:
    """Spellings of the special tokens of a folder's ``tokenizer.json``; none where there is no such file."""
    path = None if folder is None else Path(folder) / FILE
    return frozenset() if path is None or not path.is_file() else _facts(str(path), path.stat().st_mtime_ns)[1]


@lru_cache(maxsize=8)
def _facts(path: str, changed: int) -> tuple[bool, frozenset[str]]:
    """Whether it is byte-level, and its special tokens; a real one has 10 MB, and several places ask."""
    content = _read(Path(path))
    steps = json.dumps([content.get("pre_tokenizer"), content.get("decoder")])
    return '"ByteLevel"' in steps, frozenset(str(token["content"]) for token in content.get("added_tokens") or ())


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"{path.parent} holds no tokenizer; looked for {path.name}")
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({one_line(error)}); download it again") from error
    tokens = content.get("added_tokens") or [] if isinstance(content, dict) else None
    if not isinstance(tokens, list) or not all(
        isinstance(one, dict) and {"id", "content"} <= set(one) for one in tokens
    ):
        raise CheckpointError(f"{path} is no tokenizer of the tokenizers package; download it again")
    return content
