"""How many floating-point operations a sample takes, from a model's proportions alone. Arithmetic, no torch.

Equal to torch's own count (``tests/conformance/test_operations.py``).
"""

from __future__ import annotations

from ...families import ModelSize

UTILISATION = 0.40
"""Part of a card's 16-bit operations a second that a training step reaches: assumed; an H200 reached 0.38 with a batch
of 6 (docs/speed.md)."""
READING = 0.30
"""Part of a card's bytes a second that the next token of an answer reaches: an H200 took 9 ms where reading the weights
takes 2.8 (docs/speed.md)."""


def encoder_flops(model: ModelSize) -> float:
    """Of one image in the frozen vision encoder, which runs forth only."""
    vision = model.vision
    positions, width = vision.patches + 1, vision.embed_dim
    block = 4 * width**2 + 2 * width * vision.mlp_width
    patches = 2 * 3 * vision.patch_size**2 * width * vision.patches
    return patches + vision.depth * (2 * block * positions + 4 * positions**2 * width)


def sample_flops(model: ModelSize, tokens: float, answer_tokens: float) -> dict[str, float]:
    """Floating-point operations of training on one sample, by part; a multiplication and an addition are two.

    Frozen weights take 2 a weight and token forth and 2 back (to the input alone), trained ones 2 more; the frozen
    encoder runs forth only, and no gradient goes on from the projection. Attention counts every pair of tokens, and its
    products again on the way back. The last layer is counted whole.
    """
    llama, width = model.language, model.vision.embed_dim
    visual = model.vision.visual_tokens
    return {
        "vision encoder": encoder_flops(model),
        "projection": 4 * 4 * width * llama.hidden_size * visual,
        "language model": 4 * llama.in_matrices * tokens,
        "its attention": 14 * llama.num_hidden_layers * llama.query_width * tokens**2,
        "LoRA": 6 * model.lora * tokens,
        "logits": 4 * llama.hidden_size * llama.vocab_size * answer_tokens,
    }


def reading_flops(model: ModelSize, tokens: float) -> float:
    """Of the language model that reads so many tokens of one row, forth only."""
    llama = model.language
    attention = 4 * llama.num_hidden_layers * llama.query_width * tokens**2
    return 2 * (llama.in_matrices + model.lora) * tokens + attention
