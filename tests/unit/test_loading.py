"""``load`` refuses what cannot be, before it makes or reads anything."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from pefomed_plugin import load, loading
from pefomed_plugin.errors import ConfigError


@pytest.mark.parametrize(("device", "said"), [("cuda:99", "torch sees"), ("gpu", "none of auto, cpu, cuda, cuda:1")])
def test_a_device_that_is_not_there_is_said_before_the_embedded_default_is_made(
    monkeypatch: pytest.MonkeyPatch, device: str, said: str
) -> None:
    def made(*_: Any) -> None:
        raise AssertionError("the sample was made first")

    monkeypatch.setattr(loading, "ensure_embedded", made)
    monkeypatch.setattr(loading, "read_contents", made)
    for ckpt in ("embedded", "nowhere.pth"):
        with pytest.raises(ConfigError, match=said):
            load(ckpt, device=device)
