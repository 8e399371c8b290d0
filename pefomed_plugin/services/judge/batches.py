"""Questions through OpenAI's Batch API: half the price, answers within a day, the same ledger.

A batch is noted in a file before it is sent, and carries that note's label, so that a process killed at any moment
finds its batch again instead of paying for another. Waiting may be interrupted and taken up days later.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...json_text import JsonFault, parse_json
from ...readers.textfiles import read_json_object
from ...storage import write_json
from ..console import say
from .chat import ChatRequest, Gate, Halted, RefusedRequest, Reply, ServiceError, closing_on_signal
from .ledger import Ledger
from .openai_chat import OpenAIChat
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
    post, gate = _Post(questions, chat, ledger), Gate()
    stopped, requests = None, 0
    with closing_on_signal(gate):
        try:
            while True:
                stock = take_stock(questions, ledger, usable, limits)
                if post.is_out:
                    if not post.fetch(gate, poll_s):
                        stopped = "the batch answered nothing that was still open"
                        break
                elif not stock.open:
                    break
                elif limits.max_requests is not None and requests >= limits.max_requests:
                    stopped = f"--max-requests {limits.max_requests} reached"
                    break
                else:
                    _check_cost(questions, stock, limits)
                    requests += post.send(stock.open, limits.max_requests)
        except Halted:
            stopped = gate.reason
    asked = take_stock(questions, ledger, usable, limits).asked
    asked.requests, asked.stopped, asked.told = requests, stopped, gate.told
    return asked


@dataclass(frozen=True)
class _Post:
    """One batch at a time of these questions, noted beside the ledger from before it is sent until it is stored."""

    questions: Sequence[ChatRequest]
    chat: OpenAIChat
    ledger: Ledger

    @property
    def _note(self) -> Path:
        return self.ledger.path.with_suffix(".batch.json")

    @property
    def is_out(self) -> bool:
        """Whether a batch was sent, or was about to be, whose replies are not stored."""
        return self._note.is_file()

    def send(self, left: Sequence[int], most: int | None) -> int:
        """Note, upload and start one batch of the questions at these places; how many requests it has."""
        lines: list[bytes] = []
        texts = 0
        size, path = 0, PATHS[self.questions[left[0]].endpoint]
        for place in left[: min(most or MOST_REQUESTS, MOST_REQUESTS)]:
            question = self.questions[place]
            line = json.dumps(
                {"custom_id": question.key, "method": "POST", "url": path, "body": self.chat.body(question)}
            ).encode()
            size += len(line) + 1
            if size > MOST_BYTES and lines:
                break
            lines.append(line)
            texts += len(question.messages)
        label = uuid.uuid4().hex
        write_json(self._note, {"label": label, "requests": len(lines)})
        uploaded = self.chat.call(
            lambda client: client.files.create(file=("judge.jsonl", b"\n".join(lines)), purpose="batch"),
            TRANSFER_S,
            texts=texts,
        )
        batch = self.chat.call(
            lambda client: client.batches.create(
                input_file_id=uploaded.id, endpoint=path, completion_window="24h", metadata={_LABEL: label}
            )
        )
        write_json(self._note, {"label": label, "requests": len(lines), "batch": batch.id})
        say(
            f"batch {batch.id} of {len(lines):,} requests; it may take a day. Interrupt when you like, the same "
            "command goes on"
        )
        return len(lines)

    def fetch(self, gate: Gate, poll_s: float) -> bool:
        """Wait for the noted batch and store its replies; whether that brought anything."""
        kinds = {"batch": "str | None", "label": "str"}
        content = read_json_object(self._note, kinds, ("label",), what="the note of a batch; delete it and start again")
        batch_id = content.get("batch") or _find(self.chat, content["label"])
        if batch_id is None:  # killed before it was started
            self._note.unlink()
            return True
        batch = self._wait(batch_id, gate, poll_s)
        if batch.status == "failed":
            self._note.unlink()
            raise ServiceError(f"batch {batch_id} was refused by the server; its page there says why")
        replies, brought = self._read(batch)
        # A kill between storing and removing the note comes back here: what one batch answered is stored once.
        new = [
            make_entry(replace(question, facts={**question.facts, "batch": batch_id}), reply)
            for place, reply in replies.items()
            for question in (self.questions[place],)
            if all(entry.get("batch") != batch_id for entry in entries_of(self.ledger, question))
        ]
        self.ledger.append(new)
        self._note.unlink()
        say(f"batch {batch_id}: {len(new):,} replies stored")
        return brought or bool(replies)

    def _wait(self, batch_id: str, gate: Gate, poll_s: float) -> Any:
        """The batch when it is over, whichever way."""
        while True:
            batch = self.chat.call(lambda client: client.batches.retrieve(batch_id))
            if batch.status in _OVER:
                return batch
            counts = batch.request_counts
            say(f"batch {batch_id}: {batch.status}" + (f", {counts.completed:,} of {counts.total:,}" if counts else ""))
            gate.sleep(poll_s)

    def _read(self, batch: Any) -> tuple[dict[int, Reply], bool]:
        """Place of a question -> what a batch answered it, and whether that changes what is asked next."""
        places = {key: place for place, q in enumerate(self.questions) for key in (q.key_before, q.key)}
        replies: dict[int, Reply] = {}
        refused: dict[int, Reply] = {}
        brought, unreadable = False, 0
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            for line in BytesIO(self.chat.call(partial(_read_file, file_id), TRANSFER_S, MOST_BYTES_BACK)):
                record = _read_line(line)
                unreadable += record is None and bool(line.strip())
                place = places.get(record["custom_id"]) if record else None
                if record is None or place is None:
                    continue
                try:
                    reply, changed = self.chat.read_batch_line(record, self.questions[place])
                except RefusedRequest as error:
                    refused[place] = Reply(None, str(error), final=True)
                    continue
                brought = brought or changed
                if reply is not None:
                    replies[place] = reply
        if unreadable:
            say(
                f"batch {batch.id}: {unreadable:,} lines of its results cannot be read; what they answer is asked again"
            )
        if any(reply.text for reply in replies.values()):  # others are answered: these are refused for their own sake
            replies.update(refused)
        return replies, brought


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
