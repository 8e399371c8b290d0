"""Going on from a checkpoint: which one, whether it fits the run, and where in the order of samples it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...config.run import RunConfig
from ...errors import CheckpointError
from ...services.console import say
from ..data.grouping import GROUPING
from .checkpoints import CheckpointKeeper
from .replanning import ContinuedPlan, Start, continue_elsewhere


class Saved(NamedTuple):
    """A checkpoint to go on from."""

    path: Path
    content: dict[str, Any]

    @property
    def state(self) -> Mapping[str, Any]:
        """Our own keys; empty for a checkpoint that MiniGPT-v2 wrote."""
        return self.content.get("pefomed") or {}


def find_saved(keeper: CheckpointKeeper, options: RunConfig) -> Saved | None:
    """The checkpoint that the options ask for; None where the run starts afresh.

    Raises:
        CheckpointError: it is missing or damaged, or holds no optimizer state.
    """
    if options.resume_ckpt_path:
        saved = Saved(Path(options.resume_ckpt_path), keeper.read(Path(options.resume_ckpt_path)))
    elif options.resume == "auto":
        found = keeper.newest()
        if found is None:
            say(f"nothing to resume in {keeper.folder}: starting")
            return None
        saved = Saved(*found)
    else:
        return None
    if "optimizer" not in saved.content:
        raise CheckpointError(f"{saved.path} holds no optimizer state; start from it with model.ckpt instead")
    return saved


def plan_run(
    options: RunConfig, train_sets: Sequence[Any], processes: int, saved: Saved | None
) -> tuple[ContinuedPlan, int]:
    """The order of samples, and the number of the next batch.

    Raises:
        CheckpointError: the order would be another than that of the checkpoint.
        ConfigError: a data set with fewer samples than ranks.
    """
    settings: dict[str, Any] = {
        "seed": options.seed,
        "epochs": options.max_epoch,
        "shuffle": options.shuffle,
        "names": [train_set.name for train_set in train_sets],
        "passes": passes_of(train_sets),
        "iterations": options.max_epoch * options.iters_per_epoch if options.iters_per_epoch else None,
        "questions_per_image": options.questions_per_image,
        "images": [[train_set.images_of(number) for number in range(len(train_set))] for train_set in train_sets]
        if options.shares_images
        else (),
    }

    def plan(start: Start | None, ranks: int, batch_sizes: Sequence[int]) -> ContinuedPlan:
        data = (
            [len(train_set) for train_set in train_sets],
            batch_sizes,
            [train_set.sample_ratio for train_set in train_sets],
        )
        if start is None:
            return ContinuedPlan.from_the_beginning(*data, world_size=ranks, **settings)
        return ContinuedPlan(*data, start, world_size=ranks, **settings)

    batch_sizes = [train_set.batch_size for train_set in train_sets]
    if saved is None:
        return plan(None, processes, batch_sizes), 0
    state = saved.state
    start = Start(state["start"][0], *map(tuple, state["start"][1:])) if state.get("start") else None
    then = state.get("processes", processes)
    old = plan(start, then, [size // then for size in state.get("global_batches", [])] or batch_sizes)
    now = plan(start, processes, batch_sizes)
    iteration = state.get("iteration", (saved.content["epoch"] + 1) * (old.iterations // options.max_epoch))
    batches = [batch_size * processes for batch_size in batch_sizes]
    elsewhere = state.get("global_batches", batches) != batches or old.iterations_per_pass != now.iterations_per_pass
    _check_same_order(saved, now, batches, options, elsewhere)
    if not elsewhere:
        return now, iteration
    new = continue_elsewhere(old, iteration, lambda begin: plan(begin, processes, batch_sizes), options.max_epoch)
    say(
        f"{then} process(es) then, {processes} now: the rest of each pass is dealt out anew, iteration {iteration} "
        f"becomes {new.start.iteration}"
    )
    return new, new.start.iteration


def passes_of(train_sets: Sequence[Any]) -> list[float] | None:
    """``datasets.*.passes`` of the data sets; None where they are drawn by ``sample_ratio``."""
    asked = [getattr(train_set, "passes", None) for train_set in train_sets]
    return None if None in asked else [float(passes) for passes in asked]  # type: ignore[arg-type]


def order_of(plan: ContinuedPlan, options: RunConfig) -> dict[str, Any]:
    """What the order of samples depends on, for the checkpoint."""
    return {
        "global_batches": plan.global_batches,
        "processes": plan.world_size,
        "sizes": list(plan.sizes),
        "seed": options.seed,
        "questions_per_image": options.questions_per_image,
        "grouping": GROUPING,
        "shares": plan.shares.tolist(),
        "passes": plan.asked_passes,
        "start": [list(part) if isinstance(part, tuple) else part for part in plan.start],
    }


def _check_same_order(
    saved: Saved, plan: ContinuedPlan, batches: list[int], options: RunConfig, elsewhere: bool
) -> None:
    """What the order of samples depends on must be as it was, or samples would be repeated or lost."""
    state, wrong, sizes = saved.state, [], list(plan.sizes)
    if elsewhere and not options.resume_elsewhere:
        wrong.append(
            f"samples an iteration on all ranks together: {state['global_batches']} then, {batches} now; change "
            "datasets.*.batch_size with the number of processes, or set run.resume_elsewhere=true to deal the rest of "
            "the epoch out anew"
        )
    if state.get("sizes", sizes) != sizes:
        wrong.append(f"samples of the data sets: {state['sizes']} then, {sizes} now")
    shares = plan.shares.tolist()
    if not elsewhere and state.get("shares", shares) != shares:
        wrong.append(
            f"shares of the data sets (sample_ratio): {_rounded(state['shares'])} then, {_rounded(shares)} now"
        )
    asked = plan.asked_passes
    if state.get("passes", asked if not state else None) != asked:
        wrong.append(f"datasets.*.passes: {_listed(state.get('passes'))} then, {_listed(asked)} now")
    for name in ("seed", "questions_per_image"):
        value = getattr(options, name)
        if state.get(name, value) != value:
            wrong.append(f"run.{name}: {state[name]} then, {value} now")
    if options.shares_images and state and state.get("grouping", 1) != GROUPING:
        wrong.append(
            f"run.questions_per_image: {options.questions_per_image}: an earlier way of dealing the questions of an "
            f"image to batches (version {state.get('version', '?')}); finish the run with what it was begun with, or "
            "begin another from its weights with model.ckpt"
        )
    if wrong:
        raise CheckpointError(f"{saved.path} cannot be resumed in the same order of samples", wrong)


def _listed(passes: Sequence[float] | None) -> str:
    return "none" if passes is None else ", ".join(f"{value:g}" for value in passes)


def _rounded(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:.3f}" for share in shares)
