"""GPUs by name: what each can compute, read and hold, by its maker's data sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import ConfigError, near_names, quoted


@dataclass(frozen=True)
class Card:
    """One kind of GPU."""

    name: str
    tera_flops: float
    """10^12 operations a second in 16 bits, sums in 32, without sparsity."""
    memory_gb_s: float
    """10^9 bytes of its memory a second."""
    gb: float
    """Its memory."""
    source: str
    """Where the figures stand."""
    has_bf16: bool = True


_ADA = "NVIDIA Ada GPU architecture, 2.02, appendix A"
_AMPERE = "NVIDIA Ampere GA102 GPU architecture, 2.0"
CARDS = {
    card.name: card
    for card in (
        Card("T4", 65, 320, 16, "NVIDIA T4 data sheet", has_bf16=False),
        Card("V100", 125, 900, 32, "NVIDIA V100 data sheet, SXM2", has_bf16=False),
        Card("A10", 125, 600, 24, "NVIDIA A10 data sheet; 250 with sparsity"),
        Card("L4", 121, 300, 24, "NVIDIA L4 data sheet; 242 with sparsity"),
        Card("A40", 149.7, 696, 48, "NVIDIA A40 data sheet; 299.4 with sparsity"),
        Card("RTX-A6000", 154.8, 768, 48, f"{_AMPERE}, table 3; 309.6 with sparsity"),
        Card("L40S", 362, 864, 48, "NVIDIA L40S data sheet; 733 with sparsity"),
        Card("RTX-3090", 71, 936, 24, f"{_AMPERE}, appendix A; 142 with sums in 16 bits"),
        Card("RTX-4090", 165.2, 1008, 24, f"{_ADA}; 330.3 with sums in 16 bits"),
        Card("A100-40", 312, 1555, 40, "NVIDIA A100 data sheet, SXM4; 624 with sparsity"),
        Card("A100-80", 312, 2039, 80, "NVIDIA A100 data sheet, SXM4; 624 with sparsity"),
        Card("H100", 989, 3350, 80, "NVIDIA H100 data sheet, SXM5; 1,979 with sparsity"),
        Card("H200", 989, 4800, 141, "NVIDIA H200 data sheet, SXM5; 1,979 with sparsity"),
    )
}


def find_cards(names: Sequence[str]) -> list[Card]:
    """Cards by name, each once; capitals, blanks and dashes in it do not matter.

    Raises:
        ConfigError: a name that is not known, with those that are near; all in one message.
    """
    by_name = {_letters(name): card for name, card in CARDS.items()}
    unknown = [f"{quoted(name)}; {_near(name)}" for name in names if _letters(name) not in by_name]
    if unknown:
        raise ConfigError("no such card", unknown)
    return list(dict.fromkeys(by_name[_letters(name)] for name in names))


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _near(name: str) -> str:
    longer = [known for known in CARDS if _letters(name) and _letters(known).startswith(_letters(name))]
    return f"say which: {' or '.join(longer)}" if longer else near_names(name, CARDS)
