"""``python -m pefomed_plugin.cli``: the same as ``pefomed``."""

from __future__ import annotations

import sys

from . import main

if __name__ == "__main__":  # processes that are spawned import this module again
    sys.exit(main())
