"""Tables of ``docs/scale.md``, stage 1 from 1 to 1,024 GPUs: ``python -m projects.benchmarks.scale_table``.

Arithmetic from the inputs below, each measured, cited or assumed, and saying which. No torch, nothing is run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pefomed_plugin.families import ModelSize
from pefomed_plugin.families.llama import LLAMA
from pefomed_plugin.services.memory.cards import CARDS as KINDS
from pefomed_plugin.services.memory.operations import UTILISATION, sample_flops
from pefomed_plugin.vision_encoders import VisionEncoder

GPUS = (1, 4, 8, 16, 64, 256, 1024)
GPUS_A_NODE = 8
MODEL = ModelSize(LLAMA.published_size, VisionEncoder(), lora_rank=64, lora_targets=("q_proj", "v_proj"))
PIXEL_BYTES, FEATURE_BYTES = 3 * 448 * 448, 2 * 1024 * 1408


@dataclass(frozen=True)
class Input:
    """One number that the tables rest on."""

    value: float
    what: str
    kind: str
    """``measured``, ``cited``, ``assumed``, or ``ours``: set in a file here."""
    source: str


BATCH = Input(6, "samples a batch of one GPU", "ours", "[configuration](configuration.md)")
RECIPE_STEPS = Input(5000, "steps of the recipe", "ours", "`pefomed_stage1.yaml`: 5 epochs of 1,000")
WARM_UP = Input(1000, "of them warm-up", "ours", "`pefomed_stage1.yaml`")
RECIPE_GPUS = Input(4, "GPUs of the recipe", "cited", "PeFoMed, section 4.2: four A40")
SAVE_STEPS = Input(1000, "steps between checkpoints", "ours", "`pefomed_stage1.yaml`: one an epoch")
WORKERS = Input(6, "loader workers of one GPU", "ours", "`pefomed_stage1.yaml`")
TOKENS = Input(384, "tokens of a sample, padding included", "assumed", "256 of the image, 30 of the prompt, a caption")
ANSWER_TOKENS = Input(80, "of them caption", "assumed", "no release's captions were counted for it")
CARDS = {
    name: Input(KINDS[kind].tera_flops * 1e12, f"{name}{words}", "cited", KINDS[kind].source)
    for name, kind, words in (
        ("A40", "A40", ", FLOP/s in bf16, dense"),
        ("A100", "A100-80", ", the same"),
        ("H100", "H100", " SXM, the same"),
    )
}
CARD = "H100"
MFU = Input(
    UTILISATION,
    "part of it that a step reaches",
    "assumed",
    "an H200 reached 0.38 with a batch of 6 ([speed](speed.md)); the target is 0.45",
)
NVLINK = Input(450e9, "NVLink, bytes/s a GPU and direction", "cited", "NVIDIA H100 data sheet: 900 GB/s both ways")
NETWORK = Input(
    50e9,
    "InfiniBand, bytes/s a GPU and direction",
    "cited",
    "NVIDIA DGX H100 user guide: a ConnectX-7, 400 Gb/s, for each GPU",
)
FIGURE_JPEG = Input(52_502, "bytes of a figure's JPEG", "measured", "mean of VQA-RAD's 315; taken for ROCO and CLEF")
MEDICAT_FILE = Input(104e9 / 217_060, "bytes of a MedICaT figure", "cited", "its release: 104 GB with the texts")
MIMIC_FILE = Input(1.5e6, "bytes of a MIMIC-CXR-JPG image", "assumed", "the release's size was not confirmed")
SHARD_PNG = Input(134_079, "bytes of a shard's image", "measured", "448-pixel PNG, mean of every third of VQA-RAD's")
FIGURE_S = Input(1 / 61, "s to decode and resize a figure", "measured", "`data_path`, a checkout's way, VQA-RAD")
RADIOGRAPH_S = Input(0.155, "s for a radiograph of 2,544 x 3,056", "measured", "made-up JPEGs of 2.6 MB")
SHARD_S = Input(0.0035, "s to decode a shard's image", "measured", "note 5: 3 to 4 ms")
PIXEL_S = Input(1 / 7533, "s to load cached pixels", "measured", "`data_path`")
FEATURE_S = Input(1 / 1534, "s to load cached features", "measured", "the same")
WRITE_S = Input(3.8, "s to write a checkpoint", "measured", "median of 5, 679.5 MB, fsync, a virtual disk")


@dataclass(frozen=True)
class Part:
    """A data set of the mixture."""

    images: int
    """Of the training split."""
    ratio: float
    """``sample_ratio`` of the YAML."""
    file_bytes: Input
    decode_s: Input


MIXTURE = {
    "ROCO": Part(65_448, 60, FIGURE_JPEG, FIGURE_S),
    "CLEF 2022": Part(83_275, 60, FIGURE_JPEG, FIGURE_S),
    "MedICaT": Part(217_060, 20, MEDICAT_FILE, FIGURE_S),
    "MIMIC-CXR": Part(368_960, 60, MIMIC_FILE, RADIOGRAPH_S),
}
IMAGES = sum(each.images for each in MIXTURE.values())


def samples_a_second(card: str) -> float:
    """Of one GPU."""
    flops = sum(sample_flops(MODEL, int(TOKENS.value), int(ANSWER_TOKENS.value)).values())
    return CARDS[card].value * MFU.value / flops


def mixture_mean(values: dict[str, float]) -> float:
    """Mean over the samples that the mixture draws."""
    total = sum(each.ratio for each in MIXTURE.values())
    return sum(MIXTURE[name].ratio * value for name, value in values.items()) / total


def ring_bytes(gpus: int, payload: int) -> float:
    """Bytes that each GPU sends in a ring all-reduce of ``payload`` bytes (reduce-scatter, then all-gather)."""
    return 2 * (gpus - 1) / gpus * payload


def throughput_table() -> list[str]:
    """Samples a second, and what a node and a storage for all of them must give."""
    rate = samples_a_second(CARD)
    file_bytes = mixture_mean({name: each.file_bytes.value for name, each in MIXTURE.items()})
    rows = []
    for gpus in GPUS:
        a_node = rate * min(gpus, GPUS_A_NODE)
        rows.append(
            [
                _count(gpus),
                _count(math.ceil(gpus / GPUS_A_NODE)),
                _count(gpus * rate),
                _count(a_node),
                _count(a_node * file_bytes / 1e6),
                _count(a_node * SHARD_PNG.value / 1e6),
                f"{gpus * rate * file_bytes / 1e9:.2f}",
                f"{gpus * rate * SHARD_PNG.value / 1e9:.2f}",
                _time(IMAGES / (gpus * rate)),
            ]
        )
    return _markdown(
        [
            "GPUs",
            "nodes",
            "samples/s",
            "a node",
            "files, MB/s a node",
            "shards, MB/s a node",
            "files, GB/s of all",
            "shards, GB/s of all",
            f"{IMAGES:,} samples in",
        ],
        rows,
    )


def storage_table() -> list[str]:
    """What each way to keep images takes of the disk and of a node's cores."""
    a_node = GPUS_A_NODE * samples_a_second(CARD)
    files = sum(each.images * each.file_bytes.value for each in MIXTURE.values())
    decode_s = mixture_mean({name: each.decode_s.value for name, each in MIXTURE.items()})
    ways = [
        ("files as released", files, decode_s),
        ("shards of 448 pixels", IMAGES * SHARD_PNG.value, SHARD_S.value),
        ("`image_cache: pixels`", IMAGES * PIXEL_BYTES, PIXEL_S.value),
        ("`image_cache: features`", IMAGES * FEATURE_BYTES, FEATURE_S.value),
    ]
    return _markdown(
        ["kept as", "GB of all", "ms an image", f"cores a node of {GPUS_A_NODE}"],
        [[name, _count(size / 1e9), f"{1e3 * seconds:.2f}", f"{a_node * seconds:.1f}"] for name, size, seconds in ways],
    )


def step_table() -> list[str]:
    """What a step exchanges, and what a run writes."""
    step_s = BATCH.value / samples_a_second(CARD)
    payload = 4 * MODEL.trained
    rows = []
    for gpus in GPUS:
        sent = ring_bytes(gpus, payload)
        exchange_s = sent / (NVLINK if gpus <= GPUS_A_NODE else NETWORK).value
        between_s = SAVE_STEPS.value * (step_s + exchange_s)
        readers = gpus * WORKERS.value
        rows.append(
            [
                _count(gpus),
                _count(sent / 1e6),
                f"{1e3 * exchange_s:.1f}",
                f"{100 * exchange_s / (step_s + exchange_s):.1f} %",
                f"{100 * WRITE_S.value / (between_s + WRITE_S.value):.1f} %",
                _count(readers),
                _count(IMAGES // readers),
            ]
        )
    return _markdown(
        ["GPUs", "sent a GPU, MB", "ms", "of a step", "checkpoints, of the run", "loader workers", "samples for each"],
        rows,
    )


def batch_table() -> list[str]:
    """What becomes of the recipe when the global batch grows."""
    seen = RECIPE_STEPS.value * BATCH.value * RECIPE_GPUS.value
    rows = []
    for gpus in GPUS:
        batch = gpus * BATCH.value
        rows.append(
            [
                _count(gpus),
                _count(batch),
                f"{gpus / RECIPE_GPUS.value:.4g}",
                _count(IMAGES / batch),
                _count(seen / batch),
                f"{RECIPE_STEPS.value * batch / IMAGES:.2f}",
                _count(WARM_UP.value * batch),
            ]
        )
    return _markdown(
        [
            "GPUs",
            "global batch",
            "x the recipe's",
            f"steps for {IMAGES:,} samples",
            f"for {seen:,.0f}",
            f"times all images in {RECIPE_STEPS.value:,.0f} steps",
            "samples of the warm-up",
        ],
        rows,
    )


def card_table() -> list[str]:
    """How fast one GPU of each kind would be."""
    columns = ["card", "samples/s", f"s a step of {BATCH.value:.0f}", f"{IMAGES:,} samples on {GPUS_A_NODE} GPUs in"]
    return _markdown(
        columns,
        [
            [
                card,
                f"{samples_a_second(card):.1f}",
                f"{BATCH.value / samples_a_second(card):.2f}",
                _time(IMAGES / (GPUS_A_NODE * samples_a_second(card))),
            ]
            for card in CARDS
        ],
    )


def flops_table() -> list[str]:
    """Operations of one sample."""
    parts = sample_flops(MODEL, int(TOKENS.value), int(ANSWER_TOKENS.value))
    return _markdown(
        ["part", "TFLOP a sample"],
        [[name, f"{part / 1e12:.2f}"] for name, part in parts.items()]
        + [["together", f"{sum(parts.values()) / 1e12:.2f}"]],
    )


def input_table() -> list[str]:
    """Every input and where it is from."""
    inputs = [
        BATCH,
        WORKERS,
        RECIPE_STEPS,
        WARM_UP,
        SAVE_STEPS,
        RECIPE_GPUS,
        TOKENS,
        ANSWER_TOKENS,
        *CARDS.values(),
        MFU,
        NVLINK,
        NETWORK,
        FIGURE_JPEG,
        MEDICAT_FILE,
        MIMIC_FILE,
        SHARD_PNG,
        FIGURE_S,
        RADIOGRAPH_S,
        SHARD_S,
        PIXEL_S,
        FEATURE_S,
        WRITE_S,
    ]
    lines = ["| input | value | whose | source |", "|---|---:|---|---|"]
    return lines + [f"| {each.what} | {_number(each.value)} | {each.kind} | {each.source} |" for each in inputs]


TABLES = {
    "throughput": throughput_table,
    "storage": storage_table,
    "gradients, checkpoints, workers": step_table,
    "global batch": batch_table,
    "cards": card_table,
    "operations": flops_table,
    "inputs": input_table,
}


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _number(value: float) -> str:
    """To three figures, without an exponent where it stays readable."""
    if value >= 1e9:
        return "{:.4g} {}".format(value / (1e12 if value >= 1e12 else 1e9), "T" if value >= 1e12 else "G")
    return _count(value) if value >= 1000 else f"{value:.3g}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _markdown(columns: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(each)} |" for each in (columns, ["---", *["---:"] * (len(columns) - 1)], *rows)]


def main() -> None:
    """Print all tables, each below the mark that stands above it in the page."""
    for name, make in TABLES.items():
        print(f"<!-- scale_table: {name} -->\n")
        print("\n".join(make()) + "\n")


if __name__ == "__main__":
    main()
