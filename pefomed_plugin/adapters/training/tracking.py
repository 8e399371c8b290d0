"""Trackers: curves in TensorBoard where it is installed, and in Weights & Biases if asked for. On the first rank only.

No key is ever taken from or written to a file of ours: W&B reads its own (``WANDB_API_KEY`` or ``wandb login``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from ...config.run import RunConfig
from ...errors import ConfigError, one_line
from ...readers.textfiles import read_json_object
from ...services.console import is_first_rank, quote_words, say
from ...services.outbound import TRACKER, Passage, host_of, is_here, open_passage
from ...storage import write_text

_CURVES_ALONE = {"WANDB_CONSOLE": "off", "WANDB_DISABLE_GIT": "true", "WANDB_DISABLE_CODE": "true"}
"""W&B's own variables: it would send what is printed, the state of the git folder and code besides."""
_STAYS_HERE = ("offline", "dryrun", "disabled")
"""Modes of W&B in which nothing is sent."""


class Tracker:
    """Where values go besides ``log.jsonl``."""

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        """Record the values of an iteration, by name."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what is still buffered."""
        raise NotImplementedError


class TensorBoard(Tracker):
    """Event files in ``<output_dir>/tensorboard``; those behind ``start``, of a run that is resumed, are hidden."""

    def __init__(self, folder: Path, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # late: heavy

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1 if start else None)

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        """Record the values of an iteration, by name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, iteration)
        self._writer.flush()

    def close(self) -> None:
        """Write what is still buffered."""
        self._writer.close()


class WeightsAndBiases(Tracker):
    """A W&B run; ``<output_dir>/wandb_run.json`` holds its id, so that resuming goes on in the same one."""

    def __init__(self, folder: Path, options: RunConfig, config: Mapping[str, Any]) -> None:
        """Begin or go on.

        Raises:
            ConfigError: wandb is not installed, or refuses (no key, no network).
        """
        for name, value in _CURVES_ALONE.items():
            os.environ.setdefault(name, value)
        try:
            import wandb  # late: optional
        except ImportError as error:
            raise ConfigError("run.wandb: wandb is not installed; pip install wandb, or leave run.wandb out") from error
        settings: dict[str, Any] = {"project": "pefomed", **(options.wandb or {})}
        self._passage = tracker_passage(options)
        self._note(dict(config))
        try:
            self._run = wandb.init(
                name=options.job_name or folder.name,
                id=_run_id(folder),
                resume="allow",
                dir=str(folder),
                config=dict(config),
                **settings,
            )
        except (wandb.errors.Error, OSError) as error:
            raise ConfigError(
                f"run.wandb: {one_line(error)}; set WANDB_API_KEY or run `wandb login`, or use run.wandb.mode=offline"
            ) from error

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        """Record the values of an iteration, by name."""
        self._note(dict(values))
        self._run.log(dict(values), step=iteration)

    def close(self) -> None:
        """Write what is still buffered."""
        self._run.finish()

    def _note(self, values: Mapping[str, Any]) -> None:
        """In the log of what leaves: the size of what is handed over, to which W&B adds its own."""
        if self._passage is not None:
            self._passage.note(len(json.dumps(values, default=str)))


def tracker_passage(
    options: RunConfig, datasets: Iterable[str] = (), origins: Mapping[str, str] | None = None
) -> Passage | None:
    """The way to W&B's server, or None where the run sends it nothing.

    Args:
        datasets: those that the run will read, where it has not yet.
        origins: data set -> where its data come from.

    Raises:
        ConfigError: as ``outbound.open_passage``.
    """
    if options.wandb is None and not options.wandb_log:
        return None
    mode = (options.wandb or {}).get("mode") or os.environ.get("WANDB_MODE") or "online"
    if mode in _STAYS_HERE:
        return None
    address = host_of(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai")
    is_local = is_here(urlsplit(f"//{address}").hostname or "")
    return open_passage(TRACKER, address, datasets, is_local=is_local, origins=origins)


@contextmanager
def trackers_of(options: RunConfig, config: Mapping[str, Any], start: int) -> Iterator[list[Tracker]]:
    """The trackers of a run that begins at iteration ``start``; none on the other ranks.

    Raises:
        ConfigError: W&B is asked for and cannot be used.
    """
    folder = Path(options.output_dir)
    trackers: list[Tracker] = []
    if is_first_rank():
        if options.wandb is not None or options.wandb_log:
            trackers.append(WeightsAndBiases(folder, options, config))
        try:
            trackers.append(TensorBoard(folder, start))
            say(f"curves: {quote_words(['tensorboard', '--logdir', folder / 'tensorboard'])}")
        except ImportError:
            pass  # by default where it is installed; log.jsonl has the same values
    try:
        yield trackers
    finally:
        for tracker in trackers:
            tracker.close()


def _run_id(folder: Path) -> str:
    path = folder / "wandb_run.json"
    if not path.is_file():
        write_text(path, json.dumps({"id": uuid4().hex[:12]}) + "\n")
    return str(read_json_object(path, {"id": "str"}, ("id",), what="what says the id of the run; delete it")["id"])
