"""What a monitor reads at ``/metrics`` (prometheus-client): numbers alone, no texts, no names of images.

With several processes behind one port each writes its own into the folder ``PROMETHEUS_MULTIPROC_DIR``, and whoever is
asked adds them up.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from .engine import Watch
from .metrics_folder import FOLDER

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100)
_ROWS = (1, 2, 4, 8, 12, 16, 24, 32, 64, 128)


class Metrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        own = self._own
        self.requests = Counter(
            "pefomed_requests", "Requests that were answered or refused.", ["status", "task"], registry=own
        )
        self.prompt_tokens = Counter(
            "pefomed_prompt_tokens", "Tokens of prompts, those of images included.", registry=own
        )
        self.answer_tokens = Counter("pefomed_answer_tokens", "Tokens of answers.", registry=own)
        self.gone = Counter("pefomed_clients_gone", "Requests whose client left before the answer.", registry=own)
        self.seconds = Histogram(
            "pefomed_request_seconds", "From request to end of answer.", buckets=_SECONDS, registry=own
        )
        self.first = Histogram(
            "pefomed_first_text_seconds", "From request to the first text of a stream.", buckets=_SECONDS, registry=own
        )
        self.waited = Histogram("pefomed_queue_seconds", "From the queue into a row.", buckets=_SECONDS, registry=own)
        self.rows = Histogram(
            "pefomed_step_rows", "Rows of a step: answers that grow together.", buckets=_ROWS, registry=own
        )
        self.prompts = Counter("pefomed_prompts_read", "Prompts that were read.", registry=own)
        self.prefixes = Counter("pefomed_prefixes_read", "Prefixes that these shared.", registry=own)
        self.images = Counter(
            "pefomed_images", "Images of prefixes, by whether they were known.", ["known"], registry=own
        )
        self.waiting = Gauge(
            "pefomed_waiting", "Questions that have no row yet.", registry=own, multiprocess_mode="livesum"
        )
        self.running = Gauge(
            "pefomed_rows", "Questions that are being answered.", registry=own, multiprocess_mode="livesum"
        )
        self.most_rows = Gauge(
            "pefomed_rows_limit", "As many can be (--max-batch).", registry=own, multiprocess_mode="livesum"
        )

    def watch(self) -> Watch:
        """For the engine to tell."""
        return Watch(self._admitted, self.rows.observe, self._images, self.waited.observe, self._state)

    def text(self) -> bytes:
        """In Prometheus' text format; of all processes behind the port."""
        if not os.environ.get(FOLDER):
            return generate_latest(self._own)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)

    def _admitted(self, questions: int, prefixes: int) -> None:
        self.prompts.inc(questions)
        self.prefixes.inc(prefixes)

    def _images(self, known: int, new: int) -> None:
        self.images.labels("yes").inc(known)
        self.images.labels("no").inc(new)

    def _state(self, waiting: int, rows: int) -> None:
        self.waiting.set(waiting)
        self.running.set(rows)
