"""What a monitor is told of the queue, whoever comes or leaves; no model answers here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from pefomed_plugin.adapters.serving.engine import SlotEngine
from pefomed_plugin.adapters.serving.tickets import Ticket
from pefomed_plugin.services.serving.engine import Full, Watch


def test_who_comes_and_who_leaves_the_queue_is_told_at_once() -> None:
    rows = SimpleNamespace(free=0, slots=1)
    network = SimpleNamespace(stepwise=lambda _: rows, packer=lambda: None, encoder=SimpleNamespace(image_size=8))
    model = SimpleNamespace(network=network, templates={}, images_a_prompt={})
    told: list[tuple[int, int]] = []
    engine = SlotEngine(model, rows=1, most_waiting=2, watch=Watch(state=lambda *state: told.append(state)))  # type: ignore[arg-type]
    first, second, third = (Ticket("", (), 1, (), None, False, 0) for _ in range(3))
    engine.submit(first, print)
    engine.submit(second, print)
    with pytest.raises(Full):
        engine.submit(third, print)
    engine.cancel(first)
    engine.cancel(third)
    engine.cancel(second)
    assert told == [(1, 0), (2, 0), (1, 0), (1, 0), (0, 0)]
