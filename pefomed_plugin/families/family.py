"""What differs from one language model to another, declared in one object. Loads no weights and needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Protocol

from ..errors import CheckpointError, one_line
from ..prompts import PromptStyle
from .sizes import LanguageSize
from .unsupported import unsupported


class Tokenizer(Protocol):
    """What the model asks of a tokenizer; each piece of a prompt is tokenised apart."""

    @property
    def bos_token_id(self) -> int | None:
        """What a sequence begins with; None where it begins with its text."""

    @property
    def eos_token_id(self) -> int:
        """What ends an answer, as training appends it."""

    @property
    def stop_token_ids(self) -> Sequence[int]:
        """Every token that ends a generated answer, ``eos_token_id`` among them."""

    @property
    def pad_token_id(self) -> int:
        """What fills rows up; seen by nobody."""

    @property
    def pieces(self) -> int:
        """Size of the vocabulary; the embedding has as many rows or more."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Token ids of a text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens left out."""

    def plain(self, text: str) -> str:
        """A text of data or user as one in which ``encode`` finds no special token that they wrote."""


LICENCE_FILES = ("LICENSE*", "LICENCE*", "USE_POLICY*", "Notice*", "NOTICE*")
COMPANIONS = (
    "config.json",
    "generation_config.json",
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
"""Configuration and tokenizer as the Hugging Face hub names them."""
_HEAD = 600
"""Characters of a licence file in which its title stands."""


@dataclass(frozen=True)
class Licence:
    """On which terms a language model's weights, and what is made from them, may be used and passed on."""

    identifier: str
    """As the Hugging Face hub spells it in a card's front matter."""
    title: str
    notice: str
    """The sentence that must accompany what is derived from the weights."""
    files: tuple[str, ...] = LICENCE_FILES
    """Patterns of files of the weights' folder that are passed on with them."""
    heading: str = ""
    """Words its file begins with, where they are not the title's."""
    obliges: str = ""
    """What it asks of those who pass on what is derived, besides the notice."""

    def is_in(self, text: str) -> bool:
        """Whether a licence file is this licence's."""
        return _words(self.heading or self.title) in _words(text[:_HEAD])


@dataclass(frozen=True)
class LanguageModelFamily:
    """One family of language models. Other packages add theirs by entry point (group ``pefomed_plugin.families``)."""

    name: str
    title: str
    """In words, for messages and cards."""
    model_types: tuple[str, ...]
    """``model_type`` of the ``config.json`` files that this family reads."""
    model_class: str
    """Class of transformers that holds the weights. Its body must have the attributes that ``block`` works on."""
    block: str | Callable[..., Any]
    """One decoder layer over packed rows: a key of ``toolkit.bundled.decoder.BLOCKS``, or a function like those."""
    prompt_style: PromptStyle
    load_tokenizer: Callable[[Path], Tokenizer]
    """From the weights' folder. Raises CheckpointError where it has none."""
    read_size: Callable[[Mapping[str, Any]], LanguageSize]
    """Proportions in a ``config.json``. Raises KeyError, TypeError or ValueError where they cannot be."""
    tensor_shapes: Callable[[Mapping[str, Any]], Mapping[str, tuple[int, ...]]]
    """Name -> shape of every tensor that a folder with this ``config.json`` must hold."""
    published_size: LanguageSize
    """Of the model the paper uses, for estimates where no folder is there."""
    lora_targets: tuple[str, ...]
    """Linear modules that get LoRA where neither checkpoint nor YAML names others."""
    licence: Licence
    """Of most of its weights; what the folder's own file says comes first (``licence_of``)."""
    home: str
    """Where the weights are published."""
    hub_names: Mapping[int, str] = field(default_factory=dict)
    """Width -> name of the model on the Hugging Face hub that MiniGPT-v2 is trained on in that size."""
    output_layer: str = "lm_head.weight"
    """The tensor that a folder may leave out where it is the embedding (``tie_word_embeddings``)."""
    recomputed: tuple[str, ...] = ()
    """Ends of names of buffers that older versions of transformers saved and that every model computes anew."""
    upstream_names: tuple[tuple[str, str], ...] = ()
    """Parts of tensor names that MiniGPT-v2's own files spell otherwise: (theirs, ours)."""
    companions: tuple[str, ...] = COMPANIONS
    """Patterns of the files beside the weights that a merged folder needs: configuration and tokenizer."""
    recognises: Callable[[Mapping[str, Any], Path | None], bool] = lambda config, folder: True
    """Whether a ``config.json`` of one of its model types, and the folder it lies in where there is one, are of this
    family: LLaMA-2 and LLaMA-3 are both of type ``llama``."""
    refuses: Callable[[Mapping[str, Any]], list[str]] = unsupported
    """What of a ``config.json`` the block does not compute, a line each."""
    least_transformers: str = ""
    """Oldest transformers that has ``model_class``; empty: any that is supported."""
    other_licences: tuple[Licence, ...] = ()
    """Those of some of its weights, told by the folder's licence file."""

    def size_of(self, config: Mapping[str, Any], source: Path) -> LanguageSize:
        """Proportions in a ``config.json``.

        Raises:
            CheckpointError: they are missing or cannot be.
        """
        try:
            return self.read_size(config)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{source} is not the configuration of a {self.title}: {one_line(error)}") from error

    def licence_of(self, folder: Path | None) -> Licence:
        """That of the weights in a folder, by its licence file; the family's usual one where there is none."""
        known = (*self.other_licences, self.licence)
        for path in sorted(folder.glob("LICEN[SC]E*")) if folder is not None and folder.is_dir() else []:
            text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
            found = [licence for licence in known if licence.is_in(text)]
            if found:
                return found[0]
            title = next((line.strip() for line in text.splitlines() if line.strip()), path.name)
            return Licence("other", title, f"The language model is under its own terms ({title}): read {path.name}.")
        return self.licence

    def canonical(self, key: str) -> str:
        """A tensor's name with MiniGPT-v2's own spelling undone."""
        for theirs, ours in self.upstream_names:
            key = key.replace(theirs, ours)
        return key

    def is_recomputed(self, key: str) -> bool:
        """Whether a tensor of a weights file is no weight."""
        return key.endswith(self.recomputed)


def _words(text: str) -> str:
    return " ".join(text.upper().replace(",", " ").split())
