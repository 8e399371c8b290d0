"""The training loop: epochs of planned batches, validation, checkpoints, and an orderly stop. Knows no data set.

Everything that happens at an iteration (its batch, its learning rate, its dropout) is a function of seed, iteration and
rank, so a run that is killed and resumed is bit for bit the run that was not (float32 on the CPU).
"""

import json
import signal
import time
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from torch.utils.data import DataLoader, Subset

from .. import __version__
from ..errors import CheckpointError, PefomedError
from ..options import RunOptions
from ..services.console import progress, say
from ..toolkit import NAME as TOOLKIT
from ..toolkit import registry
from ..toolkit.checkpoint import load_weights, trainable_state
from .checkpoints import CheckpointKeeper
from .datasets import MedicalDataset, Mixture
from .evaluation import to_device
from .sampling import MixturePlan, PlannedBatches
from .step_log import StepLog
from .training import backward, build_optimizer, seed_iteration, share_counts, take_step, validation_loss

STOPPED = 75
"""Exit code of a run that was told to stop (SIGTERM) and saved: start the same command again to continue."""


class StoppedBySignal(PefomedError):
    """The run was told to stop; its checkpoint is written."""

    exit_code = STOPPED


class Trainer:
    """One training run over the train splits of a mixture."""

    def __init__(self, accelerator: Any, task: Any, model: Any, options: RunOptions, train_sets: List[Any],
                 valid_sets: List[Any], describe: Callable[[], Mapping[str, Any]]) -> None:
        self.accelerator, self.task, self.own, self.options = accelerator, task, model, options
        self.train_sets, self.valid_sets, self.describe = train_sets, valid_sets, describe
        self.plan = MixturePlan(
            [len(each) for each in train_sets], [each.batch_size for each in train_sets],
            [each.sample_ratio for each in train_sets], seed=options.seed, epochs=options.max_epoch,
            iterations=options.max_epoch * options.iters_per_epoch if options.iters_per_epoch else None,
            world_size=accelerator.num_processes, shuffle=options.shuffle)
        self.per_epoch = self.plan.iterations // options.max_epoch
        optimizer = build_optimizer(model, options)
        self.schedule = registry.get_lr_scheduler_class(options.lr_sched)(
            optimizer=optimizer, max_epoch=options.max_epoch, iters_per_epoch=self.per_epoch, min_lr=options.min_lr,
            init_lr=options.init_lr, decay_rate=options.lr_decay_rate, warmup_start_lr=options.warmup_lr,
            warmup_steps=options.warmup_steps)
        self.model, self.optimizer = accelerator.prepare(model, optimizer)
        self.keeper = CheckpointKeeper(Path(options.output_dir), options.keep_last)
        self.iteration = 0
        """Batches trained so far; the next one is number ``iteration`` of the plan."""
        self.best: Optional[float] = None
        """Lowest validation loss so far."""
        self.nonfinite = 0
        """Iterations left out because their loss was no finite number."""
        self._told_to_stop = False
        self._saved_at = time.monotonic()

    def run(self) -> None:
        """Train to the end, from the checkpoint if one is to be resumed.

        Raises:
            CheckpointError: a checkpoint cannot be written, or the one to resume from does not fit.
            StoppedBySignal: SIGTERM came; the checkpoint is written.
            PefomedError: too many losses that are no finite number.
        """
        self._resume()
        self._say_start()
        self.model.train()
        batches = iter(self._loader())
        log = StepLog(self.keeper.folder / "log.jsonl", self.options.log_freq, self.iteration)
        handler = signal.signal(signal.SIGTERM, self._on_signal)
        try:
            for epoch in range(self.iteration // self.per_epoch, self.options.max_epoch):
                with progress("epoch {}/{}".format(epoch + 1, self.options.max_epoch), self.per_epoch,
                              self.iteration - epoch * self.per_epoch) as advance:
                    while self.iteration < (epoch + 1) * self.per_epoch:
                        self._iterate(epoch, batches, log, advance)
                log.flush()
                self._finish_epoch(epoch)
        finally:
            log.flush()
            signal.signal(signal.SIGTERM, handler)

    def _iterate(self, epoch: int, batches: Iterator[Any], log: StepLog, advance: Any) -> None:
        left = (epoch + 1) * self.per_epoch - self.iteration
        group = [to_device(each, self.accelerator.device)
                 for each in islice(batches, min(self.options.accum_grad_iters, left))]
        seed_iteration(self.options.seed, self.iteration, self.accelerator.process_index)
        self.schedule.step(cur_epoch=0, cur_step=self.iteration)
        rate = self.optimizer.param_groups[0]["lr"]
        counts, everywhere, (stop, save) = share_counts(self.accelerator, self.model, group,
                                                        (self._told_to_stop, self._save_is_due(len(group))))
        loss = backward(self.accelerator, self.task, self.model, group, counts, everywhere)
        norm, left_out = take_step(self.accelerator, self.model, self.optimizer, self.options.max_grad_norm)
        self.iteration += len(group)
        if left_out:
            self._note_nonfinite(group)
        samples = sum(len(each["answer"]) for each in group)
        advance(len(group), note=log.add(self.iteration, loss, rate, samples, norm))
        if (stop or save) and self.iteration % self.per_epoch:
            self._save(epoch)
        if stop:
            raise StoppedBySignal("stopped by a signal at iteration {}; the checkpoint is written, the same command "
                                  "with run.resume=auto continues".format(self.iteration))

    def _note_nonfinite(self, group: Sequence[Mapping[str, Any]]) -> None:
        """Write down which samples gave a gradient that is no finite number; stop when it happens too often."""
        self.nonfinite += 1
        record = {"iteration": self.iteration, "samples": [each for batch in group for each in batch["image_id"]]}
        path = self.keeper.folder / "nonfinite.rank{}.jsonl".format(self.accelerator.process_index)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self.nonfinite > self.options.max_nonfinite:
            raise PefomedError("the gradient is no finite number at iteration {} (the {}. time; run.max_nonfinite is "
                               "{}); the samples are in {}, the last checkpoint is whole. Try bf16 or fp32, a lower "
                               "run.init_lr, or run.max_grad_norm=1".format(
                                   self.iteration, self.nonfinite, self.options.max_nonfinite, path))

    def _finish_epoch(self, epoch: int) -> None:
        loss = None
        if self.valid_sets:
            loss = validation_loss(self.accelerator, self.task, self.model, self._valid_batches())
            say("epoch {}: validation loss {:.4f}".format(epoch + 1, loss))
        is_best = loss is not None and (self.best is None or loss < self.best)
        self.best = loss if is_best else self.best
        self._save(epoch, best=is_best)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def _save_is_due(self, upcoming: int) -> bool:
        every, minutes = self.options.save_every_steps, self.options.save_every_minutes
        due = every is not None and (self.iteration + upcoming) // every > self.iteration // every
        return due or (minutes is not None and time.monotonic() - self._saved_at >= 60 * minutes)

    def _save(self, epoch: int, *, best: bool = False) -> None:
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            self.keeper.save({
                "model": trainable_state(self.own), "optimizer": self.optimizer.state_dict(),
                "scaler": scaler.state_dict() if scaler is not None else None, "epoch": epoch, **self.describe(),
                "pefomed": {"version": __version__, "toolkit": TOOLKIT, "iteration": self.iteration, "best": self.best,
                            "global_batches": self._global_batches(), "seed": self.options.seed,
                            "nonfinite": self.nonfinite, "embedded": self.options.embedded},
            }, best=best)
        self._saved_at = time.monotonic()
        self.accelerator.wait_for_everyone()

    def _resume(self) -> None:
        content: Optional[Dict[str, Any]] = None
        if self.options.resume_ckpt_path:
            path = Path(self.options.resume_ckpt_path)
            content = self.keeper.read(path)
        elif self.options.resume == "auto":
            found = self.keeper.newest()
            if found is None:
                say("nothing to resume in {}: starting".format(self.keeper.folder))
                return
            path, content = found
        if content is None:
            return
        if "optimizer" not in content:
            raise CheckpointError("{} holds no optimizer state; start from it with model.ckpt instead".format(path))
        state = content.get("pefomed") or {}
        self._check_same_order(path, state)
        say(str(load_weights(self.own, content["model"], str(path))))
        self.optimizer.load_state_dict(content["optimizer"])
        if self.accelerator.scaler is not None and content.get("scaler"):
            self.accelerator.scaler.load_state_dict(content["scaler"])
        self.iteration = state.get("iteration", (content["epoch"] + 1) * self.per_epoch)
        self.best, self.nonfinite = state.get("best"), state.get("nonfinite", 0)
        say("resuming at iteration {} from {}".format(self.iteration, path))

    def _check_same_order(self, path: Path, state: Mapping[str, Any]) -> None:
        """What the order of samples depends on must be as it was, or samples would be repeated or lost."""
        wrong = []
        if state.get("global_batches", self._global_batches()) != self._global_batches():
            wrong.append("samples an iteration on all ranks together: {} then, {} now; change datasets.*.batch_size "
                         "with the number of processes".format(state["global_batches"], self._global_batches()))
        if state.get("seed", self.options.seed) != self.options.seed:
            wrong.append("run.seed: {} then, {} now".format(state["seed"], self.options.seed))
        if wrong:
            raise CheckpointError("{} cannot be resumed in the same order of samples".format(path), wrong)

    def _global_batches(self) -> List[int]:
        return [each.batch_size * self.accelerator.num_processes for each in self.train_sets]

    # -- data ----------------------------------------------------------------------------------------------------

    def _loader(self) -> DataLoader:
        return DataLoader(
            Mixture(self.train_sets), collate_fn=MedicalDataset.collater, num_workers=self.options.num_workers,
            batch_sampler=PlannedBatches(self.plan, self.accelerator.process_index, self.iteration),
            pin_memory=self.accelerator.device.type == "cuda")

    def _valid_batches(self) -> Iterator[Any]:
        rank, ranks = self.accelerator.process_index, self.accelerator.num_processes
        for each in self.valid_sets:
            loader = DataLoader(Subset(each, list(range(rank, len(each), ranks))), collate_fn=MedicalDataset.collater,
                                batch_size=self.options.batch_size_eval, num_workers=self.options.num_workers)
            yield from (to_device(batch, self.accelerator.device) for batch in loader)

    def _on_signal(self, *_: Any) -> None:
        self._told_to_stop = True

    def _say_start(self) -> None:
        for each, left_out in zip(self.train_sets, self.plan.left_out):
            if left_out:
                say("{}: each pass leaves out {} sample(s), fewer than ranks".format(each.name, left_out))
        trained = [each for each in self.own.parameters() if each.requires_grad]
        say("training {:,} tensors, {:,} numbers, on {} x {} in {}: {} epoch(s) of {} iterations".format(
            len(trained), sum(each.numel() for each in trained), self.accelerator.num_processes,
            self.accelerator.device.type, self.accelerator.mixed_precision.replace("no", "fp32"),
            self.options.max_epoch, self.per_epoch))
