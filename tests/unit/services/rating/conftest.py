"""Servers of the rating page."""

from __future__ import annotations

import pytest


@pytest.fixture
def server(tmp_path):
    from .serving import served  # late: skips where a package is missing

    with served(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """One server for all tests that expect it to keep nothing."""
    from .serving import served  # late: skips where a package is missing

    with served(tmp_path_factory.mktemp("strict")) as running:
        yield running
