"""MiniGPT-v2: a frozen ViT, four neighbouring patches in one token, a linear projection, a language model with LoRA.

Paper section 3.1; numbers equal to upstream's ``minigpt4/models/minigpt_v2.py`` (``golden/``). Only the projection and
LoRA are trained. It does not depend on data sets, sample files or training loops.

Shapes: B samples, S pixels, N patches, V = N / G visual tokens (G = 4), D vision width, H language width, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import ConfigError
from ...families import LanguageModelFamily, Tokenizer, family_of_config
from ...lora import LoraSettings
from ...prompts import IMAGE_PLACEHOLDER
from ...vision_encoders import VIT_G, VisionEncoder
from . import language
from .building import build_model
from .decoder import Places, Wanted, block_of, decode
from .generation import Generation
from .packing import Packed, Packer
from .registry import registry
from .sequence import PaddedRows, lay_out
from .sight import Sight


@registry.register_model("minigpt_v2")
class MiniGPTv2(Sight, Generation):
    """The model of the paper; ``model(samples)["loss"]`` trains it, ``generate`` asks it."""

    PRETRAINED_MODEL_CONFIG_DICT = {"pretrain": "configs/models/minigpt_v2.yaml"}
    takes_several_images = True
    """A prompt may show several images, each where it has a placeholder."""

    language_weights: str | None = None
    """Which weights the language model was filled with (``toolkit.language_weights``); None where that is not known."""

    def __init__(
        self,
        language_model: Any,
        tokenizer: Tokenizer,
        lora: LoraSettings | None = None,
        encoder: VisionEncoder = VIT_G,
        prompt_template: str | None = None,
        max_txt_len: int = 1024,
        max_context_len: int = 3800,
        end_sym: str | None = None,
        chat_template: bool = True,
        use_grad_checkpoint_llm: bool = False,
        decoder: str = "packed",
        compile_layers: bool = False,
        vit_on_cpu: bool = False,
        vit_weights: Path | None = None,
        lora_is_read: bool = False,
        family: LanguageModelFamily | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            language_model: of transformers, frozen, of a known family.
            encoder: which vision encoder, and for images of which size.
            lora: trainable adapters; None for a language model without.
            prompt_template: a user turn; None: the family's.
            end_sym: what ends an answer; None: the family's.
            vit_weights: the file that fills the vision encoder; None: random weights.
            lora_is_read: a file will be loaded that says what LoRA began as; it is not computed then.
            family: of the language model; None: by its configuration alone.

        Raises:
            CheckpointError: the file does not fill it; no family reads the configuration.
        """
        super().__init__()
        self.family = family or family_of_config(language_model.config.to_dict(), "the language model")
        self.prompt_style = self.family.prompt_style
        self._block = block_of(self.family)
        self.lora_settings = lora
        self._put_encoder(encoder, vit_weights)
        hidden = language_model.config.hidden_size
        self.llama_model = language_model if lora is None else language.add_lora(language_model, lora)
        self.lora_starts: dict[str, tuple[torch.Tensor, torch.Tensor]] | None = None
        """What LoRA began as, where that was taken from the weights; by module of the language model."""
        if lora is not None and lora.splits_weights and not lora_is_read:
            self.lora_starts = language.begin_as_parts(self.llama_model, lora)
        self.llama_proj = nn.Linear(encoder.grouped_width, hidden)
        self.llama_tokenizer = tokenizer
        turn = self.prompt_style.system + self.prompt_style.turn
        self.prompt_template = (prompt_template or turn) if chat_template else "{}"
        self.max_txt_len = max_txt_len
        self.max_context_len = max_context_len
        self.end_sym = end_sym or self.prompt_style.end
        if decoder not in ("packed", "plain"):
            raise ConfigError(f"model.decoder: {decoder!r} is neither packed nor plain")
        self.compile_layers = compile_layers
        self.decoder = decoder
        """``packed``: our own order of work, in which questions can share a prefix; ``plain``: transformers' own."""
        self.truncated_answers = 0
        self.use_grad_checkpoint_llm = use_grad_checkpoint_llm
        if use_grad_checkpoint_llm:
            language.recompute_layers(self.llama_model)
        if vit_on_cpu:
            self._keep_encoder_on_cpu()

    def begin_lora(self, starts: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Let the weights lie without what LoRA began as, as a checkpoint has it."""
        language.take_away(self.llama_model, starts, self.lora_starts)
        self.lora_starts = {
            name: (a.detach().to("cpu", torch.float32), b.detach().to("cpu", torch.float32))
            for name, (a, b) in starts.items()
        }

    def forward(self, samples: Mapping[str, Any], reduction: str = "mean") -> dict[str, torch.Tensor]:
        """Cross-entropy over the answer tokens.

        Args:
            samples: ``image`` (B, 3, S, S), ``instruction_input`` and ``answer``, B strings each.
                With ``layout`` (of ``packer``), ``image`` holds the images of its rows (G, 3, S, S).
                Where prompts show several images, they lie one after the other, prompt by prompt or row by row.
            reduction: ``mean`` over all answer tokens; ``none`` as upstream defines it: per sample, summed over the
                answer and divided by the padded length (used to rank answers).

        Returns:
            ``loss``: scalar, or (B,) for ``none``; ``tokens``: how many answer tokens the mean is over.
        """
        packed = samples.get("layout")
        if packed is not None:
            wanted, targets, owners = self._packed_outputs(samples["image"], packed), packed.targets, packed.owners
            count, padded_length = packed.samples, packed.separately_padded_length
        else:
            plain = self.llama_tokenizer.plain
            prompts = [self.prompt_template.format(plain(text)) for text in samples["instruction_input"]]
            layout = self.lay_out(prompts, [plain(answer) for answer in samples["answer"]])
            hidden = self._hidden_states(self.encode_img(samples["image"]), layout)
            owners, columns = layout.answer_positions()
            wanted, targets = hidden[owners, columns - 1], layout.token_ids[owners, columns]
            count, padded_length = len(prompts), layout.separately_padded_length
        logits = self._lm_head(wanted).float()
        losses = nn.functional.cross_entropy(logits, targets.to(logits.device), reduction="none")
        tokens = torch.full((), len(losses), device=losses.device)
        if reduction == "none":
            summed = losses.new_zeros(count).index_add(0, owners.to(losses.device), losses)
            return {"loss": summed / (padded_length - 1), "tokens": tokens}
        return {"loss": losses.mean(), "tokens": tokens}

    def packer(self) -> Packer | None:
        """What lays out batches for ``forward`` and ``generate_packed``, where data are loaded; None when plain."""
        if self.decoder == "plain":
            return None
        return Packer(
            self.llama_tokenizer,
            self.prompt_template,
            self.end_sym,
            self.visual_tokens,
            self.max_txt_len,
            self.max_context_len,
        )

    def lay_out(self, prompts: Sequence[str], answers: Sequence[str] | None = None) -> PaddedRows:
        """Token ids of ``<s>`` + text + visual tokens + text (+ answer + end), padded on the right."""
        layout = lay_out(
            prompts,
            answers,
            tokenize=self.llama_tokenizer.encode,
            end_sym=self.end_sym,
            placeholder=IMAGE_PLACEHOLDER,
            visual_tokens=self.visual_tokens,
            bos=self.llama_tokenizer.bos_token_id,
            pad=self.llama_tokenizer.pad_token_id,
            max_answer=self.max_txt_len,
            max_context=self.max_context_len,
        )
        self.truncated_answers += layout.truncated_answers
        return layout

    def prompt_length(self, instruction_input: str) -> int:
        """Tokens of a prompt, those of its images included, however many there may be."""
        parts = self.prompt_template.format(self.llama_tokenizer.plain(instruction_input)).split(IMAGE_PLACEHOLDER)
        return sum(len(self.llama_tokenizer.encode(part)) for part in parts) + (len(parts) - 1) * self.visual_tokens

    def _hidden_states(self, visual: torch.Tensor, layout: PaddedRows) -> torch.Tensor:
        embeddings = self._embed(visual, layout)
        mask = layout.attention_mask().to(embeddings.device)
        return self._decoder()(inputs_embeds=embeddings, attention_mask=mask, use_cache=False).last_hidden_state

    def _packed_outputs(self, images: torch.Tensor, layout: Packed) -> torch.Tensor:
        """Outputs (N, H) at the wanted places of all rows."""
        self.truncated_answers += layout.truncated_answers
        embeddings, places = self._embed_packed(images, layout)
        return decode(
            self._decoder(),
            self._block,
            embeddings,
            places,
            Wanted.of(layout),
            filled=layout.filled,
            recompute=self.use_grad_checkpoint_llm and self.training,
            compiled=self.compile_layers and self.training,
        )

    def _embed_packed(self, images: torch.Tensor, layout: Packed) -> tuple[torch.Tensor, Places]:
        visual = self.encode_img(images)
        _require_images(len(visual), len(layout.visual_starts))
        places = layout.visual_starts[:, None] + torch.arange(visual.shape[1], device=visual.device)
        embeddings = self._decoder().embed_tokens(layout.token_ids).to(visual.dtype)
        flat = embeddings.flatten(0, 1).scatter(0, places.view(-1, 1).expand(-1, visual.shape[2]), visual.flatten(0, 1))
        return flat.view_as(embeddings), Places(layout.positions, layout.segments)

    def _embed(self, visual: torch.Tensor, layout: PaddedRows) -> torch.Tensor:
        places = layout.visual_positions.to(visual.device)
        _require_images(len(visual), len(layout.visual_counts))
        kept = torch.arange(visual.shape[1], device=visual.device)[None] < layout.visual_counts[:, None].to(
            visual.device
        )
        embeddings = self._decoder().embed_tokens(layout.token_ids.to(visual.device)).to(visual.dtype)
        return embeddings.masked_scatter(places[..., None], visual[kept])

    def _decoder(self) -> Any:
        return self._causal_lm().model

    def _lm_head(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._causal_lm().lm_head(hidden)

    @classmethod
    def from_config(cls, cfg: Mapping[str, Any], lora_is_read: bool = False) -> MiniGPTv2:
        """Model of the ``model`` section: ``llama_model``, ``vit_weights``, then ``ckpt`` over both.

        Args:
            lora_is_read: trained LoRA will be loaded besides (``load``).

        Raises:
            CheckpointError: weights are missing, damaged, or do not fit; the tensors are listed.
            ConfigError: the section says another LoRA than the checkpoint was trained with.
        """
        return build_model(cls, cfg, lora_is_read)


def _require_images(given: int, placeholders: int) -> None:
    if given != placeholders:
        raise ValueError(f"{given} images for prompts that show {placeholders}")
