"""``runner_pefomed``: trains, validates after each epoch, keeps the best and the last checkpoints, evaluates.

On accelerate: one process or many, CPU or CUDA, fp32, fp16 or bf16; for the model of either toolkit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..config.run import read_run_config
from ..digests import file_sha256
from ..families import DEFAULT_FAMILY
from ..origins import Origins, configured_origins
from ..provenance import RunRecord, write_record
from ..readers.prepared import is_remote
from ..reporting.cards import write_card
from ..reporting.cards.model_card import model_card
from ..reporting.cards.model_facts import gather_facts
from ..scoring.metrics_file import with_other_results
from ..services.console import say
from ..services.data.sample_leaks import note_leaks
from ..storage import write_json
from ..toolkit import NAME as TOOLKIT
from ..toolkit.checkpoint import load_checkpoint, read_checkpoint
from ..vision_encoders import VIT_G
from .answering import check_drafts, training_sets
from .data.image_cache import show_ready_made
from .data.several_images import check_images, say_other_images
from .data.streams import draw_from_streams
from .devices import make_accelerator, precision_of
from .evaluation import evaluate_split, merged_lora
from .exports.contents import telling_file
from .prompting import say_other_prompts
from .training.checkpoints import BEST
from .training.recording import fetched_origins, record_run, storages_of, weights_file
from .training.start_words import passes_in_words
from .training.strategies import strategy_of
from .training.trainer import Trainer


class RunnerPefomed:
    """One run, as MiniGPT-v2's ``train.py`` drives a runner: built from its parts, then ``train()``."""

    def __init__(self, cfg: Any, task: Any, model: Any, datasets: dict[str, dict[str, Any]], job_id: str = "") -> None:
        datasets = draw_from_streams(datasets)
        self.cfg, self.task, self.datasets, self.job_id = cfg, task, datasets, job_id
        self.options = read_run_config(cfg.run_cfg)
        self.output_dir = Path(self.options.output_dir)
        self.accelerator = make_accelerator(self.options)
        self.model = model.float() if self.accelerator.device.type == "cpu" else model
        if self.options.test_splits:
            merged_lora(self.model, self.options)  # refused now, not when the answers are due
            if not self.options.merge_lora and getattr(getattr(model, "lora_settings", None), "use_dora", False):
                say("DoRA weighs every adapted row anew for each token: run.merge_lora=true answers faster")
        check_images(model, datasets, self.options)
        self.strategy = strategy_of(self.options.strategy)
        self.model = self.strategy.place(self.model, self.accelerator.device, precision_of(self.accelerator))
        check_drafts(self.model, self.options, datasets)
        self.checkpoint = cfg.model_cfg.get("ckpt") or ""
        """File that the weights came from, for the results."""
        if self.options.evaluate and Path(self.checkpoint).is_file():
            noted = read_checkpoint(Path(self.checkpoint), lazily=True).get("pefomed") or {}
            asked = self._sets(self.options.test_splits)
            say_other_prompts(noted.get("prompts"), asked, self.checkpoint)
            say_other_images(noted.get("images_a_prompt"), asked, self.checkpoint)
        self.origins: Origins = configured_origins(cfg.model_cfg.get("llama_model"), storages_of(cfg))
        self.origins = replace(self.origins, data={**self.origins.data, **fetched_origins(cfg, datasets)})
        self._record: RunRecord | None = None

    def train(self) -> dict[str, Any]:
        """Train (unless ``evaluate``), then answer and score the test splits.

        Returns:
            Metrics by ``<data set>-<split>``, on the first rank.

        Raises:
            CheckpointError: a checkpoint cannot be written or does not fit; the last whole one stays.
        """
        if not self.options.evaluate:
            self._write_record(self.output_dir)
            train_sets, valid_sets = self._sets(self.options.train_splits), self._sets(self.options.valid_splits)
            show_ready_made(self.accelerator, self.model, [*train_sets, *valid_sets], self.options)
            trainer = Trainer(
                self.accelerator,
                self.task,
                self.model,
                self.options,
                train_sets,
                valid_sets,
                describe=lambda: {"config": self.cfg.to_dict()},
                origins=self.origins,
            )
            trainer.run()
            if not self.strategy.can_answer:
                self._write_card(trainer)
                return {}
            self.checkpoint = str(self.output_dir / "checkpoint_last.pth")
            if trainer.best is not None:
                self.checkpoint = str(self.output_dir / BEST)
                say(str(load_checkpoint(self.model, trainer.keeper.read(self.output_dir / BEST), self.checkpoint)))
            metrics = self.evaluate()
            self._write_card(trainer)
            return metrics
        return self.evaluate()

    def evaluate(self) -> dict[str, Any]:
        """Answer and score every data set of the test splits; metrics by ``<data set>-<split>``."""
        metrics: dict[str, Any] = {}
        if self.options.test_splits:
            self._write_record(self.output_dir / "results")
        for name, splits in self.datasets.items():
            for split in self.options.test_splits:
                if len(splits.get(split, ())):
                    key, task = f"{name}-{split}", self.task.suited_to(splits[split].samples)
                    result = evaluate_split(
                        self.accelerator,
                        task,
                        self.model,
                        splits[split],
                        self.options,
                        self.output_dir / "results" / key,
                        self._producer(name, task),
                        training_sets(splits, self.options),
                    )
                    if result is not None:
                        metrics[key] = result
                        self._note_leaks(name, splits, split)
        if metrics and self.accelerator.is_main_process:
            results = with_other_results(self.output_dir, metrics)
            write_json(self.output_dir / "metrics.json", {"origin": self.origins.to_json(), "results": results})
        return metrics

    def _note_leaks(self, name: str, splits: Mapping[str, Any], split: str) -> None:
        """Beside the answers, what training has of each sample; of shards nothing: they are not read through for it."""
        known = getattr(splits.get("train"), "samples", None)
        samples = known if isinstance(known, list) else []
        storage = storages_of(self.cfg).get(name)
        data = Path(storage) if storage and not is_remote(storage) else None
        folder = self.output_dir / "results" / f"{name}-{split}"
        say(f"{name}, {split}: {note_leaks(folder, list(splits[split].samples), samples, data)}")

    def _producer(self, dataset: str, task: Any) -> Mapping[str, Any]:
        weights, origins = telling_file(Path(self.checkpoint)), self.origins
        return {
            "model": self.cfg.model_cfg.get("arch"),
            "toolkit": TOOLKIT,
            "version": __version__,
            "checkpoint": self.checkpoint,
            "checkpoint_sha256": file_sha256(weights) if weights.is_file() else None,
            "images": self.options.images,
            "precision": precision_of(self.accelerator),
            "num_beams": self.options.num_beams,
            "max_new_tokens": task.limit(self.options),
            "origin": origins.of(dataset).to_json(),
        }

    def _write_card(self, trainer: Trainer) -> None:
        """The model card beside the checkpoints."""
        if self.accelerator.is_main_process:
            samples = {
                name: {split: len(dataset) for split, dataset in splits.items()}
                for name, splits in self.datasets.items()
            }
            facts = gather_facts(
                self.output_dir,
                self.cfg.to_dict(),
                {**trainer.state(), "samples": samples, "passes": passes_in_words(trainer)},
                Path(self.checkpoint) if self.checkpoint else None,
                family=getattr(self.model, "family", DEFAULT_FAMILY),
                language_folder=Path(str(self.cfg.model_cfg.get("llama_model") or "nowhere")),
                encoder=getattr(self.model, "encoder", VIT_G),
            )
            write_card(self.output_dir, model_card(facts))

    def _write_record(self, folder: Path) -> None:
        """``provenance.json`` of what follows; data sets and frozen weights are digested once for all of them."""
        if not self.accelerator.is_main_process:
            return
        if self._record is None:
            processes = self.accelerator.num_processes
            self._record = record_run(self.cfg, self.origins, self.datasets, self.checkpoint, processes)
        elif self.checkpoint:
            self._record = self._record.with_checkpoint(weights_file(self.checkpoint))
        write_record(folder, self._record)

    def _sets(self, splits: Sequence[str]) -> list[Any]:
        return [dataset[split] for dataset in self.datasets.values() for split in splits if len(dataset.get(split, ()))]
