"""A rating page's server over real HTTP, and how tests ask it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, build_opener

import pytest
from PIL import Image

from pefomed_plugin.reporting.page.assets import ASSETS
from pefomed_plugin.rubrics import VQA
from pefomed_plugin.services.rating.plan import make_plan
from pefomed_plugin.services.rating.session import RatingSession
from pefomed_plugin.services.rating.store import STORE, RatingStore
from tests.unit.services.judged import answers

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
from pefomed_plugin.services.outbound import PAGE, open_passage
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
    """Status and what was answered, without the number that ``undo`` takes and what was replaced."""
    status, _, body = ask(server, "/rating", body=said, **more)
    answered = json.loads(body)
    assert ("saved" in answered) == (status == 200)
    return status, {key: value for key, value in answered.items() if key not in ("saved", "replaced")}


def stored(server):
    return {rater: server.session.store.ratings_of(rater) for rater in ("anna", "boris")}
