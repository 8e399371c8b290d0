"""What torchrun starts on every rank: ``-m pefomed_plugin.cli._launch train|evaluate --cfg-path ...``.

For a package that is installed without the repository's ``train.py`` and ``evaluate.py``.
"""

from __future__ import annotations

import sys

from ..launch import main
from ..services.ranks import end_process

if __name__ == "__main__":
    end_process(main(sys.argv[2:], evaluate=sys.argv[1] == "evaluate"))
