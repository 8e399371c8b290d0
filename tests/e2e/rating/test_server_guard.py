"""The rating page's server over real HTTP: who may ask, from where, with which key, and for how long."""

from __future__ import annotations

import http.client
import json
import re
import socket

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.reporting.page.assets import ASSETS
from pefomed_plugin.services.local_names import is_known_as, is_this_machine

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
from pefomed_plugin.services import web_guard
from pefomed_plugin.services.outbound_log import read_log
from pefomed_plugin.services.rating import server as server_module
from pefomed_plugin.services.rating.server import RatingServer

from .serving import JSON, ask, base, items, key, post, served, stored


def test_the_page_and_its_files_come_with_a_policy_that_allows_nothing_else(strict):
    for path, kind in (
        ("/", "text/html"),
        ("/rating.js", "text/javascript"),
        ("/rating.css", "text/css"),
        ("/explorer.css", "text/css"),
    ):
        status, headers, body = ask(strict, path)
        assert (status, headers.get_content_type()) == (200, kind) and body
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    page = ask(strict, "/")[2].decode()
    assert "<script>" not in page and "<style" not in page and "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({**JSON, "Origin": "http://evil.example"}, 403),
        ({**JSON, "Origin": "null"}, 403),
        ({**JSON, "Origin": "http://["}, 403),
        ({**JSON, "Host": "evil.example"}, 403),
        ({**JSON, "Host": ""}, 403),
        ({**JSON, "Host": "127.0.0.1.evil.example"}, 403),
        ({**JSON, "Host": "10.0.0.1"}, 403),
        ({**JSON, "Host": "["}, 403),
    ],
)
def test_other_sites_cannot_rate(strict, headers, status):
    said = {"rater": "anna", "item": items(strict)[0]["item"], "rating": 1}
    assert post(strict, said, headers=headers)[0] == status
    assert stored(strict)["anna"] == {}


def test_other_names_cannot_read(strict):
    for path in ("/", "/session?rater=anna", "/rating.js"):
        assert ask(strict, path, {"Host": "rebound.example:80"})[0] == 403
    for name in ("localhost:9", "127.0.0.1", "[::1]:8765", "LOCALHOST"):
        assert ask(strict, "/", {"Host": name})[0] == 200, name  # also through a tunnel with another port


def test_its_own_page_can_rate(server):
    said = {"rater": "anna", "item": items(server)[0]["item"], "rating": 1}
    assert post(server, said, headers={**JSON, "Origin": base(server)}) == (200, {"rated": 1})


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/assets/rating.js",
        "/rating",
        "/ratings.sqlite",
        "/image/../ratings.sqlite",
        "//rating.js/x",
        "/.",
        "/rating.js/",
    ],
)
def test_unknown_paths_are_404(strict, path):
    status, _, body = ask(strict, path)
    assert status == 404 and json.loads(body)["error"]


def test_posting_elsewhere_is_404(strict):
    assert ask(strict, "/session", body={"rater": "anna"})[0] == 404


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ("70000", 413),
        ("9" * 15, 413),
        ("9" * 5000, 400),
        ("-1", 400),
        ("x", 400),
        (None, 411),
    ],
)
def test_lengths_that_are_none(strict, length, status):
    connection = http.client.HTTPConnection("127.0.0.1", strict.port, timeout=10)
    connection.putrequest("POST", "/rating")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Cookie", key(strict)["Cookie"])
    if length is not None:
        connection.putheader("Content-Length", length)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (status, "close")
    connection.close()


def test_nothing_is_given_without_the_token(strict):
    for path in (
        "/",
        "/?token=",
        "/?token=wrong",
        "/?token=%ff",
        "/rating.js",
        "/session?rater=anna",
        "/image",
        "/nothing",
        "/session?rater=anna&token=" + strict.token,
    ):
        assert ask(strict, path, has_key=False)[0] == 403, path
    for cookie in ("x", strict.cookie + "=wrong", "other=" + strict.token, strict.cookie + "=", "\xff=;,"):
        assert ask(strict, "/session?rater=anna", {"Cookie": cookie})[0] == 403, cookie
    assert post(strict, {"rater": "anna", "item": "x", "rating": 1}, has_key=False)[0] == 403


def test_the_link_is_traded_for_a_cookie_that_opens_everything(server):
    assert re.fullmatch(rf"http://127.0.0.1:{server.port}/\?token=[\w-]{{30,}}", server.url)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", f"/?token={server.token}&rater=anna")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert (answer.status, answer.headers["Location"]) == (303, "/?rater=anna")
    cookie, *rules = answer.headers["Set-Cookie"].split("; ")
    assert {"httponly", "samesite=lax", "path=/"} == {rule.lower() for rule in rules}
    status, _, body = ask(server, "/session?rater=anna", {"Cookie": cookie})
    assert status == 200
    said = {"rater": "anna", "item": json.loads(body)["items"][0]["item"], "rating": 1}
    assert post(server, said, headers={**JSON, "Cookie": cookie}) == (200, {"rated": 1})
    assert post(server, said, headers={**JSON, "Cookie": cookie, "Origin": "http://evil.example"})[0] == 403


def test_every_start_has_a_token_of_its_own(tmp_path, strict):
    with served(tmp_path, host="0.0.0.0") as other:
        assert other.token != strict.token and other.token in other.url


def test_bound_elsewhere_the_gate_is_asked_and_what_others_get_is_noted(tmp_path, strict, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with pytest.raises(ConfigError, match="ask the gate first"):
        RatingServer(strict.session, ASSETS, "0.0.0.0")
    monkeypatch.setattr(web_guard, "is_loopback", lambda host: False)  # the visitor, who comes from here
    with served(tmp_path, host="0.0.0.0") as other:
        assert ask(other, f"/?token={other.token}")[0] == 200
    entries, _ = read_log()
    assert entries and {(entry["way"], entry["host"]) for entry in entries} == {("page", "127.0.0.1")}
    assert sum(entry["bytes"] for entry in entries) > 100 and other.token not in str(entries)


def test_bound_elsewhere_addresses_and_its_own_name_are_known():
    assert all(
        is_known_as(name, "0.0.0.0") for name in ("10.1.2.3:80", "[fe80::1]:80", "localhost", socket.gethostname())
    )
    assert not is_known_as("rebound.example", "0.0.0.0")


def is_ended(connection):
    """Whether the other side closes; a time-out, where it does not, is raised."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.", b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]
)
def test_a_connection_that_asks_nothing_more_is_closed(tmp_path, monkeypatch, said):
    monkeypatch.setattr(server_module, "IDLE_S", 0.1)
    with served(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(said)
        assert is_ended(connection)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.0.1", False),
        ("localhost.example", False),
    ],
)
def test_which_addresses_are_of_this_machine_alone(host, local):
    assert is_this_machine(host) is local


def test_a_port_that_is_taken_or_none_is_said(strict):
    for port in (strict.port, 70_000):
        with pytest.raises(ConfigError, match="choose another --port"):
            RatingServer(strict.session, ASSETS, port=port)
