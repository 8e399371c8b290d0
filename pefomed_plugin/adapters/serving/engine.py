"""Continuous batching: questions wait, enter as there is room, and leave when answered. One thread has the model.

Whoever waits longest enters first, and with him those who wait with a question about the same image: they share its
prefix. It knows no HTTP, and not which toolkit is underneath.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Callable

import torch

from ...errors import ToolkitError, one_line
from ...services.console import say
from ...services.serving.engine import Ended, Event, Failed, Full, Question, Watch
from ...services.serving.faults import raised_at
from ..medical_model import MAX_NEW_TOKENS, MedicalModel, Request
from .shelf import Shelved, features_of
from .texts import GrowingText
from .tickets import Preparing, Ticket, news

REFILL = 4
"""Waiting questions enter as soon as one of so many rows is free: few at a time would be a pass for each."""
GATHER_S = 0.01
"""When nobody is being answered: how long others may still come who ask about the same image."""
_LONGEST_RETRY_S = 60


class SlotEngine:
    """``services.serving.engine.Engine`` over a model that has slots."""

    def __init__(
        self,
        model: MedicalModel,
        rows: int = 16,
        most_waiting: int = 256,
        most_text_tokens: int = 512,
        kept_images: int = 64,
        most_new_tokens: int = 0,
        shares: bool = True,
        watch: Watch | None = None,
    ) -> None:
        """Take the model, and begin.

        Args:
            rows: questions that are answered side by side.
            most_waiting: others that may wait.
            most_text_tokens: of a prompt, beside its images.
            kept_images: of which the features are kept.
            most_new_tokens: limit of an answer; 0: the task's own, as in evaluation.
            shares: whether questions about one image that come together share its prefix.

        Raises:
            ToolkitError: the toolkit underneath cannot answer step by step.
        """
        if not hasattr(model.network, "stepwise"):
            raise ToolkitError("this MiniGPT-v2 has no answers in slots; set PEFOMED_TOOLKIT=bundled")
        self.model, self.most_waiting, self.shares = model, most_waiting, shares
        self._most_text_tokens = most_text_tokens
        self.tasks: Sequence[str] = tuple(model.templates)
        self.limits: Mapping[str, int] = {task: most_new_tokens or MAX_NEW_TOKENS[task] for task in self.tasks}
        self.most_images: Mapping[str, int] = {task: model.images_a_prompt.get(task, 1) for task in self.tasks}
        self.image_size: int = model.network.encoder.image_size
        self.instructions: Mapping[str, Sequence[str]] = {
            task: template.pool[:1] for task, template in model.templates.items()
        }
        self.fault = ""
        self._watch = watch or Watch()
        self._rows = model.network.stepwise(rows)
        self._packer = model.network.packer()
        self._preparing = Preparing(model, self._packer, self.limits, most_text_tokens, kept_images)
        self._waiting: deque[Ticket] = deque()
        self._running: list[Ticket] = []
        self._changed = threading.Condition()
        self._closing = False
        self._answer_s = 0.0
        """Between two answers that ended, lately."""
        self._last_end = 0.0
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)

    def start(self) -> None:
        """Answer one question about a blank image, so that what does not work shows now; then wait for others.

        Raises:
            Exception: whatever the model fails with.
        """
        from PIL import Image  # late: not needed to type check

        blank = Shelved("")
        blank.pixels = self.model.pixels(Image.new("RGB", (self.image_size, self.image_size)))
        text = self.model.instruction_input(Request(Image.new("RGB", (8, 8)), "report"))
        ticket = Ticket(text, (blank,), 2, (), 0, False, 0)
        watch, self._watch = self._watch, Watch()  # nobody asked this
        with self.model.computing():
            self._enter([ticket])
            while not ticket.answer.is_done:
                self._rows.step()
            if self.model.network.device.type == "cuda":  # no question can find the memory full later
                visual = self.model.network.visual_tokens * max(self.most_images.values())
                self._rows.reserve(visual + self._most_text_tokens + max(self.limits.values()) + 1)
        self._running, self._watch = [], watch
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Questions that have no place yet."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Questions that are being answered."""
        return len(self._running)

    def prepare(self, question: Question) -> Ticket:
        """A question, opened and laid out; from any thread. Raises as ``Preparing.prepare``."""
        return self._preparing.prepare(question)

    def submit(self, ready: Ticket, sink: Callable[[Event], None]) -> None:
        """Put a question into the queue; ``sink`` hears of it, in the thread of the model.

        Raises:
            Full: as many wait as may.
        """
        with self._changed:
            if self.fault or self._closing:
                raise RuntimeError(self.fault or "the server has ended")
            if len(self._waiting) >= self.most_waiting + max(0, self._rows.free):
                raise Full(self.retry_s())
            ready.sink, ready.came = sink, time.monotonic()
            self._waiting.append(ready)
            self._tell_state()
            self._changed.notify()

    def retry_s(self) -> int:
        """When somebody who finds the queue full should come again: about when half of it is answered."""
        return min(_LONGEST_RETRY_S, max(1, math.ceil(self._answer_s * len(self._waiting) / 2)))

    def cancel(self, ready: Ticket) -> None:
        """Nobody waits for this one any more: its row is free with the next step. An ended one is left alone."""
        with self._changed:
            ready.is_gone = True
            if ready in self._waiting:
                self._waiting.remove(ready)
            self._tell_state()
            self._changed.notify()

    def close(self) -> None:
        """What is left fails, and the thread ends."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        try:
            while self._wait():
                with self.model.computing():
                    self._leave_out()
                    self._admit()
                    self._step()
                with self._changed:
                    self._tell_state()
        except BaseException as error:  # whoever waits must hear of it; the error's own words may quote a question
            self.fault = f"the model's thread ended with {type(error).__name__}"
            words = f": {one_line(error)}" if isinstance(error, RuntimeError) else ""  # torch's say what was too large
            say(f"error: {self.fault}, {raised_at(error)}{words}")
        with self._changed:
            left = [*self._waiting, *self._running]
            self._closing = True
            self._waiting.clear()
            self._running = []
            self._tell_state()
        for ticket in left:
            ticket.sink(Failed(self.fault or "the server is being stopped"))

    def _tell_state(self) -> None:
        """Under the lock, whenever it changes: of two who told it without, the one who counted first could be last."""
        self._watch.state(len(self._waiting), len(self._running))

    def _wait(self) -> bool:
        """Until there is something to do; False when it is over."""
        with self._changed:
            while not (self._waiting or self._running or self._closing):
                self._changed.wait()
            while not (self._running or self._closing) and self._waiting:
                left = self._waiting[0].came + GATHER_S - time.monotonic()
                if left <= 0 or len(self._waiting) >= self._rows.slots or self._rows.slots == 1:
                    break
                self._changed.wait(left)
            return not self._closing

    def _leave_out(self) -> None:
        """Rows whose client has gone."""
        for ticket in self._running:
            if ticket.is_gone:
                self._rows.drop(ticket.answer)
        self._running = [ticket for ticket in self._running if not ticket.is_gone]

    def _admit(self) -> None:
        free = self._rows.free
        if free * REFILL < self._rows.slots:
            return
        with self._changed:
            chosen = self._next(free)
        if not chosen:
            return
        try:
            self._enter(chosen)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            self._one_by_one(chosen)

    def _one_by_one(self, chosen: list[Ticket]) -> None:
        """Together they did not fit."""
        for ticket in chosen:
            try:
                self._enter([ticket])
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                say("a question did not fit into the GPU's memory; start with a smaller --max-batch")
                ticket.sink(Failed("the model's memory is full; ask less at once"))

    def _next(self, free: int) -> list[Ticket]:
        """Who enters: whoever waits longest, and with him those who ask about the same images."""
        chosen: list[Ticket] = []
        while self._waiting and len(chosen) < free:
            first = self._waiting[0]
            same = [ticket for ticket in self._waiting if ticket.key == first.key] if self.shares else [first]
            taken = same[: free - len(chosen)]
            chosen += taken
            known = {id(ticket) for ticket in taken}
            self._waiting = deque(ticket for ticket in self._waiting if id(ticket) not in known)
        return chosen

    def _enter(self, tickets: list[Ticket]) -> None:
        names = [ticket.key if self.shares else number for number, ticket in enumerate(tickets)]
        layout, holders = self._packer([ticket.text for ticket in tickets], None, names)
        shown = [image for holder in holders for image in tickets[holder].images]
        features, new = features_of(shown, self._rows.encode)
        answers = self._rows.admit(
            features,
            layout,
            [ticket.limit for ticket in tickets],
            tickets,
            [ticket.top is not None for ticket in tickets],
        )
        now = time.monotonic()
        for ticket, answer in zip(tickets, answers):
            ticket.answer = answer
            ticket.growing = GrowingText(self._rows, ticket.stop)
            self._watch.waited(now - ticket.came)
        self._running += tickets
        self._watch.admitted(len(tickets), len(holders))
        self._watch.images(len(shown) - new, new)

    def _step(self) -> None:
        if not self._running:
            return
        try:
            self._rows.step()
        except torch.cuda.OutOfMemoryError:
            return self._give_up()
        self._watch.stepped(len(self._running))
        for ticket in self._running:
            if ticket.answer.is_done or len(ticket.answer.ids) > ticket.seen:
                heard = news(ticket, self._rows)
                if isinstance(heard, Ended):
                    self._note_end()
                if heard is not None:
                    ticket.sink(heard)
        self._running = [ticket for ticket in self._running if not ticket.answer.is_done]

    def _give_up(self) -> None:
        """The memory was full in the middle of a step: nothing is known of those who were in it."""
        failed, self._running = self._running, []
        self._rows.clear()
        torch.cuda.empty_cache()
        say(f"{len(failed)} answers did not fit into the GPU's memory; start with a smaller --max-batch")
        for ticket in failed:
            ticket.sink(Failed("the model's memory is full; ask less at once"))

    def _note_end(self) -> None:
        now = time.monotonic()
        if self._last_end:
            self._answer_s += 0.1 * (min(now - self._last_end, _LONGEST_RETRY_S) - self._answer_s)
        self._last_end = now
