"""What is trained of a language model, and how it begins: one object under peft's names. It reads no tensors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..errors import CheckpointError, ConfigError, ToolkitError, near_names

RECORD = "peft"
"""Key of a checkpoint under which the settings of what was trained are written whole."""
FAMILY = "language_model"
"""Key of a checkpoint under which the language model's family is named."""
MERGED = "lora_merged"
"""Key of the file beside a merged model: the LoRA that its projection was trained with is in the weights."""
APART = "lora_apart"
"""Key of the base of an exported adapter: the LoRA that its projection was trained with lies in the adapter alone."""
LANGUAGE_WEIGHTS = "language_model_weights"
"""Key of a checkpoint under which the fingerprint of the language model that it belongs to lies."""
YAML_KEYS = {
    "r": "lora_r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "target_modules": "lora_target_modules",
    "use_rslora": "peft.use_rslora",
    "use_dora": "peft.use_dora",
    "init_lora_weights": "peft.init_lora_weights",
    "modules_to_save": "peft.modules_to_save",
    "rank_pattern": "peft.rank_pattern",
    "alpha_pattern": "peft.alpha_pattern",
    "lora_plus_ratio": "peft.lora_plus_ratio",
}
"""Setting -> key of the YAML's ``model`` section. A key that is null says nothing: the checkpoint decides."""
ALL_LINEAR = "all-linear"
"""peft's word, in place of target modules, for every linear module of a decoder layer."""
OF_TRAINING = ("lora_dropout", "lora_plus_ratio")
"""Settings that are no part of what was trained: another run of the same adapters may have others."""
DECLARED_LATER = ("use_dora", "init_lora_weights", "modules_to_save")
"""Settings that stand in a record only where they say something, so that a plain one is what it always was."""
KINDS = (*DECLARED_LATER, "target_modules", "use_rslora")
"""Settings that make LoRA of another kind, which can begin in place of one that has learned nothing."""
_SPLITTING = re.compile(r"olora|pissa(_niter_[1-9][0-9]*)?")
"""Initial values that are part of the weights, from which they are taken away."""
_OTHER_BASE = ("corda", "loftq", "lora_ga")
"""Initial values of peft's that change the weights beside them, and that are not made here."""
DEFAULTS: dict[str, Any] = {"r": 64, "lora_alpha": 16, "lora_dropout": 0.05}
"""MiniGPT-v2's and the paper's, where neither checkpoint nor YAML says anything."""
_HARMLESS = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
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
    use_dora: bool = False
    """Weight-decomposed: each row of W + scale B A is scaled to a length that is trained (arXiv:2402.09353)."""
    init_lora_weights: bool | str = True
    """How A and B begin: true (A random, B zero), ``gaussian`` (likewise), ``pissa``, ``pissa_niter_N`` (the largest
    singular values of W, arXiv:2404.02948) or ``olora`` (a QR decomposition, arXiv:2406.01775)."""
    modules_to_save: tuple[str, ...] = ()
    """Ends of names of other modules (``lm_head``, ``embed_tokens``, ``norm``) that are trained whole."""
    lora_plus_ratio: float | None = None
    """LoRA+ (arXiv:2402.12354): B's learning rate over A's."""

    def __post_init__(self) -> None:
        problems = [] if self.r > 0 else [f"the rank is {self.r}; it is at least 1"]
        if not self.target_modules:
            problems.append("no target modules")
        if self.bias != "none":
            problems.append(f"bias {self.bias!r}: only 'none' is supported, the language models here have no biases")
        if not 0 <= self.lora_dropout < 1:
            problems.append(f"dropout {self.lora_dropout}: a share from 0 up to 1")
        problems += self._variant_problems()
        if problems:
            raise ConfigError("the LoRA settings cannot be used", problems)

    def _variant_problems(self) -> list[str]:
        begin, problems = self.init_lora_weights, []
        if not (begin is True or begin == "gaussian" or self.splits_weights):
            problems.append(
                f"init_lora_weights {begin!r}: none of true, gaussian, olora, pissa, pissa_niter_4 (or another "
                "number); eva, corda and lora_ga want a pass over the data, loftq weights of its own"
            )
        if self.use_dora and self.splits_weights:
            problems.append(f"use_dora with init_lora_weights {begin}: no peft adapter can hold both; take one")
        both = [name for name in self.modules_to_save if name in self.target_modules]
        if both:
            problems.append(f"{', '.join(both)}: in modules_to_save and in target_modules; take it out of one")
        if self.lora_plus_ratio is not None and self.lora_plus_ratio <= 0:
            problems.append(f"lora_plus_ratio {self.lora_plus_ratio}: it is more than 0 (LoRA+ says 1 or more)")
        return problems

    @property
    def splits_weights(self) -> bool:
        """Whether A and B begin as a part of the weights, which lie without it beside them."""
        return isinstance(self.init_lora_weights, str) and bool(_SPLITTING.fullmatch(self.init_lora_weights))

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> LoraSettings:
        """From plain values under peft's names."""
        return cls(
            r=int(settings["r"]),
            lora_alpha=plain_number(settings["lora_alpha"]),
            target_modules=tuple(sorted(map(str, settings["target_modules"]))),
            lora_dropout=float(settings.get("lora_dropout") or 0.0),
            use_rslora=bool(settings.get("use_rslora")),
            rank_pattern={str(key): int(rank) for key, rank in (settings.get("rank_pattern") or {}).items()},
            alpha_pattern={
                str(key): plain_number(alpha) for key, alpha in (settings.get("alpha_pattern") or {}).items()
            },
            bias=str(settings.get("bias") or "none"),
            use_dora=bool(settings.get("use_dora")),
            init_lora_weights=settings.get("init_lora_weights", True),
            modules_to_save=tuple(sorted(map(str, settings.get("modules_to_save") or ()))),
            lora_plus_ratio=settings.get("lora_plus_ratio"),
        )

    @classmethod
    def from_adapter_config(cls, config: Mapping[str, Any], source: str) -> LoraSettings:
        """Of the ``adapter_config.json`` of a PEFT adapter folder.

        Raises:
            CheckpointError: it is no LoRA, or uses what is not supported; every such key is named.
        """
        if config.get("peft_type") != "LORA":
            raise CheckpointError(f"{source}: peft_type is {config.get('peft_type')!r}; only LORA is supported")
        known = {field_.name for field_ in fields(cls)} - {"lora_plus_ratio"}
        problems = [
            f"{key}: {value!r} is not supported"
            for key, value in config.items()
            if key not in known | _HARMLESS and value not in (None, False, {}, [], "")
        ]
        problems += [f"{key}: missing" for key in ("r", "lora_alpha", "target_modules") if not config.get(key)]
        if isinstance(config.get("target_modules"), str):
            problems.append(f"target_modules: {config['target_modules']!r} is not a list of names")
        begin = config.get("init_lora_weights")
        if str(begin).lower().startswith(_OTHER_BASE):
            problems.append(f"init_lora_weights: {begin!r} changes the base weights as well")
        if problems:
            raise CheckpointError(f"{source} asks for what cannot be done here", problems)
        try:
            own = begin == "gaussian" or (isinstance(begin, str) and _SPLITTING.fullmatch(begin))
            return cls.of({**config, "init_lora_weights": begin if own else True})  # others only say how it began
        except ConfigError as error:
            raise CheckpointError(f"{source}: {error.summary}", error.problems) from error

    def record(self) -> dict[str, Any]:
        """Plain values under peft's names: what a checkpoint keeps, and an ``adapter_config.json`` says."""
        record = {
            "peft_type": "LORA",
            **asdict(self),
            "target_modules": list(self.target_modules),
            "rank_pattern": dict(self.rank_pattern),
            "alpha_pattern": dict(self.alpha_pattern),
            "modules_to_save": list(self.modules_to_save),
        }
        del record["lora_plus_ratio"]
        for name in DECLARED_LATER:
            if record[name] in (False, []) or (record[name] is True and name == "init_lora_weights"):
                del record[name]
        return record

    def values(self) -> dict[str, Any]:
        """All settings by their names."""
        return {field_.name: getattr(self, field_.name) for field_ in fields(self)}

    def yaml(self) -> dict[str, Any]:
        """The same as keys of the ``model`` section; ``peft`` is there where something is not at its default."""
        plain = {**self.record(), "lora_plus_ratio": self.lora_plus_ratio}
        keys: dict[str, Any] = {}
        for name, key in YAML_KEYS.items():
            section, _, rest = key.partition(".")
            if not rest:
                keys[key] = plain[name]
            elif plain.get(name):
                keys.setdefault(section, {})[rest] = plain[name]
        return keys

    def to_peft(self) -> Any:
        """peft's ``LoraConfig``; what begins as a part of the weights does so behind it (``toolkit.bundled.language``).

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
        if self.splits_weights:
            record["init_lora_weights"] = True
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
        declared = self.use_rslora or self.rank_pattern or self.alpha_pattern
        return not (declared or any(name in self.record() for name in DECLARED_LATER))

    def unknown_targets(self, modules: Iterable[str]) -> list[str]:
        """A line for every target that no linear module of a layer is called."""
        known = list(modules)
        return [
            f"model.lora_target_modules: no {target!r}; {near_names(target, known)}"
            for target in self.target_modules
            if target.rpartition(".")[2] not in known
        ]

    def differences(self, other: LoraSettings) -> list[str]:
        """Names of settings in which two differ, apart from those ``OF_TRAINING``."""
        return [
            field_.name
            for field_ in fields(self)
            if field_.name not in OF_TRAINING and getattr(self, field_.name) != getattr(other, field_.name)
        ]

    def __str__(self) -> str:
        words = f"rank {self.r} on {', '.join(self.target_modules)}, alpha {self.lora_alpha:g}"
        words += ", rank-stabilised" if self.use_rslora else ""
        for what, pattern in (("rank", self.rank_pattern), ("alpha", self.alpha_pattern)):
            words += "".join(f", {what} {value:g} on {key}" for key, value in pattern.items())
        return words + self.variant_words()

    def variant_words(self) -> str:
        """What is not plain LoRA's; empty, or beginning with a comma."""
        words = ", weight-decomposed (DoRA)" if self.use_dora else ""
        words += "" if self.init_lora_weights is True else f", begun with {self.init_lora_weights}"
        words += f", {', '.join(self.modules_to_save)} trained whole" if self.modules_to_save else ""
        return words + (f", B learning {self.lora_plus_ratio:g} times as fast (LoRA+)" if self.lora_plus_ratio else "")

    def saves(self, module: str) -> bool:
        """Whether a module is trained whole, by its name in the language model; ends of names, as peft has it."""
        return module.endswith(self.modules_to_save) if self.modules_to_save else False


def _by_pattern(pattern: Mapping[str, Any], module: str, otherwise: Any) -> Any:
    """The value of the first key that the module's name ends with, as peft looks it up."""
    return next((value for key, value in pattern.items() if re.match(rf"(.*\.)?({key})$", module)), otherwise)


def plain_number(value: Any) -> float:
    """An integer where it is one, so that ``16`` and ``16.0`` are written and compared alike."""
    number = float(value)
    return int(number) if number.is_integer() else number
