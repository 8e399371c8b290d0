"""A decoding step as CUDA graphs: the host starts one thing in place of two thousand.

A token of LLaMA-2-7B is about 1,900 kernels of 9 ms together, and starting them one by one takes a host 33 to 59 ms
(measured on an H200, docs/speed.md). What is captured is the very step, so the tokens are the same.
"""

from __future__ import annotations

from typing import Any, Callable

import torch

from ...services.console import say


class StepGraphs:
    """One graph for each number of columns, kept as long as the tensors of the step lie where they lay."""

    def __init__(self) -> None:
        self._graphs: dict[int, Any] = {}
        """None after the first step with so many columns, which runs as it is and warms up what is captured next."""
        self._version: int | None = None
        self._pool: Any = None
        self._fails = False

    def take(self, step: Callable[[int], None], columns: int, version: int) -> None:
        """Take the step.

        Args:
            step: always the same; reads and writes tensors whose addresses stay, and waits for nothing.
            version: another one as soon as such a tensor lies elsewhere.
        """
        if version != self._version:
            # a pool ends with its last graph
            self._graphs, self._pool, self._version = {}, None, version
        if self._fails or columns not in self._graphs:
            step(columns)
            self._graphs[columns] = None
            return
        if self._graphs[columns] is None:
            try:
                self._graphs[columns] = self._capture(step, columns)
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError as error:  # an operation that cannot be captured, such as some of quantised weights
                self._fails = True
                say(f"answering without CUDA graphs, which is slower: {str(error).splitlines()[0]}")
                step(columns)
                return
        self._graphs[columns].replay()

    def _capture(self, step: Callable[[int], None], columns: int) -> Any:
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        keeps_casts = torch.is_autocast_cache_enabled()
        # autocast gives its copies of the weights back while the graph still reads them
        torch.set_autocast_cache_enabled(False)
        try:
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                step(columns)
        finally:
            torch.set_autocast_cache_enabled(keeps_casts)
        return graph
