"""Every name is registered once, resolves, and registering again changes nothing."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import ToolkitError
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry
from pefomed_plugin.toolkit.bundled.registry import ToolkitRegistry

BUILDERS = ["clef2022", "iu_xray", "medicat", "mimic_cxr", "path_vqa", "roco", "slake", "vqa_rad"]
TASKS = ["medical_caption", "medical_vqa", "report_generation"]


def test_all_names_of_the_plugin_resolve():
    names = register_all()
    assert set(BUILDERS) <= set(names["builder"])
    assert set(TASKS) <= set(names["task"])
    assert [registry.get_builder_class(name).dataset for name in BUILDERS] == BUILDERS
    assert {registry.get_task_class(name).kind for name in TASKS} == {"caption", "vqa", "report"}
    assert registry.get_runner_class("runner_pefomed").__name__ == "RunnerPefomed"
    assert registry.get_processor_class("medical_text")()("1.5  cm;\n no\tmass.") == "1.5 cm; no mass."
    assert registry.get_model_class("minigpt_v2").__name__ == "MiniGPTv2"


def test_registering_twice_changes_nothing():
    before = register_all()
    mapping = {kind: dict(names) for kind, names in registry.mapping.items()}
    assert register_all() == before
    assert {kind: dict(names) for kind, names in registry.mapping.items()} == mapping


def test_a_name_that_is_taken_is_refused():
    own = ToolkitRegistry()
    own.register_task("vqa")(int)
    own.register_task("vqa")(int)
    with pytest.raises(KeyError, match="already registered"):
        own.register_task("vqa")(str)


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        ("builder", "vqarad", "vqa_rad"),
        ("task", "medical_vga", "medical_vqa"),
        ("model", "minigpt_v3", "minigpt_v2"),
        ("processor", "medical-text", "medical_text"),
        ("runner", "runner_pefo", "runner_pefomed"),
    ],
)
def test_an_unknown_name_lists_the_near_ones(kind, name, near):
    register_all()
    with pytest.raises(ToolkitError, match=f"did you mean '{near}'"):
        getattr(registry, f"get_{kind}_class")(name)


def test_state_and_paths():
    own = ToolkitRegistry()
    own.register("configuration", 3)
    own.register_path("output_dir", "a")
    own.register_path("output_dir", "b")
    assert (own.get("configuration"), own.get("x", 7), own.get_path("output_dir")) == (3, 7, "b")
