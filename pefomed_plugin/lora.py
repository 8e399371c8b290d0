"""The settings of parameter-efficient fine-tuning: one object, under peft's names, read from YAML, file and adapter.

It reads no tensors: what a checkpoint's tensors say of them is told by ``toolkit.checkpoint``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import CheckpointError, ConfigError, ToolkitError, near_names

RECORD = "peft"
"""Key of a checkpoint under which the settings of what was trained are written whole."""
FAMILY = "language_model"
"""Key of a checkpoint under which the language model's family is named."""
YAML_KEYS = {
    "r": "lora_r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "target_modules": "lora_target_modules",
    "use_rslora": "lora_use_rslora",
    "rank_pattern": "lora_rank_pattern",
    "alpha_pattern": "lora_alpha_pattern",
    "bias": "lora_bias",
}
"""Setting -> key of the YAML's ``model`` section. A key that is null says nothing: the checkpoint decides."""
DEFAULTS: dict[str, Any] = {"r": 64, "lora_alpha": 16, "lora_dropout": 0.05}
"""MiniGPT-v2's and the paper's, where neither checkpoint nor YAML says anything."""
_HARMLESS = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
}
"""Keys of peft's ``adapter_config.json`` that change nothing in what trained weights compute."""


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters W + scale B A on the linear modules whose names end as ``target_modules`` say."""

    r: int
    """Rank."""
    lora_alpha: float
    """The scale is alpha / rank, or alpha / sqrt(rank) with ``use_rslora``."""
    target_modules: tuple[str, ...]
    lora_dropout: float = 0.0
    """Share of a module's inputs that training leaves out; no part of what was trained."""
    use_rslora: bool = False
    rank_pattern: Mapping[str, int] = field(default_factory=dict)
    """Ends of module names (regular expressions, as peft takes them) -> another rank."""
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    """Likewise -> another alpha."""
    bias: str = "none"

    def __post_init__(self) -> None:
        problems = [] if self.r > 0 else [f"the rank is {self.r}; it is at least 1"]
        if not self.target_modules:
            problems.append("no target modules")
        if self.bias != "none":
            problems.append(f"bias {self.bias!r}: only 'none' is supported, the language models here have no biases")
        if not 0 <= self.lora_dropout < 1:
            problems.append(f"dropout {self.lora_dropout}: a share from 0 up to 1")
        if problems:
            raise ConfigError("the LoRA settings cannot be used", problems)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> LoraSettings:
        """From plain values under peft's names."""
        return cls(
            r=int(settings["r"]),
            lora_alpha=_plain_number(settings["lora_alpha"]),
            target_modules=tuple(sorted(map(str, settings["target_modules"]))),
            lora_dropout=float(settings.get("lora_dropout") or 0.0),
            use_rslora=bool(settings.get("use_rslora")),
            rank_pattern={str(key): int(rank) for key, rank in (settings.get("rank_pattern") or {}).items()},
            alpha_pattern={
                str(key): _plain_number(alpha) for key, alpha in (settings.get("alpha_pattern") or {}).items()
            },
            bias=str(settings.get("bias") or "none"),
        )

    @classmethod
    def from_section(cls, section: Mapping[str, Any], targets: Sequence[str]) -> LoraSettings | None:
        """Of a ``model`` section, what it leaves open at its default; None where ``lora_r`` is 0.

        Args:
            targets: of the language model's family, where the section names none.
        """
        given = given_in(section)
        if given.get("r") == 0:
            return None
        return cls.of({**DEFAULTS, "target_modules": targets, **given})

    @classmethod
    def from_adapter_config(cls, config: Mapping[str, Any], source: str) -> LoraSettings:
        """Of the ``adapter_config.json`` of a PEFT adapter folder.

        Raises:
            CheckpointError: it is no LoRA, or uses what is not supported; every such key is named.
        """
        if config.get("peft_type") != "LORA":
            raise CheckpointError(f"{source}: peft_type is {config.get('peft_type')!r}; only LORA is supported")
        known = {field_.name for field_ in fields(cls)}
        problems = [
            f"{key}: {value!r} is not supported"
            for key, value in config.items()
            if key not in known | _HARMLESS and value not in (None, False, {}, [], "")
        ]
        problems += [f"{key}: missing" for key in ("r", "lora_alpha", "target_modules") if not config.get(key)]
        if isinstance(config.get("target_modules"), str):
            problems.append(f"target_modules: {config['target_modules']!r} is not a list of names")
        if str(config.get("init_lora_weights")).lower().startswith(("pissa", "olora", "corda")):
            problems.append(f"init_lora_weights: {config['init_lora_weights']!r} changes the base weights as well")
        if problems:
            raise CheckpointError(f"{source} asks for what cannot be done here", problems)
        try:
            return cls.of(config)
        except ConfigError as error:
            raise CheckpointError(f"{source}: {error.summary}", error.problems) from error

    def record(self) -> dict[str, Any]:
        """Plain values under peft's names: what a checkpoint keeps, and an ``adapter_config.json`` says."""
        return {
            "peft_type": "LORA",
            **asdict(self),
            "target_modules": list(self.target_modules),
            "rank_pattern": dict(self.rank_pattern),
            "alpha_pattern": dict(self.alpha_pattern),
        }

    def yaml(self) -> dict[str, Any]:
        """The same as keys of the ``model`` section."""
        return {YAML_KEYS[name]: value for name, value in self.record().items() if name in YAML_KEYS}

    def to_peft(self) -> Any:
        """peft's ``LoraConfig``.

        Raises:
            ToolkitError: the installed peft is too old for one of the settings.
        """
        from peft import LoraConfig  # late: heavy

        record = self.record()
        del record["peft_type"]
        understood = inspect.signature(LoraConfig).parameters
        unknown = [YAML_KEYS[name] for name, value in record.items() if name not in understood and value]
        if unknown:
            raise ToolkitError(
                f"the installed peft does not know model.{', model.'.join(unknown)}; use the bundled toolkit "
                "(PEFOMED_TOOLKIT=bundled) with a current peft"
            )
        return LoraConfig(
            task_type="CAUSAL_LM", **{name: value for name, value in record.items() if name in understood}
        )

    def rank_of(self, module: str) -> int:
        """Rank of one module, by its name in the language model (``model.layers.0.self_attn.q_proj``)."""
        return int(_by_pattern(self.rank_pattern, module, self.r))

    def scale_of(self, module: str) -> float:
        """What B A is multiplied with in one module, as peft computes it."""
        rank = self.rank_of(module)
        alpha = _by_pattern(self.alpha_pattern, module, self.lora_alpha)
        return float(alpha / rank**0.5 if self.use_rslora else alpha / rank)

    def is_plain(self) -> bool:
        """Whether rank and alpha say everything, as in MiniGPT-v2."""
        return not (self.use_rslora or self.rank_pattern or self.alpha_pattern)

    def unknown_targets(self, modules: Iterable[str]) -> list[str]:
        """A line for every target that no linear module of a layer is called."""
        known = list(modules)
        return [
            f"model.lora_target_modules: no {target!r}; {near_names(target, known)}"
            for target in self.target_modules
            if target.rpartition(".")[2] not in known
        ]

    def differences(self, other: LoraSettings) -> list[str]:
        """Names of settings, apart from dropout, in which two differ."""
        return [
            field_.name
            for field_ in fields(self)
            if field_.name != "lora_dropout" and getattr(self, field_.name) != getattr(other, field_.name)
        ]

    def __str__(self) -> str:
        words = f"rank {self.r} on {', '.join(self.target_modules)}, alpha {self.lora_alpha:g}"
        words += ", rank-stabilised" if self.use_rslora else ""
        for what, pattern in (("rank", self.rank_pattern), ("alpha", self.alpha_pattern)):
            words += "".join(f", {what} {value:g} on {key}" for key, value in pattern.items())
        return words


def recorded(model: Any) -> dict[str, Any]:
    """What a checkpoint of ``model`` keeps beside its tensors, so that it can be used without the run's YAML."""
    settings, family = getattr(model, "lora_settings", None), getattr(model, "family", None)
    return {
        **({} if settings is None else {RECORD: settings.record()}),
        **({} if family is None else {FAMILY: family.name}),
    }


def given_in(section: Mapping[str, Any]) -> dict[str, Any]:
    """What a ``model`` section says of the settings, under peft's names; nothing of what is null or absent."""
    found = {name: section[key] for name, key in YAML_KEYS.items() if section.get(key) is not None}
    if "target_modules" in found:
        found["target_modules"] = tuple(sorted(map(str, found["target_modules"])))
    if "lora_alpha" in found:
        found["lora_alpha"] = _plain_number(found["lora_alpha"])
    for name in ("rank_pattern", "alpha_pattern"):
        if name in found:
            found[name] = dict(found[name])
    return found


def settle(
    given: Mapping[str, Any], stated: Mapping[str, Any], source: str, targets: Sequence[str], flags: bool = False
) -> LoraSettings:
    """The settings of a run that loads a file: the file's, what it leaves open as given, else the defaults.

    Args:
        given: by the user, under peft's names.
        stated: by the file.
        targets: of the language model's family.
        flags: name settings in messages as options of a command line, not as keys of a YAML.

    Raises:
        ConfigError: user and file say different things; both values of each are named.
    """
    named = {name: f"--{key.replace('_', '-')}" if flags else f"model.{key}" for name, key in YAML_KEYS.items()}
    wrong = [
        name
        for name in YAML_KEYS
        if name != "lora_dropout" and name in given and name in stated and given[name] != stated[name]
    ]
    problems = [
        f"{named[name]}: {_shown(given[name])} is given, but {source} was trained with {_shown(stated[name])}"
        for name in wrong
    ]
    if problems:
        raise ConfigError(
            f"the LoRA settings are not those of the checkpoint; leave {', '.join(named[name] for name in wrong)} out "
            "and the checkpoint's are taken",
            problems,
        )
    return LoraSettings.of({**DEFAULTS, "target_modules": targets, **stated, **given})


def _by_pattern(pattern: Mapping[str, Any], module: str, otherwise: Any) -> Any:
    """The value of the first key that the module's name ends with, as peft looks it up."""
    return next((value for key, value in pattern.items() if re.match(rf"(.*\.)?({key})$", module)), otherwise)


def _plain_number(value: Any) -> float:
    """An integer where it is one, so that ``16`` and ``16.0`` are written and compared alike."""
    number = float(value)
    return int(number) if number.is_integer() else number


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
