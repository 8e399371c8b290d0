"""The same weights and questions through transformers' own forward and loss, as others train on them today.

``padded``: every question alone, padded on the right. ``padding-free``: all questions one after the other in one row
that ``position_ids`` divide. ``dialogue``: all questions of an image as turns of one conversation, LLaVA's way; there
a question sees those before it and their answers, so it is another task and has another loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch

from pefomed_plugin.prompts import IMAGE_MARKER, IMAGE_PLACEHOLDER

IGNORED = -100


class Tokens(NamedTuple):
    """Tokens, where the image's are, and which are to be learnt."""

    ids: list[int]
    labels: list[int]
    visual_start: int
    image: int


def peer_loss(
    model: Any,
    images: torch.Tensor,
    instructions: Sequence[str],
    answers: Sequence[str | Sequence[int]],
    owners: Sequence[int],
    form: str = "padded",
    *,
    eager: bool = False,
) -> torch.Tensor:
    """Mean over all answer tokens.

    Args:
        images: (G, 3, S, S), or what the encoder made of them; ``owners`` says which one a question is about.
        answers: texts, or token ids.
        form: ``padded``, ``padding-free`` or ``dialogue``.
        eager: attention written out, in the encoder too, as in upstream's order of work.
    """
    made = list(_sequences(model, instructions, answers, owners, form))
    with _eager_attention(model) if eager else nullcontext():
        return _outputs(model, images, made, form, labelled=True).loss


def teacher_forced_agreement(
    model: Any, images: torch.Tensor, instructions: Sequence[str], ids: Sequence[Sequence[int]], owners: Sequence[int]
) -> float:
    """Share of the answers' tokens that transformers' forward finds best behind those before them.

    In 16 bits two that are nearly equal may change places, after which two answers have nothing in common that could be
    compared token by token.
    """
    made = list(_sequences(model, instructions, ids, owners, "padded"))
    logits = _outputs(model, images, made, "padded", labelled=False).logits
    best = total = 0
    for row, sequence in zip(logits, made):
        places = [place for place, label in enumerate(sequence.labels) if label != IGNORED]
        found = row[[place - 1 for place in places]].argmax(-1).tolist()
        best += sum(token == sequence.ids[place] for token, place in zip(found, places))
        total += len(places)
    return best / total


def _sequences(
    model: Any, instructions: Sequence[str], answers: Sequence[Any], owners: Sequence[int], form: str
) -> Iterator[Tokens]:
    encode, begun = model.llama_tokenizer.encode, None
    for instruction, answer, owner in zip(instructions, answers, owners):
        learnt = encode(answer + model.end_sym) if isinstance(answer, str) else list(answer)
        if form == "dialogue" and begun is not None and begun.image == owner:
            text = model.prompt_template.format(instruction.replace(IMAGE_MARKER, "").strip())
            turn = encode(text)
            begun.ids.extend([*turn, *learnt])
            begun.labels.extend([*[IGNORED] * len(turn), *learnt])
            continue
        if begun is not None:
            yield begun
        before, behind = model.prompt_template.format(instruction).split(IMAGE_PLACEHOLDER)
        head = [model.llama_tokenizer.bos_token_id, *encode(before)]
        prompt = [*head, *[model.llama_tokenizer.pad_token_id] * model.visual_tokens, *encode(behind)]
        begun = Tokens([*prompt, *learnt], [*[IGNORED] * len(prompt), *learnt], len(head), owner)
    if begun is not None:
        yield begun


def _outputs(model: Any, images: torch.Tensor, made: Sequence[Tokens], form: str, *, labelled: bool) -> Any:
    lengths = [len(sequence.ids) for sequence in made]
    pad, device = model.llama_tokenizer.pad_token_id, model.device
    if form == "padding-free":
        starts = [sum(lengths[:number]) for number in range(len(made))]
        ids = torch.tensor([[token for sequence in made for token in sequence.ids]])
        labels = torch.tensor([[label for sequence in made for label in sequence.labels]])
        places = {"position_ids": torch.cat([torch.arange(length) for length in lengths])[None].to(device)}
        rows = [0] * len(made)
    else:
        starts, rows, longest = [0] * len(made), list(range(len(made))), max(lengths)
        ids = torch.tensor([sequence.ids + [pad] * (longest - len(sequence.ids)) for sequence in made])
        labels = torch.tensor([sequence.labels + [IGNORED] * (longest - len(sequence.ids)) for sequence in made])
        filled = torch.arange(longest) < torch.tensor(lengths)[:, None]
        places = {"attention_mask": filled.long().to(device)}
    visual = model.encode_img(images[[sequence.image for sequence in made]])
    columns = torch.tensor([start + sequence.visual_start for start, sequence in zip(starts, made)])
    columns = (columns[:, None] + torch.arange(visual.shape[1])).to(device)
    flat = torch.tensor(rows, device=device)[:, None] * ids.shape[1] + columns
    embeddings = model._decoder().embed_tokens(ids.to(device)).to(visual.dtype)
    shape = embeddings.shape
    embeddings = embeddings.flatten(0, 1).index_copy(0, flat.flatten(), visual.flatten(0, 1)).view(shape)
    given = {"labels": labels.to(device)} if labelled else {}
    return model._causal_lm()(inputs_embeds=embeddings, use_cache=False, **places, **given)


@contextmanager
def _eager_attention(model: Any) -> Iterator[None]:
    config, blocks = model._causal_lm().config, model.visual_encoder.blocks
    before, config._attn_implementation = config._attn_implementation, "eager"
    fused = [block.attn.fused_attn for block in blocks]
    for block in blocks:
        block.attn.fused_attn = False
    try:
        yield
    finally:
        config._attn_implementation = before
        for block, was in zip(blocks, fused):
            block.attn.fused_attn = was
