"""METEOR 1.5 through pycocoevalcap's jar: one Java process that scores any number of corpora and is always ended.

Speaks the jar's line protocol (``SCORE`` and ``EVAL``).
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import IO

from ..errors import DataError
from .java import METEOR_JAR, HeapError, JavaError, find_jar, java_command

HEAPS_MB = (512, 4096)
"""Memory of the process at first, and where an answer that loops for thousands of words needs more."""
_MOST_TOO_LONG = 5
"""Texts that no memory holds, beyond which the corpus is given up: each costs a start of the process."""


class Meteor:
    """METEOR as a context manager. Starting takes several seconds (the paraphrase table) and is paid once.

    The process starts on entry and loads while the caller does other work; leaving the block ends it, also on an
    error or an interrupt. Where a text is too much for its memory it is started once more with a larger heap. After
    any other failure the process is gone and every further corpus raises.
    """

    def __init__(self, java: str, timeout_s: float = 300) -> None:
        """
        Args:
            java: the executable.
            timeout_s: longest wait for one reply, start-up included; then the process is ended.
        """
        self._java = java
        self._timeout_s = timeout_s
        self._heap_mb = HEAPS_MB[0]
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None

    def __enter__(self) -> Meteor:
        self._start()
        return self

    def _start(self) -> None:
        arguments = ("-jar", str(find_jar(METEOR_JAR)), "-", "-", "-stdio", "-l", "en", "-norm")
        command = java_command(self._java, *arguments, heap_mb=self._heap_mb)
        # A file, since a pipe that nobody reads would fill up and stop the child.
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115, closed by _end
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints
            )
        except OSError as error:
            self._complaints.close()
            raise JavaError(f"cannot start {self._java}: {error.strerror or error}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def score(self, references: Sequence[str], hypotheses: Sequence[str]) -> tuple[float | None, list[float | None]]:
        """METEOR of the corpus (statistics pooled over all pairs) and of each pair, 0 to 1.

        A pair that the largest heap does not hold has None, and then the corpus has None too; the others keep theirs.

        Args:
            references: tokens of each reference, separated by blanks.
            hypotheses: tokens of each hypothesis; empty ones score 0.

        Raises:
            DataError: no pairs, or unequal numbers of texts.
            JavaError: the process is not running, ended, did not reply in time, or several pairs are too much for it.
        """
        if not hypotheses or len(references) != len(hypotheses):
            raise DataError(
                f"METEOR needs one reference for each of at least one hypothesis; got {len(references)} and "
                f"{len(hypotheses)}"
            )
        statistics = [self._statistics(reference, hypothesis) for reference, hypothesis in zip(references, hypotheses)]
        known = [text for text in statistics if text is not None]
        if len(known) < len(statistics) - _MOST_TOO_LONG:
            raise HeapError(f"METEOR ran out of {self._heap_mb} MB of memory on {len(statistics) - len(known)} texts")
        replies = iter(map(float, self._ask(" ||| ".join(["EVAL", *known]), len(known) + 1)) if known else ())
        values = [None if text is None else next(replies) for text in statistics]
        return next(replies) if len(known) == len(statistics) else None, values

    def _statistics(self, reference: str, hypothesis: str) -> str | None:
        """What METEOR counts of one pair, as EVAL takes it; None where its alignment does not fit into memory."""
        line = f"SCORE ||| {_field(reference)} ||| {_field(hypothesis)}"
        try:
            return self._ask(line, 1)[0]
        except HeapError:
            is_largest, self._heap_mb = self._heap_mb == HEAPS_MB[-1], HEAPS_MB[-1]
            self._start()
            return None if is_largest else self._statistics(reference, hypothesis)

    def _ask(self, line: str, replies: int) -> list[str]:
        """Send one line, read as many as the jar answers with."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise JavaError("METEOR is not running: score inside its with block, and not after a failure")
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            process.kill()

        watchdog = threading.Timer(self._timeout_s, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            process.stdin.write((line + "\n").encode("utf-8", "replace"))
            process.stdin.flush()
            answers = [process.stdout.readline().decode("utf-8").strip() for _ in range(replies)]
        except OSError:
            answers = [""]
        finally:
            watchdog.cancel()
        if not all(answers):
            raise self._failure(timed_out.is_set())
        return answers

    def _failure(self, timed_out: bool) -> JavaError:
        """End the process and say what went wrong."""
        complaint = ""
        if self._complaints is not None:
            self._complaints.seek(0)
            complaint = self._complaints.read().decode("utf-8", "replace").strip()
        self._end()
        if timed_out:
            return JavaError(f"METEOR did not reply within {self._timeout_s} s")
        if "OutOfMemoryError" in complaint:
            return HeapError(f"METEOR ran out of {self._heap_mb} MB of memory")
        return JavaError(f"METEOR ended before it replied: {complaint[-300:].strip() or 'without a message'}")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # a line that was never flushed
                        pipe.close()
            process.wait()
        if self._complaints is not None:
            self._complaints.close()


def _field(text: str) -> str:
    """Text that cannot end its line or its field."""
    return " ".join(text.replace("|||", "").splitlines())
