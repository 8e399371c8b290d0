"""``docs/troubleshooting.md``: every message it quotes is one that the package says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
OF_OTHERS = ("CUDA out of memory",)
SOURCE = "\n".join(
    re.sub(r'"\s*\n\s*"', "", path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "pefomed_plugin").rglob("*.py"))
)


@pytest.mark.parametrize("message", [each for each in QUOTED if each not in OF_OTHERS])
def test_the_message_is_one_of_ours(message):
    assert all(part in SOURCE for part in message.split("..."))


def test_the_page_quotes_messages():
    assert len(QUOTED) > 30


@pytest.mark.parametrize("path", sorted((ROOT / "pefomed_plugin" / "doctor").glob("*.py")), ids=lambda path: path.name)
def test_the_pages_that_the_doctor_sends_to_exist(path):
    anchors = {re.sub(r"[^a-z ]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^## (.+)$", PAGE, re.M)}
    for page, anchor in re.findall(r"(docs/[\w/-]+\.md)(?:#([\w-]+))?", path.read_text(encoding="utf-8")):
        assert (ROOT / page).is_file()
        assert not anchor or (page.endswith("troubleshooting.md") and anchor in anchors)
