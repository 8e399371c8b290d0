from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A model that has much to say: ours, and its folder as transformers loads it."""
    from tests.conformance.exported_model import loaded, write_talkative  # late: heavy

    folder, ours = write_talkative(tmp_path_factory.mktemp("talk"))
    model, processor = loaded(folder)
    return {"folder": folder, "ours": ours, "model": model, "processor": processor}
