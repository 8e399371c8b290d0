"""Questions through OpenAI's Batch API: half the price, answers within a day, the same ledger.

A batch is noted in a file before it is sent, and carries that note's label, so that a process killed at any moment
finds its batch again instead of paying for another. Waiting may be interrupted and taken up days later.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...json_text import JsonFault, parse_json
from ...readers.textfiles import read_json_object
from ...storage import write_json
from ..console import say
from .asking import closing_on_signal
from .chat import ChatRequest, Gate, Halted, RefusedRequest, Reply
from .ledger import Ledger
from .openai_chat import OpenAIChat, ServiceError
from .prices import TOKENS_OF_A_VERDICT, estimate_tokens
from .settling import Asked, Limits, Stock, Usable, entries_of, make_entry, take_stock
from .wire import PATHS

MOST_REQUESTS, MOST_BYTES = 50_000, 180_000_000
"""Of one batch: the API takes 50,000 requests and 200 MB."""
POLL_S = 30.0
MOST_BYTES_BACK, TRANSFER_S = 1 << 29, 3600.0
"""Size of a batch's results, and time for sending or fetching a batch."""
_LABEL = "pefomed_label"
_OVER = ("completed", "expired", "cancelled", "failed")


def ask_batches(
    questions: Sequence[ChatRequest],
    chat: OpenAIChat,
    ledger: Ledger,
    usable: Usable,
    limits: Limits,
    poll_s: float = POLL_S,
) -> Asked:
    """As ``asking.ask_all``, by batches: send what is open, wait, store, and again what could not be used.

    An interrupt ends the waiting; the batch goes on at the server, and the next call fetches it.

    Raises:
        ConfigError: the batch could cost more than ``limits.max_cost``.
        ServiceError: the server refuses the batch.
    """
    note, gate = ledger.path.with_suffix(".batch.json"), Gate()
    stopped, requests = None, 0
    with closing_on_signal(gate):
        try:
            while True:
                stock = take_stock(questions, ledger, usable, limits)
                if note.is_file():
                    if not _fetch(note, questions, chat, ledger, usable, limits, gate, poll_s):
                        stopped = "the batch answered nothing that was still open"
                        break
                elif not stock.open:
                    break
                elif limits.max_requests is not None and requests >= limits.max_requests:
                    stopped = f"--max-requests {limits.max_requests} reached"
                    break
                else:
                    _check_cost(questions, stock, limits)
                    requests += _send(note, questions, stock.open, chat, limits.max_requests)
        except Halted:
            stopped = "interrupted"
    asked = take_stock(questions, ledger, usable, limits).asked
    asked.requests, asked.stopped = requests, stopped
    return asked


def _send(note: Path, questions: Sequence[ChatRequest], left: Sequence[int], chat: OpenAIChat, most: int | None) -> int:
    """Note, upload and start one batch; how many requests it has."""
    lines: list[bytes] = []
    texts = 0
    size, path = 0, PATHS[questions[left[0]].endpoint]
    for place in left[: min(most or MOST_REQUESTS, MOST_REQUESTS)]:
        question = questions[place]
        line = json.dumps(
            {"custom_id": question.key, "method": "POST", "url": path, "body": chat.body(question)}
        ).encode()
        size += len(line) + 1
        if size > MOST_BYTES and lines:
            break
        lines.append(line)
        texts += len(question.messages)
    label = uuid.uuid4().hex
    write_json(note, {"label": label, "requests": len(lines)})
    uploaded = chat.call(
        lambda client: client.files.create(file=("judge.jsonl", b"\n".join(lines)), purpose="batch"),
        TRANSFER_S,
        texts=texts,
    )
    batch = chat.call(
        lambda client: client.batches.create(
            input_file_id=uploaded.id, endpoint=path, completion_window="24h", metadata={_LABEL: label}
        )
    )
    write_json(note, {"label": label, "requests": len(lines), "batch": batch.id})
    say(
        f"batch {batch.id} of {len(lines):,} requests; it may take a day. Interrupt when you like, the same command "
        "goes on"
    )
    return len(lines)


def _fetch(
    note: Path,
    questions: Sequence[ChatRequest],
    chat: OpenAIChat,
    ledger: Ledger,
    usable: Usable,
    limits: Limits,
    gate: Gate,
    poll_s: float,
) -> bool:
    """Wait for the noted batch and store its replies; whether that brought anything."""
    kinds = {"batch": "str | None", "label": "str"}
    content = read_json_object(note, kinds, ("label",), what="the note of a batch; delete it and start again")
    batch_id = content.get("batch") or _find(chat, content["label"])
    if batch_id is None:  # killed before it was started
        note.unlink()
        return True
    batch = chat.call(lambda client: client.batches.retrieve(batch_id))
    while batch.status not in _OVER:
        counts = batch.request_counts
        say(f"batch {batch_id}: {batch.status}" + (f", {counts.completed:,} of {counts.total:,}" if counts else ""))
        gate.sleep(poll_s)
        batch = chat.call(lambda client: client.batches.retrieve(batch_id))
    if batch.status == "failed":
        note.unlink()
        raise ServiceError(f"batch {batch_id} was refused by the server; its page there says why")
    places = {key: place for place, question in enumerate(questions) for key in (question.key_before, question.key)}
    replies: dict[str, Reply] = {}
    refused: dict[str, Reply] = {}
    brought, unreadable = False, 0
    for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
        for line in BytesIO(chat.call(partial(_read_file, file_id), TRANSFER_S, MOST_BYTES_BACK)):
            record = _read_line(line)
            unreadable += record is None and bool(line.strip())
            place = places.get(record["custom_id"]) if record else None
            if record and place is not None:
                question = questions[place]
                try:
                    reply, changed = chat.read_batch_line(record, question)
                except RefusedRequest as error:
                    refused[question.key] = Reply(None, str(error), final=True)
                    continue
                brought = brought or changed
                if reply is not None:
                    replies[question.key] = reply
    if unreadable:
        say(f"batch {batch_id}: {unreadable:,} lines of its results cannot be read; what they answer is asked again")
    if any(reply.text for reply in replies.values()):  # others are answered: these are refused for their own sake
        replies.update(refused)
    # A kill between storing and removing the note comes back here: what one batch answered is stored once.
    new = [
        make_entry(replace(q, facts={**q.facts, "batch": batch_id}), reply)
        for key, reply in replies.items()
        for q in (questions[places[key]],)
        if all(entry.get("batch") != batch_id for entry in entries_of(ledger, q))
    ]
    ledger.append(new)
    note.unlink()
    say(f"batch {batch_id}: {len(new):,} replies stored")
    return brought or bool(replies)


async def _read_file(file_id: str, client: Any) -> bytes:
    content = await client.files.content(file_id)
    return content.content


def _read_line(line: bytes) -> dict[str, Any] | None:
    """One line of a batch's results; None where it is no record with an id."""
    try:
        record = parse_json(line)
    except JsonFault:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("custom_id"), str) else None


def _find(chat: OpenAIChat, label: str) -> str | None:
    """The batch that carries a label, if it was ever started."""

    async def find(client: Any) -> str | None:
        async for batch in client.batches.list(limit=100):
            if (batch.metadata or {}).get(_LABEL) == label:
                return batch.id
        return None

    return chat.call(find)


def _check_cost(questions: Sequence[ChatRequest], stock: Stock, limits: Limits) -> None:
    if limits.max_cost is None or limits.price is None:
        return
    ahead = limits.price.of(
        {
            "prompt_tokens": sum(estimate_tokens(questions[place].messages) for place in stock.open),
            "completion_tokens": TOKENS_OF_A_VERDICT * len(stock.open),
        }
    )
    if (stock.asked.cost or 0.0) + ahead > limits.max_cost:
        raise ConfigError(
            f"the batch would cost about {ahead:.2f}, with what was spent more than --max-cost {limits.max_cost}"
        )
