"""torchrun --nproc-per-node 1 evaluate.py --cfg-path eval_configs/pefomed_vqa_rad.yaml

Without a model, on answers that are there already: evaluate.py score exact_match predictions.jsonl
"""

from __future__ import annotations

import sys

from pefomed_plugin.launch import main
from pefomed_plugin.services.ranks import end_process

if __name__ == "__main__":
    if sys.argv[1:2] == ["score"]:
        from pefomed_plugin.cli import main as pefomed

        sys.exit(pefomed(sys.argv[1:]))
    end_process(main(evaluate=True))
