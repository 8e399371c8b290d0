"""What the end-to-end tests share: the embedded default, made once for all of them."""

from __future__ import annotations

import os

import pytest

from pefomed_plugin.embedded import make_sample
from pefomed_plugin.services.parallel import locked


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """Folder of the whole embedded default; read only. Processes of pytest-xdist share it as well."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "embedded" / "sample"
    with locked(base / "embedded.lock"):
        make_sample(folder)
    return folder
