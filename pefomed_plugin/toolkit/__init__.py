"""The seam: the names of the MiniGPT-v2 underneath that the plugin uses, and the only door to them.

``bundled`` is our own implementation; ``minigpt4`` is a checkout of Vision-CAIR/MiniGPT-4. Which one it is, is decided
once, when this module is imported; a checkout that is found but does not import is an error, never a silent fall-back.
"""

from .choice import BUNDLED, choose_toolkit

NAME, WHY = choose_toolkit()
"""Which toolkit is underneath (``bundled`` or ``minigpt4``), and the reason in words."""

if NAME == BUNDLED:
    from .bundled import BaseDatasetBuilder, BaseProcessor, BaseTask, Config, registry
else:
    from .checkout import BaseDatasetBuilder, BaseProcessor, BaseTask, Config, registry

__all__ = ["NAME", "WHY", "BaseDatasetBuilder", "BaseProcessor", "BaseTask", "Config", "registry"]
