"""Many questions to one model: what the ledger holds is not asked again, limits are kept, nothing paid for is lost.

Every reply is in the ledger before it counts, and before anything is made of it. One thread (the caller's) writes.
As long as no reply could be used only ``FEW`` questions are out, and after as many bad ends it stops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Callable

from ...errors import DataError
from ..console import progress
from .asking_threads import AskingThreads
from .chat import Ask, AsksAtOnce, ChatRequest, Gate, Halted, NoReply, RefusedRequest, Reply, closing_on_signal
from .ledger import Entry, Ledger
from .prices import TOKENS_OF_A_VERDICT, estimate_tokens
from .settling import (
    Asked,
    Limits,
    Usable,
    entries_of,
    is_settled,
    make_entry,
    take_stock,
)

FEW = 5
"""Bad ends (no reply, a refusal, a reply without use) after which it stops, where nothing could be used yet."""
HOPELESS_AFTER = 20
"""Bad ends in a row after which it stops where something could be used before."""
_MOMENT_S = 0.1
"""For replies that have just come when everything is let go."""


Done = SimpleQueue  # of Future, or of None: end at once


def ask_all(
    questions: Sequence[ChatRequest],
    ask: Ask | AsksAtOnce,
    ledger: Ledger,
    usable: Usable,
    limits: Limits,
    what: str = "judging",
) -> Asked:
    """Ask what is open until all is settled, a limit is reached, or the user interrupts.

    Ctrl-C (SIGTERM, SIGHUP) lets the requests in flight finish and stores their replies; a second one lets go of them.
    A mistake of this program stores what is in flight, too, before it is raised.

    Raises:
        PefomedError: what concerns all questions (a wrong key, a full disk), after replies in flight are stored.
    """
    if isinstance(ask, AsksAtOnce):
        return _Asking(questions, ask.starter(limits.concurrency), ledger, usable, limits).run(what)
    threads = AskingThreads(ask, limits.concurrency)
    try:
        return _Asking(questions, threads.start, ledger, usable, limits).run(what)
    finally:
        threads.close()


class _Asking:
    """One call of ``ask_all``."""

    def __init__(
        self,
        questions: Sequence[ChatRequest],
        start: Callable[[ChatRequest, Gate], Future[Reply]],
        ledger: Ledger,
        usable: Usable,
        limits: Limits,
    ) -> None:
        self.start, self.ledger, self.usable, self.limits = start, ledger, usable, limits
        self.questions = questions
        stock = take_stock(questions, ledger, usable, limits)
        left, self.asked, self.has_use = stock.open, stock.asked, stock.has_use
        probes = left[:: max(1, len(left) // FEW)][:FEW]  # from all over the set: the first ones may be alike
        few = set(probes)
        self.waiting = deque([*probes, *(place for place in left if place not in few)])
        """Places of questions; a question is made when it is asked."""
        self.gate = Gate(limits.max_requests)
        self.done: Done = SimpleQueue()
        self.running: dict[Future, tuple[int, ChatRequest]] = {}
        self.reserved: dict[Future, float] = {}
        self.dearest = 0.0
        self.bad_in_a_row = 0
        self.refused: list[tuple[int, ChatRequest, str]] = []
        """Held back until another reply shows that the server answers at all."""
        self.error: Exception | None = None

    def run(self, what: str) -> Asked:
        try:
            with closing_on_signal(self.gate, lambda: self.done.put(None)):
                with progress(what, self.asked.questions, self.asked.settled) as advance:
                    self._ask_and_store(advance)
        finally:
            self.gate.close("ended")
            self.asked.let_go = self.asked.let_go or (self.gate.in_flight if self.running else 0)
            for future in self.running:
                future.cancel()
        for *_, reason in self.refused:
            self.asked.without_reply[reason] += 1
        self.asked.requests = self.gate.passed
        if not self.asked.is_complete:
            self.asked.stopped, self.asked.told = self.gate.reason, self.gate.told
        if self.error is not None:
            raise self.error
        return self.asked

    def _ask_and_store(self, advance: Callable[..., None]) -> None:
        try:
            while self._submit() or self.running:
                before = self.asked.settled
                futures = _drain(self.done)
                self._store([future for future in futures if future is not None])
                advance(self.asked.settled - before, note=self._note())
                if None in futures:
                    return self._let_go()
            if self.has_use and not self.gate.is_closed:
                self._store_refusals()
        except Exception as error:
            self.gate.close(
                "the ledger cannot be written" if isinstance(error, DataError) else "a mistake of this program"
            )
            while self.running:
                futures = _drain(self.done)
                with suppress(DataError):  # the ledger keeps them elsewhere, as those before
                    self._keep([future for future in futures if future is not None])
                if None in futures:
                    break
            raise

    def _let_go(self) -> None:
        """End now: what comes back within a moment is paid for and stored, the rest is counted."""
        wait(list(self.running), _MOMENT_S)
        in_flight = self.gate.in_flight
        done = [future for future in self.running if future.done()]
        for future in self.running:
            future.cancel()  # what a thread is at goes on, and nobody waits for it
        late = [future for future in self.running if future not in done and future.done() and not future.cancelled()]
        self._store([*done, *late])
        self.asked.let_go = in_flight - len(late)

    def _submit(self) -> bool:
        """Hand out questions, a few more than are asked at a time; whether there was one to hand out."""
        handed_out = False
        while self.waiting and not self.gate.is_closed and len(self.running) < self._most():
            place = self.waiting[0]
            question = self.questions[place]
            cost = self._at_most(question)
            if self.limits.max_cost is not None and self._committed() + cost > self.limits.max_cost:
                if not self.running:
                    self.gate.close(f"--max-cost {self.limits.max_cost} reached")
                break
            self.waiting.popleft()
            future = self.start(question, self.gate)
            self.running[future], self.reserved[future] = (place, question), cost
            future.add_done_callback(self.done.put)
            handed_out = True
        return handed_out

    def _most(self) -> int:
        """Questions that may be out: only a few until something could be used."""
        most = 2 * self.limits.concurrency
        return most if self.has_use else min(most, FEW)

    def _store(self, futures: Sequence[Future]) -> None:
        """Write what came back, all of it with one sync, then count it."""
        for place, question, entry in self._keep(futures):
            self._count(place, question, entry)
            if self.usable(entry):
                self.has_use, self.bad_in_a_row = True, 0
                self._store_refusals()
            elif not self.has_use or (not entry["final"] and len(entries_of(self.ledger, question)) == 1):
                self._count_bad_end(question, str(entry["fault"] or "not what was asked for"))

    def _keep(self, futures: Sequence[Future]) -> list[tuple[int, ChatRequest, Entry]]:
        """Write what came back, before anything is made of it."""
        replied: list[tuple[int, ChatRequest, Entry]] = []
        for future in futures:
            place, question = self.running.pop(future)
            del self.reserved[future]
            try:
                reply = future.result()
            except (Halted, CancelledError):
                continue
            except NoReply as error:
                self.asked.without_reply[str(error)] += 1
                self._count_bad_end(question, str(error))
            except RefusedRequest as error:
                self.refused.append((place, question, str(error)))
                self._count_bad_end(question, str(error))
            except Exception as error:
                self.error = self.error or error
            else:
                replied.append((place, question, make_entry(question, reply)))
        self.ledger.append([entry for *_, entry in replied])
        return replied

    def _store_refusals(self) -> None:
        """The server answers others, so these were refused for their own sake: final, without a value."""
        refused, self.refused = self.refused, []
        entries = [make_entry(question, Reply(None, reason, final=True)) for _, question, reason in refused]
        self.ledger.append(entries)
        for (place, question, _), entry in zip(refused, entries):
            self._count(place, question, entry)

    def _count(self, place: int, question: ChatRequest, entry: Entry) -> None:
        if self.limits.price and self.asked.cost is not None:
            cost = self.limits.price.of(entry["usage"])
            self.asked.cost += cost
            self.dearest = max(self.dearest, cost)
        known = entries_of(self.ledger, question)
        if is_settled(known, self.usable, self.limits):
            self.asked.count_settled(known, self.usable)
        else:
            self.waiting.append(place)

    def _count_bad_end(self, question: ChatRequest, reason: str) -> None:
        self.bad_in_a_row += 1
        most = HOPELESS_AFTER if self.has_use else FEW
        if self.bad_in_a_row >= most:
            where = f"{question.server} gave " if question.server else ""
            self.gate.close(f"{where}nothing that can be used to {most} questions in a row (last: {reason})")

    def _committed(self) -> float:
        """Paid already, and what the replies in flight may cost."""
        return (self.asked.cost or 0.0) + sum(max(cost, self.dearest) for cost in self.reserved.values())

    def _at_most(self, question: ChatRequest) -> float:
        """What one reply may cost: by its length, and no less than the dearest so far."""
        if not self.limits.price:
            return 0.0
        answer = question.parameters.get("max_tokens") or TOKENS_OF_A_VERDICT
        return max(
            self.dearest,
            self.limits.price.of(
                {"prompt_tokens": 1.25 * estimate_tokens(question.messages), "completion_tokens": answer}
            ),
        )

    def _note(self) -> str:
        notes = [f"{self.asked.unusable} unscored"] if self.asked.unusable else []
        notes += [f"{sum(self.asked.without_reply.values())} without reply"] if self.asked.without_reply else []
        notes += [f"spent {self.asked.cost:.4f}"] if self.asked.cost is not None else []
        return ", ".join(notes)


def _drain(done: Done) -> list[Future | None]:
    futures = [done.get()]
    while True:
        try:
            futures.append(done.get_nowait())
        except Empty:
            return futures
