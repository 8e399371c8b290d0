"""What is declared of a data set: one ``DatasetSpec`` in its own file, and everything else reads it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from ..errors import ConfigError, DataError, near_names
from ..records import SPLITS
from .expectations import Expectation
from .layouts import Layout, Release, recognise

PUBLIC = "public"
PERMISSION = "permission"
TASKS = ("vqa", "report", "caption")


@dataclass(frozen=True)
class Option:
    """One option of a data set: ``datasets.<name>.options.<option>``, or ``--option <option>=VALUE``."""

    name: str
    default: str | bool
    values: tuple[str, ...] = ()
    """The values it may have; empty: any text, or for a truth value true and false."""
    help: str = ""
    parts: tuple[str, ...] = ()
    """In place of a value, a list of these may be given, in any order."""

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value, if anything."""
        if self.parts and isinstance(value, list):
            unknown = [part for part in value if part not in self.parts]
            if unknown or not value or len(set(value)) < len(value):
                return f"{value!r} must be a list of different ones of {', '.join(self.parts)}"
            return None
        if isinstance(self.default, bool):
            return None if isinstance(value, bool) else f"{value!r} is neither true nor false"
        if self.values:
            return None if value in self.values else f"unknown value {value!r}; {near_names(str(value), self.values)}"
        return None if isinstance(value, str) else f"{value!r} is not a text"


@dataclass(frozen=True)
class Field:
    """A field by which scores are broken down."""

    name: str
    """``question_type``, ``organ``, ``phrase_type``, or a key of ``Sample.metadata``."""
    title: str
    """What the release calls it, in words."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Code of the release -> what it stands for; only of those that are not words already."""
    order: tuple[str, ...] = ()
    """Groups in the order in which the paper shows them; others follow in alphabetical order."""


def hub_task(task: str) -> str:
    """The Hugging Face hub's name of a ``Sample.task``."""
    return "visual-question-answering" if task == "vqa" else "image-to-text"


@dataclass(frozen=True)
class DatasetSpec:
    """A data set: how it is read, what is known of its release, and who may see it.

    Raises:
        ValueError: what is declared contradicts itself; every mistake is named.
    """

    name: str
    """Registry name: letters, digits and ``_``. It begins every sample's id, and names the YAML and its section."""
    title: str
    """Name in words, for tables and cards."""
    layouts: tuple[Layout, ...] = ()
    """The ways it is found on disk."""
    tasks: tuple[str, ...] = TASKS
    """``Sample.task`` of its samples, one or several of ``TASKS``."""
    options: tuple[Option, ...] = ()
    option_problems: Callable[[Mapping[str, Any]], Sequence[str]] = lambda options: ()
    """What of values that are right one by one cannot be together, in words; asked with all options."""
    most_images: Callable[[Mapping[str, Any]], int] = lambda options: 1
    """Images that most samples show at most, by all options."""
    every_row: Mapping[str, Any] = field(default_factory=dict)
    """Option values that leave nothing out, where rows left out share images with rows that are kept."""
    stage: int = 0
    """Which of the paper's two stages trains on it; 0: none."""
    splits: Mapping[str, int] = field(default_factory=dict)
    """Split -> samples of the published release, with the default options; of the paper's data sets, the paper's."""
    images: int | None = None
    """Different images that its samples use, all splits."""
    longest: tuple[int, int] | None = None
    """Characters of the longest question and of the longest answer, all splits."""
    mean_length: tuple[int, int] | None = None
    """The same of the mean question and answer."""
    expectations: tuple[Expectation, ...] = ()
    """What must hold of a release that was read."""
    fields: tuple[Field, ...] = ()
    """What its scores can be broken down by, beside the type of answer."""
    audience: str = PERMISSION
    """``PUBLIC``: its texts may go to a service elsewhere. ``PERMISSION``: only where the user says that they may."""
    licence_id: str = "other"
    """The Hugging Face hub's identifier; ``other`` where it has none for it."""
    licence: str = "licence not declared"
    """In words."""
    passing_on: str = ""
    """What may not be done with the data, or with a model trained on them; empty where the licence says it all."""
    citation: str = "not declared"
    url: str = ""
    quirks: tuple[str, ...] = ()
    """What a user of its scores should know; more on its page."""
    specialty: str = ""
    """``radiology``, ``pathology``, ...; empty where it is not known."""
    languages: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda options: ()
    """Languages of its texts (ISO 639-1) by the options it was read with; empty where it is not known."""
    sample_writer: str = ""
    """``module:function`` that writes a generated miniature in its official layout; empty: there is none."""
    page: str = "docs/extending.md"
    """Where the documentation speaks of it."""

    def __post_init__(self) -> None:
        names = [option.name for option in self.options]
        wrong = [
            *(f"task {task!r}; {near_names(task, TASKS)}" for task in self.tasks if task not in TASKS),
            *(f"split {split!r}; {near_names(split, SPLITS)}" for split in self.splits if split not in SPLITS),
            *(f"option {name!r} is declared twice" for name in {name for name in names if names.count(name) > 1}),
            *(f"every_row names {name!r}, which is not an option" for name in self.every_row if name not in names),
            *([] if self.audience in (PUBLIC, PERMISSION) else [f"audience {self.audience!r}"]),
        ]
        if wrong:
            raise ValueError(f"data set {self.name!r}: {'; '.join(wrong)}")

    def read(self, root: Path, **options: Any) -> Release:
        """Samples of the release in ``root``.

        Raises:
            ConfigError: an option that the data set does not have, or a value that the option does not have.
            DataError: no layout is recognised, or records cannot be used; all of them in one message.
        """
        root, options = Path(root), self.complete_options(options)
        release = recognise(self.name, self.layouts, root).read(root, **options)
        if release.dataset != self.name:
            raise DataError(f"{self.name}: its reader calls the data set {release.dataset!r}")
        release.problems += [
            f"{path}: the file is empty; fetch it again"
            for path in release.files
            if path.is_file() and not path.stat().st_size and not any(path.name in told for told in release.problems)
        ]
        return release.finish()

    def complete_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """``given`` with the defaults of the other options.

        Raises:
            ConfigError: an unknown option or value; all of them in one message.
        """
        known = {option.name: option for option in self.options}
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        found = ((name, known[name].problem(value)) for name, value in given.items() if name in known)
        problems = [
            *(f"{self.name} has no option {name!r}; {near_names(name, known)}" for name in given if name not in known),
            *(f"{self.name}.{name}: {problem}" for name, problem in found if problem),
        ]
        complete = {**self.defaults, **given}
        if not problems:
            problems = [f"{self.name}.{problem}" for problem in self.option_problems(complete)]
        if problems:
            raise ConfigError(f"options of {self.name} cannot be used", problems)
        return complete

    @property
    def defaults(self) -> dict[str, Any]:
        """Option -> the value it has where none is given."""
        return {option.name: option.default for option in self.options}

    @property
    def needs_permission(self) -> bool:
        """Whether its texts may go to a service elsewhere only where the user says that they may."""
        return self.audience != PUBLIC

    @property
    def hub_task(self) -> str:
        """The Hugging Face hub's name of what one does with it."""
        return hub_task(self.tasks[0] if len(self.tasks) == 1 else "")

    def long_name(self, field_name: str, code: str) -> str:
        """What a code of a field stands for; the code itself where it is a word."""
        return next((found.values.get(code, code) for found in self.fields if found.name == field_name), code)

    def place_of(self, field_name: str, group: str) -> int:
        """Where a group of a field stands in the declared order; behind it where it is not declared."""
        order = next((found.order for found in self.fields if found.name == field_name), ())
        return order.index(group) if group in order else len(order)
