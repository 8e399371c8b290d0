"""``PEFOMED_OFFLINE=1``: what the kernel sees of sockets while real commands run, and what Python's audit sees."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pefomed_plugin.storage import write_records
from tests.unit.services.judged import written_reports

ROOT = Path(__file__).resolve().parents[2]
TRACED = "connect,bind,sendto,sendmsg,sendmmsg"
LOCAL = re.compile(
    r'sa_family=AF_(UNIX|LOCAL|NETLINK|UNSPEC)|inet_addr\("127\.|inet_pton\(AF_INET6, "(::1|::ffff:127\.[\d.]+)"'
)
HAS_STRACE = shutil.which("strace") is not None and (
    subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0
)
AUDITED = """
import runpy, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
        print(f"SEEN {getattr(arguments[0], 'family', None)!r} {arguments[1]!r}", file=open(sys.argv[0] + ".seen", "a"))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        print(f"ASKED {arguments[0]!r}", file=open(sys.argv[0] + ".seen", "a"))
sys.argv[0] = sys.argv.pop(1)
sys.path.insert(0, sys.argv.pop(1))
import pefomed_plugin.offline  # refuses before the hook below sees anything
sys.addaudithook(hook)
runpy.run_module("pefomed_plugin.cli", run_name="__main__", alter_sys=False)
"""
pytestmark = pytest.mark.slow


def test_python_ends_without_a_word():
    """The hook is called after the names of its module are gone."""
    lines = (
        "import sys",
        "from pefomed_plugin import offline",
        "offline.watch(print)",
        "class Late:",
        "    def __del__(self, ask=sys.audit):",
        "        ask('late.event')",
        "offline.late = Late()",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def pefomed(tmp_path, small_sample, words, offline="1", **settings):
    """One command; its exit code, what it said, and the places beyond this machine that it spoke to."""
    trace = tmp_path / "trace.txt"
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PEFOMED_SAMPLE": str(small_sample),
        "PEFOMED_OFFLINE": offline,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "OMP_NUM_THREADS": "1",
        **settings,
    }
    if HAS_STRACE:
        command = ["strace", "-f", "-s", "0", "-e", f"trace={TRACED}", "-o", str(trace)]
        command += [sys.executable, "-m", "pefomed_plugin.cli", *words]
    else:
        command = [sys.executable, "-c", AUDITED, str(tmp_path / "run"), str(ROOT), *words]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=500)
    lines = trace.read_text().splitlines() if HAS_STRACE else []
    beyond = [line for line in lines if "sa_family=" in line and not LOCAL.search(line)]
    if not HAS_STRACE and (tmp_path / "run.seen").exists():
        seen = (tmp_path / "run.seen").read_text().splitlines()
        beyond = [line for line in seen if not re.search(r"AF_UNIX|'127\.|'::1'|'localhost'|\(''|ASKED None", line)]
    return done.returncode, done.stdout + done.stderr, beyond


def test_doctor_opens_nothing(tmp_path, small_sample):
    code, said, beyond = pefomed(tmp_path, small_sample, ["doctor"], OPENAI_API_KEY="x")
    assert code in (0, 1) and beyond == [], said + "\n".join(beyond)
    assert "PEFOMED_OFFLINE" in said and "nothing leaves this machine" in said


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_evaluation_and_its_processes_speak_to_this_machine_alone(tmp_path, small_sample, processes):
    words = ["evaluate", "--nproc-per-node", processes, "--cfg-path", "eval_configs/pefomed_vqa_rad.yaml"]
    words += ["--options", f"run.output_dir={tmp_path / 'out'}", "run.device=cpu"]
    code, said, beyond = pefomed(tmp_path, small_sample, words)
    assert code == 0 and beyond == [], said + "\n".join(beyond)
    assert "exact_match" in said


def test_a_judge_elsewhere_is_refused_before_anything_is_sent(tmp_path, small_sample):
    pytest.importorskip("openai")
    write_records(tmp_path / "predictions.jsonl", written_reports(2))
    words = ["judge", "report", str(tmp_path / "predictions.jsonl"), "--model", "invented", "--i-have-permission"]
    settings = {"OPENAI_BASE_URL": "http://judge.example.org/v1", "OPENAI_API_KEY": "x"}
    code, said, beyond = pefomed(tmp_path, small_sample, words, **settings)
    assert code == 2 and beyond == [], said + "\n".join(beyond)
    assert "PEFOMED_OFFLINE is set, and its texts would go to judge.example.org" in said
    assert not (tmp_path / "state").exists()


def test_a_server_of_this_machine_is_asked_all_the_same(tmp_path, small_sample):
    pytest.importorskip("openai")
    from tests.chat_server import ChatServer, judged

    write_records(tmp_path / "predictions.jsonl", written_reports(2))
    words = ["judge", "report", str(tmp_path / "predictions.jsonl"), "--model", "invented", "--runs", "1"]
    with ChatServer(lambda body, _: judged(body, scale=5)) as server:
        code, said, beyond = pefomed(tmp_path, small_sample, words, OPENAI_BASE_URL=server.url)
    assert code == 0 and beyond == [], said + "\n".join(beyond)
    assert len(server.requests) == 2


@pytest.mark.skipif(not HAS_STRACE, reason="needs strace")
def test_the_trace_sees_what_leaves_where_it_may(tmp_path, small_sample):
    """That the tests above can fail: the same without PEFOMED_OFFLINE asks a name server, or the address itself."""
    pytest.importorskip("openai")
    write_records(tmp_path / "predictions.jsonl", written_reports(1))
    words = ["judge", "report", str(tmp_path / "predictions.jsonl"), "--model", "invented", "--runs", "1"]
    words += ["--i-have-permission", "--timeout", "5", "--max-requests", "1"]
    settings = {"OPENAI_BASE_URL": "http://192.0.2.1:9/v1", "OPENAI_API_KEY": "x"}
    code, said, beyond = pefomed(tmp_path, small_sample, words, offline="", **settings)
    assert code != 0 and any("192.0.2.1" in line for line in beyond), said
    assert "192.0.2.1" in (tmp_path / "state" / "pefomed" / "outbound.jsonl").read_text()


PROBE = """
import pefomed_plugin, os, socket, sys, urllib.request
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
def tries():
    import pefomed_plugin
    def datagrams(): return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    def udp(): datagrams().sendto(b"x", ("192.0.2.1", 53))
    ways = {
        "url": lambda: urllib.request.urlopen("http://example.org"),
        "address": lambda: socket.create_connection(("192.0.2.1", 80), 0.1),
        "mapped": lambda: socket.socket(socket.AF_INET6).connect(("::ffff:192.0.2.1", 80)),
        "connect_ex": lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
        "udp": udp,
        "name": lambda: socket.gethostbyname("example.org"),
        "name given to a socket": lambda: socket.socket().connect(("example.org", 80)),
        "name given to connect_ex": lambda: socket.socket().connect_ex(("example.org", 80)),
        "name given to sendto": lambda: datagrams().sendto(b"x", 0, ("example.org", 53)),
        "name given to sendmsg": lambda: datagrams().sendmsg([b"x"], [], 0, ("example.org", 53)),
        "name given to bind": lambda: socket.socket().bind(("example.org", 0)),
        "name that ends in localhost": lambda: socket.getaddrinfo("a.localhost", 80),
        "localhost.": lambda: socket.getaddrinfo("localhost.", 80),
        "name of a number": lambda: socket.gethostbyaddr("192.0.2.1"),
        "name of an address": lambda: socket.getnameinfo(("192.0.2.1", 80), 0),
        "listen": lambda: socket.socket().bind(("0.0.0.0", 0)),
    }
    refused = []
    for name, way in ways.items():
        try:
            way()
        except OSError as error:
            if "PEFOMED_OFFLINE" in str(error):
                refused.append(name)
    return sorted(refused), sorted(ways), os.environ.get("HF_HUB_OFFLINE")
if __name__ == "__main__":
    here = tries()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        child = pool.submit(tries).result()
    local = socket.socket(); local.bind(("127.0.0.1", 0)); local.listen()
    socket.create_connection(local.getsockname()).close()
    assert socket.getaddrinfo("localhost", 80) and socket.getaddrinfo("192.0.2.1", 80)
    assert socket.getnameinfo(("127.0.0.1", 80), 0)
    socket.socket().connect_ex(("localhost", local.getsockname()[1]))
    one, other = socket.socketpair()
    assert one.sendmsg((b"a", b"b")) == 2 and other.recv(2) == b"ab"
    assert here == child and here[0] == here[1] and here[2] == "1", (here, child)
    print("all refused")
"""


def test_every_way_of_python_is_refused_in_children_too(tmp_path):
    (tmp_path / "probe.py").write_text(PROBE)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PEFOMED_OFFLINE": "yes"}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "probe.py")], env=environ, capture_output=True, text=True, check=False
    )
    assert "all refused" in done.stdout, done.stdout + done.stderr
    assert "refused: PEFOMED_OFFLINE is set, so nothing goes to example.org" in done.stderr
