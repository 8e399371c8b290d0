"""Every module that could open a connection, or start a program that could, is known, and those that send ask the gate.

Parses every file, late imports included: a new way out fails here until it is declared and goes through
``services/outbound.py``.
"""

from __future__ import annotations

import ast

import pytest

from tests.test_layers import FILES, PACKAGE, ROOT

_PACKAGES = """
socket socketserver ssl http urllib xmlrpc ftplib smtplib poplib imaplib telnetlib nntplib asyncore asynchat
requests httpx httpx2 httpcore aiohttp urllib3 websockets websocket tornado flask fastapi starlette uvicorn
grpc zmq redis pycurl paramiko fsspec s3fs gcsfs boto3 botocore google azure openai anthropic cohere
mistralai litellm ollama huggingface_hub datasets wandb mlflow comet_ml neptune clearml gradio streamlit
inspect_ai lmms_eval webdataset kafka pymongo psycopg2 mysql sqlalchemy telegram slack_sdk sentry_sdk
prometheus_client
"""
NETWORK = frozenset(_PACKAGES.split())
"""Packages that can open a connection, by their first name."""
PROGRAMS = frozenset({"subprocess", "multiprocessing.connection", "pty", "pexpect", "sh"})
"""Modules that start programs, which could."""
CALLS = frozenset({"create_connection", "open_connection", "create_server", "start_server", "urlopen", "urlretrieve"})
"""Functions that open one, whatever module they were reached by."""
ASKS = "asks the gate"
"""What a declared module does that sends; it must use ``open_passage`` or a ``Passage`` of it."""
HARMLESS = frozenset({"urllib.parse", "http.HTTPStatus"})

WAYS_OUT = {
    "services/outbound.py": "the gate itself: looks up whether a name is this machine",
    "services/judge/server.py": ASKS,
    "services/judge/openai_chat.py": ASKS,
    "services/data/shard_transport.py": ASKS,
    "adapters/training/tracking.py": ASKS,
    "services/rating/server.py": ASKS,
    "services/rating/app.py": "answers requests that server.py let in; asks nobody",
    "services/web_guard.py": ASKS,
    "services/serving/app.py": ASKS,
    "services/serving/service.py": ASKS,
    "services/serving/completions.py": "answers whoever asked; app.py has each answer noted by the gate",
    "cli/serve.py": ASKS,
    "services/listening.py": "listens where rating/server.py and cli/serve.py have asked the gate; asks nobody",
    "services/serving/server.py": "listens where check_key and the gate (cli/serve.py) allow it; asks nobody",
    "services/serving/workers.py": "waits for processes that it started",
    "services/serving/metrics.py": "numbers for /metrics; prometheus-client opens nothing by itself",
    "services/serving/metrics_folder.py": "as metrics.py",
    "ui/page.py": ASKS,
    "cli/rate_page.py": ASKS,
    "cli/chat.py": ASKS,
    "ui/look.py": "colours and fonts of the page",
    "ui/layout.py": "parts of the page",
    "offline.py": "refuses connections; opens none",
    "locks.py": "the machine's name",
    "services/local_names.py": "the machine's name",
    "services/audit/drivers/main.py": "takes the network away from its own process",
    "services/audit/harness_process.py": "starts drivers/main.py, which takes its network away",
    "services/audit/harnesses.py": "git, about folders of this machine",
    "adapters/training/recording.py": "git, about folders of this machine",
    "doctor/machine.py": "java -version",
    "scoring/tokens.py": "a jar of this machine",
    "scoring/meteor.py": "a jar of this machine",
    "adapters/data/streams.py": "webdataset orders samples that were read",
    "readers/tars/members.py": "webdataset's names of what a tar holds",
    "sharing/inspect_task.py": "a task of inspect_ai, which asks whatever model its user names; shared with their word",
    "services/audit/drivers/lmms_eval.py": "runs in a process whose network was taken away",
    "services/data/shard_reading.py": "webdataset reads a stream that shard_transport opened",
    "services/data/shards.py": "webdataset writes files",
}
"""Module -> what it does with the packages above."""


def opens(source):
    """What a source uses of the network: modules and calls."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module":
            names = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found |= {called} & CALLS
            first = getattr(getattr(node.func, "value", None), "id", "")
            if first == "os" and called in ("system", "popen", "execv", "execvp", "posix_spawn", "spawnv"):
                found.add(f"os.{called}")
            if called == "from_pretrained" and not any(word.arg == "local_files_only" for word in node.keywords):
                found.add("from_pretrained without local_files_only")
        for name in names:
            if name in HARMLESS or any(name.startswith(kind + ".") for kind in HARMLESS):
                continue
            if name.partition(".")[0] in NETWORK or name in PROGRAMS or name.partition(".")[0] in PROGRAMS:
                found.add(name)
    return found


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_whoever_could_open_a_connection_is_declared(path):
    found = opens(path.read_text(encoding="utf-8"))
    if not found:
        return
    assert name_of(path) in WAYS_OUT, (
        f"{name_of(path)} uses {', '.join(sorted(found))}: if it sends something, let it ask "
        "services.outbound.open_passage; then declare it here"
    )


@pytest.mark.parametrize("name", sorted(WAYS_OUT))
def test_what_is_declared_is_there_and_asks(name):
    source = (PACKAGE / name).read_text(encoding="utf-8")
    assert opens(source) or WAYS_OUT[name] == ASKS, f"{name} opens nothing any more: take it off the list"
    if WAYS_OUT[name] == ASKS:
        used = {
            alias.name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(("outbound", "web_guard"))
            for alias in node.names
        }
        assert used & {"open_passage", "Passage", "closed_passage"}, f"{name} does not ask the gate"


@pytest.mark.parametrize(
    "source",
    [
        "import requests",
        "def f():\n    from urllib.request import urlopen",
        "import http.client as c",
        "from importlib import import_module\nimport_module('boto3')",
        "import subprocess",
        "async def f(loop): await loop.create_connection(None, 'a', 1)",
        "import os\nos.system('curl x')",
        "model.from_pretrained(name)",
    ],
)
def test_a_new_way_out_is_seen(source):
    assert opens(source)


def test_what_is_harmless_is_not():
    assert not opens("from urllib.parse import urlsplit\nmodel.from_pretrained(name, local_files_only=True)")


def test_scripts_beside_the_package_open_nothing():
    for script in (ROOT / "train.py", ROOT / "evaluate.py"):
        assert not opens(script.read_text(encoding="utf-8"))
