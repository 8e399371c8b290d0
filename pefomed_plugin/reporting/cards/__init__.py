"""Model and data cards. Here is what both share: Markdown around their tables, and writing ``README.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...origins import Origins
from ...storage import write_text

CARD = "README.md"
OTHER_CARD = "README.pefomed.md"
"""Where the card goes when ``README.md`` is somebody else's."""
MARK = "<!-- Written by pefomed. To keep changes of your own, delete this line: the card is then left alone. -->"


_OF_A_MODEL = "\npipeline_tag:"


def front_matter(content: Mapping[str, Any]) -> str:
    """The YAML block that the Hugging Face hub reads."""
    import yaml  # late: heavy

    return f"---\n{yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)}---"


def warning(origins: Origins) -> str:
    """What stands above a card of generated data or of the tiny model; nothing where all is real."""
    return f"> **{origins.notice}**" if origins.notice else ""


def licence(identifier: str) -> dict[str, str]:
    """Front matter of a licence; the hub wants a name and a link with ``other``."""
    other = {"license_name": "see-licences", "license_link": "README.md"} if identifier == "other" else {}
    return {"license": identifier, **other}


def bullets(lines: Sequence[str]) -> str:
    """A list; nothing where it is empty."""
    return "\n".join("- " + line for line in lines)


def join(parts: Sequence[str]) -> str:
    """Paragraphs one below the other, empty ones left out."""
    return "\n\n".join(part for part in parts if part) + "\n"


def write_card(folder: Path, text: str) -> Path:
    """Write a card; the file written (see ``CARD`` and ``OTHER_CARD``). One of data and one of a model stay apart.

    Raises:
        DataError: the folder cannot be written.
    """
    path = Path(folder) / CARD
    before = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if path.is_file() and (MARK not in before or (_OF_A_MODEL in before) != (_OF_A_MODEL in text)):
        path = path.with_name(OTHER_CARD)
    write_text(path, text)
    return path


def is_model_card(path: Path) -> bool:
    """Whether a file is a model card that was written here and is not kept by hand."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return MARK in text and _OF_A_MODEL in text
