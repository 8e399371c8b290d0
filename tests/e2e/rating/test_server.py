"""The rating page's server over real HTTP: what is answered and kept, and that nothing refused is kept."""

from __future__ import annotations

import base64
import http.client
import json
import sqlite3
import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pefomed_plugin.services.rating.store import STORE
from tests.unit.services.judged import answers

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from .serving import JSON, N, ask, items, key, post, served, stored


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


def test_a_page_of_another_study_keeps_nothing(strict):
    said = {"rater": "anna", "item": items(strict)[0]["item"], "study": "0" * 16}
    for what in ({"rating": 1}, {"comment": "words"}, {"undo": 1}):
        status, _, body = ask(strict, "/rating", body={**said, **what})
        assert status == 400 and b"another study" in body
    assert stored(strict) == {"anna": {}, "boris": {}}


def test_an_item_of_another_rater_is_no_item(strict):
    assert post(strict, {"rater": "boris", "item": items(strict)[0]["item"], "rating": 1})[0] == 400


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
    from tests.unit.services.images.test_dicom import write

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
