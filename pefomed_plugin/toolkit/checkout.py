"""The checkout's side of the seam: the same names as ``bundled``, from the user's ``minigpt4``.

Every defect that must be worked around is a function of ``workarounds.py``; nothing of the checkout is edited.
"""

from __future__ import annotations

from ..errors import ToolkitError, one_line
from .workarounds import apply_workarounds

try:
    from minigpt4.common.config import Config
    from minigpt4.common.registry import registry
    from minigpt4.datasets.builders.base_dataset_builder import BaseDatasetBuilder
    from minigpt4.processors.base_processor import BaseProcessor
    from minigpt4.tasks.base_task import BaseTask
except ImportError as error:
    raise ToolkitError(
        f"the MiniGPT-4 checkout was found but does not import: {one_line(error)} (package "
        f"{getattr(error, 'name', None) or 'unknown'}); install what its environment.yml pins, "
        "or set PEFOMED_TOOLKIT=bundled"
    ) from error

apply_workarounds()

__all__ = ["BaseDatasetBuilder", "BaseProcessor", "BaseTask", "Config", "registry"]
