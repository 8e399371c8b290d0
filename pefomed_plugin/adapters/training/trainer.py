"""The training loop: epochs of planned batches, validation, checkpoints, stopping when it is told to.

Everything that happens at an iteration (its batch, its learning rate, its dropout) is a function of seed, iteration and
rank, so a run that is killed and resumed is bit for bit the run that was not (float32 on the CPU).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Callable

from torch.utils.data import DataLoader

from ... import __version__
from ...config.run import RunConfig
from ...errors import PefomedError
from ...lora import recorded
from ...origins import Origins
from ...services.console import progress, say
from ...services.ending import answering
from ...services.parallel import leave_the_group
from ...storage import set_aside
from ...toolkit import NAME as TOOLKIT
from ...toolkit import registry
from ...toolkit.checkpoint import load_checkpoint
from ..answering import to_device
from ..data.collating import make_collater
from ..data.datasets import Mixture
from ..data.sampling import PlannedBatches
from ..data.several_images import images_a_prompt
from ..devices import peak_memory_gib
from ..prompting import prompts_of
from .arithmetic import (
    backward,
    build_optimizer,
    check_rates,
    scale_rates,
    seed_iteration,
    share_counts,
    sum_over_ranks,
    take_step,
)
from .checkpoints import CheckpointKeeper
from .resuming import Saved, find_saved, order_of, plan_run
from .start_words import start_lines
from .step_log import EpochLog, NonfiniteSteps, Step, StepLog
from .strategies import strategy_of
from .tracking import Tracker, trackers_of
from .validation import Halted, validate

STOPPED = 75
"""Exit code of a run that was told to stop (SIGTERM, SIGHUP) and saved: its message says how to continue."""
INTERRUPTED = 130
"""The same after Ctrl-C."""
_OPEN = "epoch_open"
"""Of a checkpoint: its last epoch is trained and not validated."""


class StoppedBySignal(PefomedError):
    """The run was told to stop; its checkpoint is written."""

    def __init__(self, number: int, iteration: int) -> None:
        what = "interrupted" if number == signal.SIGINT else "stopped by a signal"
        super().__init__(f"{what} at iteration {iteration}; the checkpoint is written")
        self.exit_code = INTERRUPTED if number == signal.SIGINT else STOPPED


class Trainer:
    """One training run over the train splits of a mixture."""

    def __init__(
        self,
        accelerator: Any,
        task: Any,
        model: Any,
        options: RunConfig,
        train_sets: list[Any],
        valid_sets: list[Any],
        describe: Callable[[], Mapping[str, Any]],
        origins: Origins,
    ) -> None:
        """Put the parts together, from the checkpoint if one is to be resumed.

        Raises:
            CheckpointError: the checkpoint to resume from is damaged or does not fit.
            ConfigError: the processes or the data cannot be used as the options say.
        """
        self.accelerator, self.task, self.own, self.options = accelerator, task, model, options
        self.train_sets, self.valid_sets, self.describe, self.origins = train_sets, valid_sets, describe, origins
        self.prompts, self.images_a_prompt = prompts_of(train_sets), images_a_prompt(train_sets)
        self.keeper = CheckpointKeeper(Path(options.output_dir), options.keep_last)
        saved = find_saved(self.keeper, options)
        self.plan, self.iteration = plan_run(options, train_sets, accelerator.num_processes, saved)
        """``iteration``: batches trained so far; the next one is number ``iteration`` of the plan."""
        self.per_epoch = self.plan.iterations // options.max_epoch
        self.best: float | None = None
        """Lowest validation loss so far."""
        if saved:
            say(str(load_checkpoint(model, saved.content, str(saved.path))))
        self.strategy = strategy_of(options.strategy)
        self.model, self.optimizer = self.strategy.prepare(
            accelerator, model, partial(build_optimizer, options=options)
        )
        self.schedule = registry.get_lr_scheduler_class(options.lr_sched)(
            optimizer=self.optimizer,
            max_epoch=options.max_epoch,
            iters_per_epoch=self.per_epoch,
            min_lr=options.min_lr,
            init_lr=options.init_lr,
            decay_rate=options.lr_decay_rate,
            warmup_start_lr=options.warmup_lr,
            warmup_steps=options.warmup_steps,
        )
        self._is_open = False
        if saved:
            self._load_state(saved)
        self.nonfinite = NonfiniteSteps(
            self.keeper.folder / f"nonfinite.rank{accelerator.process_index}.jsonl",
            options.max_nonfinite,
            saved.state if saved else None,
            scaled=accelerator.scaler is not None,
        )
        self._told = 0
        """The signal that tells the run to stop."""
        self._saved_at = time.monotonic()

    def run(self) -> None:
        """Train until the last epoch ends.

        Raises:
            CheckpointError: a checkpoint cannot be written.
            StoppedBySignal: SIGTERM or Ctrl-C came, or the terminal was closed; the checkpoint is written.
            PefomedError: too many gradients that are no finite number.
        """
        for line in start_lines(self):
            say(line)
        self.model.train()
        batches = iter(self._loader())
        with trackers_of(self.options, self.describe(), self.iteration) as trackers:
            log = StepLog(
                self.keeper.folder / "log.jsonl",
                self.options.log_freq,
                self.iteration,
                trackers,
                partial(peak_memory_gib, self.accelerator.device),
                partial(sum_over_ranks, self.accelerator),
            )
            self.epochs = EpochLog(self.keeper.folder / "epochs.jsonl", self.iteration)
            self.epochs.begin(self.iteration, self.plan.iterations, self.per_epoch)
            try:
                with answering(self._on_signal):
                    self._train_epochs(batches, log, trackers)
            finally:
                if self.accelerator.num_processes == 1:  # else the others may be gone
                    log.flush()

    def _train_epochs(self, batches: Iterator[Any], log: StepLog, trackers: list[Tracker]) -> None:
        if self._is_open:
            self._finish_epoch(self.iteration // self.per_epoch - 1, trackers)
        for epoch in range(self.iteration // self.per_epoch, self.options.max_epoch):
            with progress(
                f"epoch {epoch + 1}/{self.options.max_epoch}",
                self.per_epoch,
                self.iteration - epoch * self.per_epoch,
            ) as advance:
                while self.iteration < (epoch + 1) * self.per_epoch:
                    self._iterate(epoch, batches, log, advance)
            self._write_log(log)
            self._finish_epoch(epoch, trackers)
        if self._is_told():  # while the last epoch was finished
            raise StoppedBySignal(self._told, self.iteration)

    def _iterate(self, epoch: int, batches: Iterator[Any], log: StepLog, advance: Any) -> None:
        left = (epoch + 1) * self.per_epoch - self.iteration
        group = [
            to_device(batch, self.accelerator.device)
            for batch in islice(batches, min(self.options.accum_grad_iters, left))
        ]
        seed_iteration(self.options.seed, self.iteration, self.accelerator.process_index)
        # steps count from the start until the warm-up ends: a checkout's schedules begin it anew with every epoch
        whole_epochs = self.iteration // self.per_epoch if self.iteration >= self.options.warmup_steps else 0
        self.schedule.step(cur_epoch=whole_epochs, cur_step=self.iteration - whole_epochs * self.per_epoch)
        rate = self.optimizer.param_groups[0]["lr"]
        scale_rates(self.optimizer)
        counts = share_counts(self.accelerator, self.model, group, bool(self._told), self._save_is_due(len(group)))
        loss = backward(self.strategy, self.accelerator, self.task, self.model, group, counts)
        norm, left_out = take_step(
            self.strategy, self.accelerator, self.model, self.optimizer, self.options.max_grad_norm
        )
        self.iteration += len(group)
        self.nonfinite.add(self.iteration, group, left_out)
        encoded = getattr(self.own, "vit_forwards", None)
        step = Step(self.iteration, loss, rate, counts.all_samples, counts.all_tokens, norm, encoded)
        if log.add(step):
            self._write_log(log)
        advance(len(group), note=log.note)
        if counts.stop:
            say("told to stop: the checkpoint is written")
        is_whole = self.iteration % self.per_epoch == 0  # validated and saved next, where it is not told to stop
        if counts.stop or (counts.save and not is_whole):
            self._save(epoch, is_open=is_whole)
        if counts.stop:
            self._write_log(log)
            raise StoppedBySignal(self._told, self.iteration)

    def _write_log(self, log: StepLog) -> None:
        log.flush()
        self.nonfinite.check()

    def _finish_epoch(self, epoch: int, trackers: list[Tracker]) -> None:
        loss, told = None, {}
        if self.valid_sets:
            collate = make_collater(self.own, share=False)
            try:
                found = validate(
                    self.accelerator, self.task, self.model, self.valid_sets, self.options, collate, self._is_told
                )
            except Halted:  # a scheduler may not wait for its end
                say("told to stop: the checkpoint is written, and the epoch is validated when the run goes on")
                self._save(epoch, is_open=True)
                raise StoppedBySignal(self._told, self.iteration) from None
            loss, told = found.loss, found.to_json()
            say(f"epoch {epoch + 1}: validation loss {found}")
            for tracker in trackers:
                tracker.log(self.iteration, told)
        self.epochs.add(self.iteration, epoch + 1, told)
        is_best = loss is not None and (self.best is None or loss < self.best)
        self.best = loss if is_best else self.best
        self._save(epoch, best=is_best)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def _save_is_due(self, upcoming: int) -> bool:
        every, minutes = self.options.save_every_steps, self.options.save_every_minutes
        due = every is not None and (self.iteration + upcoming) // every > self.iteration // every
        return due or (minutes is not None and time.monotonic() - self._saved_at >= 60 * minutes)

    def _save(self, epoch: int, *, best: bool = False, is_open: bool = False) -> None:
        """``is_open``: the epoch is trained and not validated."""
        self.nonfinite.check()
        weights = self.strategy.gather_weights(self.own)
        optimizer = self.strategy.gather_optimizer(self.optimizer)
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            self.keeper.save(
                {
                    "model": weights,
                    "optimizer": optimizer,
                    "scaler": scaler.state_dict() if scaler is not None else None,
                    "epoch": epoch,
                    **self.describe(),
                    **recorded(self.own),
                    "pefomed": {**self.state(), **({_OPEN: True} if is_open else {})},
                },
                best=best,
            )
        self._saved_at = time.monotonic()
        self.accelerator.wait_for_everyone()

    def state(self) -> dict[str, Any]:
        """Our own part of a checkpoint: how far the run is, and what the order of samples depends on."""
        return {
            "version": __version__,
            "toolkit": TOOLKIT,
            "iteration": self.iteration,
            "best": self.best,
            **self.nonfinite.counts(),
            "origin": self.origins.to_json(),
            "prompts": self.prompts,
            **({"images_a_prompt": self.images_a_prompt} if self.images_a_prompt else {}),
            **order_of(self.plan, self.options),
        }

    def _load_state(self, saved: Saved) -> None:
        check_rates(self.optimizer, saved.content["optimizer"], str(saved.path))
        self.strategy.load_optimizer(self.optimizer, saved.content["optimizer"])
        if self.accelerator.scaler is not None and saved.content.get("scaler"):
            self.accelerator.scaler.load_state_dict(saved.content["scaler"])
        self.best = saved.state.get("best")
        self._is_open = bool(saved.state.get(_OPEN)) and self.iteration % self.per_epoch == 0
        log = self.keeper.folder / "log.jsonl"
        if (
            self.iteration != saved.state.get("iteration", self.iteration)
            and log.is_file()
            and self.accelerator.is_main_process
        ):
            say(f"iterations count anew; the log so far is now {set_aside(log)}")
            if log.with_name("epochs.jsonl").is_file():
                set_aside(log.with_name("epochs.jsonl"))
        say(f"resuming at iteration {self.iteration} from {saved.path}")

    # -- data ----------------------------------------------------------------------------------------------------

    def _loader(self) -> DataLoader:
        return DataLoader(
            Mixture(self.train_sets),
            collate_fn=make_collater(self.own, share=self.options.shares_images),
            num_workers=self.options.loading_processes,
            worker_init_fn=leave_the_group,
            batch_sampler=PlannedBatches(self.plan, self.accelerator.process_index, self.iteration),
            pin_memory=self.accelerator.device.type == "cuda",
        )

    def _on_signal(self, number: int, _: Any) -> None:
        if self._told and number == signal.SIGINT:
            raise KeyboardInterrupt  # asked once more: without saving
        self._told = number

    def _is_told(self) -> bool:
        """On any rank; all must ask."""
        return bool(sum_over_ranks(self.accelerator, [self._told])[0])
