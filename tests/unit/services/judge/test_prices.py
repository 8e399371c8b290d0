"""Prices from the user's table, and token guesses."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.judge.prices import estimate_tokens, read_price


def test_a_price_is_for_a_million_tokens(tmp_path):
    (tmp_path / "p.json").write_text('{"invented": {"input": 2.5, "output": 10}}')
    price = read_price(tmp_path / "p.json", "invented")
    assert price.of({"prompt_tokens": 400_000, "completion_tokens": 100_000}) == pytest.approx(2.0)
    assert price.of({}) == 0
    assert read_price(None, "invented") is None


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"invented": 3}',
        '{"invented": {"input": 1}}',
        '{"invented": {"input": "1", "output": 1}}',
        '{"invented": {"input": -1, "output": 1}}',
        '{"invented": {"input": true, "output": 1}}',
    ],
)
def test_tables_without_a_usable_price(tmp_path, text):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ConfigError, match="no price of 'invented'"):
        read_price(tmp_path / "p.json", "invented")


def test_a_table_that_is_no_json(tmp_path):
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        read_price(tmp_path / "p.json", "invented")


def test_guesses_grow_with_the_text_and_count_images():
    short = estimate_tokens([{"role": "user", "content": "x" * 40}])
    assert (short, estimate_tokens([{"role": "user", "content": "x" * 80}])) == (14, 24)
    parts = [{"type": "text", "text": "x" * 40}, {"type": "image_url", "image_url": {"url": "data:" + "y" * 9999}}]
    assert estimate_tokens([{"role": "user", "content": parts}]) == short + 1000
