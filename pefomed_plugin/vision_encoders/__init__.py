"""Vision encoder families: one object each, which says everything in which it differs from the others.

``model.vit_model`` names a family, or a family and one of its architectures: ``eva_clip_g`` (MiniGPT-v2's),
``timm/vit_base_patch16_siglip_224``, ``biomedclip``. A name that none knows is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError, ConfigError, near_names
from ..plugins import Registry, declared_in
from .eva import EVA_CLIP_G
from .family import CLIP_MEAN, CLIP_STD, LARGEST_IMAGE, LIMITS, PROPORTIONS, VisionEncoder, VisionFamily

__all__ = [
    "CLIP_MEAN",
    "CLIP_STD",
    "DEFAULT_ENCODER",
    "ENCODER",
    "LARGEST_IMAGE",
    "LIMITS",
    "PROPORTIONS",
    "VISION_FAMILIES",
    "VIT_G",
    "VisionEncoder",
    "VisionFamily",
    "encoder_of",
    "family_of",
    "recorded_encoder",
    "refuse_another_encoder",
]

VISION_FAMILIES: Registry[VisionFamily] = Registry(
    "vision encoder family", VisionFamily, declared_in(__name__, VisionFamily)
)
DEFAULT_ENCODER = EVA_CLIP_G.name
"""MiniGPT-v2's: of files that were written before an encoder was named in them."""
VIT_G = VisionEncoder()
"""It itself, for images of 448 pixels."""
ENCODER = "vision_encoder"
"""Key of a checkpoint under which its encoder's ``record`` lies."""


def family_of(name: str) -> tuple[VisionFamily, str]:
    """The family of a ``model.vit_model``, and the architecture that is named behind it.

    Raises:
        ConfigError: there is none, or an architecture is missing or too many; near names are told.
        PluginError: a family of another package cannot be used.
    """
    for family in VISION_FAMILIES.own.values():
        if name in family.aliases:
            return family, family.name
    first, slash, architecture = name.partition("/")
    if first not in VISION_FAMILIES:
        near = near_names(first, VISION_FAMILIES)
        raise ConfigError(f"model.vit_model: {name!r} is no vision encoder; {near} (timm's: timm/NAME)")
    family = VISION_FAMILIES[first]
    if family.has_architectures and not architecture:
        raise ConfigError(
            f"model.vit_model: {name!r} names no architecture; write {first}/NAME (docs/vision-encoders.md)"
        )
    if slash and not family.has_architectures:
        raise ConfigError(f"model.vit_model: {first} is one encoder; leave {slash + architecture!r} out")
    return family, architecture or first


def encoder_of(section: Mapping[str, Any]) -> VisionEncoder:
    """The encoder of a ``model`` section: ``vit_model``, ``vit`` and ``image_size``, each of which may be absent.

    Raises:
        ConfigError: there is no such encoder, or it cannot be built so.
        PluginError: a family of another package cannot be used.
    """
    family, architecture = family_of(str(section.get("vit_model") or DEFAULT_ENCODER))
    vit: Any = section.get("vit") or {}
    vit = dict(vit if isinstance(vit, Mapping) else vars(vit))
    wrong = [f"model.vit.{key}: no such key; {near_names(key, PROPORTIONS)}" for key in vit if key not in PROPORTIONS]
    if wrong:
        raise ConfigError("model.vit has unknown keys", wrong)
    given = {key: value for key, value in vit.items() if value is not None}
    return family.describe(architecture, given, section.get("image_size"))


def recorded_encoder(content: Mapping[str, Any], source: str) -> VisionEncoder | None:
    """What a checkpoint says of the encoder it was trained with; None where it says nothing.

    Raises:
        CheckpointError: what it says is damaged.
    """
    found = content.get(ENCODER)
    return None if found is None else VisionEncoder.from_record(found, source)


def refuse_another_encoder(
    content: Mapping[str, Any], encoder: VisionEncoder, source: str, weights: str | None = None
) -> None:
    """Raises CheckpointError: a checkpoint was trained with another encoder, or other weights of it; both are named.

    One that names none was trained with MiniGPT-v2's.

    Args:
        weights: which the encoder is filled with (``toolkit.vision_weights.fingerprint``); None: not known.
    """
    then = recorded_encoder(content, source)
    if then is None and encoder.name != DEFAULT_ENCODER:
        raise CheckpointError(
            f"{source} names no vision encoder, so it was trained with MiniGPT-v2's, {DEFAULT_ENCODER}; this run has "
            f"{encoder.name}. Set model.vit_model={DEFAULT_ENCODER}, or begin untrained with model.ckpt=null"
        )
    differs = then.differences(encoder) if then else []
    if then and differs:
        remedy = f"model.vit_model={then.name}" if then.name != encoder.name else "model.vit as it was"
        raise CheckpointError(
            f"{source} was trained with the vision encoder {then.words}; this run has {encoder.words}. Set {remedy}",
            differs,
        )
    told = content[ENCODER].get("weights") if then else None
    if isinstance(told, str) and weights is not None and told != weights:
        raise CheckpointError(
            f"{source} was trained with other weights of the vision encoder {encoder.name}: their fingerprint is "
            f"{told}, that of those here {weights}. Set model.vit_weights (PEFOMED_VIT) to the file it was trained with"
        )
