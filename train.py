"""torchrun --nproc-per-node 1 train.py --cfg-path train_configs/pefomed_stage2.yaml"""

from __future__ import annotations

import sys

from pefomed_plugin.launch import main

if __name__ == "__main__":
    sys.exit(main())
