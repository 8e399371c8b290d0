"""Whether a run can write where it wants to, and whether its checkpoints fit there."""

import os
import shutil
from pathlib import Path
from typing import List, Mapping

from .findings import ERROR, OK, WARNING, Finding
from .weights import Sizes

GB = 1e9
_FLOAT_BYTES = 4
_RESULTS_GB = 0.1
"""Log, predictions, scores and images of a page."""


def checkpoint_gb(layers: int, hidden: int, sizes: Sizes) -> float:
    """One checkpoint of a LLaMA with full attention heads: projection and LoRA, in float32, with AdamW's two moments.

    LLaMA-2-7B with rank 64 on two matrices: 56,627,200 numbers, 0.68 GB.
    """
    trained = layers * len(sizes.lora_targets) * 2 * sizes.lora_r * hidden + (4 * sizes.vit_dim + 1) * hidden
    return 3 * _FLOAT_BYTES * trained / GB


def run_gb(config: Mapping[str, int], sizes: Sizes, keep_last: int, trains: bool) -> float:
    """What a run leaves on disk: the newest checkpoints, the best one, the one being written, and its results.

    Args:
        config: ``num_hidden_layers`` and ``hidden_size`` of the LLaMA.
    """
    copies = keep_last + 2 if trains else 0
    return _RESULTS_GB + copies * checkpoint_gb(config["num_hidden_layers"], config["hidden_size"], sizes)


def check_disk(output_dir: Path, needed_gb: float) -> List[Finding]:
    """Whether ``output_dir`` can be written (or made), with room for ``needed_gb``."""
    place = output_dir.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return [Finding("disk", "output_dir", ERROR, "{} cannot be made: {} is no folder that you may write".format(
            output_dir, place), "--options run.output_dir=FOLDER")]
    free_gb = shutil.disk_usage(place).free / GB
    found = "{}: {:.1f} GB free, the run needs about {:.1f}".format(output_dir, free_gb, needed_gb)
    if free_gb < needed_gb:
        return [Finding("disk", "output_dir", ERROR, found, "--options run.output_dir=FOLDER elsewhere, or "
                        "run.keep_last=1")]
    return [Finding("disk", "output_dir", WARNING if free_gb < 2 * needed_gb else OK, found,
                    "df -h {}".format(place) if free_gb < 2 * needed_gb else "")]
