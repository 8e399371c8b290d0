"""A run has one task, and each data set is answered and scored by the one that suits its samples."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pefomed_plugin import requirements
from pefomed_plugin.adapters import tasks
from pefomed_plugin.adapters.judge_tasks import JUDGE_TASKS
from pefomed_plugin.adapters.tasks import TASKS
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Sample
from pefomed_plugin.requirements import Need, require


class Samples(list):
    """A data set as far as a task looks at it before the run."""

    @property
    def samples(self):
        return self


def of_kind(dataset, kind, count=2):
    return Samples(
        Sample(f"{dataset}-{number}", dataset, "test", "drawn.png", kind, None, "a reference")
        for number in range(count)
    )


@pytest.fixture
def configured(monkeypatch):
    """The configuration of a run over data sets that a test makes up."""

    def make(test_splits, **datasets):
        builders = {name: lambda _, found=found: SimpleNamespace(build_datasets=lambda: {"test": found, "train": found})
                    for name, found in datasets.items()}  # fmt: skip
        monkeypatch.setattr(tasks.registry, "get_builder_class", builders.get)
        return SimpleNamespace(datasets_cfg=dict.fromkeys(datasets), run_cfg={"test_splits": test_splits})

    return make


@pytest.mark.parametrize(
    ("task", "kind", "limit", "first"),
    [
        (TASKS["medical_vqa"], "vqa", 20, "exact_match/pefomed"),
        (TASKS["medical_vqa"], "report", 300, "lexical/coco"),
        (TASKS["report_generation"], "vqa", 20, "exact_match/pefomed"),
        (TASKS["medical_vqa"], "caption", 120, "lexical/coco"),
        (TASKS["exact_match"], "report", 300, "lexical/coco"),
        (JUDGE_TASKS["wasm"], "vqa", 20, "exact_match/pefomed"),
    ],
)
def test_limit_and_scorers_are_those_of_the_samples(task, kind, limit, first):
    found = task().suited_to(of_kind("invented", kind))
    assert (found.kind, found.max_new_tokens, found.scorers[0]) == (kind, limit, first)


def test_a_judging_run_judges_its_reports_too():
    assert isinstance(JUDGE_TASKS["gpt4_judge"]().suited_to(of_kind("invented", "report")), JUDGE_TASKS["wasm"])


def test_a_split_of_several_kinds_is_refused():
    with pytest.raises(DataError, match="invented: one split holds report and vqa"):
        TASKS["medical_vqa"]().suited_to([*of_kind("invented", "vqa"), *of_kind("invented", "report")])


def test_what_another_task_will_answer_is_said_at_the_start(configured, capsys):
    cfg = configured(["test"], slake=of_kind("slake", "vqa"), iu_xray=of_kind("iu_xray", "report"))
    TASKS["medical_vqa"]().build_datasets(cfg)
    assert capsys.readouterr().out == (
        "iu_xray-test: report samples, answered in up to 300 tokens, scored by lexical/coco\n"
    )


def test_a_data_set_without_a_split_that_is_asked_for_is_named(configured, monkeypatch, capsys):
    cfg = configured(["test"], vqa_rad=of_kind("vqa_rad", "vqa"), slake=of_kind("slake", "vqa"))
    cfg.run_cfg["valid_splits"] = ["val"]
    plain = tasks.registry.get_builder_class("slake")(None).build_datasets()
    own = {"slake": lambda _: SimpleNamespace(build_datasets=lambda: {**plain, "val": plain["test"]})}
    known = tasks.registry.get_builder_class
    monkeypatch.setattr(tasks.registry, "get_builder_class", lambda name: own.get(name) or known(name))
    TASKS["medical_vqa"]().build_datasets(cfg)
    assert "val split: not in vqa_rad\n" in capsys.readouterr().out


def test_data_sets_that_cannot_be_used_come_in_one_error(configured, monkeypatch):
    def refuse(error):
        def build():
            raise error

        return lambda _: SimpleNamespace(build_datasets=build)

    cfg = configured(["test"], vqa_rad=of_kind("vqa_rad", "vqa"), slake=[], iu_xray=[])
    known = tasks.registry.get_builder_class
    broken = {
        "slake": refuse(DataError("no folder data/slake; set PEFOMED_DATA")),
        "iu_xray": refuse(
            DataError("iu_xray: 2 of 2 train samples have no image below x", ["1: no file", "2: no file"])
        ),
    }
    monkeypatch.setattr(tasks.registry, "get_builder_class", lambda name: broken.get(name) or known(name))
    with pytest.raises(DataError) as caught:
        TASKS["medical_vqa"]().build_datasets(cfg)
    assert caught.value.summary == (
        "2 of 3 data sets cannot be used; --options datasets.slake=null datasets.iu_xray=null trains without"
    )
    assert caught.value.problems == (
        "slake: no folder data/slake; set PEFOMED_DATA",
        "iu_xray: 2 of 2 train samples have no image below x: 1: no file (and 1 more)",
    )


def test_a_package_that_scoring_needs_is_missed_before_anything_is_trained(configured, monkeypatch):
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    cfg = configured(["test"], slake=of_kind("slake", "vqa"), iu_xray=of_kind("iu_xray", "report"))
    with pytest.raises(ConfigError, match="report metrics need pycocoevalcap; pip install pycocoevalcap"):
        TASKS["report_generation"]().build_datasets(cfg)
    cfg.run_cfg["test_splits"] = []
    TASKS["report_generation"]().build_datasets(cfg)


def test_everything_that_is_missing_is_named_at_once():
    needs = [Need("no_such_a", "plots", "a"), Need("json", "texts", "json"), Need("no_such_b", "tables", "b>=2")]
    with pytest.raises(ConfigError) as caught:
        require(needs)
    assert caught.value.problems == ("plots need no_such_a; pip install a", "tables need no_such_b; pip install b>=2")
