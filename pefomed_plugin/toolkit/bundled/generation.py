"""How MiniGPT-v2 is asked: the half of the model that makes texts, by transformers' ``generate`` or in slots.

Shapes: B samples, G rows of a layout, S pixels, V visual tokens, H language width.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

import torch
from torch import nn

from ...families import Tokenizer
from ...prompts import PromptStyle
from . import language
from .base import BaseModel
from .decoder import Block, Places
from .drafts import DraftedSlots, Drafts
from .greedy import Answer, Counted, Slots
from .packing import Packed
from .sequence import PaddedRows, pad_left
from .stepwise import Stepwise

if TYPE_CHECKING:
    from typing_extensions import Self

REFILL = 4
"""Waiting questions enter as soon as one of so many slots is free: few at a time, and a GPU's work is starting it."""


class Generation(BaseModel):
    """What ``generate``, ``generate_packed``, ``answers`` and ``stream`` need of a model, and they themselves."""

    llama_model: Any
    llama_proj: nn.Linear
    llama_tokenizer: Tokenizer
    prompt_style: PromptStyle
    end_sym: str
    compile_layers: bool
    _block: Block

    def __init__(self) -> None:
        super().__init__()
        self._idle_slots: tuple[tuple[Any, ...], Slots] | None = None
        """Those that were used last and what they fit, for the next time."""

    def encode_img(self, images: torch.Tensor) -> torch.Tensor:
        """Visual tokens (B, V, H)."""
        raise NotImplementedError

    def lay_out(self, prompts: Sequence[str], answers: Sequence[str] | None = None) -> PaddedRows:
        """Rows of whole prompts."""
        raise NotImplementedError

    def _embed(self, visual: torch.Tensor, layout: PaddedRows) -> torch.Tensor:
        raise NotImplementedError

    def _embed_packed(self, images: torch.Tensor, layout: Packed) -> tuple[torch.Tensor, Places]:
        raise NotImplementedError

    def _causal_lm(self) -> Any:
        return self.llama_model.get_base_model() if hasattr(self.llama_model, "peft_config") else self.llama_model

    @torch.no_grad()
    def generate(
        self,
        images: torch.Tensor,
        texts: Sequence[str],
        num_beams: int = 1,
        max_new_tokens: int = 20,
        min_length: int = 1,
        top_p: float = 0.9,
        repetition_penalty: float = 1.0,
        length_penalty: float = 1.0,
        temperature: float = 1.0,
        do_sample: bool = False,
    ) -> list[str]:
        """Answers to complete prompts (``[INST] <Img><ImageHere></Img> ... [/INST]``, no ``<s>``: one is added).

        Args:
            images: (B, 3, S, S).
            texts: B prompts.

        Returns:
            B texts, stripped.
        """
        ids = self.generate_ids(
            images,
            texts,
            num_beams=num_beams,
            max_new_tokens=max_new_tokens,
            min_length=min_length,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            length_penalty=length_penalty,
            temperature=temperature,
            do_sample=do_sample,
        )
        return [self._answer_text(row.tolist()) for row in ids]

    @torch.no_grad()
    def generate_ids(self, images: torch.Tensor, texts: Sequence[str], **settings: Any) -> torch.Tensor:
        """Generated token ids (B, new tokens), padded behind the end."""
        layout = self.lay_out(texts)
        embeddings = self._embed(self.encode_img(images), layout)
        embeddings, mask = pad_left(embeddings, layout.lengths)
        if not settings.get("do_sample"):
            settings.update(temperature=None, top_p=None)
        tokenizer = self.llama_tokenizer
        settings = {"eos_token_id": list(tokenizer.stop_token_ids), "pad_token_id": tokenizer.pad_token_id, **settings}
        return self.llama_model.generate(inputs_embeds=embeddings, attention_mask=mask, **settings)

    def generate_packed(self, images: torch.Tensor, layout: Packed, max_new_tokens: int = 20) -> list[str]:
        """Greedy answers to the questions of a layout, those of one image read together; B texts, stripped.

        Args:
            images: (G, 3, S, S), or what ``encode_vision`` made of them.
            layout: of ``packer``, made without answers.
        """
        *_, answers = self._steps(images, layout, max_new_tokens)
        return [self._answer_text(answer.ids) for answer in answers]

    def generate_packed_ids(self, images: torch.Tensor, layout: Packed, max_new_tokens: int = 20) -> torch.Tensor:
        """Token ids (B, new tokens) of ``generate_packed``, padded behind the end."""
        *_, answers = self._steps(images, layout, max_new_tokens)
        longest = max(len(answer.ids) for answer in answers)
        pad = self.llama_tokenizer.pad_token_id
        return torch.tensor([answer.ids + [pad] * (longest - len(answer.ids)) for answer in answers])

    def stream(self, images: torch.Tensor, layout: Packed, max_new_tokens: int = 20) -> Iterator[list[str]]:
        """As ``generate_packed``: the B texts as far as they are, after each token. The last ones are its answers."""
        known = 0
        for answers in self._steps(images, layout, max_new_tokens):
            longest = max(len(answer.ids) for answer in answers)
            if longest > known:
                known = longest
                yield [self._answer_text(answer.ids) for answer in answers]

    def answers(
        self,
        feed: Callable[[int], Mapping[str, Any] | None],
        slots: int,
        max_new_tokens: int = 20,
        drafts: Drafts | None = None,
        told: Callable[[Counted], Any] | None = None,
    ) -> Iterator[tuple[Hashable, str]]:
        """Greedy answers to any number of questions, each as soon as it is there; a waiting one takes its place.

        Args:
            feed: gives up to as many questions as it is asked for: ``image`` and ``layout`` as of ``generate_packed``
                and ``index``, a name for each; None where it has none, or none that so few slots have room for.
            slots: how many are answered side by side.
            drafts: of ``drafts_of``, guesses that spare calls where the model says the same.
            told: gets what it took in the end.

        Yields:
            name and text, stripped.
        """
        with self._slots(slots, drafts) as used:
            while True:
                batch = feed(used.free) if used.free * REFILL >= slots else None
                while batch is not None:
                    self._enter(used, batch["image"], batch["layout"], max_new_tokens, batch["index"])
                    batch = feed(used.free) if used.free else None
                if used.is_idle:
                    if told is not None:
                        told(used.told)
                    return
                for answer in used.advance():
                    yield answer.name, self._answer_text(answer.ids)

    def drafts_of(self, answers: Iterable[str]) -> Drafts:
        """What guesses an answer's next tokens from those of the training data, ended as they are in training."""
        tokenizer = self.llama_tokenizer
        return Drafts(tokenizer.encode(tokenizer.plain(answer) + self.end_sym) for answer in answers)

    def stepwise(self, slots: int) -> Stepwise:
        """Answers that the caller admits, advances and drops himself, so many side by side; for a server."""
        self.forget_slots()
        return Stepwise(self, slots)

    def train(self, mode: bool = True) -> Self:
        """Slots that were kept are of weights that change now."""
        if mode:
            self.forget_slots()
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self.forget_slots()
        return super()._apply(fn, recurse)

    def forget_slots(self) -> None:
        """Give the memory back that answering keeps for the next time."""
        self._idle_slots = None

    @contextmanager
    def merged_lora(self) -> Iterator[None]:
        """While it is open LoRA is part of the weights; behind it they are bit for bit what they were."""
        self.forget_slots()
        try:
            with language.merged_lora(self.llama_model):
                yield
        finally:
            self.forget_slots()

    def _steps(self, images: torch.Tensor, layout: Packed, limit: int) -> Iterator[list[Answer]]:
        """The answers to a layout's questions after each step, as far as they are."""
        with self._slots(layout.samples) as slots:
            answers = self._enter(slots, images, layout, limit)
            slots.read()
            yield answers
            while not slots.is_idle:
                slots.advance()
                yield answers

    @torch.no_grad()
    def _enter(
        self,
        slots: Slots,
        images: torch.Tensor,
        layout: Packed,
        limit: int,
        names: Sequence[Hashable] | None = None,
    ) -> list[Answer]:
        embeddings, _ = self._embed_packed(images, layout)
        return slots.enter(embeddings, layout, limit, names)

    @contextmanager
    def _slots(self, count: int, drafts: Drafts | None = None) -> Iterator[Slots]:
        """Slots for the time being: those of the last time where they fit, unless another thread has them."""
        kind = self.device.type
        fits = (
            count,
            drafts,
            self.device,
            self.llama_proj.weight.dtype,
            self.compile_layers,
            torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None,
        )
        kept, self._idle_slots = self._idle_slots, None
        if kept is None or kept[0] != fits:
            del kept  # before the new ones take memory
            parts = self._causal_lm(), self._block, count, self.llama_tokenizer.stop_token_ids, self.compile_layers
            kept = fits, Slots(*parts) if drafts is None else DraftedSlots(*parts, drafts=drafts)
        try:
            yield kept[1]
        except torch.cuda.OutOfMemoryError:
            kept = None
            raise
        finally:
            if kept is not None:
                kept[1].clear()
                self._idle_slots = kept

    def _answer_text(self, ids: Sequence[int]) -> str:
        ends = [place for place, token in enumerate(ids) if token in self.llama_tokenizer.stop_token_ids]
        text = self.llama_tokenizer.decode(ids[: ends[0]] if ends else ids)
        return self.prompt_style.answer_of(text)
