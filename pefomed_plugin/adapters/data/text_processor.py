"""The processor ``medical_text``: text as released, blanks tidied, truncation counted."""

from __future__ import annotations

from typing import Any

from ...toolkit import BaseProcessor


class MedicalTextProcessor(BaseProcessor):
    """Keeps case, decimals and punctuation ("1.5 cm" stays so); runs of white space become one blank."""

    def __init__(self, max_words: int | None = None) -> None:
        super().__init__()
        self.max_words = max_words
        self.truncated = 0
        """Texts cut at ``max_words`` so far, in this process."""

    def __call__(self, item: str) -> str:
        words = str(item).split()
        if self.max_words is not None and len(words) > self.max_words:
            self.truncated += 1
            words = words[: self.max_words]
        return " ".join(words)

    @classmethod
    def from_config(cls, cfg: Any = None) -> MedicalTextProcessor:
        """Processor from a section with ``max_words`` (absent: no limit)."""
        return cls((cfg or {}).get("max_words"))
