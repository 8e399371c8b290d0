"""New names and UIDs are drawn anew for each copy; here they are those of every run, none of which looks like
something planted.
"""

from __future__ import annotations

import secrets

import pytest


@pytest.fixture(autouse=True)
def drawn_once(monkeypatch):
    numbers = iter(range(1, 10_000))
    monkeypatch.setattr(secrets, "token_bytes", lambda count: next(numbers).to_bytes(4, "big") * (count // 4))
