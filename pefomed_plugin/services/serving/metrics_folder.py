"""Where several processes keep the numbers of ``/metrics``; known before prometheus-client is imported."""

from __future__ import annotations

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that prometheus-client reads when it is imported."""


def forget(process: int, folder: str) -> None:
    """Leave out what a process that has ended says of its present state; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead  # late: it reads the variable above

    mark_process_dead(process, folder)
