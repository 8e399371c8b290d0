"""The rating page's server over real HTTP: who may ask, what is refused, and that nothing refused is kept."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import sqlite3
import threading
from contextlib import contextmanager
from io import BytesIO
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, build_opener

import numpy as np
import pytest
from PIL import Image

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.reporting.page.assets import ASSETS
from pefomed_plugin.rubrics import VQA
from pefomed_plugin.services.local_names import is_known_as, is_this_machine
from pefomed_plugin.services.rating.plan import make_plan
from pefomed_plugin.services.rating.session import RatingSession
from pefomed_plugin.services.rating.store import STORE, RatingStore

from ..judged import answers

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
from pefomed_plugin.services import web_guard
from pefomed_plugin.services.outbound import PAGE, open_passage, read_log
from pefomed_plugin.services.rating import server as server_module
from pefomed_plugin.services.rating.server import RatingServer

N = 6
JSON = {"Content-Type": "application/json"}


@contextmanager
def served(folder, predictions=None, images=True, host="127.0.0.1"):
    """A server in a thread, over real images."""
    predictions = answers(N) if predictions is None else predictions
    for number in range(2):
        (folder / "images").mkdir(exist_ok=True)
        Image.new("L", (64 + number, 48), 200).save(folder / "images" / f"image{number}.png")
    plan = make_plan(predictions, VQA, 1)
    with RatingStore(folder / STORE, VQA) as store:
        session = RatingSession(plan, predictions, store, {"vqa_rad": folder / "images"} if images else None)
        passage = open_passage(PAGE, f"--host {host}", is_local=host == "127.0.0.1")
        with RatingServer(session, ASSETS, host, passage=passage) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def server(tmp_path):
    with served(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """One server for all tests that expect it to keep nothing."""
    with served(tmp_path_factory.mktemp("strict")) as running:
        yield running


def base(server):
    return f"http://127.0.0.1:{server.port}"


def key(server):
    return {"Cookie": f"{server.cookie}={server.token}"}


def ask(server, path, headers=None, body=None, has_key=True):
    """Status, headers and body; redirects are followed as a browser without a cookie jar would."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = headers if headers is not None else JSON if data else {}
    request = Request(base(server) + path, data, {**(key(server) if has_key else {}), **headers})
    try:
        with build_opener().open(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def items(server, rater="anna"):
    status, _, body = ask(server, "/session?rater=" + quote(rater))
    assert status == 200, body
    return json.loads(body)["items"]


def post(server, said, **more):
    """Status and what was answered, without the number that ``undo`` takes."""
    status, _, body = ask(server, "/rating", body=said, **more)
    answered = json.loads(body)
    assert ("saved" in answered) == (status == 200)
    return status, {key: value for key, value in answered.items() if key != "saved"}


def stored(server):
    return {rater: server.session.store.ratings_of(rater) for rater in ("anna", "boris")}


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


def test_two_raters_rate_and_a_restart_goes_on(tmp_path):
    with served(tmp_path) as server:
        anna, boris = items(server), items(server, "Boris")
        assert post(server, {"rater": "anna", "item": anna[0]["item"], "rating": 1}) == (200, {"rated": 1})
        assert post(server, {"rater": "Anna ", "item": anna[1]["item"], "rating": 0, "comment": "hm"}) == (
            200,
            {"rated": 2},
        )
        assert post(server, {"rater": "boris", "item": boris[0]["item"], "rating": 0}) == (200, {"rated": 1})
        assert post(server, {"rater": "anna", "item": anna[0]["item"], "rating": 0}) == (200, {"rated": 2})
    with served(tmp_path) as server:
        assert [(item["rating"], item["comment"]) for item in items(server)[:3]] == [(0, ""), (0, "hm"), (None, "")]
        assert [item["item"] for item in items(server)] == [each["item"] for each in anna]
        assert [item["rating"] for item in items(server, "boris")] == [0] + [None] * (N - 1)


@pytest.mark.parametrize("rating", [5, 2, -1, True, "1", 1.0, None, [1], {"a": 1}, 10**30])
def test_what_is_no_rating_is_400_with_words_and_is_not_kept(strict, rating):
    status, answer = post(strict, {"rater": "anna", "item": items(strict)[0]["item"], "rating": rating})
    assert status == 400
    assert "choose one of 0, 1" in answer["error"]
    assert stored(strict) == {"anna": {}, "boris": {}}


@pytest.mark.parametrize(
    "said",
    [
        {"rater": "anna", "item": "unknown", "rating": 1},
        {"rater": "anna", "rating": 1},
        {"rater": "", "rating": 1},
        {"rater": "../anna", "item": "x", "rating": 1},
        {"item": "x", "rating": 1},
        [],
        "text",
        7,
        b"null",
        b"no json",
        b"",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"rater": NaN',
    ],
)
def test_other_nonsense_is_400(strict, said):
    status, answer = post(strict, said, headers=JSON)
    assert status == 400 and answer["error"]
    assert stored(strict) == {"anna": {}, "boris": {}}


def test_an_item_of_another_rater_is_no_item(strict):
    assert post(strict, {"rater": "boris", "item": items(strict)[0]["item"], "rating": 1})[0] == 400


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


def test_images_are_those_of_the_plan_and_no_others(strict):
    for item in items(strict):
        status, headers, body = ask(strict, "/image?rater=anna&item=" + item["item"])
        assert (status, headers.get_content_type()) == (200, "image/jpeg")
        image = Image.open(BytesIO(body))
        assert image.size in {(64, 48), (65, 48)} and abs(image.convert("L").getpixel((5, 5)) - 200) < 5
    for query in ("item=image0.png", "item=../ratings.sqlite", "item=invented-0", "", "item=%00"):
        assert ask(strict, "/image?rater=anna&" + query)[0] == 400
    assert ask(strict, "/image?item=" + items(strict)[0]["item"])[0] == 400


def test_a_damaged_image_is_404_and_names_no_path(server, tmp_path):
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"<html>")
    status, _, body = ask(server, "/image?rater=anna&item=" + items(server)[0]["item"])
    assert status == 404 and str(tmp_path) not in body.decode()


def test_a_dicom_image(tmp_path):
    pytest.importorskip("pydicom")
    from ..images.test_dicom import write

    (tmp_path / "images").mkdir()
    write(tmp_path / "images" / "x.dcm", np.array([[0, 1000]], np.uint16), bits_stored=12)
    with served(tmp_path, answers(1, image="x.dcm")) as server:
        status, headers, body = ask(server, "/image?rater=anna&item=" + items(server)[0]["item"])
    assert (status, headers.get_content_type()) == (200, "image/jpeg")
    assert Image.open(BytesIO(body)).size == (2, 1)


def test_without_images_there_are_none(tmp_path):
    with served(tmp_path, images=False) as server:
        assert not any(item["images"] for item in items(server))
        assert ask(server, "/image?rater=anna&item=" + items(server)[0]["item"])[0] == 404


def test_a_store_that_fails_is_500_and_the_terminal_says_why(server, capsys):
    item = items(server)[0]["item"]
    server.session.store.close()
    status, answer = post(server, {"rater": "anna", "item": item, "rating": 1})
    assert status == 500 and "tell who runs this page" in answer["error"] and "sqlite" not in answer["error"]
    assert STORE in capsys.readouterr().out


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


def test_one_connection_serves_many_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    code = items(server)[0]["item"]
    for rating in (0, 1, 0):
        connection.request(
            "POST", "/rating", json.dumps({"rater": "anna", "item": code, "rating": rating}), {**JSON, **key(server)}
        )
        assert json.loads(connection.getresponse().read())["rated"] == 1
    connection.close()
    assert [each.rating for each in stored(server)["anna"].values()] == [0]


def test_raters_at_the_same_time_lose_nothing(server):
    def rate(rater):
        for number, item in enumerate(items(server, rater)):
            assert post(server, {"rater": rater, "item": item["item"], "rating": number % 2})[0] == 200

    threads = [threading.Thread(target=rate, args=(f"rater {number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.session.store.counts() == {f"rater {number}": N for number in range(5)}
    assert [item["rating"] for item in items(server, "rater 4")] == [0, 1] * (N // 2)


# ---- the key


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
    entries = read_log()
    assert entries and {(entry["way"], entry["host"]) for entry in entries} == {("page", "127.0.0.1")}
    assert sum(entry["bytes"] for entry in entries) > 100 and other.token not in str(entries)


def test_bound_elsewhere_addresses_and_its_own_name_are_known():
    assert all(
        is_known_as(name, "0.0.0.0") for name in ("10.1.2.3:80", "[fe80::1]:80", "localhost", socket.gethostname())
    )
    assert not is_known_as("rebound.example", "0.0.0.0")


# ---- windows left open, slow writers, silent connections


def test_every_bit_of_an_image_comes_for_the_viewer(server, tmp_path):
    values = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 20 + 7
    Image.fromarray(values).save(tmp_path / "images" / "image0.png")
    code = next(code for code, each in server.session.plan.codes("anna").items() if each == "invented-0")
    status, _, body = ask(server, f"/full?rater=anna&item={code}")
    full = json.loads(body)
    assert status == 200 and (full["bits"], full["depth"]["least"], full["depth"]["most"]) == (16, 7, 7 + 20 * 3071)
    shown = np.asarray(Image.open(BytesIO(base64.b64decode(full["data"])))) * full["depth"]["slope"] + 7
    assert (shown == values).all()
    for query in (f"item={code}&number=7", "item=none", f"item={code}&round=2", f"item={code}&round=x"):
        assert ask(server, f"/full?rater=anna&{query}")[0] in (400, 404)


def test_a_stale_window_wipes_no_comment_and_its_rating_is_kept(server):
    item = {"rater": "anna", "item": items(server)[0]["item"]}
    assert post(server, {**item, "comment": "from one", "seen": ""}) == (200, {"rated": 0})
    assert post(server, {**item, "rating": 1, "comment": "from two", "seen": ""}) == (
        200,
        {"rated": 1, "comment": "from one"},
    )
    assert post(server, {**item, "comment": ""}) == (200, {"rated": 1, "comment": "from one"})
    said = next(iter(stored(server)["anna"].values()))
    assert (said.rating, said.comment) == (1, "from one")
    assert post(server, {**item, "comment": "from two", "seen": "from one"}) == (200, {"rated": 1})
    assert next(iter(stored(server)["anna"].values())).comment == "from two"


def test_readers_do_not_wait_for_a_writer(server):
    item = {"rater": "anna", "item": items(server)[0]["item"], "rating": 1}
    other = sqlite3.connect(str(server.session.store.path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers_of_writers = []
    writers = [threading.Thread(target=lambda: answers_of_writers.append(post(server, item))) for _ in range(50)]
    for writer in writers:
        writer.start()
    try:
        assert len(items(server)) == N and len(items(server, "boris")) == N
        assert not answers_of_writers
    finally:
        other.execute("ROLLBACK")
        other.close()
        for writer in writers:
            writer.join()
    assert answers_of_writers == [(200, {"rated": 1})] * 50


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
