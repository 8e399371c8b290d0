"""How long a run takes on so many cards of a kind, from its configuration. Arithmetic; nothing is loaded or measured.

Batches are those of the run's own plan; operations and bytes by ``services.memory``; texts as long as the mean of the
data set's. Loading of images, starting, checkpoints and waiting for other ranks are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...config.compose import Configuration
from ...families import ModelSize
from ...readers import describe
from ...readers.prepared import SHARD_INDEX, is_prepared, read_manifest
from ...services.data.shard_index import read_shard_index
from ...services.memory.cards import Card
from ...services.memory.loads import answer_limit, mean_load
from ...services.memory.operations import READING, encoder_flops, reading_flops, sample_flops
from ..data.sampling import MixturePlan

_ANY_NUMBER = 1_000_000
"""Of samples of a data set of which it is not known, where the run says how many steps it takes."""


@dataclass(frozen=True)
class Duration:
    """Seconds of a run on some cards of one kind."""

    card: Card
    cards: int
    training_s: float | None
    """None: the run does not train."""
    answering_s: float | None
    trained_samples: int
    """Samples of all cards, each as often as it comes; those of validation not among them."""
    answered: int

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return (self.training_s or 0) + (self.answering_s or 0)

    @property
    def card_hours(self) -> float:
        """What is paid for."""
        return self.cards * self.seconds / 3600


def samples_known(config: Configuration) -> dict[str, Mapping[str, int]]:
    """Of each data set, split -> samples: of what was prepared or sharded its own, else as the release declares.

    Raises:
        DataError: a manifest or an index of shards that cannot be read.
    """
    return {name: _samples(name, section.build_info.storage) for name, section in config.datasets.items()}


def unknown_samples(config: Configuration) -> list[str]:
    """Data sets and splits whose number of samples is not known, though the run's length depends on it."""
    run, known = config.run, samples_known(config)
    needed = [] if run.evaluate or run.iters_per_epoch else list(run.train_splits)
    needed += [*run.valid_splits, *run.test_splits]
    return [name for name, splits in known.items() if needed and not splits]


def duration(config: Configuration, size: ModelSize, card: Card, cards: int, utilisation: float) -> Duration:
    """Seconds of training and answering.

    Args:
        size: of the model (``families.read_model_size``).
        cards: of this kind, each with the whole model and its own batches.
        utilisation: part of a card's 16-bit operations a second that training reaches, above 0, 1 at most.

    Raises:
        ConfigError: fewer training samples than cards.
    """
    run, known = config.run, samples_known(config)
    rate = card.tera_flops * 1e12 * utilisation
    training_s, trained = None, 0
    if not run.evaluate:
        drawn = _drawn(config, known, cards)
        trained = sum(drawn.values())
        flops = sum(count * _training_flops(config, size, name) for name, count in drawn.items())
        checked = {
            name: run.max_epoch * sum(splits.get(split, 0) for split in run.valid_splits)
            for name, splits in known.items()
        }
        flops += sum(count * _forward_flops(config, size, name) for name, count in checked.items())
        training_s = flops / rate / cards
    asked = {name: sum(splits.get(split, 0) for split in run.test_splits) for name, splits in known.items()}
    answered = sum(asked.values()) * (4 if run.reliance else 1)
    answering_s = None
    if run.test_splits:
        each = [count * _answering_s(config, size, name, card, rate) for name, count in asked.items()]
        answering_s = sum(each) / cards * (4 if run.reliance else 1)
    return Duration(card, cards, training_s, answering_s, trained, answered)


def _samples(name: str, storage: str | None) -> Mapping[str, int]:
    folder = Path(storage or "")
    if storage and is_prepared(folder):
        return dict(read_manifest(folder)["kept"])
    if storage and (folder / SHARD_INDEX).is_file():
        return {"train": sum(shard.samples for shard in read_shard_index(folder, None))}
    return describe(name).splits


def _drawn(config: Configuration, known: Mapping[str, Mapping[str, int]], cards: int) -> dict[str, int]:
    """Training samples of each data set over the whole run, on all cards."""
    run, sections = config.run, config.datasets
    sizes = [
        sum(known[name].get(split, 0) for split in run.train_splits) or (_ANY_NUMBER if run.iters_per_epoch else 0)
        for name in sections
    ]
    passes = [section.passes for section in sections.values()]
    plan = MixturePlan(
        sizes,
        [section.batch_size for section in sections.values()],
        [section.sample_ratio for section in sections.values()],
        seed=run.seed,
        iterations=run.iters_per_epoch and run.max_epoch * run.iters_per_epoch,
        epochs=run.max_epoch,
        passes=None if None in passes else [float(value or 0) for value in passes],
        world_size=cards,
        names=list(sections),
    )
    return {name: round(one_way * size) for name, one_way, size in zip(sections, plan.passes(), sizes)}


def _training_flops(config: Configuration, size: ModelSize, name: str) -> float:
    load = mean_load(config, size, name)
    row = sample_flops(size, load.row_tokens, load.answer_tokens)
    row["vision encoder"] *= load.images_a_row * (config.run.image_cache != "features")
    if config.model.use_grad_checkpoint_llm:
        row["once more"] = reading_flops(size, load.row_tokens)
    return sum(row.values()) / load.samples


def _forward_flops(config: Configuration, size: ModelSize, name: str) -> float:
    load = mean_load(config, size, name)
    images = load.images_a_row * (config.run.image_cache != "features")
    return (reading_flops(size, load.row_tokens) + images * encoder_flops(size)) / load.samples


def _answering_s(config: Configuration, size: ModelSize, name: str, card: Card, rate: float) -> float:
    """Of one sample: its prompt read, then a token after the other, each of which reads all weights for a batch."""
    load = mean_load(config, size, name)
    tokens = min(load.answer_tokens / load.samples, answer_limit(config))
    weights = 2 * (size.language.in_matrices + size.language.hidden_size * size.language.vocab_size)
    batch = max(1, config.run.batch_size_eval)
    return _forward_flops(config, size, name) / rate + math.ceil(tokens) * config.run.num_beams * weights / batch / (
        card.memory_gb_s * 1e9 * READING
    )
