"""Whether a run fits: its memory on the GPU, its checkpoints on the disk, and whether it may write there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .findings import ERROR, OK, WARNING, Finding
from .machine import GIB

GB = 1e9


def check_disk(output_dir: Path, needed_gb: float) -> list[Finding]:
    """Whether ``output_dir`` can be written (or made), with room for ``needed_gb``."""
    place = output_dir.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return [
            Finding(
                "disk",
                "output_dir",
                ERROR,
                f"{output_dir} cannot be made: {place} is no folder that you may write",
                "--options run.output_dir=FOLDER",
            )
        ]
    free_gb = shutil.disk_usage(place).free / GB
    found = f"{output_dir}: {free_gb:.1f} GB free, the run needs about {needed_gb:.1f}"
    if free_gb < needed_gb:
        return [
            Finding("disk", "output_dir", ERROR, found, "--options run.output_dir=FOLDER elsewhere, or run.keep_last=1")
        ]
    return [
        Finding(
            "disk",
            "output_dir",
            WARNING if free_gb < 2 * needed_gb else OK,
            found,
            f"df -h {place}" if free_gb < 2 * needed_gb else "",
        )
    ]


def check_memory(needed_bytes: int, cfg_path: str) -> list[Finding]:
    """Whether the first visible GPU has what the run takes; nothing where there is no GPU. An estimate is no error."""
    import torch  # late: heavy

    if not torch.cuda.is_available():
        return []
    free, total = torch.cuda.mem_get_info(0)
    found = f"the run takes about {needed_bytes / GIB:.0f} of {total / GIB:.0f} GiB"
    if needed_bytes > free:
        return [
            Finding(
                "machine",
                "GPU memory",
                WARNING,
                f"{found}, {free / GIB:.0f} are free",
                f"pefomed estimate --cfg-path {cfg_path}   (it says what helps)",
            )
        ]
    return [Finding("machine", "GPU memory", OK, found)]
