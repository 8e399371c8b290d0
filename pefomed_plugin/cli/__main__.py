"""``python -m pefomed_plugin.cli``: the same as ``pefomed``."""

import sys

from . import main

sys.exit(main())
