"""What is measured: model sizes, batches, and the ways to train and to answer. Plain data, read by both toolkits."""

from __future__ import annotations

from typing import Any, NamedTuple

from projects.benchmarks import toolkit_process


class Size(NamedTuple):
    """Proportions of a model; the visual tokens are (image / 14)^2 / 4."""

    image: int
    vit: dict[str, Any]
    llama: dict[str, int]
    lora_r: int
    question_tokens: int
    """Text behind the image, a question: as much of the sequence as on real data."""
    answer_tokens: int
    tasks_words: bool = True
    """Whether a question comes in the words of the VQA task, half of its tokens, or bare where these would not fit."""


VQA_RAD_TEXT = (40, 5)
"""Tokens of a prompt behind the image and of an answer, end included, of VQA-RAD with LLaMA's tokenizer."""
REPORT_SPREAD = (0.44, 0.60, 0.75, 0.88, 1.00, 1.17, 1.38, 1.78)
"""Lengths of eight reports, shares of their mean: quantiles 1/16, 3/16 ... of IU X-ray's training reports."""

SIZES: dict[str, Size] = {
    # a quarter of the visual tokens of a real run (64 of 256), so a quarter of its text
    "P": Size(
        224,
        {"embed_dim": 352, "depth": 8, "num_heads": 4, "mlp_ratio": 4.3637},
        {
            "hidden_size": 768,
            "intermediate_size": 2064,
            "num_hidden_layers": 12,
            "num_attention_heads": 6,
            "vocab_size": 2000,
        },
        12,
        9,
        3,
        False,
    ),
    "L": Size(
        112,
        {"embed_dim": 256, "depth": 8, "num_heads": 4, "mlp_ratio": 4.3637},
        {
            "hidden_size": 256,
            "intermediate_size": 688,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "vocab_size": 32000,
        },
        8,
        *VQA_RAD_TEXT,
    ),
    # the width of LLaMA-2-7B, two layers of it: for bytes, not for times
    "wide": Size(
        448,
        {"embed_dim": 64, "depth": 1, "num_heads": 4, "mlp_ratio": 2.0},
        {
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 2,
            "num_attention_heads": 32,
            "vocab_size": 2000,
        },
        64,
        *VQA_RAD_TEXT,
    ),
    "real": Size(
        448,
        {"embed_dim": 1408, "depth": 39, "num_heads": 16, "mlp_ratio": 4.3637},
        {
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "vocab_size": 32000,
        },
        64,
        *VQA_RAD_TEXT,
    ),
    # for the test of the benchmark itself
    "tiny": Size(
        56,
        {"embed_dim": 32, "depth": 1, "num_heads": 2, "mlp_ratio": 2.0},
        {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "vocab_size": 800,
        },
        4,
        9,
        3,
        False,
    ),
}


class Way(NamedTuple):
    """One way to do a task."""

    name: str
    toolkit: str = "bundled"
    packed: bool = False
    """Our order of work; else one row a question through transformers' own forward."""
    share: bool = False
    """Questions of one image behind one prefix."""
    cached: bool = False
    """The frozen encoder's output is given."""
    compiled: bool = False
    """The decoder's layer compiled by torch."""
    merged: bool = False
    """LoRA in the weights while answering."""
    peer: str = ""
    """Form of ``peers.peer_loss`` in place of our own loss."""
    eager: bool = False
    """With it, upstream's order of work."""


CHECKOUT = Way("checkout", toolkit_process.CHECKOUT)
PLAIN = Way("plain")
UPSTREAM = Way("upstream's order", peer="padded", eager=True)
PADDED = Way("Hugging Face, padded", peer="padded")
PADDING_FREE = Way("Hugging Face, padding-free", peer="padding-free")
DIALOGUE = Way("dialogue (another task)", peer="dialogue")
REFERENCES = (CHECKOUT.name, UPSTREAM.name, PADDED.name, PLAIN.name)
"""What the others are compared with."""


class Task(NamedTuple):
    """A batch, and the ways that are compared on it."""

    name: str
    size: str
    kind: str
    """``train`` or ``generate``."""
    images: int
    questions_per_image: int
    ways: tuple[Way, ...]
    answer_tokens: int = 0
    """Where not the size's own; a mean where they differ."""
    answer_spread: tuple[float, ...] = (1.0,)
    """Shares of the mean, in turn."""


def tasks(device: str) -> list[Task]:
    """What is measured on the CPU (proportions of a real model) or on a GPU (the real sizes)."""
    packed, cached = Way("packed", packed=True), Way("packed, cached", packed=True, cached=True)
    shared = Way("shared", packed=True, share=True)
    both = Way("shared, cached", packed=True, share=True, cached=True)
    compiled = both._replace(name="shared, cached, compiled", compiled=True)
    one = cached._replace(name="packed, cached, compiled", compiled=True)
    answering = Way("shared, cached, merged", packed=True, share=True, cached=True, merged=True)
    if device == "cuda":
        peers = (UPSTREAM, PADDED)
        return [
            Task("VQA, batch 8, 1 an image", "real", "train", 8, 1, (*peers, PADDING_FREE, packed, cached, one)),
            Task("VQA, batch 8, 8 an image", "real", "train", 1, 8, (*peers, DIALOGUE, shared, both, compiled)),
            Task("VQA, batch 24, 8 an image", "real", "train", 3, 8, (*peers, DIALOGUE, shared, both, compiled)),
            Task("reports, batch 8", "real", "train", 8, 1, (*peers, packed, cached), 120, REPORT_SPREAD),
            Task("answers, 2 images, 8 each", "real", "generate", 2, 8, (PLAIN, shared, answering), 20),
            Task("answers, 16 images", "real", "generate", 16, 1, (PLAIN, Way("packed", packed=True)), 20),
        ]
    stacks = (CHECKOUT, PLAIN, PADDED)
    return [
        Task("P, VQA, batch 8, 1 an image", "P", "train", 8, 1, (*stacks, PADDING_FREE, packed, cached, one)),
        Task("P, VQA, batch 8, 4 an image", "P", "train", 2, 4, (CHECKOUT, PLAIN, shared, both)),
        Task("P, VQA, batch 8, 8 an image", "P", "train", 1, 8, (*stacks, DIALOGUE, shared, both, compiled)),
        Task("P, reports, batch 8", "P", "train", 8, 1, (CHECKOUT, PLAIN, packed, cached), 30, REPORT_SPREAD),
        Task("P, generation, 8 an image", "P", "generate", 2, 8, (CHECKOUT, PLAIN, shared, both, answering), 5),
        Task("L, VQA, batch 8, 1 an image", "L", "train", 8, 1, (CHECKOUT, PLAIN, packed, cached)),
        Task("L, VQA, batch 8, 8 an image", "L", "train", 1, 8, (CHECKOUT, PLAIN, shared, both)),
    ]


TINY_TASKS = [
    Task(
        "tiny, VQA",
        "tiny",
        "train",
        2,
        3,
        (PLAIN, PADDED, PADDING_FREE, DIALOGUE, UPSTREAM, Way("shared, cached", packed=True, share=True, cached=True)),
    ),
    Task(
        "tiny, generation",
        "tiny",
        "generate",
        2,
        3,
        (PLAIN, Way("shared, merged", packed=True, share=True, merged=True)),
        4,
    ),
]
