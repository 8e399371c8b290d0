"""Configuration of MiniGPT-v2 as a transformers model. Stands alone: needs torch and transformers only."""

from __future__ import annotations

from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, PretrainedConfig


class MiniGPTv2VisionConfig(PretrainedConfig):
    """EVA-CLIP ViT-g as MiniGPT-v2 cuts it: its last block, norm and head are left out."""

    model_type = "pefomed_minigpt_v2_vision"
    base_config_key = "vision_config"

    def __init__(
        self,
        image_size: int = 448,
        patch_size: int = 14,
        hidden_size: int = 1408,
        num_hidden_layers: int = 39,
        num_attention_heads: int = 16,
        intermediate_size: int = 6144,
        patches_per_token: int = 4,
        **kwargs: Any,
    ) -> None:
        """Proportions.

        Args:
            image_size: pixels a side of the square that it sees.
            patch_size: pixels a side of a patch.
            hidden_size: width.
            num_hidden_layers: blocks.
            num_attention_heads: heads of a block.
            intermediate_size: hidden width of the MLP.
            patches_per_token: neighbouring patches that become one visual token.
        """
        self.image_size = image_size
        self.patch_size = patch_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.patches_per_token = patches_per_token
        super().__init__(**kwargs)

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def visual_tokens(self) -> int:
        """Places that an image takes up in a prompt."""
        return self.patches // self.patches_per_token


class MiniGPTv2Config(PretrainedConfig):
    """A frozen vision encoder, a linear projection, a language model of whatever kind transformers has."""

    model_type = "pefomed_minigpt_v2"
    sub_configs = {"text_config": AutoConfig, "vision_config": MiniGPTv2VisionConfig}
    keys_to_ignore_at_inference = ["past_key_values", "cache"]

    def __init__(
        self,
        text_config: Any = None,
        vision_config: Any = None,
        image_token_id: int = 0,
        freeze_vision: bool = True,
        **kwargs: Any,
    ) -> None:
        """Parts.

        Args:
            text_config: of the language model; a dictionary must have a ``model_type``.
            vision_config: of the vision encoder.
            image_token_id: the token whose places visual tokens fill, one place each.
            freeze_vision: the vision encoder gets no gradients, as in training by the paper's recipe.
        """
        if not isinstance(text_config, PretrainedConfig):
            settings = dict(text_config or {})
            text_config = CONFIG_MAPPING[settings.pop("model_type", "llama")](**settings)
        if not isinstance(vision_config, PretrainedConfig):
            vision_config = MiniGPTv2VisionConfig(**(vision_config or {}))
        self.text_config = text_config
        self.vision_config = vision_config
        self.image_token_id = image_token_id
        self.freeze_vision = freeze_vision
        kwargs.setdefault("tie_word_embeddings", bool(getattr(text_config, "tie_word_embeddings", False)))
        super().__init__(**kwargs)
