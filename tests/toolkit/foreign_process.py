"""Runs in a linked checkout's environment: a YAML of the checkout's own, before and after the plugin has joined.

``python -m tests.toolkit.foreign_process YAML``: prints, as JSON on the last line, whether its configuration is the
same, and which names of the checkout are still its own.
"""

from __future__ import annotations

import argparse
import json
import sys

from minigpt4.common.config import Config
from minigpt4.runners import runner_base

GIVEN = argparse.Namespace(cfg_path=sys.argv[1], options=["run.max_epoch=3"])
OWN = {"MultiIterLoader": runner_base.MultiIterLoader, "PrefetchLoader": runner_base.PrefetchLoader}
MODEL = runner_base.RunnerBase.model


def main() -> None:
    """Compare."""
    before = Config(GIVEN)
    import pefomed_plugin.linked  # noqa: F401

    after = Config(GIVEN)
    print(
        json.dumps(
            {
                "same": before.to_dict() == after.to_dict(),
                "epochs": after.run_cfg.max_epoch,
                "loaders": all(getattr(runner_base, name) is own for name, own in OWN.items()),
                "model": runner_base.RunnerBase.model is MODEL,
            }
        )
    )


if __name__ == "__main__":
    main()
