"""How much memory of one GPU a run takes, from its configuration alone; and how much disk. Arithmetic, no torch.

For the bundled toolkit on one GPU. What autograd keeps is counted tensor by tensor as ``toolkit/bundled/decoder.py``
makes them and is checked against what it really keeps (``tests/conformance/test_memory.py``). Nothing was measured on a
GPU: the kernels' own work space, CUDA itself and the allocator's slack are assumptions, each a constant below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ...config.compose import Configuration
from ...config.model import ModelConfig
from ...config.run import RunConfig
from ...families import LanguageSize, ModelSize, read_model_size
from ...families.sizes import KEY_BLOCK
from ...readers import describe
from .loads import Load, answering_load, training_load

GIB = 2**30
CUDA_BYTES = int(0.6 * GIB)
"""CUDA itself with cuBLAS; assumed."""
SLACK = 0.10
"""Of what a step takes and gives back, lost between the allocator's blocks; assumed."""
CARDS_GB = (24, 48, 80)
USABLE = 0.94
"""Of a card's nominal GiB: error correction takes 6 % on those that have it in the same chips (A10, L4, L40S)."""
_ELEMENT = {"fp32": 4, "fp16": 2, "bf16": 2}
_BITS = {
    "8bit": lambda parameters, rows: parameters + 4 * rows,
    # NF4: half a byte, an 8-bit scale for 64 parameters, a 32-bit one for 256 scales (QLoRA, section 3)
    "4bit": lambda parameters, rows: math.ceil(parameters * (0.5 + 1 / 64 + 4 / (64 * 256))),
}
_SOURCES = {
    "q_proj": "attention input",
    "k_proj": "attention input",
    "v_proj": "attention input",
    "o_proj": "attended",
    "gate_proj": "mlp input",
    "up_proj": "mlp input",
    "down_proj": "gated",
}
_MLP_TENSORS = 5
"""Tensors of the MLP's width that exist at once while one layer is computed, forth or back."""
_LOGIT_BYTES = 12
"""Of one logit: kept log-probability, its gradient and the logit's, in 32 bits."""


@dataclass(frozen=True)
class RunSize:
    """Bytes by part, for both phases of a run; a phase that the run does not have is None."""

    size: ModelSize
    precision: str
    training: dict[str, int] | None
    answering: dict[str, int] | None
    training_load: Load | None
    answering_load: Load | None
    disk: dict[str, int]

    @property
    def peak(self) -> int:
        """Bytes of the phase that takes most."""
        return max(sum(phase.values()) for phase in (self.training, self.answering) if phase)

    def fits(self, card_gb: float) -> bool:
        """Whether a card of so many nominal gigabytes holds the run."""
        return self.peak <= usable_bytes(card_gb)


def usable_bytes(card_gb: float) -> int:
    """What a card of so many nominal gigabytes has to give."""
    return int(card_gb * GIB * USABLE)


def estimate(config: Configuration, size: ModelSize | None = None) -> RunSize:
    """Memory and disk of a run; ``size`` is that of the model, where it is known already.

    Raises:
        ConfigError: a LoRA target or a LLaMA folder that cannot be.
    """
    model, run = config.model, config.run
    size = size or read_model_size(model)
    precision = _precision(run)
    trains, answers = not run.evaluate, bool(run.test_splits)
    weights = _weights(model, size, precision)
    moments = {"AdamW's two moments, fp32": 8 * size.trained} if trains else {}
    gradients = {"gradients, fp32": 4 * size.trained}
    training = max((training_load(config, size, name) for name in config.datasets), key=lambda load: load.tokens)
    answering = answering_load(config, size)
    return RunSize(
        size,
        precision,
        _whole(weights, moments, gradients, _step(model, run, size, precision, training)) if trains else None,
        _whole(weights, moments, _answer(model, run, size, precision, answering)) if answers else None,
        training if trains else None,
        answering if answers else None,
        _disk(config, size, trains),
    )


def kept_bytes(
    llama: LanguageSize,
    rank: int,
    targets: tuple[str, ...],
    precision: str,
    *,
    dropout: bool = True,
    quantised: str = "none",
    decoder: str = "packed",
    mask_bytes: int = 1,
    dora: bool = False,
) -> int:
    """What autograd keeps of one token in one layer, without gradient checkpointing.

    Args:
        rank: of LoRA on ``targets``.
        quantised: ``8bit`` keeps the input of every product as well (bitsandbytes).
        decoder: ``plain``, transformers' own, keeps its norms' inputs in 32 bits and one tensor more of the MLP's.
        mask_bytes: of a dropout mask's element; torch takes 1 on a GPU, 4 on a CPU.
        dora: each target keeps its two outputs, without LoRA and of LoRA, which the rows' lengths are trained by.
    """
    element, mixed = _ELEMENT[precision], precision != "fp32"
    matrices = llama.matrices()
    packed = decoder != "plain"
    norms = 2 * ((element if packed else 4) * llama.hidden_size + 4)
    attention = element * 2 * (llama.query_width + llama.key_width) + 4 * llama.num_attention_heads
    if llama.qk_norm:  # the norms' inputs, and one number a head
        heads = llama.num_attention_heads + llama.num_key_value_heads
        attention += (element if packed else 4) * (llama.query_width + llama.key_width) + 4 * heads
    mlp = element * (2 if packed else 3) * llama.intermediate_size
    inputs = {name: matrices[name][0] for name in targets}
    if mixed or dropout:  # each target has its own copy of its input: cast, or with holes
        adapters = sum((element + mask_bytes * dropout) * width for width in inputs.values())
    else:
        adapters = sum(element * width for width in {_SOURCES[name]: width for name, width in inputs.items()}.values())
    adapters += element * rank * len(targets)
    adapters += 2 * element * dora * sum(matrices[name][1] for name in targets)
    products = sum(2 * width for width in {_SOURCES[name]: matrix[0] for name, matrix in matrices.items()}.values())
    return norms + attention + mlp + adapters + (products if quantised == "8bit" else 0)


def _weights(model: ModelConfig, size: ModelSize, precision: str) -> dict[str, int]:
    """All weights as they lie on the GPU."""
    llama, bits = size.language, model.quantisation
    element = _ELEMENT[_lies_in(model.llm_precision, precision)]
    rows = llama.num_hidden_layers * sum(matrix[1] for matrix in llama.matrices().values())
    matrices = element * llama.in_matrices if bits == "none" else _BITS[bits](llama.in_matrices, rows)
    parts = {"language model": matrices + element * llama.elsewhere}
    if not model.vit_on_cpu:
        parts["vision encoder"] = _ELEMENT[_lies_in(model.vit_precision, precision)] * size.vision.parameters
    whole = ", modules trained whole" if size.whole else ""
    parts[f"projection and LoRA{whole}, fp32"] = 4 * size.trained
    if precision != "fp32":
        parts[f"their copies in {precision}"] = 2 * size.trained
    return parts


def _step(model: ModelConfig, run: RunConfig, size: ModelSize, precision: str, load: Load) -> dict[str, int]:
    """What one training step takes and gives back."""
    llama, element, bits = size.language, _ELEMENT[precision], model.quantisation
    recomputes = model.use_grad_checkpoint_llm
    kept = kept_bytes(
        llama,
        size.lora_rank,
        size.lora_targets,
        precision,
        quantised=bits,
        decoder=model.decoder,
        dropout=model.lora_dropout is None or model.lora_dropout > 0,
        dora=size.dora,
    )
    work = _layer_work(llama, element, load.tokens) + _dora_work(size)
    if recomputes:
        work += kept * load.tokens
        kept = element * llama.hidden_size
    parts = {
        "activations kept for the backward pass": llama.num_hidden_layers * kept * load.tokens,
        "work of one layer": work,
        "logits of the answers": _LOGIT_BYTES * llama.vocab_size * load.answer_tokens,
        "images and visual features": _inputs(size, element, load.images),
    }
    if bits == "none" and model.llm_precision == "fp32" and precision != "fp32":
        layers = 1 if recomputes else llama.num_hidden_layers
        parts[f"casts of frozen weights to {precision}"] = 2 * llama.in_matrices * layers // llama.num_hidden_layers
    return _with_vision(model, run, size, precision, load.images, parts)


def _answer(model: ModelConfig, run: RunConfig, size: ModelSize, precision: str, load: Load) -> dict[str, int]:
    """What answering one batch takes and gives back."""
    llama, element = size.language, _ELEMENT[precision]
    beams = run.num_beams
    # each question has its own copy of the prefix, in whole blocks (toolkit/bundled/key_values.py)
    columns = load.samples * math.ceil((load.alone_tokens + load.answer_tokens) / KEY_BLOCK) * KEY_BLOCK
    parts = {
        "keys and values": 2 * element * llama.key_width * llama.num_hidden_layers * columns * beams,
        "work of one layer": _layer_work(llama, element, load.tokens * beams)
        + (0 if run.merge_lora else _dora_work(size)),
        "logits of the answers": 8 * llama.vocab_size * load.samples * beams,
        "images and visual features": _inputs(size, element, load.images),
    }
    if run.merge_lora:
        merged = sum(llama.matrices()[name][0] * llama.matrices()[name][1] for name in size.lora_targets)
        parts["weights LoRA is added to"] = (
            _ELEMENT[_lies_in(model.llm_precision, precision)] * merged * llama.num_hidden_layers
        )
    return _with_vision(model, run, size, precision, load.images, parts)


def _layer_work(llama: LanguageSize, element: int, tokens: int) -> int:
    return element * _MLP_TENSORS * llama.intermediate_size * tokens


def _dora_work(size: ModelSize) -> int:
    """What DoRA takes to find the rows' lengths of one adapted matrix, in 32 bits: an identity of the input's width,
    B A, W + B A and what is between; peft makes them anew in every forward pass."""
    matrices = [size.language.matrices()[name] for name in size.lora_targets] if size.dora else []
    return max((4 * (inputs * inputs + 3 * inputs * outputs) for inputs, outputs in matrices), default=0)


def _inputs(size: ModelSize, element: int, images: int) -> int:
    """Pixels as float32, features as the encoder gives them and as the projection takes them."""
    return images * (3 * 4 * size.vision.image_size**2 + 2 * element * size.vision.patches * size.vision.embed_dim)


def _with_vision(
    model: ModelConfig, run: RunConfig, size: ModelSize, precision: str, images: int, parts: dict[str, int]
) -> dict[str, int]:
    """The parts, with what the encoder takes above them (it runs first, and nothing of it is kept), and the slack."""
    if not (model.vit_on_cpu or run.image_cache == "features"):
        element = _ELEMENT[_lies_in(model.vit_precision, precision)]
        work = (
            images
            * (size.vision.patches + size.vision.prefix_tokens)
            * element
            * 2
            * (size.vision.embed_dim + size.vision.mlp_width)
        )
        above = work - sum(parts.values())
        if above > 0:
            parts = {**parts, "work of the vision encoder above that": above}
    return {**parts, "allocator's slack": int(SLACK * sum(parts.values()))}


def _whole(*groups: Mapping[str, int]) -> dict[str, int]:
    return {name: taken for group in (*groups, {"CUDA": CUDA_BYTES}) for name, taken in group.items()}


def _disk(config: Configuration, size: ModelSize, trains: bool) -> dict[str, int]:
    run, parts = config.run, {}
    if trains:
        # while one is written there is one more; the best one stays besides
        files = run.keep_last + 1 + bool(run.valid_splits)
        each = 12 * size.trained + 4 * size.starts * size.pairs
        parts[f"checkpoints, {files} of {each / GIB:.2f} GiB"] = files * each
    images = {name: describe(name).images or 0 for name in config.datasets}
    image = 2 * size.vision.patches * size.vision.embed_dim
    if run.image_cache == "features":
        for name in filter(images.get, images):
            parts[f"features of {name}, {images[name]:,} images"] = images[name] * image
    return parts


def _lies_in(loaded: str, precision: str) -> str:
    """What frozen weights lie in; ``adapters.devices.match_frozen_weights`` turns all into fp32 for an fp32 run."""
    return "fp32" if precision == "fp32" else loaded


def _precision(run: RunConfig) -> str:
    """What is computed in; absent: bf16, which all cards of these sizes have but those of 2018 and before."""
    return run.amp_precision or "bf16"
