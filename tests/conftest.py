"""All tests run on the bundled toolkit; those of ``tests/toolkit`` start a checkout in processes of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter

import pytest

from tests.e2e.browsing import NO_BROWSER

VARIABLES = ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT", "PEFOMED_SAMPLE", "PEFOMED_CACHE")
os.environ["PEFOMED_TOOLKIT"] = "bundled"
for name in VARIABLES:
    os.environ.pop(name, None)
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="pefomed-tests-")  # the log of what leaves is the user's


def pytest_unconfigure():
    """Also in each process of pytest-xdist."""
    shutil.rmtree(os.environ["XDG_STATE_HOME"], ignore_errors=True)


def pytest_terminal_summary(terminalreporter):
    """How many tests no browser looked at, and why."""
    reasons = (report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()) if report.longrepr)
    left_out = Counter(reason.split(NO_BROWSER, 1)[1] for reason in map(str, reasons) if NO_BROWSER in reason)
    for reason, count in left_out.items():
        terminalreporter.write_line(f"{count} tests of pages in a browser were left out: {reason}", yellow=True)


@pytest.fixture(autouse=True)
def _process_is_as_it_was_after_the_test():
    """A run points the variables at the embedded default, and data that are not public change the umask."""
    from pefomed_plugin.services import outbound

    outbound.begin("", False)
    before, umask = {name: os.environ.get(name) for name in VARIABLES}, os.umask(0o022)
    os.umask(umask)
    yield
    os.umask(umask)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """Folder of the whole embedded default; read only."""
    return _make_sample(tmp_path_factory)


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory):
    """The same folder, in which only VQA-RAD and the tiny model have to be."""
    return _make_sample(tmp_path_factory, parts=("vqa_rad", "tiny"))


def _make_sample(tmp_path_factory, **which):
    """Made once for all tests; processes of pytest-xdist share it as well."""
    from pefomed_plugin.embedded import make_sample
    from pefomed_plugin.services.parallel import locked

    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "embedded" / "sample"
    with locked(base / "embedded.lock"):
        make_sample(folder, **which)
    return folder
