"""The page of all keys is what the declarations say."""

from __future__ import annotations

from pathlib import Path

from pefomed_plugin.config.reference import reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


def test_the_page_is_written_from_the_fields():
    assert PAGE.read_text(encoding="utf-8") == reference(), "python -m pefomed_plugin.config.reference > " + str(PAGE)
