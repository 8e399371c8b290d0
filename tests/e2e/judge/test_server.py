"""Where texts and key go: real servers, proxies and redirects on 127.0.0.1, the real client."""

from __future__ import annotations

import gzip
import socket
import threading
import time

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.services.judge.chat import ChatRequest, Gate, NoReply
from pefomed_plugin.services.judge.openai_chat import OpenAIChat, ServiceError
from pefomed_plugin.services.judge.server import MOST_BYTES, server_url
from tests.chat_server import ChatServer, judged, refused, reply

pytest.importorskip("openai")
SECRET = "sk-invented-key-of-nobody"
QUESTION = ChatRequest([{"role": "user", "content": "invented patient text"}], {"model": "invented-judge"})
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("AZURE_OPENAI_ENDPOINT", *PROXIES, *map(str.lower, PROXIES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)


@pytest.fixture
def chat(monkeypatch):
    """A client of a URL."""

    def make(url, timeout_s=5.0):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        return OpenAIChat(timeout_s=timeout_s, max_tries=2, first_wait_s=0.001)

    return make


@pytest.fixture
def lookup(monkeypatch):
    """Lets names lead to addresses that a test gives; each call takes the next ones, the last stay."""
    real = socket.getaddrinfo

    def install(name, *answers):
        left = list(answers)

        def resolve(host, port, *arguments, **options):
            if host not in (name, name.encode()):
                return real(host, port, *arguments, **options)
            addresses = left.pop(0) if len(left) > 1 else left[0]
            return [entry for address in addresses for entry in real(address, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return install


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0.0.0.0"])
def test_nothing_for_this_machine_passes_a_proxy(chat, monkeypatch, variable, host):
    with ChatServer() as server, ChatServer() as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        asked = chat(f"http://{host}:{server.port}/v1")
        assert asked.is_local and asked.ask(QUESTION, Gate()).text
        asked.call(lambda client: client.post("/batches", cast_to=object, body={"messages": []}))
    assert len(server.requests) == 2 and proxy.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1@evil.invalid/v1",
        "http://localhost:8000@evil.invalid/v1",
        "http://localhost.evil.invalid:8000/v1",
        "http://127.0.0.1.evil.invalid/v1",
        "http://192.0.2.1:8000/v1",
        "http://[2001:db8::1]/v1",
    ],
)
def test_what_only_looks_like_this_machine_is_elsewhere(chat, lookup, url):
    lookup("", ())
    assert not chat(url).is_local


@pytest.mark.parametrize(
    ("addresses", "is_local"),
    [
        (["127.0.0.1"], True),
        (["127.8.9.1"], True),
        (["::1", "127.0.0.1"], True),
        (["::ffff:127.0.0.1"], True),
        (["127.0.0.1", "192.0.2.1"], False),
        (["::ffff:192.0.2.1"], False),
        (["192.0.2.1"], False),
        (["10.0.0.1"], False),
    ],
)
def test_a_name_is_what_its_addresses_are(chat, lookup, addresses, is_local):
    lookup("judge.invalid", addresses)
    assert chat("http://judge.invalid:8000/v1").is_local is is_local


def test_what_was_judged_is_what_is_asked_whatever_the_name_leads_to_later(chat, lookup):
    with ChatServer() as server:
        lookup("judge.invalid", ["::1", "127.0.0.1"], ["192.0.2.1"])  # nobody listens on the first one
        asked = chat(f"http://judge.invalid:{server.port}/v1")
        for _ in range(2):
            assert asked.ask(QUESTION, Gate()).text
    assert len(server.requests) == 2
    assert asked.destination == "judge.invalid (::1, 127.0.0.1)"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(chat, status):
    with ChatServer() as other:
        place = f"http://localhost:{other.port}/v1/chat/completions?invented patient text"
        with ChatServer(lambda *_: (status, b"", {"Location": place})) as server:
            with pytest.raises(ServiceError, match=f"sends requests on to localhost:{other.port}") as caught:
                chat(server.url).ask(QUESTION, Gate())
            with pytest.raises(ServiceError, match="sends requests on to"):
                chat(server.url).call(lambda client: client.post("/batches", cast_to=object, body={"messages": []}))
    assert other.requests == [] and "patient" not in str(caught.value)


def test_a_server_elsewhere_is_asked_through_the_proxy_and_that_is_said(chat, monkeypatch):
    with ChatServer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:word@127.0.0.1:{proxy.port}")
        asked = chat("http://judge.invalid/v1")
        assert asked.destination == f"judge.invalid through the proxy 127.0.0.1:{proxy.port}"
        asked.clear(["vqa_rad"])
        assert not asked.is_local and asked.ask(QUESTION, Gate()).text
        monkeypatch.setenv("no_proxy", "judge.invalid")
        assert chat("http://judge.invalid/v1").destination == "judge.invalid"
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000/v1", "ftp://127.0.0.1/v1", "http:///v1", "http://h:99999/v1", "http://["]
)
def test_a_url_that_is_none_is_said_at_the_start(chat, url):
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        chat(url)


def test_the_recorded_url_holds_no_password(chat):
    assert chat("http://user:word@[::1]:8000/v1/").server.url == server_url() == "http://[::1]:8000/v1"


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_none(chat, timeout_s):
    with pytest.raises(ConfigError, match="--timeout"):
        chat("http://127.0.0.1:9/v1", timeout_s)


class Raw:
    """A server whose answers are whatever a function writes to the socket."""

    def __init__(self, answer):
        self.answer, self.connections = answer, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=[connection], daemon=True).start()

    def _one(self, connection):
        with connection:
            try:
                connection.recv(65536)
                self.answer(connection)
            except OSError:
                return


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def drip(start):
    """An answer that never ends and is never silent for long."""

    def answer(connection):
        connection.sendall(start)
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD + b"Content-Length: 100000\r\n\r\n{"])
def test_the_time_is_for_all_of_a_request(chat, start):
    with Raw(drip(start)) as server, pytest.raises(NoReply, match="time-out"):
        chat(server.url, timeout_s=0.2).ask(QUESTION, Gate())
    assert server.connections == 2


def test_an_endless_reply_is_not_read_to_its_end(chat):
    sent = []

    def endless(connection):
        connection.sendall(HEAD + b"\r\n")
        while True:
            sent.append(connection.send(b" " * 65536))

    with Raw(endless) as server:
        found = chat(server.url).ask(QUESTION, Gate())
        assert (found.text, found.final) == (None, False) and "not read to its end" in found.fault
        with pytest.raises(ServiceError, match="larger than"):
            chat(server.url).call(lambda client: client.files.content("x"))
    assert sum(sent) < 2 * (MOST_BYTES + (8 << 20))  # what lies in sockets beside what was read


def test_a_reply_that_unpacks_to_gigabytes_is_not_unpacked(chat):
    bomb = gzip.compress(b" " * (4 * MOST_BYTES))
    with ChatServer(lambda *_: (200, bomb, {"Content-Encoding": "gzip"})) as server:
        assert "not read to its end" in chat(server.url).ask(QUESTION, Gate()).fault
    packed = gzip.compress(reply("VERDICT: 1")[1])
    with ChatServer(lambda *_: (200, packed, {"Content-Encoding": "gzip"})) as server:
        assert chat(server.url).ask(QUESTION, Gate()).text == "VERDICT: 1"
    with ChatServer(lambda *_: (200, packed, {"Content-Encoding": "br"})) as server, pytest.raises(NoReply):
        chat(server.url).ask(QUESTION, Gate())


def test_an_endless_error_is_not_read_to_its_end(chat):
    def endless(connection):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while True:
            connection.sendall(b"word " * 13000)

    with Raw(endless) as server:
        assert "not read to its end" in chat(server.url).ask(QUESTION, Gate()).fault


def test_a_day_of_retry_after_is_shown_and_cut(chat, capsys):
    gate = Gate()
    rule = lambda body, before: refused(429, {"Retry-After": "86400"}) if before == 0 else judged(body)  # noqa: E731
    with ChatServer(rule) as server:
        threading.Timer(0.5, gate.close, args=["interrupted"]).start()
        with pytest.raises(Exception, match="interrupted"):
            chat(server.url).ask(QUESTION, gate)
        assert gate._open_at_s - time.monotonic() < 601
    assert "asks to wait 86,400 s, and is asked again after 600" in capsys.readouterr().out


def test_the_key_is_kept_from_what_a_server_sends_back(chat):
    echo = lambda *_: reply(f"You said Bearer {SECRET}. VERDICT: 1")  # noqa: E731
    with ChatServer(echo) as server:
        found = chat(server.url).ask(QUESTION, Gate())
    assert SECRET not in str(found) and "[key]" in found.text
