"""The registry of MiniGPT-v2's contracts: names to classes, paths, and a little state.

It imports none of the classes it holds.

Same class methods as upstream's, with one difference: a name that is unknown or taken raises and helps, where upstream
returns None and fails elsewhere.
"""

from __future__ import annotations

from typing import Any, Callable

from ...errors import ToolkitError, near_names

KINDS = ("builder", "task", "processor", "model", "lr_scheduler", "runner")


class ToolkitRegistry:
    """Names of builders, tasks, processors, models, schedules and runners; one instance, ``registry``."""

    def __init__(self) -> None:
        self.mapping: dict[str, dict[str, Any]] = {kind + "_name_mapping": {} for kind in KINDS}
        self.mapping.update(state={}, paths={})

    def _register(self, kind: str, name: str) -> Callable[[type], type]:
        names = self.mapping[kind + "_name_mapping"]

        def wrap(cls: type) -> type:
            if names.get(name, cls) is not cls:
                raise KeyError(f"{kind} name {name!r} already registered for {names[name]}")
            names[name] = cls
            return cls

        return wrap

    def _lookup(self, kind: str, name: str) -> Any:
        names = self.mapping[kind + "_name_mapping"]
        if name not in names:
            raise ToolkitError(f"no {kind} is registered as {name!r}; {near_names(str(name), names)}")
        return names[name]

    def register_builder(self, name: str) -> Callable[[type], type]:
        """Class decorator: data set builder under ``name``. Raises KeyError when the name is taken."""
        return self._register("builder", name)

    def register_task(self, name: str) -> Callable[[type], type]:
        """Class decorator: task under ``name``. Raises KeyError when the name is taken."""
        return self._register("task", name)

    def register_processor(self, name: str) -> Callable[[type], type]:
        """Class decorator: processor under ``name``. Raises KeyError when the name is taken."""
        return self._register("processor", name)

    def register_model(self, name: str) -> Callable[[type], type]:
        """Class decorator: model under ``name``. Raises KeyError when the name is taken."""
        return self._register("model", name)

    def register_lr_scheduler(self, name: str) -> Callable[[type], type]:
        """Class decorator: learning-rate scheduler under ``name``. Raises KeyError when the name is taken."""
        return self._register("lr_scheduler", name)

    def register_runner(self, name: str) -> Callable[[type], type]:
        """Class decorator: runner under ``name``. Raises KeyError when the name is taken."""
        return self._register("runner", name)

    def get_builder_class(self, name: str) -> Any:
        """Builder class. Raises ToolkitError listing near names."""
        return self._lookup("builder", name)

    def get_task_class(self, name: str) -> Any:
        """Task class. Raises ToolkitError listing near names."""
        return self._lookup("task", name)

    def get_processor_class(self, name: str) -> Any:
        """Processor class. Raises ToolkitError listing near names."""
        return self._lookup("processor", name)

    def get_model_class(self, name: str) -> Any:
        """Model class. Raises ToolkitError listing near names."""
        return self._lookup("model", name)

    def get_lr_scheduler_class(self, name: str) -> Any:
        """Learning-rate scheduler class. Raises ToolkitError listing near names."""
        return self._lookup("lr_scheduler", name)

    def get_runner_class(self, name: str) -> Any:
        """Runner class. Raises ToolkitError listing near names."""
        return self._lookup("runner", name)

    def list_datasets(self) -> list[str]:
        """Names of all builders."""
        return sorted(self.mapping["builder_name_mapping"])

    def list_tasks(self) -> list[str]:
        """Names of all tasks."""
        return sorted(self.mapping["task_name_mapping"])

    def list_models(self) -> list[str]:
        """Names of all models."""
        return sorted(self.mapping["model_name_mapping"])

    def list_processors(self) -> list[str]:
        """Names of all processors."""
        return sorted(self.mapping["processor_name_mapping"])

    def list_lr_schedulers(self) -> list[str]:
        """Names of all learning-rate schedules."""
        return sorted(self.mapping["lr_scheduler_name_mapping"])

    def list_runners(self) -> list[str]:
        """Names of all runners."""
        return sorted(self.mapping["runner_name_mapping"])

    def register(self, name: str, obj: Any) -> None:
        """Keep any object under ``name``; a later one replaces it."""
        self.mapping["state"][name] = obj

    def get(self, name: str, default: Any = None) -> Any:
        """Object kept by ``register``, or ``default``."""
        return self.mapping["state"].get(name, default)

    def register_path(self, name: str, path: str) -> None:
        """Keep a path under ``name``; a later one replaces it (a second run in one process has its own output)."""
        self.mapping["paths"][name] = str(path)

    def get_path(self, name: str) -> Any:
        """Path kept by ``register_path``, or None."""
        return self.mapping["paths"].get(name)


registry = ToolkitRegistry()
