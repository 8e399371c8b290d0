"""What is understood of a request, and the shape of what comes back."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")
testclient = pytest.importorskip("starlette.testclient")

from pefomed_plugin.errors import ConfigError  # noqa: E402
from pefomed_plugin.services.listening import listen  # noqa: E402
from pefomed_plugin.services.serving.app import make_app  # noqa: E402
from pefomed_plugin.services.serving.server import check_key  # noqa: E402
from tests.unit.services.images.test_dicom import write as write_dicom  # noqa: E402
from tests.unit.services.small import small_image  # noqa: E402

from .requests import INSTRUCTIONS, MODEL, EchoEngine, body, data_url, image, service, text, user  # noqa: E402

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def engine() -> EchoEngine:
    return EchoEngine()


def ask(engine: EchoEngine, *messages: Any, folder: Any = None, **more: Any) -> dict[str, Any]:
    client = testclient.TestClient(make_app(service(engine, folder)), base_url=BASE)
    answer = client.post("/v1/chat/completions", json=body(*messages, **more))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_answer(engine: EchoEngine) -> None:
    found = ask(engine)
    assert found["object"] == "chat.completion" and found["model"] == MODEL and found["id"].startswith("chatcmpl-")
    assert found["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "yes", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert found["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert found["pefomed"] == {"task": "vqa", "notes": [], "ends_as_evaluated": True}
    (asked,) = engine.asked
    assert (asked.task, asked.text, list(asked.images)) == ("vqa", "Is there a fracture?", [""])
    assert (asked.most_tokens, asked.stop, asked.top, asked.in_pieces) == (None, (), None, False)


def test_what_is_asked_of_the_answer(engine: EchoEngine) -> None:
    found = ask(engine, stop=".", max_completion_tokens=5, logprobs=True, top_logprobs=2)
    (asked,) = engine.asked
    assert (asked.most_tokens, asked.stop, asked.top) == (5, (".",), 2)
    (token,) = found["choices"][0]["logprobs"]["content"]
    assert (token["token"], token["logprob"], bytes(token["bytes"])) == (" yes", -0.5, b" yes")
    assert [(it["token"], it["logprob"]) for it in token["top_logprobs"]] == [(" yes", -0.5), (" no", -1.0)]
    assert ask(engine, logprobs=True)["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


@pytest.mark.parametrize(
    ("more", "whole"),
    [({"max_tokens": 20}, True), ({"max_tokens": 1024}, True), ({"max_tokens": 19}, False), ({"stop": "."}, False)],
)
def test_whether_an_answer_ends_where_evaluation_ends_it(engine: EchoEngine, more: Any, whole: bool) -> None:
    assert ask(engine, **more)["pefomed"]["ends_as_evaluated"] is whole


def test_what_changes_nothing_is_said(engine: EchoEngine) -> None:
    found = ask(engine, user(image(detail="high"), text("a")), max_tokens=1024)
    assert [note.split()[0] for note in found["pefomed"]["notes"]] == ["detail", "an"]
    assert "at most 20 tokens" in found["pefomed"]["notes"][1]
    assert "'original'" in ask(engine, user(image(detail="original"), text("a")))["pefomed"]["notes"][0]


TASKS = [
    ((user(image(), text("What?")),), "vqa", "What?"),
    ((user(text("What?"), image()),), "vqa", "What?"),
    ((user(image(), text("[vqa] What?")),), "vqa", "What?"),
    ((user(image(), text("[VQA]  What?\n Now")),), "vqa", "What? Now"),
    ((user(image(), text("[report]")),), "report", ""),
    ((user(image(), text("[caption] In short.")),), "caption", "In short."),
    ((user(image(), text("In short, please [report]")),), "report", "In short, please"),
    (({"role": "system", "content": "[report]"}, user(image())), "report", ""),
    (({"role": "developer", "content": "Task: report."}, user(image())), "report", ""),
    (({"role": "system", "content": [text("vqa")]}, user(image(), text("[vqa] a"))), "vqa", "a"),
    ((user(image(), text(INSTRUCTIONS["report"][0])),), "report", ""),
    ((user(image(), text(INSTRUCTIONS["vqa"][0].replace("{question}", "a [b] c?"))),), "vqa", "a [b] c?"),
    ((user(image(), text(INSTRUCTIONS["vqa"][0].replace("{question}", "Why [report]?"))),), "vqa", "Why [report]?"),
    ((user(image(), text("[vqa] " + INSTRUCTIONS["vqa"][0].replace("{question}", "a?"))),), "vqa", "a?"),
    ((user(image(), text("[vqa] " + INSTRUCTIONS["report"][0])),), "vqa", INSTRUCTIONS["report"][0]),
    ((user(image(), text("Is it a [b] sign?")),), "vqa", "Is it a [b] sign?"),
    ((user(image(), text("a"), text("b")),), "vqa", "a b"),
]


@pytest.mark.parametrize(("messages", "task", "words"), TASKS)
def test_which_task(engine: EchoEngine, messages: Any, task: str, words: str) -> None:
    assert ask(engine, *messages)["pefomed"]["task"] == task
    assert (engine.asked[0].task, engine.asked[0].text) == (task, words)


def test_several_images_are_called_as_the_text_before_them_says(engine: EchoEngine) -> None:
    one, other = image(data_url(1)), image(data_url(2, "JPEG"))
    ask(engine, user(text("frontal:"), one, text("lateral:"), other, text("Same?")))
    ask(engine, user(one, other, text("Same?")))
    ask(engine, user(text("frontal:"), one, text("Same?")))
    first, second, alone = engine.asked
    assert (list(first.images), first.text) == (["frontal", "lateral"], "Same?")
    assert list(second.images) == ["image 1", "image 2"]
    assert [shown.key for shown in first.images.values()] == [shown.key for shown in second.images.values()]
    assert (list(alone.images), alone.text) == ([""], "frontal: Same?")


def test_base64_in_lines_is_the_same_image(engine: EchoEngine) -> None:
    head, _, letters = data_url().partition(",")
    broken = "\r\n".join(letters[start : start + 76] for start in range(0, len(letters), 76))
    for url in (f"{head},{broken}\n", f"{head}, {letters}"):
        ask(engine, user(image(url), text("a")))
    keys = {question.images[""].key for question in engine.asked}
    assert len(engine.asked) == 2 and len(keys) == 1


def test_a_dicom_file_in_base64(engine: EchoEngine, tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    write_dicom(tmp_path / "a.dcm", np.asarray(small_image(1).convert("L")).astype(np.uint16))
    content = base64.b64encode((tmp_path / "a.dcm").read_bytes()).decode()
    for media in ("application/dicom", "application/octet-stream"):
        ask(engine, user(image(f"data:{media};base64,{content}"), text("a")))
    assert engine.asked[0].images[""].key == engine.asked[1].images[""].key
    assert engine.asked[0].images[""].open().size == small_image(1).size


def test_files_below_the_one_folder(engine: EchoEngine, tmp_path: Path) -> None:
    folder = tmp_path / "allowed folder"
    (folder / "deep").mkdir(parents=True)
    small_image(1).save(folder / "deep" / "a b.png")
    small_image(2).save(tmp_path / "secret.png")
    small_image(2).save(tmp_path / "allowed folder too.png")
    (folder / "inside.png").symlink_to(folder / "deep" / "a b.png")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "big.png").write_bytes(b"x" * 60_000)
    (tmp_path / "linked").symlink_to(folder)
    for root in (folder, tmp_path / "linked"):
        for url in (
            "deep/a b.png",
            str(folder / "deep" / "a b.png"),
            (folder / "deep" / "a b.png").as_uri(),
            f"file://localhost{folder}/deep/../inside.png".replace(" ", "%20"),
            "inside.png",
        ):
            ask(engine, user(image(url), text("a")), folder=root)
    assert len({asked.images[""].key for asked in engine.asked}) == 1
    client = testclient.TestClient(make_app(service(engine, folder)), base_url=BASE)
    wrong = {
        "outside": ["../secret.png", "out.png", "out/secret.png", str(tmp_path / "secret.png"), "/etc/passwd", "", "."],
        "outside ": ["file:///etc/passwd", "file:///%2e%2e/secret.png", "deep/../../secret.png", "a\0.png", "file:"],
        "outside  ": ["../allowed folder too.png", "file:..%2fsecret.png"],
        "no such": ["none.png", "deep", "loop.png", "deep/a b.png/x"],
        "ordinary": ["pipe.png"],
        "larger": ["big.png"],
        "this machine": ["file://elsewhere/a.png", "file:///a.png?x=1", "file:///a.png#1"],
    }
    for words, urls in wrong.items():
        for url in urls:
            answer = client.post("/v1/chat/completions", json=body(user(image(url), text("a"))))
            assert answer.status_code == 400, url
            message = answer.json()["error"]["message"]
            assert words.strip() in message or not url, (url, message)
            assert str(tmp_path) not in message


def test_a_stream(engine: EchoEngine) -> None:
    client = testclient.TestClient(make_app(service(engine)), base_url=BASE)
    sent = body(stream=True, stream_options={"include_usage": True}, logprobs=True)
    answer = client.post("/v1/chat/completions", json=sent)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done, end = answer.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    chunks = [json.loads(line.removeprefix("data: ")) for line in events]
    assert len({(chunk["id"], chunk["created"], chunk["object"]) for chunk in chunks}) == 1
    deltas = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert deltas[0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(choice["delta"].get("content", "") for choice in deltas) == "yes"
    assert [choice["finish_reason"] for choice in deltas] == [None, None, None, "stop"]
    assert sum(len(choice["logprobs"]["content"]) for choice in deltas if choice["logprobs"]) == 1
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 4
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"]) == ([], 9)
    without = client.post("/v1/chat/completions", json=body(stream=True)).text
    assert "usage" not in without and without.endswith("data: [DONE]\n\n")


def test_what_fails_before_a_stream_begins_has_a_status(engine: EchoEngine) -> None:
    engine.fails = "the model's memory is full"
    client = testclient.TestClient(make_app(service(engine)), base_url=BASE)
    for streams in (False, True):
        answer = client.post("/v1/chat/completions", json=body(stream=streams))
        assert answer.status_code == 503 and "memory is full" in answer.json()["error"]["message"]


def test_models_and_metrics(engine: EchoEngine) -> None:
    client = testclient.TestClient(make_app(service(engine)), base_url=BASE)
    (listed,) = client.get("/v1/models").json()["data"]
    assert client.get("/v1/models/tiny").json() == listed
    assert listed["pefomed"]["default_task"] == "vqa" and listed["pefomed"]["most_images"]["vqa"] == 2
    client.post("/v1/chat/completions", json=body())
    client.post("/v1/chat/completions", json=body(n=2))
    found = client.get("/metrics").text
    assert 'pefomed_requests_total{status="200",task="vqa"} 1.0' in found
    assert 'pefomed_requests_total{status="400",task=""} 1.0' in found
    assert "pefomed_answer_tokens_total 2.0" in found and "fracture" not in found


def test_without_a_key_only_this_machine_may_be_listened_on() -> None:
    assert (
        check_key(None, "127.0.0.1", "KEY")
        == check_key(None, "::1", "KEY")
        == check_key(None, "localhost", "KEY")
        == ""
    )
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", ""):
        with pytest.raises(ConfigError, match="KEY"):
            check_key(None, host, "KEY")
        assert check_key("a-long-secret", host, "KEY") == "a-long-secret"
    for key in ("", "short", "with blank in it", "mit-Ümlaut-darin", "line\nbreak-in-it"):
        with pytest.raises(ConfigError, match="8 or more"):
            check_key(key, "127.0.0.1", "KEY")


def test_a_port_that_is_taken_is_said() -> None:
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(ConfigError, match="cannot listen"):
            listen("127.0.0.1", taken.getsockname()[1])
