"""MiniGPT-v2: a vision transformer, four neighbouring patches in one token, a linear projection, a language model.

Stands alone: needs torch and transformers only. Shapes: I images, S pixels a side, N patches, D vision width, V visual
tokens of an image, H language width, B rows, T tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModel, AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, CausalLMOutputWithPast

from .configuration_minigpt_v2 import MiniGPTv2Config, MiniGPTv2VisionConfig

_EPSILON = 1e-6


class EvaAttention(nn.Module):
    """Attention of all to all; queries and values have a bias, keys have none."""

    def __init__(self, config: MiniGPTv2VisionConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(I, 1 + N, D) -> the same shape."""
        images, length, width = hidden.shape
        bias = torch.cat((self.q_bias, torch.zeros_like(self.v_bias), self.v_bias))
        mixed = self.qkv(hidden) + bias  # by the module, for what hooks or adapts it
        query, key, value = mixed.view(images, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        seen = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(seen.transpose(1, 2).reshape(images, length, width))


class EvaMlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, config: MiniGPTv2VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(I, 1 + N, D) -> the same shape."""
        return self.fc2(functional.gelu(self.fc1(hidden)))


class EvaBlock(nn.Module):
    """One layer, its norms in front."""

    def __init__(self, config: MiniGPTv2VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=_EPSILON)
        self.attn = EvaAttention(config)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=_EPSILON)
        self.mlp = EvaMlp(config)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(I, 1 + N, D) -> the same shape."""
        hidden = hidden + self.attn(self.norm1(hidden))
        return hidden + self.mlp(self.norm2(hidden))


class EvaPatches(nn.Module):
    """Squares of pixels as vectors."""

    def __init__(self, config: MiniGPTv2VisionConfig) -> None:
        super().__init__()
        size = config.patch_size
        self.proj = nn.Conv2d(3, config.hidden_size, kernel_size=size, stride=size)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(I, 3, S, S) -> (I, N, D), row by row."""
        return self.proj(pixels).flatten(2).transpose(1, 2)


class EvaVisionModel(nn.Module):
    """EVA-CLIP ViT-g without its last block, norm and head."""

    def __init__(self, config: MiniGPTv2VisionConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.patch_embed = EvaPatches(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.patches, width))
        self.blocks = nn.ModuleList(EvaBlock(config) for _ in range(config.num_hidden_layers))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(I, 3, S, S) -> (I, 1 + N, D), the class token first."""
        patches = self.patch_embed(pixels)
        hidden = torch.cat((self.cls_token.expand(len(patches), -1, -1), patches), dim=1) + self.pos_embed
        for block in self.blocks:
            hidden = block(hidden)
        return hidden


class Float32LayerNorm(nn.LayerNorm):
    """Layer norm computed in float32 whatever comes in."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The precision that comes in goes out."""
        normed = functional.layer_norm(
            hidden.float(), self.normalized_shape, self.weight.float(), self.bias.float(), self.eps
        )
        return normed.to(hidden.dtype)


class MiniGPTv2PreTrainedModel(PreTrainedModel):
    """What both models below share."""

    config_class = MiniGPTv2Config
    base_model_prefix = "model"
    input_modalities = ["image", "text"]
    supports_gradient_checkpointing = True
    _no_split_modules = ["EvaBlock"]
    _skip_keys_device_placement = ["past_key_values", "cache"]
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True

    def resize_token_embeddings(self, new_num_tokens: int | None = None, *args: Any, **kwargs: Any) -> Any:
        """The embedding as it is; another size is refused.

        Raises:
            ValueError: a size is given that is not the embedding's.
        """
        own = self.config.text_config.vocab_size
        if new_num_tokens not in (None, own):
            raise ValueError(
                f"the embedding has {own} rows and keeps them: the image token is one of its tokens, and further rows "
                "would change every probability. Leave the tokenizer as it is, or train on the checkpoint itself"
            )
        return self.get_input_embeddings()


class MiniGPTv2Model(MiniGPTv2PreTrainedModel):
    """Everything but the output layer."""

    visual_encoder: Any  # modules, as Any: torch types an attribute of a module as "Tensor or Module"
    ln_vision: Any
    llama_proj: Any
    language_model: Any
    _keys_to_ignore_on_load_unexpected = [r"^lm_head\."]

    def __init__(self, config: MiniGPTv2Config, language_model: nn.Module | None = None) -> None:
        """Random weights; ``language_model`` in place of one made here."""
        super().__init__(config)
        vision = config.vision_config
        self.visual_encoder = EvaVisionModel(vision)
        self.ln_vision = Float32LayerNorm(vision.hidden_size)
        self.llama_proj = nn.Linear(vision.patches_per_token * vision.hidden_size, config.text_config.hidden_size)
        self.language_model = language_model or AutoModel.from_config(config.text_config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Of the language model."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Of the language model."""
        self.language_model.set_input_embeddings(value)

    def get_image_features(self, pixel_values: torch.Tensor, **kwargs: Any) -> BaseModelOutputWithPooling:
        """Visual tokens, ``pooler_output`` (I, V, H), of images (I, 3, S, S)."""
        size = self.config.vision_config.image_size
        if pixel_values.ndim != 4 or tuple(pixel_values.shape[1:]) != (3, size, size):
            raise ValueError(
                f"pixel_values of shape {tuple(pixel_values.shape)}; this model takes (images, 3, {size}, {size}), as "
                "its processor makes them"
            )
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.freeze_vision):
            features = self.visual_encoder(pixel_values.to(self.visual_encoder.cls_token.dtype))
            features = self.ln_vision(features)[:, 1:]
        grouped = features.reshape(len(features), -1, self.llama_proj.in_features)
        visual = self.llama_proj(grouped.to(self.llama_proj.weight.dtype))
        return BaseModelOutputWithPooling(last_hidden_state=features, pooler_output=visual)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """What the language model's own body gives for rows in which visual tokens stand in the image token's places.

        Args:
            input_ids: (B, T); places of images hold ``config.image_token_id``, V for each.
            pixel_values: (I, 3, S, S), row by row.
            inputs_embeds: (B, T, H) in place of ``input_ids``.
            kwargs: of the language model: ``position_ids``, the cache under whichever name it has, ...

        Raises:
            ValueError: the places are not those of the images that are given.
        """
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
            inputs_embeds = self._with_images(input_ids, inputs_embeds, pixel_values)
        elif pixel_values is not None:
            raise ValueError("give input_ids with pixel_values: of embeddings nobody knows where the images go")
        return self.language_model(inputs_embeds=inputs_embeds, attention_mask=attention_mask, **kwargs)

    def _with_images(self, input_ids: Any, embeddings: torch.Tensor, pixel_values: torch.Tensor | None) -> torch.Tensor:
        is_checked = not torch.compiler.is_compiling()
        if pixel_values is None:
            if is_checked and embeddings.shape[1] > 1 and bool((input_ids == self.config.image_token_id).any()):
                raise ValueError("input_ids have places for an image, and no pixel_values are given")
            return embeddings
        visual: Any = self.get_image_features(pixel_values).pooler_output
        visual = visual.to(embeddings.device, embeddings.dtype)
        places: torch.Tensor = (input_ids == self.config.image_token_id).to(embeddings.device)
        if is_checked and int(places.sum()) != visual.shape[0] * visual.shape[1]:
            raise ValueError(
                f"{int(places.sum())} places for visual tokens in input_ids, and {visual.shape[0]} image(s) of "
                f"{visual.shape[1]} each; a prompt was cut (truncation, max_length), or "
                "images and prompts are not of one batch"
            )
        return embeddings.masked_scatter(places[..., None], visual)


class MiniGPTv2ForConditionalGeneration(MiniGPTv2PreTrainedModel, GenerationMixin):
    """MiniGPT-v2 with its output layer: ``generate`` asks it, ``forward`` with labels trains it."""

    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}

    def __init__(self, config: MiniGPTv2Config) -> None:
        """Random weights."""
        super().__init__(config)
        language = AutoModelForCausalLM.from_config(config.text_config)
        self.model = MiniGPTv2Model(config, language.get_decoder())
        self.lm_head = language.get_output_embeddings()
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Of the language model."""
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Of the language model."""
        self.model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """The output layer."""
        return self.lm_head

    def set_output_embeddings(self, value: nn.Module) -> None:
        """The output layer."""
        self.lm_head = value

    def get_decoder(self) -> nn.Module:
        """The language model's body."""
        return self.model.language_model

    def get_image_features(self, pixel_values: torch.Tensor, **kwargs: Any) -> BaseModelOutputWithPooling:
        """Visual tokens, ``pooler_output`` (I, V, H), of images (I, 3, S, S)."""
        return self.model.get_image_features(pixel_values, **kwargs)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> Any:
        """Logits (B, T, vocabulary), and with ``labels`` the mean cross-entropy over all that are not -100.

        Further arguments as of ``MiniGPTv2Model``; ``return_dict=False`` gives a tuple.
        """
        is_tuple = kwargs.pop("return_dict", None) is False
        outputs = self.model(
            input_ids=input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
        hidden = outputs[0]
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(hidden[:, kept, :])
        loss = None
        if labels is not None:
            vocabulary = self.config.text_config.vocab_size
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=vocabulary, **kwargs)
        rest = {name: value for name, value in outputs.items() if name != "last_hidden_state"}
        found = CausalLMOutputWithPast(loss=loss, logits=logits, **rest)
        return found.to_tuple() if is_tuple else found

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: Any = None,
        **model_kwargs: Any,
    ) -> Any:
        """Rows and their images for beams: images lie row by row, and a row may show several."""
        pixel_values = model_kwargs.pop("pixel_values", None)
        if pixel_values is not None and expand_size > 1 and input_ids is not None:
            places = (input_ids == self.config.image_token_id).sum(1) // self.config.vision_config.visual_tokens
            rows = torch.split(pixel_values, places.tolist())
            pixel_values = torch.cat([row for row in rows for _ in range(expand_size)])
        expand: Any = getattr(super(), "_expand_inputs_for_generation")  # noqa: B009
        input_ids, model_kwargs = expand(
            expand_size=expand_size, is_encoder_decoder=is_encoder_decoder, input_ids=input_ids, **model_kwargs
        )
        if pixel_values is not None:
            model_kwargs["pixel_values"] = pixel_values
        return input_ids, model_kwargs
