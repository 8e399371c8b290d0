"""Everything the plugin puts into the host's registry, in one explicit place. Registering twice changes nothing."""

from typing import Dict, List, Mapping


def register_all() -> Dict[str, List[str]]:
    """Register builders, tasks, the runner and the processor in the registry of whichever toolkit is underneath.

    Returns:
        Names by kind: ``builder``, ``task``, ``runner``, ``processor``.

    Raises:
        KeyError: a name belongs to somebody else's class.
    """
    from .adapters.builders import BUILDERS
    from .adapters.judge_tasks import JUDGE_TASKS
    from .adapters.runner import RunnerPefomed
    from .adapters.tasks import TASKS
    from .adapters.text_processor import MedicalTextProcessor
    from .toolkit import registry

    classes: Mapping[str, Mapping[str, type]] = {
        "builder": BUILDERS, "task": {**TASKS, **JUDGE_TASKS},  # type: ignore[dict-item]
        "runner": {"runner_pefomed": RunnerPefomed}, "processor": {"medical_text": MedicalTextProcessor}}
    for kind, names in classes.items():
        taken = registry.mapping[kind + "_name_mapping"]
        for name, cls in names.items():
            if taken.get(name) is not cls:
                getattr(registry, "register_" + kind)(name)(cls)
    return {kind: sorted(names) for kind, names in classes.items()}
