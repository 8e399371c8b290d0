"""What torch asked of the GPU that computes nothing, between two moments: kernels, products, waits, copies, memory."""

from __future__ import annotations

import collections
import ctypes
import tempfile
import traceback
from pathlib import Path

import torch

_LIBRARY = ctypes.CDLL("libcuda.so.1")
_ON_WAIT = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
_OURS = ("/pefomed_plugin/", "/projects/")


class Watch:
    """Counts what happens while it is open."""

    def __enter__(self) -> Watch:
        torch.cuda.synchronize()
        self.waits: collections.Counter[str] = collections.Counter()
        """Where in our code the host waited for the card, and in which line of torch; how often."""
        self._keep = _ON_WAIT(self._waited)
        _LIBRARY.fakegpu_reset()
        _LIBRARY.fakegpu_on_wait(self._keep)
        torch.cuda.reset_peak_memory_stats()
        return self

    def __exit__(self, *_: object) -> None:
        _LIBRARY.fakegpu_on_wait(_ON_WAIT(0))
        self.peak_bytes = torch.cuda.max_memory_allocated()
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            _LIBRARY.fakegpu_dump(file.name.encode())
            lines = [line.split("\t") for line in Path(file.name).read_text().splitlines()]
        counts = {name: int(count) for count, name, *_ in lines}
        self.kernels = {name[len("kernel:") :]: n for name, n in counts.items() if name.startswith("kernel:")}
        """Name -> launches; all products of cuBLAS under one name."""
        self.products = {name[len("product:") :]: n for name, n in counts.items() if name.startswith("product:")}
        """Precision and call of cuBLAS -> how often."""
        self.copies = {name: n for name, n in counts.items() if name.startswith("copy")}

    @property
    def launches(self) -> int:
        """Kernels of all kinds."""
        return sum(self.kernels.values())

    def _waited(self, what: bytes) -> None:
        frames = traceback.extract_stack()[:-1]
        own = [frame for frame in frames if any(part in frame.filename for part in _OURS)]
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno} {own[-1].line}" if own else "not our code"
        self.waits[f"{place} ({what.decode()} of {Path(frames[-1].filename).name}:{frames[-1].lineno})"] += 1
