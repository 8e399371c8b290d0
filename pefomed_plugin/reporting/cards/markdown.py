"""Markdown as cards need it: front matter, tables, lists. Knows nothing of models and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MARK = "<!-- Written by pefomed. To keep changes of your own, delete this line: the card is then left alone. -->"
EMBEDDED = (
    "> **Embedded sample.** Made with generated drawings and a tiny model, to try the software. Its figures "
    "say nothing about medicine."
)


def front_matter(content: Mapping[str, Any]) -> str:
    """The YAML block that the Hugging Face hub reads."""
    import yaml  # late: heavy

    return f"---\n{yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)}---"


def licence(identifier: str) -> dict[str, str]:
    """Front matter of a licence; the hub wants a name and a link with ``other``."""
    other = {"license_name": "see-licences", "license_link": "README.md"} if identifier == "other" else {}
    return {"license": identifier, **other}


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; nothing where it has no rows."""
    if not rows:
        return ""
    lines: list[Sequence[str]] = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| {} |".format(" | ".join(str(each).replace("|", "\\|").replace("\n", " ") for each in line)) for line in lines
    )


def bullets(lines: Sequence[str]) -> str:
    """A list; nothing where it is empty."""
    return "\n".join("- " + line for line in lines)


def join(parts: Sequence[str]) -> str:
    """Paragraphs one below the other, empty ones left out."""
    return "\n\n".join(part for part in parts if part) + "\n"
