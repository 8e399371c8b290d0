"""``runner_pefomed``: trains, validates after each epoch, keeps the best and the last checkpoint, evaluates.

On accelerate: one process or many, CPU or CUDA, fp32, fp16 or bf16; for the model of either toolkit. Knows no data set.
"""

from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import torch
from torch.utils.data import DataLoader, Subset

from .. import __version__
from ..errors import CheckpointError
from ..options import RunOptions, read_run_options
from ..services.console import progress, say
from ..storage import write_json
from ..toolkit import NAME as TOOLKIT
from ..toolkit import registry
from ..toolkit.checkpoint import load_weights, read_checkpoint, trainable_state, write_checkpoint
from .datasets import MedicalDataset, Mixture
from .devices import make_accelerator
from .evaluation import evaluate_split, to_device
from .sampling import MixturePlan, PlannedBatches
from .step_log import StepLog
from .training import build_optimizer, train_step, validation_loss


class RunnerPefomed:
    """One run, as MiniGPT-v2's ``train.py`` drives a runner: built from its parts, then ``train()``."""

    def __init__(self, cfg: Any, task: Any, model: Any, datasets: Dict[str, Dict[str, Any]], job_id: str = "") -> None:
        from omegaconf import OmegaConf

        self.cfg, self.task, self.datasets, self.job_id = cfg, task, datasets, job_id
        self.options: RunOptions = read_run_options(dict(OmegaConf.to_container(cfg.run_cfg, resolve=True)))  # type: ignore[arg-type]
        self.output_dir = Path(self.options.output_dir)
        self.accelerator = make_accelerator(self.options)
        self.device = self.accelerator.device
        if self.device.type == "cpu":
            model = model.float()
        self.model = model.to(self.device)
        self.iteration = 0
        """Batches trained so far; the next one is number ``iteration`` of the plan."""
        self.best: Optional[float] = None
        """Lowest validation loss so far."""
        self.checkpoint = ""
        """File that the weights came from, for the results."""

    # -- training ------------------------------------------------------------------------------------------------

    def train(self) -> Dict[str, Any]:
        """Train (unless ``evaluate``), then answer and score the test splits.

        Returns:
            Metrics by ``<data set>-<split>``, on the first rank.

        Raises:
            CheckpointError: a checkpoint cannot be written or does not fit; the last whole one stays.
        """
        if not self.options.evaluate:
            self._train_epochs()
            if self.best is not None:
                self._load(self.output_dir / "checkpoint_best.pth")
        return self.evaluate()

    def _train_epochs(self) -> None:
        plan = self._plan()
        per_epoch = plan.iterations // self.options.max_epoch
        optimizer = build_optimizer(self.model, self.options)
        schedule = registry.get_lr_scheduler_class(self.options.lr_sched)(
            optimizer=optimizer, max_epoch=self.options.max_epoch, iters_per_epoch=per_epoch,
            min_lr=self.options.min_lr, init_lr=self.options.init_lr, decay_rate=self.options.lr_decay_rate,
            warmup_start_lr=self.options.warmup_lr, warmup_steps=self.options.warmup_steps)
        model, optimizer = self.accelerator.prepare(self.model, optimizer)
        if self.options.resume_ckpt_path:
            self._resume(Path(self.options.resume_ckpt_path), optimizer, per_epoch)
        batches = iter(self._train_loader(plan))
        model.train()
        say("training {:,} tensors, {:,} numbers, on {} x {} in {}: {} epoch(s) of {} iterations".format(
            sum(each.requires_grad for each in self.model.parameters()),
            sum(each.numel() for each in self.model.parameters() if each.requires_grad),
            self.accelerator.num_processes, self.device.type, self.accelerator.mixed_precision.replace("no", "fp32"),
            self.options.max_epoch, per_epoch))
        for epoch in range(self.iteration // per_epoch, self.options.max_epoch):
            end = (epoch + 1) * per_epoch
            with progress("epoch {}/{}".format(epoch + 1, self.options.max_epoch), per_epoch,
                          self.iteration - epoch * per_epoch) as advance:
                self._train_until(end, model, optimizer, schedule, batches, advance)
            self._finish_epoch(epoch, model, optimizer)

    def _train_until(self, end: int, model: Any, optimizer: Any, schedule: Any, batches: Iterator[Any],
                     advance: Any) -> None:
        log = StepLog(self.output_dir / "log.jsonl", self.options.log_freq)
        while self.iteration < end:
            group = list(islice(batches, min(self.options.accum_grad_iters, end - self.iteration)))
            schedule.step(cur_epoch=0, cur_step=self.iteration)
            rate = optimizer.param_groups[0]["lr"]
            loss = train_step(self.accelerator, self.task, model, optimizer,
                              [to_device(each, self.device) for each in group], self.options.max_grad_norm)
            self.iteration += len(group)
            note = log.add(self.iteration, loss, rate, sum(len(each["answer"]) for each in group))
            advance(len(group), note=note)
        log.flush()

    def _finish_epoch(self, epoch: int, model: Any, optimizer: Any) -> None:
        loss = None
        if self.options.valid_splits:
            loss = validation_loss(self.accelerator, self.task, model, self._valid_batches())
            say("epoch {}: validation loss {:.4f}".format(epoch + 1, loss))
        is_best = loss is not None and (self.best is None or loss < self.best)
        self.best = loss if is_best else self.best
        if self.accelerator.is_main_process:
            content = self._checkpoint(epoch, optimizer)
            write_checkpoint(content, self.output_dir / "checkpoint_last.pth")
            if is_best:
                write_checkpoint(content, self.output_dir / "checkpoint_best.pth")
        self.accelerator.wait_for_everyone()

    def _plan(self) -> MixturePlan:
        sets = self._split_sets(self.options.train_splits)
        epochs, per_epoch = self.options.max_epoch, self.options.iters_per_epoch
        plan = MixturePlan(
            [len(each) for each in sets], [each.batch_size for each in sets], [each.sample_ratio for each in sets],
            seed=self.options.seed, iterations=epochs * per_epoch if per_epoch else None, epochs=epochs,
            world_size=self.accelerator.num_processes, shuffle=self.options.shuffle)
        for each, left_out in zip(sets, plan.left_out):
            if left_out:
                say("{}: each pass leaves out {} sample(s), fewer than ranks".format(each.name, left_out))
        return plan

    def _train_loader(self, plan: MixturePlan) -> DataLoader:
        workers = self.options.num_workers
        return DataLoader(
            Mixture(self._split_sets(self.options.train_splits)), collate_fn=MedicalDataset.collater,
            batch_sampler=PlannedBatches(plan, self.accelerator.process_index, self.iteration),
            num_workers=workers, pin_memory=self.device.type == "cuda")

    def _valid_batches(self) -> Iterator[Any]:
        rank, ranks = self.accelerator.process_index, self.accelerator.num_processes
        for each in self._split_sets(self.options.valid_splits):
            loader = DataLoader(Subset(each, list(range(rank, len(each), ranks))), collate_fn=MedicalDataset.collater,
                                batch_size=self.options.batch_size_eval, num_workers=self.options.num_workers)
            yield from (to_device(batch, self.device) for batch in loader)

    def _split_sets(self, splits: Any) -> List[Any]:
        return [each[split] for each in self.datasets.values() for split in splits if len(each.get(split, ()))]

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def _checkpoint(self, epoch: int, optimizer: Any) -> Dict[str, Any]:
        scaler = self.accelerator.scaler
        return {
            "model": trainable_state(self.model), "optimizer": optimizer.state_dict(), "config": self.cfg.to_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None, "epoch": epoch,
            "pefomed": {"version": __version__, "toolkit": TOOLKIT, "iteration": self.iteration, "best": self.best,
                        "embedded": self.options.embedded, "rng": torch.get_rng_state()},
        }

    def _load(self, path: Path) -> Dict[str, Any]:
        content = read_checkpoint(path)
        if not isinstance(content.get("model"), dict):
            raise CheckpointError("{} is no checkpoint: it has no 'model'".format(path))
        say(str(load_weights(self.model, content["model"], str(path))))
        self.checkpoint = str(path)
        return content

    def _resume(self, path: Path, optimizer: Any, per_epoch: int) -> None:
        content = self._load(path)
        if "optimizer" not in content:
            raise CheckpointError("{} holds no optimizer state; start from it with model.ckpt instead".format(path))
        optimizer.load_state_dict(content["optimizer"])
        if self.accelerator.scaler is not None and content.get("scaler"):
            self.accelerator.scaler.load_state_dict(content["scaler"])
        own = content.get("pefomed") or {}
        self.iteration = own.get("iteration", (content["epoch"] + 1) * per_epoch)
        self.best = own.get("best")
        if own.get("rng") is not None:
            torch.set_rng_state(own["rng"])
        say("resuming at iteration {} from {}".format(self.iteration, path))

    # -- evaluation ----------------------------------------------------------------------------------------------

    def evaluate(self) -> Dict[str, Any]:
        """Answer and score every data set of the test splits; metrics by ``<data set>-<split>``."""
        metrics: Dict[str, Any] = {}
        producer = {"model": self.cfg.model_cfg.get("arch"), "toolkit": TOOLKIT, "version": __version__,
                    "checkpoint": self.checkpoint or self.cfg.model_cfg.get("ckpt"), "images": self.options.images,
                    "num_beams": self.options.num_beams, "embedded": self.options.embedded}
        for name, splits in self.datasets.items():
            for split in self.options.test_splits:
                if len(splits.get(split, ())):
                    key = "{}-{}".format(name, split)
                    result = evaluate_split(self.accelerator, self.task, self.model, splits[split], self.options,
                                            self.output_dir / "results" / key, producer)
                    if result is not None:
                        metrics[key] = result
        if metrics and self.accelerator.is_main_process:
            write_json(self.output_dir / "metrics.json", {"embedded": self.options.embedded, "results": metrics})
        return metrics
