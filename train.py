"""torchrun --nproc-per-node 1 train.py --cfg-path train_configs/pefomed_stage2.yaml"""

from __future__ import annotations

from pefomed_plugin.launch import main
from pefomed_plugin.services.ranks import end_process

if __name__ == "__main__":
    end_process(main())
