"""When a question counts as answered: by what the ledger holds, within limits; and how far an asking went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ...errors import ConfigError, PefomedError
from ...json_text import JsonFault
from ..console import say_once
from .chat import CHAT, ChatRequest, Reply
from .ledger import Entry, Ledger
from .prices import Price
from .wire import read_body

Usable = Callable[[Mapping[str, Any]], bool]
"""Whether a ledger entry settles its question."""


@dataclass(frozen=True)
class Limits:
    """How fast, how often and for how much to ask."""

    concurrency: int = 16
    """Requests at a time."""
    reasks: int = 2
    """How often a reply that cannot be used is asked for again; after that the question stays without a value."""
    max_requests: int | None = None
    """Requests this process may send, repeats included."""
    max_cost: float | None = None
    """What all replies to these questions may cost, those of earlier starts included; needs ``price``."""
    price: Price | None = None
    """Price of the model."""

    def __post_init__(self) -> None:
        problems = [
            f"--{name} must be at least {least}, not {value}"
            for name, least, value in (
                ("concurrency", 1, self.concurrency),
                ("reasks", 0, self.reasks),
                ("max-requests", 1, self.max_requests),
            )
            if value is not None and value < least
        ]
        if self.max_cost is not None and self.price is None:
            problems.append("--max-cost needs the model's price: --prices FILE")
        if problems:
            raise ConfigError("the limits cannot be used", problems)


@dataclass
class Asked:
    """How far it went."""

    questions: int
    """Different questions; equal texts of one run are one."""
    settled: int = 0
    """Of them with a usable reply, or asked as often as allowed."""
    unusable: int = 0
    """Of the settled without a usable reply."""
    requests: int = 0
    """Sent by this process."""
    cost: float | None = None
    """Of all replies to these questions in the ledger, also those of earlier starts; None without a price."""
    without_reply: Counter = field(default_factory=Counter)
    """Reason -> questions that the server did not answer this time."""
    faults: Counter = field(default_factory=Counter)
    """Reason -> settled questions without a usable reply."""
    let_go: int = 0
    """Requests that were in flight when it was stopped at once: they may have been paid for, and are asked again."""
    stopped: str | None = None
    """Why it ended before all were settled."""
    told: int = 0
    """The signal because of which it did."""

    @property
    def is_complete(self) -> bool:
        """Whether every question is settled."""
        return self.settled == self.questions

    def count_settled(self, entries: Sequence[Mapping[str, Any]], usable: Usable) -> None:
        """Count a question that is settled by ``entries``, all of it has, the oldest first."""
        self.settled += 1
        if not any(map(usable, entries)):
            self.unusable += 1
            self.faults[entries[-1].get("fault") or "not what was asked for"] += 1

    def require_use(self) -> None:
        """Stop where nothing that came back can be used.

        Raises:
            PefomedError: names the reasons with their counts.
        """
        if self.unusable == self.questions:
            reasons = [f"{count:,} times: {reason}" for reason, count in self.faults.most_common()]
            raise PefomedError(f"none of {self.questions:,} questions got a reply that can be used", reasons)


@dataclass
class Stock:
    """What a ledger holds of questions before they are asked."""

    asked: Asked
    """Settled, unusable and cost so far."""
    open: list[int]
    """Places of the questions that are not settled, equal ones once."""
    has_use: bool = False
    """Whether any reply could be used."""


def take_stock(questions: Sequence[ChatRequest], ledger: Ledger, usable: Usable, limits: Limits) -> Stock:
    """Look every question up once; neither questions nor entries are kept."""
    stock, seen = Stock(Asked(0, cost=0.0 if limits.price else None), []), set()
    for place, question in enumerate(questions):
        digest = bytes.fromhex(question.key)
        if digest in seen:
            continue
        seen.add(digest)
        entries = entries_of(ledger, question)
        stock.has_use = stock.has_use or any(map(usable, entries))
        if limits.price and stock.asked.cost is not None:
            stock.asked.cost += sum(limits.price.of(entry.get("usage") or {}) for entry in entries)
        if is_settled(entries, usable, limits):
            stock.asked.count_settled(entries, usable)
        else:
            stock.open.append(place)
    stock.asked.questions = len(seen)
    return stock


def entries_of(ledger: Ledger, question: ChatRequest) -> Sequence[Entry]:
    """What a ledger holds of a question, the oldest first; replies from before servers were noted count as its own."""
    found = ledger.entries(question.key)
    if not found and question.key != question.key_before:
        found = ledger.entries(question.key_before)
        if found:
            say_once(
                f"{ledger.path} holds replies from before servers were noted; they are taken for those of this one"
            )
    return [_read_again(entry, question) if "raw" in entry else entry for entry in found]


def _read_again(entry: Entry, question: ChatRequest) -> Entry:
    """An entry that was kept as it came, with what this version understands of it."""
    try:
        reply, _ = read_body(entry["raw"].encode(), entry.get("dropped") or (), question.endpoint)
    except JsonFault:
        return entry
    return entry if reply is None else {**entry, **reply.to_json()}


def is_settled(entries: Sequence[Mapping[str, Any]], usable: Usable, limits: Limits) -> bool:
    """Whether a question need not be asked again: a usable reply, a final fault, or as many replies as allowed."""
    return len(entries) > limits.reasks or any(usable(entry) or entry.get("final") for entry in entries)


def make_entry(question: ChatRequest, reply: Reply) -> Entry:
    """What the ledger keeps of one reply."""
    asked: Entry = {"key": question.key, "run": question.run}
    asked.update({"server": question.server} if question.server else {})
    asked.update({"endpoint": question.endpoint} if question.endpoint != CHAT else {})
    return {**asked, **question.facts, **question.parameters, **reply.to_json()}
