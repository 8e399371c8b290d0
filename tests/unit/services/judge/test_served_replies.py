"""Replies of ``pefomed serve``: what evaluation would have written is an answer, cut or empty as it may be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pefomed_plugin.services.judge.api_baseline import is_answer
from pefomed_plugin.services.judge.chat import CHAT, Reply
from pefomed_plugin.services.judge.wire import read_body


def reply(text: str, finish: str, **own: Any) -> Reply:
    choice = {"message": {"role": "assistant", "content": text, "refusal": None}, "finish_reason": finish}
    found, wrong = read_body(json.dumps({"model": "m", "choices": [choice], **own}).encode(), (), CHAT)
    assert found is not None, wrong
    return found


@pytest.mark.parametrize(("text", "finish"), [("the heart is the heart is", "length"), ("", "stop"), ("yes", "stop")])
def test_an_answer_that_ends_as_evaluation_ends_it_is_whole(text: str, finish: str) -> None:
    found = reply(text, finish, pefomed={"task": "vqa", "ends_as_evaluated": True})
    assert (found.text, found.fault, found.finish_reason) == (text, None, finish)
    assert is_answer(found.to_json())


@pytest.mark.parametrize("own", [{}, {"pefomed": {"ends_as_evaluated": False}}, {"pefomed": "x"}, {"pefomed": {}}])
def test_any_other_is_judged_by_how_it_ended(own: Any) -> None:
    cut, empty = reply("the heart is", "length", **own), reply("", "stop", **own)
    assert (cut.text, cut.fault, empty.text, empty.fault) == (None, "cut off by --max-tokens", None, "empty reply")
    assert not is_answer(cut.to_json()) and not is_answer(empty.to_json())
    assert not is_answer({"text": "<think>it may be</think>"})
