"""The prompt templates of the host's registry, by the task of a sample: one place for training, answering and chat.

``register_all`` puts ``[caption]``, ``[vqa]`` and ``[report]`` there; who registers another object under such a name
replaces it for everything that is built afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..config.datasets import DatasetConfig
from ..errors import ConfigError
from ..prompts import PROMPT_TEMPLATES, SEVERAL_IMAGES, PromptTemplate, template_problems
from ..readers import DATASETS
from ..services.console import say
from ..toolkit import registry

Templates = Mapping[str, PromptTemplate]
"""``Sample.task`` -> its template."""


def register_templates() -> list[str]:
    """Put ours into the registry, but for names that are taken: those were replaced on purpose. All names."""
    for template in PROMPT_TEMPLATES.values():
        if registry.get(template.name) is None:
            registry.register(template.name, template)
    return [template.name for template in PROMPT_TEMPLATES.values()]


def registered_templates() -> Templates:
    """What the registry has now.

    Raises:
        ConfigError: something else stands under one of the names.
    """
    found: dict[str, Any] = {task: registry.get(own.name) or own for task, own in PROMPT_TEMPLATES.items()}
    wrong = [
        f"{PROMPT_TEMPLATES[task].name}: {template!r} is no pefomed_plugin.prompts.PromptTemplate; register one"
        for task, template in found.items()
        if not isinstance(template, PromptTemplate)
    ]
    if wrong:
        raise ConfigError("the registry's prompt templates cannot be used", wrong)
    return found


def templates_for(dataset: str, settings: DatasetConfig, tasks: Iterable[str]) -> Templates:
    """The registered templates, with what the YAML of a data set replaces in that of its samples.

    Args:
        tasks: of its samples; looked at only where the YAML replaces something.

    Raises:
        ConfigError: the samples are of several tasks, or the pool asks for a question that they do not have.
    """
    registered = registered_templates()
    if settings.prompt_template is None and settings.prompt_pool is None:
        return registered
    found = sorted(set(tasks))
    where = f"datasets.{dataset}.prompt_template and prompt_pool"
    if len(found) > 1:
        raise ConfigError(f"{where} replace the prompt of one task, and its samples are {' and '.join(found)}")
    if not found:
        return registered
    (task,) = found
    own = settings.prompt_of(registered[task])
    if own.asks != registered[task].asks or any(("{question}" in text) != own.asks for text in own.pool):
        needs = "every instruction needs {question}" if registered[task].asks else "no instruction may have {question}"
        raise ConfigError(f"datasets.{dataset}.prompt_pool: {task} samples: {needs}", list(own.pool))
    return {**registered, task: own}


def prompts_of(datasets: Iterable[Any]) -> dict[str, list[dict[str, Any]]]:
    """``Sample.task`` -> the templates that data sets ask such samples with, each once; for a checkpoint."""
    found: dict[str, list[dict[str, Any]]] = {}
    for dataset in datasets:
        templates: Templates = getattr(dataset, "templates", {})
        for task in tasks_of(dataset) if templates else ():
            said = templates[task].to_json()
            if said not in found.setdefault(task, []):
                found[task].append(said)
    return found


def tasks_of(dataset: Any) -> list[str]:
    """``Sample.task`` of a data set's samples."""
    if hasattr(dataset, "tasks"):  # a stream, whose samples are not known before they come
        return list(dataset.tasks)
    declared = DATASETS[dataset.name].tasks if dataset.name in DATASETS else ()
    # where a data set may hold several, its samples say; not otherwise, as those of shards are read from files
    return list(declared) if len(declared) == 1 else sorted({sample.task for sample in dataset.samples})


def say_other_prompts(recorded: Any, datasets: Iterable[Any], source: str) -> None:
    """Warn where samples are about to be asked otherwise than the samples of their task that a checkpoint learnt."""
    for task, asked in prompts_of(datasets).items():
        learnt = recorded.get(task, []) if isinstance(recorded, Mapping) else []
        for now in asked if learnt else ():
            if not any(_is_asked_as(now, then) for then in learnt):
                say(
                    f"warning: {source} learnt {PROMPT_TEMPLATES[task].name} as {learnt[0]['template']!r} with "
                    f"{learnt[0]['pool'][0]!r}, and is asked with {now['template']!r} and {now['pool'][0]!r}; set "
                    "datasets.*.prompt_template and prompt_pool as in training"
                )


def _is_asked_as(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    return (
        now["template"] == then["template"]
        and now["pool"][0] in then["pool"]
        and now.get("several") == then.get("several")
    )


def trained_templates(recorded: Any, source: str) -> Templates:
    """The registered templates, but those that a checkpoint was trained with where it says so; what differs is said."""
    templates = dict(registered_templates())
    for task, own in templates.items():
        said = recorded.get(task, []) if isinstance(recorded, Mapping) else []
        if said in ([], [own.to_json()]):
            continue
        if len(said) > 1:
            say(f"{source}: trained with {len(said)} prompts for {own.name}; asked with the registered one")
            continue
        text, pool, several = (said[0].get(key) for key in ("template", "pool", "several"))
        several = several or SEVERAL_IMAGES
        if not isinstance(text, str) or template_problems(text, str(several)) or not pool:
            raise ConfigError(f"{source}: its prompt for {own.name} cannot be read: {said[0]!r}")
        templates[task] = PromptTemplate(own.name, text, tuple(map(str, pool)), str(several))
        say(f"{source}: trained with a prompt of its own for {own.name}; asked with it: {text}")
    return templates
