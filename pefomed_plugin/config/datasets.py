"""A section of ``datasets``: where a data set lies, what of it is used, and how its samples become inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

from ..prompts import PromptTemplate, template_problems
from .fields import option, read_section, read_whole


@dataclass(frozen=True)
class BuildInfo:
    """Where a data set lies."""

    storage: Optional[str] = option(
        "Folder of the official release, or one that `pefomed prepare` or `pefomed shard` made; shards also as "
        "`.../train-{000000..000012}.tar`, `https://...`, `s3://...` or, one command a shard, `pipe:...`.",
        None,
    )
    images: Optional[str] = option("Folder of the images, if they are not where the release has them.", None)


@dataclass(frozen=True)
class ImagePolicy:
    """What to do where an image leaves a choice."""

    background: tuple[int, int, int] = option(
        "Red, green and blue, 0 to 255: what shows through transparent pixels.", (255, 255, 255), minimum=0, maximum=255
    )
    allow_truncated: bool = option(
        "Fill what is missing of a cut file with grey or black; else such a file is an error.", False
    )
    max_pixels: int = option(
        "Larger images are refused before they are decoded; 200 million pixels need 600 MB as RGB.",
        200_000_000,
        minimum=1,
    )
    frame: Optional[int] = option(
        "Which frame, from 0, of a file that holds several; without a choice such a file is an error.", None, minimum=0
    )


@dataclass(frozen=True)
class ShardReading:
    """How WebDataset shards are read, and where those of a server are kept."""

    stream: bool = option(
        "Read training shards from front to back through a shuffle buffer, keeping none: for those that fit no cache. "
        "What it cannot promise: docs/shards.md.",
        False,
    )
    samples: Optional[int] = option(
        "Samples of one pass through a stream; `pefomed shard` wrote them into its index.", None, minimum=1
    )
    shuffle_buffer: int = option("Samples in the shuffle buffer of a stream, in each loading process.", 1000, minimum=1)
    cache: Optional[str] = option("Folder for shards of a server; none: `pefomed/shards` in the user's cache.", None)
    cache_gb: float = option("The most that is kept there, in GB; those used longest ago go first.", 100.0, minimum=0)
    retries: int = option("How often a shard is asked for again before it is an error.", 3, minimum=0)
    timeout_s: float = option("Seconds without a byte after which a server counts as gone.", 120.0, minimum=1)
    checksums: Optional[str] = option(
        "File as `sha256sum` writes it, with the digests of shards that others made.", None
    )

    def problems(self, where: str) -> list[str]:
        """Keys of a stream where there is none."""
        given = [
            name
            for name, is_set in (("samples", self.samples is not None), ("shuffle_buffer", self.shuffle_buffer != 1000))
            if is_set and not self.stream
        ]
        return [f"{where}.{name}: would do nothing without {where}.stream: true" for name in given]


@dataclass(frozen=True)
class Limit:
    """How many samples of a split are used, from its beginning: for a first try."""

    train: Optional[int] = option("Training samples.", None, minimum=1)
    val: Optional[int] = option("Validation samples.", None, minimum=1)
    test: Optional[int] = option("Test samples.", None, minimum=1)


@dataclass(frozen=True)
class ImageProcessor:
    """Settings of `blip2_image_train` and `blip2_image_eval`."""

    name: str = option("Registry name.", filled=True)
    image_size: int = option("Pixels a side; that of the model.", 224, minimum=1, maximum=8192)
    mean: Optional[tuple[float, float, float]] = option("Of the channels; absent: the vision encoder's.", None)
    std: Optional[tuple[float, float, float]] = option("Of the channels; absent: the vision encoder's.", None, above=0)


@dataclass(frozen=True)
class TextProcessor:
    """Settings of `medical_text`."""

    name: str = option("Registry name.", filled=True)
    max_words: Optional[int] = option("Longest text, in words; absent: no limit.", None, minimum=1)


@dataclass(frozen=True)
class CaptionProcessor(TextProcessor):
    """Settings of upstream's `blip_caption`."""

    prompt: Optional[str] = option("What stands before each text.", None)


_PROCESSORS: Mapping[str, type] = {
    "blip2_image_train": ImageProcessor,
    "blip2_image_eval": ImageProcessor,
    "medical_text": TextProcessor,
    "blip_caption": CaptionProcessor,
}
"""What the settings of a processor may be; those of others are handed on as they are."""


@dataclass(frozen=True)
class Processors:
    """Registry name and settings of the processors of training and of evaluation."""

    train: dict[str, Any] = option("For the training split: `name`, and the settings of that processor.", factory=dict)
    eval: dict[str, Any] = option("For the other splits.", factory=dict)

    def problems(self, where: str) -> list[str]:
        """A processor without a name, or with settings that it does not have."""
        found = []
        for phase, section in (("train", self.train), ("eval", self.eval)):
            name = section.get("name")
            if not name or not isinstance(name, str):
                found.append(f"{where}.{phase}.name: " + ("missing" if not name else f"expected text, found {name!r}"))
            elif name in _PROCESSORS:
                said = {key: value for key, value in section.items() if not _is_reference(value)}
                found += read_section(_PROCESSORS[name], said, f"{where}.{phase}")[1]
        return found


def _is_reference(value: Any) -> bool:
    """Whether a value is the default that another key fills in where a whole configuration is composed."""
    return isinstance(value, str) and value.startswith("${")


def _image_processors() -> Processors:
    size = "${model.image_size}"
    return Processors(
        {"name": "blip2_image_train", "image_size": size}, {"name": "blip2_image_eval", "image_size": size}
    )


def _text_processors() -> Processors:
    return Processors({"name": "medical_text", "max_words": None}, {"name": "medical_text", "max_words": None})


@dataclass(frozen=True)
class DatasetConfig:
    """One section of ``datasets``; its name is that of the data set."""

    build_info: BuildInfo = option("Where it lies.", BuildInfo())
    type: str = option("Which of the builder's default files is read; ours have one.", "default", filled=True)
    data_type: str = option("Upstream's; always `images`.", "images", choices=("images",))
    options: dict[str, Any] = option("Options of the reader.", factory=dict)
    missing_images: str = option(
        "`error`: stop and list them; `skip`: leave these samples out, counted.", "error", choices=("error", "skip")
    )
    images: ImagePolicy = option("What to do where an image leaves a choice.", ImagePolicy())
    shards: ShardReading = option("How WebDataset shards are read.", ShardReading())
    limit: Optional[Limit] = option("For a try: `{train: 100, test: 20}`.", None)
    keep_in_memory: bool = option("Keep processed images: for small data sets.", False)
    batch_size: int = option("Samples of a batch, on each process.", 6, minimum=1)
    sample_ratio: float = option(
        "Odds that a batch comes from this data set, relative to the others; without a meaning where `passes` says it.",
        1.0,
        minimum=0,
    )
    passes: Optional[float] = option(
        "How often the run goes through this data set, exactly; for every data set of a run or for none. The length of "
        "the run and of an epoch follow (docs/mixtures.md).",
        None,
        minimum=0,
        maximum=1_000_000,
    )
    prompt_template: Optional[str] = option(
        "What its samples are asked with, inside the turn of `model.prompt_template`, in place of their task's "
        "registered one: `<Img><ImageHere></Img> [vqa] {instruction}`.",
        None,
    )
    prompt_pool: Optional[tuple[str, ...]] = option(
        "Their instructions, in place of the registered ones: training draws, evaluation takes the first. "
        "`{question}` stands for a sample's question.",
        None,
    )
    seed: int = option("Of the instructions that are drawn.", 42, minimum=0, follows="run.seed")
    vis_processor: Processors = option("Makes inputs of images.", factory=_image_processors)
    text_processor: Processors = option("Makes inputs of questions and answers.", factory=_text_processors)

    def prompt_of(self, registered: PromptTemplate) -> PromptTemplate:
        """A template with what this section replaces of it."""
        return replace(
            registered,
            template=self.prompt_template or registered.template,
            pool=self.prompt_pool or registered.pool,
        )

    def problems(self, where: str) -> list[str]:
        """A prompt that cannot be asked."""
        template = self.prompt_template
        found = [] if template is None else [f"{where}.prompt_template: {why}" for why in template_problems(template)]
        if self.prompt_pool is not None and not all(text.strip() for text in self.prompt_pool or ("",)):
            found.append(f"{where}.prompt_pool: an empty instruction, or none")
        return found


def mixture_problems(datasets: Mapping[str, DatasetConfig]) -> list[str]:
    """What the data sets of one run cannot say together about how often each comes."""
    if not datasets:
        return []
    passes = {name: section.passes for name, section in datasets.items()}
    ratios = {name: section.sample_ratio for name, section in datasets.items()}
    if all(value is None for value in passes.values()):
        if any(ratios.values()):
            return []
        return ["datasets.*.sample_ratio: 0 for every data set, so that no batch comes; give one of them more"]
    without = ", ".join(name for name, value in passes.items() if value is None)
    problems = [f"datasets.*.passes: set, but not for {without}; set it for all or none"] if without else []
    problems += [
        f"datasets.{name}.sample_ratio: {ratio:g} beside passes, which says how often it comes; leave one of them out"
        for name, ratio in ratios.items()
        if ratio != 1
    ]
    if not any(passes.values()):
        problems.append("datasets.*.passes: 0 for every data set, so that no batch comes; give one of them more")
    return problems


def read_dataset_config(name: str, section: Any) -> DatasetConfig:
    """One section of ``datasets``. Raises ConfigError as ``read_whole``."""
    return read_whole(DatasetConfig, section, f"datasets.{name}")
