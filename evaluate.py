"""torchrun --nproc-per-node 1 evaluate.py --cfg-path eval_configs/pefomed_vqa_rad.yaml"""

import sys

from pefomed_plugin.launch import main

if __name__ == "__main__":
    sys.exit(main(evaluate=True))
