"""What differs from one vision encoder to another, declared in one object. Loads no weights and needs no torch.

Shapes: B images, S pixels a side, N = (S / patch)^2 patches, P prefix tokens (class, registers), D width, G patches in
one visual token, V = N / G visual tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Callable

from ..errors import CheckpointError, ConfigError
from ..json_fields import wrong_fields

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
LIMITS = {"patch_size": 1024, "embed_dim": 65_536, "depth": 1000, "num_heads": 1024, "mlp_ratio": 100, "group": 64}
"""Keys of ``model.vit`` -> the most that each may be."""
PROPORTIONS = tuple(LIMITS)
LARGEST_IMAGE = 8192
"""Pixels a side."""
_GROUPS = {1: "one patch each", 2: "two patches", 4: "four patches"}
_NO_IDENTITY = ("title", "image_size", "licence", "home", "counted", "given")
"""What two encoders may differ in and be one."""


@dataclass(frozen=True)
class VisionEncoder:
    """One frozen encoder, all of it settled; the defaults are EVA-CLIP ViT-g's as MiniGPT-v2 uses it."""

    patch_size: int = 14
    """Pixels a side of one patch."""
    embed_dim: int = 1408
    """Width D."""
    depth: int = 39
    """Blocks that are used; of ViT-g the released weights hold 40."""
    num_heads: int = 16
    """Attention heads; D is a multiple of them."""
    mlp_ratio: float = 4.3637
    """Hidden width of the MLP over D."""
    group: int = 4
    """G: patches that follow each other in a row-by-row reading and become one visual token."""
    image_size: int = 448
    """S: pixels a side."""
    name: str = "eva_clip_g"
    """As ``model.vit_model`` has it: a family, or ``family/architecture``."""
    title: str = "EVA-CLIP ViT-g"
    """In words, for messages and cards."""
    mean: tuple[float, ...] = CLIP_MEAN
    """Of the channels red, green and blue, of pixels from 0 to 1: taken off before the encoder sees them."""
    std: tuple[float, ...] = CLIP_STD
    """What they are then divided by."""
    prefix_tokens: int = 1
    """P: class and register tokens in front of the patches, dropped before these are grouped."""
    final_norm: bool = False
    """Whether the architecture's own last norm is applied; else a plain layer norm stands behind the blocks."""
    licence: str = "mit"
    """Of its weights, as the Hugging Face hub spells it; empty where nobody says."""
    home: str = "https://storage.googleapis.com/sfr-vision-language-research/LAVIS/models/BLIP2/eva_vit_g.pth"
    """Where its weights are published."""
    counted: int | None = None
    """Parameters, where they have been counted; None: they follow from the proportions, as ViT-g's do."""
    given: tuple[tuple[str, Any], ...] = ()
    """What ``model.vit`` said, sorted."""

    @property
    def family(self) -> str:
        """Name of its ``VisionFamily``."""
        return self.name.partition("/")[0]

    @property
    def architecture(self) -> str:
        """What of its name is no family; the family's name where there is nothing else."""
        return self.name.partition("/")[2] or self.name

    @property
    def patches(self) -> int:
        """N: patches of an image."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def visual_tokens(self) -> int:
        """V: how many embeddings an image takes up in the prompt."""
        return self.patches // self.group

    @property
    def grouped_width(self) -> int:
        """Numbers in one visual token before the projection, G D."""
        return self.group * self.embed_dim

    @property
    def mlp_width(self) -> int:
        """Hidden width of the MLP."""
        return int(self.embed_dim * self.mlp_ratio)

    @property
    def parameters(self) -> int:
        """All parameters of the encoder, the layer norm behind it included."""
        if self.counted is not None:
            return self.counted
        width, inner = self.embed_dim, self.mlp_width
        attention = 4 * width * width + 3 * width
        block = attention + 2 * width * inner + inner + width + 4 * width
        patches = (3 * self.patch_size**2 + 1) * width
        return self.depth * block + patches + (self.patches + 2) * width + 2 * width

    @property
    def words(self) -> str:
        """Its name and how it is used, for messages."""
        return f"{self.name} ({self.image_size} pixels, patches of {self.patch_size}, width {self.embed_dim})"

    def problems(self, where: str = "model") -> list[str]:
        """Why images of this size cannot go through it, each with the nearest size that can."""
        if self.embed_dim % self.num_heads:
            return [f"{where}.vit: embed_dim {self.embed_dim} is no multiple of num_heads {self.num_heads}"]
        side, left = divmod(self.image_size, self.patch_size)
        if not left and side and side * side % self.group == 0:
            return []
        near = self.nearest_size()
        what = _GROUPS.get(self.group, f"{self.group} patches")
        grid = "" if left else f" ({side} x {side} of them)"
        return [
            f"{where}.image_size: {self.image_size} pixels are no whole number of groups of {what} of "
            f"{self.patch_size}{grid}; the nearest that is: {near}"
        ]

    def nearest_size(self) -> int:
        """The image size nearest to this one whose patches make whole groups."""
        step = next(side for side in range(1, self.group + 1) if side * side % self.group == 0)
        return max(round(self.image_size / (step * self.patch_size)), 1) * step * self.patch_size

    def record(self) -> dict[str, Any]:
        """JSON-able, for a checkpoint: everything that an image goes through, and whose weights they are."""
        content = asdict(self)
        content.pop("counted")
        return {**content, "mean": list(self.mean), "std": list(self.std), "given": dict(self.given)}

    @classmethod
    def from_record(cls, content: Any, source: str) -> VisionEncoder:
        """What ``record`` wrote.

        Raises:
            CheckpointError: it is damaged.
        """
        kinds = {
            **{declared.name: str(declared.type) for declared in fields(cls)},
            **dict.fromkeys(("mean", "std"), "list[float]"),
            "given": "Mapping",
        }
        wrong = wrong_fields(content, kinds, ("name",)) if isinstance(content, Mapping) else ["no object"]
        wrong = wrong or _impossible(content)
        if wrong:
            raise CheckpointError(f"{source}: what it says of its vision encoder is damaged", wrong)
        known = {key: value for key, value in content.items() if key in kinds}
        known.update({key: tuple(known[key]) for key in ("mean", "std") if key in known})
        return cls(**{**known, "given": tuple(sorted(dict(content.get("given", {})).items()))})

    def section(self) -> dict[str, Any]:
        """Keys of a ``model`` section that name this encoder."""
        return {"vit_model": self.name, "image_size": self.image_size, "vit": dict(self.given) or None}

    def differences(self, other: VisionEncoder) -> list[str]:
        """One line for each thing in which features of the two are not the same; the size of images is none."""
        return [
            f"{declared.name}: {getattr(self, declared.name)} then, {getattr(other, declared.name)} now"
            for declared in fields(self)
            if declared.name not in _NO_IDENTITY
            and not _same(getattr(self, declared.name), getattr(other, declared.name))
        ]


def _impossible(content: Mapping[str, Any]) -> list[str]:
    """Values of a record that no encoder has, a line each."""
    limits = {**LIMITS, "image_size": LARGEST_IMAGE}
    given = content.get("given", {})
    found = [
        f"{key} is {value}, expected more than 0 and at most {limits[key]:,}"
        for key, value in content.items()
        if key in limits and not 0 < value <= limits[key]
    ]
    found += [f"{key} has not three values" for key in ("mean", "std") if len(content.get(key, "rgb")) != 3]
    found += ["std has a value that is not above 0"] if any(value <= 0 for value in content.get("std", ())) else []
    found += ["prefix_tokens is less than 0"] if content.get("prefix_tokens", 0) < 0 else []
    numbers = {key: value for key, value in given.items() if type(value) in (int, float)}
    possible = {key for key, value in numbers.items() if 0 < value <= LIMITS.get(key, 0)}
    return found + [f"given.{key} cannot be" for key in given if key not in possible]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(math.isclose, one, other))
    return math.isclose(one, other) if isinstance(one, float) else one == other


@dataclass(frozen=True)
class VisionFamily:
    """One family of vision encoders. Other packages add theirs by entry point (``pefomed_plugin.vision_families``)."""

    name: str
    title: str
    """In words."""
    describe: Callable[[str, Mapping[str, Any], int | None], VisionEncoder]
    """From an architecture (the family's name where it has one only), what ``model.vit`` says and the pixels a side
    (None: the architecture's own): the encoder. Raises ConfigError."""
    build: Callable[[VisionEncoder], Any]
    """The torch module, random, without pooling and head; ``build`` may be called on the meta device."""
    features: Callable[[Any, Any], Any]
    """Module and normalised images (B, 3, S, S) -> (B, P + N, D)."""
    fit: Callable[[Mapping[str, Any], Any, VisionEncoder], Mapping[str, Any]]
    """Tensors of a weights file under the module's names, positions resampled to its size."""
    is_unused: Callable[[str, VisionEncoder], bool]
    """Whether a tensor of a weights file is one that is cut off: pooling, head, blocks that are not used."""
    has_architectures: bool = False
    """Whether ``model.vit_model`` names an architecture behind the family's name."""
    aliases: tuple[str, ...] = ()
    """Other names that ``model.vit_model`` may have for it."""
    weights_words: str = "a .pth, .bin or .safetensors file"
    """What ``model.vit_weights`` is, for messages."""


def refuse_unknown_keys(given: Mapping[str, Any], known: Sequence[str], name: str) -> None:
    """Raises ConfigError: ``model.vit`` has keys that this encoder has no such thing of."""
    wrong = [f"model.vit.{key}: {name} has no such proportion to set" for key in given if key not in known]
    if wrong:
        raise ConfigError(f"model.vit has {len(wrong)} mistake(s)", wrong)
