"""Which order of samples a checkpoint may be resumed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.adapters.training.resuming import Saved, order_of, plan_run
from pefomed_plugin.config.run import RunConfig
from pefomed_plugin.errors import CheckpointError


class TrainSet:
    name, batch_size, sample_ratio = "vqa_rad", 8, 1.0

    def __len__(self):
        return 60

    def images_of(self, number):
        return (f"{number // 7}.png",)


def options(**values):
    return RunConfig(task="medical_vqa", output_dir="out", max_epoch=3, **values)


def saved(chosen, **changes):
    plan, _ = plan_run(chosen, [TrainSet()], 1, None)
    state = {"version": "0.1.0", "iteration": 5, **order_of(plan, chosen), **changes}
    content = {
        "pefomed": {key: value for key, value in state.items() if value is not None},
        "optimizer": {},
        "epoch": 0,
    }
    return Saved(Path("checkpoint_0.pth"), content)


@pytest.mark.parametrize("questions", [1, 8, "auto"])
def test_a_checkpoint_goes_on_in_its_own_order(questions):
    chosen = options(questions_per_image=questions)
    begun, _ = plan_run(chosen, [TrainSet()], 1, None)
    plan, iteration = plan_run(chosen, [TrainSet()], 1, saved(chosen))
    assert iteration == 5
    assert list(plan.batches(0, 5)) == list(begun.batches(0, 5))


def test_questions_that_an_earlier_version_dealt_otherwise_are_refused():
    chosen = options(questions_per_image=8)
    with pytest.raises(CheckpointError, match=r"earlier way of dealing the questions .* \(version 0\.1\.0\)"):
        plan_run(chosen, [TrainSet()], 1, saved(chosen, grouping=None))


def test_an_earlier_version_without_shared_images_had_the_same_order():
    now, _ = plan_run(options(), [TrainSet()], 1, None)
    then, _ = plan_run(options(), [TrainSet()], 1, saved(options(), grouping=None))
    assert [*then.batches(0)] == [*now.batches(0)]


def test_other_passes_are_another_order(monkeypatch):
    monkeypatch.setattr(TrainSet, "passes", 3.0, raising=False)
    kept = saved(options())
    assert plan_run(options(), [TrainSet()], 1, kept)[1] == 5
    with pytest.raises(CheckpointError, match=r"datasets\.\*\.passes: none then, 3 now"):
        plan_run(options(), [TrainSet()], 1, saved(options(), passes=None))
    monkeypatch.setattr(TrainSet, "passes", 2.0)
    with pytest.raises(CheckpointError, match=r"datasets\.\*\.passes: 3 then, 2 now"):
        plan_run(options(), [TrainSet()], 1, kept)


def test_another_number_of_questions_is_another_order():
    with pytest.raises(CheckpointError, match="run.questions_per_image: 8 then, auto now"):
        plan_run(options(questions_per_image="auto"), [TrainSet()], 1, saved(options(questions_per_image=8)))
