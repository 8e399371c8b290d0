"""Everything the plugin puts into the host's registry, in one explicit place. Registering twice changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import PluginError
from .plugins import Registry
from .services.console import say


def register_all() -> dict[str, list[str]]:
    """Register builders, tasks, the runner, the processor and the prompt templates in the host's registry.

    The host is whichever toolkit is underneath. It has no kind for prompt templates: they are objects,
    ``registry.get("[vqa]")``.

    Returns:
        Names by kind: ``builder``, ``task``, ``runner``, ``processor``, ``prompt_template``.

    Raises:
        KeyError: a name belongs to somebody else's class.
    """
    from .adapters.data.builders import BUILDERS  # late: loads torch
    from .adapters.data.text_processor import MedicalTextProcessor  # late: loads torch
    from .adapters.judge_tasks import JUDGE_TASKS  # late: loads torch
    from .adapters.prompting import register_templates  # late: loads torch
    from .adapters.runner import RunnerPefomed  # late: loads torch
    from .adapters.tasks import TASKS  # late: loads torch
    from .toolkit import registry  # late: loads torch

    classes: Mapping[str, Mapping[str, type]] = {
        "builder": BUILDERS,  # type: ignore[dict-item]
        "task": usable_tasks({**TASKS, **JUDGE_TASKS}),  # type: ignore[dict-item]
        "runner": {"runner_pefomed": RunnerPefomed},
        "processor": {"medical_text": MedicalTextProcessor},
    }
    for kind, names in classes.items():
        taken = registry.mapping[kind + "_name_mapping"]
        for name, cls in names.items():
            if taken.get(name) is not cls:
                getattr(registry, "register_" + kind)(name)(cls)
    return {**{kind: sorted(names) for kind, names in classes.items()}, "prompt_template": sorted(register_templates())}


def usable_tasks(own: Mapping[str, Any]) -> dict[str, type]:
    """Our tasks and those of other packages (entry point group ``pefomed_plugin.tasks``).

    One that cannot be used is named, and left out: a run that does not ask for it goes on.
    """
    from .toolkit import BaseTask  # late: loads torch

    tasks: Registry[type] = Registry("task", BaseTask, own, classes=True)
    usable: dict[str, type] = {}
    for name in tasks:
        try:
            usable[name] = tasks[name]
        except PluginError as error:
            say(f"warning: {error}")
    return usable
