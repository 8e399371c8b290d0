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
from .java import METEOR_JAR, JavaError, find_jar, java_command


class Meteor:
    """METEOR as a context manager. Starting takes several seconds (the paraphrase table) and is paid once.

    The process starts on entry and loads while the caller does other work; leaving the block ends it, also on an
    error or an interrupt. After a failure the process is gone and every further corpus raises.
    """

    def __init__(self, java: str, timeout_s: float = 300) -> None:
        """
        Args:
            java: the executable.
            timeout_s: longest wait for one reply, start-up included; then the process is ended.
        """
        self._java = java
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None

    def __enter__(self) -> Meteor:
        command = java_command(self._java, "-jar", str(find_jar(METEOR_JAR)), "-", "-", "-stdio", "-l", "en", "-norm")
        # A file, since a pipe that nobody reads would fill up and stop the child.
        self._complaints = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints
            )
        except OSError as error:
            self._complaints.close()
            raise JavaError(f"cannot start {self._java}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def score(self, references: Sequence[str], hypotheses: Sequence[str]) -> tuple[float, list[float]]:
        """METEOR of the corpus (statistics pooled over all pairs) and of each pair, 0 to 1.

        Args:
            references: tokens of each reference, separated by blanks.
            hypotheses: tokens of each hypothesis; empty ones score 0.

        Raises:
            DataError: no pairs, or unequal numbers of texts.
            JavaError: the process is not running, ended, or did not reply in time.
        """
        if not hypotheses or len(references) != len(hypotheses):
            raise DataError(
                f"METEOR needs one reference for each of at least one hypothesis; got {len(references)} and "
                f"{len(hypotheses)}"
            )
        statistics = [
            self._ask(f"SCORE ||| {_field(reference)} ||| {_field(hypothesis)}", 1)[0]
            for reference, hypothesis in zip(references, hypotheses)
        ]
        replies = self._ask(" ||| ".join(["EVAL", *statistics]), len(statistics) + 1)
        values = [float(reply) for reply in replies]
        return values[-1], values[:-1]

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
            raise JavaError(self._failure(timed_out.is_set()))
        return answers

    def _failure(self, timed_out: bool) -> str:
        """End the process and say what went wrong."""
        complaint = ""
        if self._complaints is not None:
            self._complaints.seek(0)
            complaint = self._complaints.read().decode("utf-8", "replace")[-300:].strip()
        self._end()
        if timed_out:
            return f"METEOR did not reply within {self._timeout_s} s"
        return f"METEOR ended before it replied: {complaint or 'without a message'}"

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
