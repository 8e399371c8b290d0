"""One question to a real HTTP server that misbehaves, through the real openai package."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.services.judge.chat import CHAT, RESPONSES, ChatRequest, Gate, Halted, NoReply, RefusedRequest
from pefomed_plugin.services.judge.openai_chat import OpenAIChat, ServiceError
from pefomed_plugin.services.judge.ways import Way
from tests.chat_server import CLOSE, ChatServer, judged, refused, reply

pytest.importorskip("openai")
SECRET = "sk-invented-key-of-nobody"
PATIENT = "invented patient text"
QUESTION = ChatRequest(
    [{"role": "user", "content": PATIENT}], {"model": "invented-judge", "seed": 7, "temperature": 0.5, "max_tokens": 50}
)


@pytest.fixture
def ask(monkeypatch):
    """Asks a server that follows a rule; gives the reply and the server."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)

    def ask_by(rule, question=QUESTION, gate=None, timeout_s=5.0):
        with ChatServer(rule) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            chat = OpenAIChat(timeout_s=timeout_s, max_tries=5, first_wait_s=0.001)
            return chat.ask(question, gate or Gate()), server

    return ask_by


def once(fault):
    """A rule: the fault first, then the verdict."""
    return lambda body, before: fault if before == 0 else judged(body)


def test_a_reply_with_all_that_results_must_carry(ask):
    found, server = ask(lambda body, _: reply("Same.\nVERDICT: 1"))
    assert (found.text, found.fault) == ("Same.\nVERDICT: 1", None)
    assert (found.model, found.system_fingerprint, found.finish_reason) == ("invented-2026", "fp_1", "stop")
    assert dict(found.usage) == {"prompt_tokens": 100, "completion_tokens": 10}
    assert {name: server.requests[0][name] for name in QUESTION.parameters} == QUESTION.parameters


@pytest.mark.parametrize(
    "fault",
    [
        refused(429),
        refused(500),
        refused(503),
        refused(408),
        CLOSE,
        (200, b"<html>busy</html>", {}),
        (200, b"", {}),
        (200, b"{}", {}),
        (200, b'{"choices": []}', {}),
        (200, b'{"choices": null}', {}),
        (200, b'{"choices": [{}]}', {}),
        (200, b"[]", {}),
        refused(429, {"Retry-After": "0"}),
        (502, b"<html>", {}),
        refused(429, {"Retry-After": "nonsense"}),
        refused(429, {"Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT"}),
    ],
)
def test_a_temporary_fault_is_asked_again(ask, fault):
    found, server = ask(once(fault))
    assert found.text.startswith("They compare.")
    assert len(server.requests) == 2


def test_a_server_that_is_too_slow_is_asked_again(ask):
    def rule(body, before):
        if before == 0:
            time.sleep(0.5)
        return judged(body)

    found, server = ask(rule, timeout_s=0.2)
    assert found.text
    assert len(server.requests) == 2


def test_a_fault_that_stays_is_no_reply(ask):
    with pytest.raises(NoReply, match="status 500"):
        ask(lambda *_: refused(500))
    with pytest.raises(NoReply, match="no connection"):
        ask(lambda *_: CLOSE)


def test_retry_after_holds_everybody_back(ask):
    start = time.monotonic()
    ask(once(refused(429, {"Retry-After": "0.4"})))
    assert 0.4 <= time.monotonic() - start < 2


def test_a_long_retry_after_is_waited_for_and_can_be_interrupted(ask):
    gate, answer = Gate(), once(refused(429, {"Retry-After": "300"}))

    def refuse_and_interrupt(*request):
        threading.Timer(0.3, gate.close, args=["interrupted"]).start()
        return answer(*request)

    start = time.monotonic()
    with pytest.raises(Halted):
        ask(refuse_and_interrupt, gate=gate)
    assert 0.3 <= time.monotonic() - start < 200
    assert gate.passed == 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (reply(None, refusal="I cannot help with that."), "the model refused"),
        (reply("VERDICT: 1 because", finish="length"), "cut off by --max-tokens"),
        (reply("", finish="content_filter"), "filtered"),
        (reply(None), "empty reply"),
        (reply("  "), "empty reply"),
    ],
)
def test_a_paid_reply_without_use_is_given_back_with_its_fault(ask, answer, fault):
    found, server = ask(lambda *_: answer)
    assert (found.text, found.fault, found.usage["prompt_tokens"]) == (None, fault, 100)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ({"code": "content_filter"}, "filtered before it was answered"),
        ({"code": "context_length_exceeded"}, "too long for the model"),
        ({"code": 400, "message": "This model's maximum context length is 9 tokens."}, "too long for the model"),
    ],
)
def test_what_concerns_one_text_only_is_final(ask, error, fault):
    found, server = ask(lambda *_: refused(400, **error))
    assert (found.text, found.fault, found.final) == (None, fault, True)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"param": "seed", "code": "unsupported_parameter"},
        {"message": "Unsupported parameter: 'seed' is not supported"},
    ],
)
def test_a_refused_parameter_is_dropped_once_and_noted(ask, error, capsys):
    def rule(body, _):
        return refused(400, **error) if "seed" in body else judged(body)

    found, server = ask(rule)
    assert list(found.dropped) == ["seed"]
    assert ["seed" in request for request in server.requests] == [True, False]
    assert server.requests[1]["temperature"] == 0.5
    assert capsys.readouterr().out.count("refuses the parameter seed") == 1


def test_several_parameters_may_be_refused(ask):
    refusable = ["max_tokens", "temperature", "seed"]

    def rule(body, _):
        name = next((each for each in refusable if each in body), None)
        return refused(400, param=name) if name else judged(body)

    found, _ = ask(rule)
    assert sorted(found.dropped) == sorted(refusable)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused(401, message="Incorrect API key provided: " + SECRET), "OPENAI_API_KEY is not valid"),
        (refused(403, message="You do not have access to the model"), "may not use this model"),
        (refused(404), "does not know 'invented-judge'"),
        (refused(429, type="insufficient_quota", code="insufficient_quota"), "quota is used up"),
    ],
)
def test_what_concerns_all_questions_stops_at_once_and_quotes_nothing(ask, answer, words):
    with pytest.raises(ServiceError, match=words) as caught:
        ask(lambda *_: answer)
    assert SECRET not in str(caught.value)
    assert "invented patient" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize("answer", [refused(403), refused(400, message="cannot read: " + PATIENT, code=PATIENT)])
def test_what_may_concern_one_text_or_all_is_left_to_the_others_fate(ask, answer):
    with pytest.raises(RefusedRequest) as caught:
        ask(lambda *_: answer)
    assert "invented patient" not in str(caught.value)


def test_quota_is_not_asked_again(ask):
    counted = []
    with pytest.raises(ServiceError):
        ask(lambda *_: counted.append(1) or refused(429, code="insufficient_quota"))
    assert len(counted) == 1


def test_nothing_that_was_sent_is_logged(ask, caplog, capfd):
    caplog.set_level("DEBUG")
    ask(once(refused(500)))
    shown = caplog.text + "".join(capfd.readouterr())
    assert SECRET not in shown
    assert PATIENT not in shown


def test_the_gate_counts_every_request(ask):
    gate = Gate(max_requests=2)
    with pytest.raises(Halted):
        ask(lambda *_: refused(500), gate=gate)
    assert (gate.passed, gate.reason) == (2, "--max-requests 2 reached")


def test_a_key_is_needed_except_on_this_machine(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        OpenAIChat()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    chat = OpenAIChat()
    assert (chat.server.host, chat.is_local) == ("127.0.0.1", True)


def test_azure_by_its_own_variables(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://invented.example.org")
    with pytest.raises(ConfigError) as caught:
        OpenAIChat()
    assert len(caught.value.problems) == 2
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_API_VERSION", "2026-01-01")
    chat = OpenAIChat()
    assert (chat.server.host, chat.is_local) == ("invented.example.org", False)


# ---- ways of asking


def responded(*parts, status="completed", **more):
    """A response of the Responses API, after what the model thought."""
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": list(parts)},
    ]
    usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    content = {"id": "r", "object": "response", "model": "invented-2026", "status": status, "output": output}
    return 200, json.dumps({**content, "usage": usage, **more}).encode(), {}


def text_part(text, **more):
    return {"type": "output_text", "text": text, "annotations": [], **more}


BY_RESPONSES = replace(
    QUESTION,
    endpoint=RESPONSES,
    messages=[{"role": "system", "content": "Be fair."}, *QUESTION.messages],
    parameters={**QUESTION.parameters, **Way(RESPONSES, "low", True, True).parameters((0, 1))},
)


def test_the_responses_api_is_asked_in_its_own_words(ask):
    found, server = ask(lambda *_: responded(text_part("Same.\n"), text_part("VERDICT: 1")), BY_RESPONSES)
    assert server.paths == ["/v1/responses"]
    (body,) = server.requests
    assert (body["instructions"], body["input"]) == ("Be fair.", [{"role": "user", "content": PATIENT}])
    assert (body["max_output_tokens"], body["reasoning"], body["store"]) == (50, {"effort": "low"}, False)
    assert body["text"]["format"]["schema"]["properties"]["verdict"] == {"type": "integer", "enum": [0, 1]}
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 20)
    assert not {"messages", "seed", "max_tokens", "response_format"} & set(body)
    assert (found.text, found.fault, found.model) == ("Same.\nVERDICT: 1", None, "invented-2026")
    assert dict(found.usage) == {"prompt_tokens": 100, "completion_tokens": 10}
    assert list(found.dropped) == ["seed"]  # it has none, and that is noted


def test_the_same_question_asked_elsewhere_is_another_one():
    assert BY_RESPONSES.key != replace(BY_RESPONSES, endpoint=CHAT).key
    assert QUESTION.key != replace(QUESTION, endpoint=RESPONSES).key


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (responded({"type": "refusal", "refusal": "no"}), "the model refused"),
        (
            responded(text_part("Sa"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "cut off",
        ),
        (responded(text_part("Sa"), status="incomplete", incomplete_details={"reason": "content_filter"}), "filtered"),
        (responded(text_part("Sa"), status="incomplete"), "ended before it was whole"),
        (responded(), "empty reply"),
    ],
)
def test_a_response_without_use_has_its_fault(ask, answer, fault):
    found, server = ask(lambda *_: answer, BY_RESPONSES)
    assert found.text is None and fault in found.fault and len(server.requests) == 1


@pytest.mark.parametrize("answer", [responded(status="failed"), (200, b'{"output": 7}', {}), (200, b"{}", {})])
def test_a_response_that_says_nothing_is_asked_again(ask, answer):
    found, server = ask(lambda _, before: answer if before == 0 else responded(text_part("VERDICT: 0")), BY_RESPONSES)
    assert found.text == "VERDICT: 0" and len(server.requests) == 2


def test_the_limit_has_its_newer_name_where_the_older_one_is_refused(ask, capsys):
    said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."

    def rule(body, _):
        return refused(400, message=said, param="max_tokens") if "max_tokens" in body else judged(body)

    found, server = ask(rule)
    assert [request.get("max_completion_tokens") for request in server.requests] == [None, 50]
    assert list(found.dropped) == ["max_tokens as max_completion_tokens"]
    assert capsys.readouterr().out.count("asked with max_completion_tokens instead") == 1


@pytest.mark.parametrize(
    ("field", "param", "noted"),
    [
        ("response_format", "response_format", "response_format"),
        ("reasoning_effort", "reasoning_effort", "reasoning_effort"),
        ("logprobs", "top_logprobs", "logprobs"),
    ],
)
def test_what_a_server_does_not_offer_is_left_out_and_noted(ask, field, param, noted):
    question = replace(BY_RESPONSES, endpoint=CHAT)

    def rule(body, _):
        return refused(400, message="not supported here", param=param) if field in body else judged(body)

    found, server = ask(rule, question)
    assert list(found.dropped) == [noted]
    assert [field in request for request in server.requests] == [True, False]
    assert "top_logprobs" not in server.requests[-1] or field != "logprobs"


def test_an_older_openai_without_the_api_is_told_at_the_start(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    asking = OpenAIChat()
    asking._client = object()
    asking.require(CHAT)
    with pytest.raises(ConfigError, match="pip install -U openai"):
        asking.require(RESPONSES)
