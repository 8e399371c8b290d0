"""What ``pefomed link`` makes a checkout's own ``train.py`` import. Importing this module is the act.

It fills the checkout's registry and lets its ``Config`` read a YAML of ours as our ``train.py`` does: defaults, the
embedded default, checks, the results of an earlier run set aside. A YAML that names nothing of ours is left alone: it
runs as if nothing were linked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Callable

from .errors import PefomedError, ToolkitError
from .launch import Launched, configure
from .registration import register_all
from .requirements import CHECKOUT_ADDS, install_line
from .services.ranks import report_errors

Names = Mapping[str, Sequence[str]]
"""What is registered, by kind, as ``register_all`` returns it."""


def join_checkout() -> None:
    """Register, take over ``Config`` for YAMLs of ours, and show a user's mistake without a traceback.

    Raises:
        ToolkitError: another toolkit is asked for, or a package is missing in the checkout's environment.
    """
    sys.excepthook = _quiet_about_mistakes(sys.excepthook)
    if find_spec("rich") is None:
        raise ToolkitError(
            "the checkout's environment lacks the package rich, which pefomed_plugin needs: "
            + install_line(CHECKOUT_ADDS)
        )
    from .toolkit import NAME, WHY, Config

    if NAME != "minigpt4":
        raise ToolkitError(
            f"this train.py is a checkout's, but the toolkit would be {NAME} ({WHY}); unset PEFOMED_TOOLKIT"
        )
    _take_over(Config, register_all())


def concerns_us(cfg_path: str, names: Names) -> bool:
    """Whether a YAML names a data set, a task or a runner of ours."""
    import yaml  # late: heavy

    try:
        with open(cfg_path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
        run, datasets = content["run"] or {}, content["datasets"] or {}
        return bool(
            set(datasets) & set(names["builder"])
            or run.get("task") in names["task"]
            or run.get("runner") in names["runner"]
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return False  # the checkout says itself what is wrong with it


def _take_over(config_class: Any, names: Names) -> None:
    plain = config_class.__init__

    def init(self: Any, args: argparse.Namespace) -> None:
        if not concerns_us(args.cfg_path, names):
            plain(self, args)
            return

        def make(given: argparse.Namespace) -> Any:
            plain(self, given)
            self.args = args
            return self

        launched = configure(args.cfg_path, args.options or [], make)
        if launched.composed.configuration.run.runner != "runner_base":
            self.run_cfg.distributed = False  # ours starts its own process group, on CPUs too
        self.run_cfg.setdefault("wandb_log", False)
        _wrap_runner(launched)

    config_class.__init__ = init


def _wrap_runner(launched: Launched) -> None:
    """Make room before the checkout builds its runner; show the metrics, which its ``train.py`` drops."""
    from .toolkit import registry

    runner = registry.get_runner_class(launched.composed.configuration.run.runner)
    plain_init, plain_train = runner.__init__, runner.train
    room = ExitStack()

    def init(self: Any, *args: Any, **settings: Any) -> None:
        room.enter_context(launched.folder.used(launched.composed.text))
        with room.pop_all() as entered:
            plain_init(self, *args, **settings)
            room.push(entered.pop_all())

    def train(self: Any) -> Mapping[str, Any]:
        with room:
            metrics = plain_train(self) or {}
        launched.show_end(metrics)
        return metrics

    runner.__init__, runner.train = init, train


def _quiet_about_mistakes(before: Callable[..., Any]) -> Callable[..., None]:
    """``sys.excepthook`` for a user's mistake: its message, and its exit code; anything else as ``before``."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        def again() -> None:
            raise error

        if isinstance(error, (PefomedError, KeyboardInterrupt)):
            sys.exit(report_errors(again))  # what a hook exits with is the exit code of the process
        before(kind, error, trace)

    return hook


join_checkout()
