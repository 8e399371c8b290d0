"""The text of a model card, from facts given. Pure: reads nothing, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from ... import __version__
from ...families import DEFAULT_FAMILY
from ...origins import GENERATED, TINY
from ...readers import describe
from ...vision_encoders import DEFAULT_ENCODER
from ..figures import FIGURE_COLUMNS, figures_with_floors, floor_columns, floor_lines
from ..rendering import to_markdown
from ..table import COUNT, Cell, Code, Column, Table
from . import MARK, bullets, front_matter, join, licence, warning
from .model_facts import ModelFacts, TrainedOn
from .model_index import model_index
from .usage import usage

PAPER = (
    "He et al., PeFoMed: Parameter Efficient Fine-tuning of Multimodal Large Language Models for Medical Imaging, "
    "arXiv:2401.02797"
)
_SHOWN = {
    "model": (
        "arch",
        "vit_model",
        "image_size",
        "lora_r",
        "lora_alpha",
        "lora_dropout",
        "lora_target_modules",
        "peft",
        "max_txt_len",
        "prompt_template",
        "llm_precision",
    ),
    "run": (
        "task",
        "init_lr",
        "min_lr",
        "warmup_lr",
        "warmup_steps",
        "weight_decay",
        "lr_sched",
        "max_epoch",
        "iters_per_epoch",
        "accum_grad_iters",
        "amp",
        "seed",
    ),
}
"""What a card shows of a configuration: no paths."""
_FILES = (Column("file", lambda item: Code(item[0])), Column("", itemgetter(1)))
_LIBRARIES = {
    "adapter": "peft",
    "merged": "transformers",
    "transformers": "transformers",
    "transformers_adapter": "peft",
}


def model_card(facts: ModelFacts) -> str:
    """Text of a model card."""
    parts = [
        front_matter(_model_front(facts)),
        MARK,
        "# " + facts.name,
        warning(facts.origins),
        f"MiniGPT-v2 fine-tuned by the PeFoMed recipe: a frozen {_vit(facts)} and a frozen "
        f"{'LLaMA-2' if facts.family is DEFAULT_FAMILY else facts.family.title}, of which only the projection between "
        f"them and low-rank adapters (LoRA){_trained_besides(facts)} are trained. **Not for clinical use.**",
        _base(facts),
        "## Files" if facts.files else "",
        to_markdown(Table("", _FILES, list(facts.files.items()))),
        "## Use",
        *usage(facts),
        bullets(facts.notes),
        "## Training data",
        _trained_table(facts.trained_on),
        _several_images(facts),
        _history(facts),
        "## Figures",
        _figures(facts),
        "## Intended use",
        "Research on medical visual question answering, report generation and fine-tuning methods.",
        "## Limits",
        "- Not a medical device, not checked for diagnosis, triage or any decision about a patient.\n"
        "- Answers are fluent whether or not they are right; findings, sides and measurements may be made up.\n"
        "- Only the modalities, populations and question styles of the data above were seen.\n"
        "- English, unless the data above say otherwise.",
        "## Licences",
        bullets(_model_licences(facts)),
        bullets(facts.terms()),
        "## Configuration",
        _configuration(facts),
        "## How to cite",
        bullets([PAPER, *(source.citation for source in facts.sources())]),
    ]
    return join(parts)


def _base(facts: ModelFacts) -> str:
    """What it is trained on top of."""
    if facts.origins.model == TINY:
        return "Base model: the generated tiny model of this software, which knows nothing of medicine."
    folder = facts.language_folder
    named = facts.base_model or (folder.name if folder is not None and folder.is_dir() else "")
    language = f"{facts.family.title}{f' (`{named}`)' if named else ''}"
    return f"Base model: {language} with the vision encoder {_vit(facts)} (`{facts.encoder.name}`)."


def _trained_besides(facts: ModelFacts) -> str:
    """Modules of the language model that are trained whole."""
    peft = (facts.config.get("model") or {}).get("peft") or {}
    return "".join(f", and its {name}" for name in peft.get("modules_to_save") or ())


def _several_images(facts: ModelFacts) -> str:
    """How many images its prompts showed, where they showed several."""
    learnt = facts.training.get("images_a_prompt") or {}
    said = ", ".join(f"up to {count} images ({task})" for task, count in learnt.items())
    return f"Its prompts showed {said}, each behind its name." if said else ""


def _model_front(facts: ModelFacts) -> dict[str, Any]:
    tasks = sorted({describe(part.dataset).hub_task for part in facts.trained_on})
    front: dict[str, Any] = {
        "language": _languages(facts),
        "pipeline_tag": "image-text-to-text",
        "tags": ["medical", "minigpt-v2", "pefomed", "lora", *tasks],
    }
    front = {**licence(_licence_id(facts)), **front}
    if facts.base_model:
        front["base_model"] = facts.base_model
    index = model_index(facts)
    if index:
        front["model-index"] = index
    library = _LIBRARIES.get(facts.form)
    return {**front, **({"library_name": library} if library else {})}


def _languages(facts: ModelFacts) -> list[str]:
    """That of the language model's own training, and those of the data."""
    specs = [(describe(part.dataset), part.options) for part in facts.trained_on]
    of_data = [name for spec, options in specs for name in spec.languages({**spec.defaults, **options})]
    return list(dict.fromkeys(["en", *of_data]))


def _trained_table(trained_on: Sequence[TrainedOn]) -> str:
    def dataset(trained: TrainedOn) -> str:
        options = "".join(f"; {key}={value}" for key, value in trained.options.items())
        options += "; generated" if trained.origin == GENERATED else ""
        return describe(trained.dataset).title + options

    columns = [
        Column("data set, train split", dataset),
        Column("name", lambda trained: Code(trained.dataset)),
        Column("trained in", lambda trained: "before" if trained.earlier else "this run"),
        Column(
            "samples",
            lambda trained: Cell(None, reason="not known") if trained.samples is None else trained.samples,
            COUNT,
        ),
        Column("layout", lambda trained: trained.layout or "-"),
        Column(
            "manifest (SHA-256)",
            lambda trained: Code(trained.manifest_sha256[:16]) if trained.manifest_sha256 else "-",
        ),
    ]
    return to_markdown(Table("", columns, trained_on))


def _history(facts: ModelFacts) -> str:
    if not facts.trained_on:
        return "The checkpoint does not say what it was trained on."
    if facts.whole_history:
        if facts.origins.model == TINY:
            return "Training began with the sample's untrained tiny model."
        if facts.family is not DEFAULT_FAMILY:
            return "Training began with an untrained projection and untrained LoRA."
        return "Training began with the released MiniGPT-v2, whose own data come on top."
    start = str((facts.config.get("model") or {}).get("ckpt") or "")
    named = "a checkpoint that is not named" if start.startswith("${") or not start else f"`{Path(start).name}`"
    return f"Training began with {named}; what that one was trained on could not be followed."


def _figures(facts: ModelFacts) -> str:
    figures = figures_with_floors(facts.figures)
    columns = [Column("test set", lambda figure: figure.test_set), *FIGURE_COLUMNS, *floor_columns(figures)]
    floors = floor_lines(facts.figures) or ["What is reached without looking was not measured (pefomed floors)."]
    notes = ["Intervals are bootstraps over studies or images.", *floors]
    return to_markdown(Table("", columns, figures, notes)) or "None: no metrics.json of these weights lay beside them."


_COVERED = "It covers what is derived from it, these weights too."
_BEGAN = "MiniGPT-v2's projection and LoRA, from which training began: BSD 3-Clause (Vision-CAIR/MiniGPT-4)."


def _model_licences(facts: ModelFacts) -> list[str]:
    language = facts.language_licence
    generated = [name for name, origin in facts.origins.data.items() if origin == GENERATED]
    of_model = (
        ["The tiny model, from which training began, is generated and under this software's licence, BSD 3-Clause."]
        if facts.origins.model == TINY
        else [
            " ".join(part for part in (language.notice, _COVERED, language.obliges) if part),
            *_encoder_terms(facts),
            *([_BEGAN] if facts.family is DEFAULT_FAMILY else []),
        ]
    )
    return [
        *of_model,
        *(f"`{name}`: generated data, under this software's licence, BSD 3-Clause." for name in generated),
        *(f"{source.title}: {source.licence}." for source in facts.sources()),
    ]


def _vit(facts: ModelFacts) -> str:
    return "EVA ViT" if facts.encoder.name == DEFAULT_ENCODER else facts.encoder.title


def _encoder_terms(facts: ModelFacts) -> list[str]:
    """On which terms the vision encoder's weights are, where it is another than MiniGPT-v2's."""
    encoder = facts.encoder
    if encoder.name == DEFAULT_ENCODER:
        return []
    terms = encoder.licence or "nobody says; look where they were published"
    where = f" ({encoder.home})" if encoder.home else ""
    return [f"Weights of the vision encoder, {encoder.title}{where}: {terms}. They are not in these files."]


def _licence_id(facts: ModelFacts) -> str:
    """The hub's identifier of the strictest licence that the weights are under."""
    if facts.terms():
        return "other"
    if facts.origins.model != TINY:
        return facts.language_licence.identifier
    of_data = {source.licence_id for source in facts.sources()}
    return of_data.pop() if len(of_data) == 1 else "other" if of_data else "bsd-3-clause"


def _configuration(facts: ModelFacts) -> str:
    rows: list[tuple[str, str]] = [
        (Code(f"{name}.{key}"), Code(section[key]))
        for name, keys in _SHOWN.items()
        for section in [facts.config.get(name) or {}]
        for key in keys
        if section.get(key) is not None
    ]
    rows += [
        (Code(f"datasets.{name}.{key}"), Code(section[key]))
        for name, section in (facts.config.get("datasets") or {}).items()
        for key in ("batch_size", "sample_ratio")
        if isinstance(section, Mapping) and section.get(key) is not None
    ]
    rows += [
        ("checkpoint: " + ("epoch (from 0)" if key == "epoch" else key), Code(value))
        for key, value in facts.training.items()
        if isinstance(value, (int, float, str)) and key != "version"
    ]
    rows.append(("pefomed_plugin", f"{facts.training.get('version', 'not used')} (this card: {__version__})"))
    rows += [(name, version + " (when this card was written)") for name, version in facts.versions.items()]
    return to_markdown(Table("", [Column("", itemgetter(0)), Column("", itemgetter(1))], rows))
