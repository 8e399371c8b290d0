"""Model cards and data cards: ``README.md`` with the front matter of the Hugging Face hub. Pure text from given facts.

``gather_facts`` looks for facts that lie near; everything else here reads nothing.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .. import __version__
from ..digests import file_sha256
from ..readers.prepared import MANIFEST, is_prepared, read_manifest, split_file
from ..requirements import installed_version
from ..storage import write_text
from .data_sources import DataSource, source_of
from .lineage import training_configs
from .results import Run
from .tables import figure_rows

CARD = "README.md"
OTHER_CARD = "README.pefomed.md"
"""Where the card goes when ``README.md`` is somebody else's."""
MARK = "<!-- Written by pefomed. To keep changes of your own, delete this line: the card is then left alone. -->"
PAPER = ("He et al., PeFoMed: Parameter Efficient Fine-tuning of Multimodal Large Language Models for Medical Imaging, "
         "arXiv:2401.02797")
LLAMA_NOTICE = ("Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta Platforms, Inc. "
                "All Rights Reserved.")
EMBEDDED = ("> **Embedded sample.** Made with generated drawings and a tiny model, to try the software. Its figures "
            "say nothing about medicine.")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_PACKAGES = ("torch", "transformers", "peft", "accelerate")
_SHOWN = {
    "model": ("arch", "image_size", "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules", "max_txt_len",
              "prompt_template", "llm_precision"),
    "run": ("task", "init_lr", "min_lr", "warmup_lr", "warmup_steps", "weight_decay", "lr_sched", "max_epoch",
            "iters_per_epoch", "accum_grad_iters", "amp", "seed"),
}
"""What a card shows of a configuration: no paths."""
_USE = {
    "checkpoint": "pefomed checkpoint inspect checkpoint_last.pth\n"
                  "PEFOMED_CKPT=checkpoint_last.pth torchrun evaluate.py --cfg-path eval_configs/pefomed_vqa_rad.yaml",
    "adapter": "from peft import PeftModel\nfrom transformers import LlamaForCausalLM\n\n"
               "llama = LlamaForCausalLM.from_pretrained(\"{base}\")\n"
               "model = PeftModel.from_pretrained(llama, \"PATH OF THIS FOLDER\")",
    "merged": "from transformers import LlamaForCausalLM\n\n"
              "model = LlamaForCausalLM.from_pretrained(\"PATH OF THIS FOLDER\")",
}
"""Form of the weights -> what to type."""
_WITH_IMAGES = {
    "adapter": "That is the language model alone. To ask about images, make a checkpoint of the folder: `pefomed "
               "checkpoint convert FOLDER --to minigpt4`, and give it as `model.ckpt`.",
    "merged": "That is the language model alone. To ask about images, give MiniGPT-v2 `model.llama_model=FOLDER "
              "model.ckpt=FOLDER/projector.safetensors model.lora_r=0`.",
}


@dataclass(frozen=True)
class TrainedOn:
    """The training part of one data set."""

    dataset: str
    """Registry name."""
    samples: Optional[int] = None
    """In its train split, where known."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The reader's."""
    layout: str = ""
    """In which form the release was found, where it was prepared."""
    manifest_sha256: str = ""
    """Of the prepared folder's manifest, where it was prepared."""
    earlier: bool = False
    """In a run before, whose checkpoint this one started from."""


@dataclass(frozen=True)
class ModelFacts:
    """What a model card is written from; what is not known stays empty and the card says so."""

    name: str
    form: str = "checkpoint"
    """``checkpoint``, ``adapter`` or ``merged``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Of the run: ``model``, ``datasets``, ``run``."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """``pefomed`` of the checkpoint, and the epoch."""
    trained_on: Sequence[TrainedOn] = ()
    whole_history: bool = False
    """Whether ``trained_on`` goes back to the released MiniGPT-v2."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """``results`` of ``metrics.json``: test set -> its metrics."""
    base_model: Optional[str] = None
    """The LLaMA's name on the Hugging Face hub."""
    files: Mapping[str, str] = field(default_factory=dict)
    """File -> what it is."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> version, where the card is written: of the training, if that is when."""
    notes: Sequence[str] = ()
    """Further sentences: where alpha was taken from, what was left out."""

    @property
    def embedded(self) -> bool:
        """Whether generated sample data or the tiny model took part."""
        return bool(self.training.get("embedded") or (self.config.get("run") or {}).get("embedded"))

    def sources(self) -> List[DataSource]:
        """The releases behind the training data, each once; none behind generated ones."""
        return [] if self.embedded else list({each.dataset: source_of(each.dataset) for each in self.trained_on}.values())

    def terms(self) -> List[str]:
        """What the training data forbid to do with them or with the model, one sentence a release."""
        return ["{}: {}".format(each.title, each.passing_on) for each in self.sources() if each.passing_on]


def gather_facts(folder: Path, config: Mapping[str, Any], training: Mapping[str, Any], **given: Any) -> ModelFacts:
    """Facts of a run from its configuration and from what lies near.

    Args:
        folder: the run's; its ``metrics.json`` holds the figures, and gives the card its name.
        config: of the run; references to the environment may be unresolved.
        training: ``pefomed`` of its checkpoint; ``samples`` (data set -> split -> count) is used where it is there.
        given: other fields of ``ModelFacts``.
    """
    folder = Path(folder)
    embedded = bool(training.get("embedded") or (config.get("run") or {}).get("embedded"))
    whole, configs = training_configs(Run(folder.name, folder, config, embedded))
    counts = training.get("samples") or {}
    trained_on = [_trained_on(name, each, (counts.get(name) or {}).get("train") if each is config else None,
                              earlier=each is not config)
                  for each in configs for name in each.get("datasets") or {}]
    metrics = folder / "metrics.json"
    content = json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {}
    return ModelFacts(**{"name": folder.resolve().name, "config": config, "training": training,
                         "trained_on": trained_on, "whole_history": whole, "figures": content.get("results") or {},
                         "versions": _versions(),
                         **given})


def _versions() -> Dict[str, str]:
    versions = {name: installed_version(name) for name in _PACKAGES}
    return {name: version for name, version in versions.items() if version}


def write_model_card(folder: Path, facts: ModelFacts) -> Path:
    """Write the card of the weights in ``folder``; the file written (see ``CARD`` and ``OTHER_CARD``).

    Raises:
        DataError: the folder cannot be written.
    """
    return _write(folder, model_card(facts))


def write_data_card(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write the card of a prepared data set from its manifest; the file written.

    Raises:
        DataError: the folder cannot be written.
    """
    return _write(folder, data_card(manifest))


def model_card(facts: ModelFacts) -> str:
    """Text of a model card."""
    parts = [
        _front_matter(_model_front(facts)), MARK, "# " + facts.name, EMBEDDED if facts.embedded else "",
        "MiniGPT-v2 fine-tuned by the PeFoMed recipe: a frozen EVA ViT and a frozen LLaMA-2, of which only the "
        "projection between them and low-rank adapters (LoRA) are trained. **Not for clinical use.**",
        "## Files" if facts.files else "", _table(("file", ""), [("`{}`".format(name), what)
                                                                 for name, what in facts.files.items()]),
        "## Use", "```{}\n{}\n```".format("bash" if facts.form == "checkpoint" else "python", _USE[facts.form].format(
            base=facts.base_model or "PATH OF THE LLAMA")),
        _WITH_IMAGES.get(facts.form, ""),
        _bullets(facts.notes),
        "## Training data", _trained_table(facts.trained_on), _history(facts),
        "## Figures", _figures(facts),
        "## Intended use", "Research on medical visual question answering, report generation and fine-tuning methods.",
        "## Limits",
        "- Not a medical device, not checked for diagnosis, triage or any decision about a patient.\n"
        "- Answers are fluent whether or not they are right; findings, sides and measurements may be made up.\n"
        "- Only the modalities, populations and question styles of the data above were seen.\n"
        "- English, unless the data above say otherwise.",
        "## Licences", _bullets(_model_licences(facts)), _bullets(facts.terms()),
        "## Configuration", _configuration(facts),
        "## How to cite", _bullets([PAPER, *(each.citation for each in facts.sources())]),
    ]
    return _join(parts)


def data_card(manifest: Mapping[str, Any]) -> str:
    """Text of a prepared data set's card."""
    source = source_of(manifest["dataset"])
    broken = [(each["check"], each["expected"], each["found"]) for each in manifest.get("verdicts", ())
              if not each["holds"]]
    found = [(each["what"], "{:,}".format(each["count"]), "{:,}".format(each["of"]))
             for key in ("repetitions", "leaks") for each in manifest.get(key, ()) if each["count"]]
    lengths = [(each["split"], "{:,}".format(each["count"]), "{:g}".format(each["median"]), str(each["longest"]))
               for each in manifest.get("lengths", ())]
    made = {"pefomed_plugin": manifest["plugin_version"], "layout": manifest["layout"],
            "options": json.dumps(manifest.get("options") or {}),
            "images": "opened and checked" if manifest.get("images_opened") else "not looked at"}
    parts = [
        _front_matter(_data_front(manifest, source)), MARK, "# {} ({})".format(source.title, manifest["layout"]),
        EMBEDDED if manifest.get("embedded") else "",
        "Prepared by `pefomed prepare` from {}. One JSON object a line; the images stay in the release and are not "
        "here.".format(source.url or "a folder of own data"),
        "## Splits", _table(("split", "samples", "median words", "longest"), lengths),
        "## Left out", _table(("reason", "rows"), [(reason, "{:,}".format(rows)) for reason, rows in
                                                   manifest.get("skipped", {}).items()]) or "Nothing.",
        "## Licence", *(["Generated; BSD 3-Clause."] if manifest.get("embedded") else
                        [source.licence[0].upper() + source.licence[1:] + ".", source.passing_on]),
        "## What to know", _bullets(source.quirks),
        "Figures of the published release that do not hold here:" if broken else "",
        _table(("check", "expected", "found"), broken),
        "What occurs twice, and what of the held-out splits is in train:" if found else "",
        _table(("", "samples", "of"), found),
        "Not for clinical use.",
        "## How it was made", _table(("", ""), list(made.items())),
        _table(("file of the release", "SHA-256"), [("`{}`".format(Path(each["path"]).name), each["sha256"])
                                                    for each in manifest.get("sources", ())]),
        "## How to cite", "- " + source.citation,
    ]
    return _join(parts)


def _trained_on(name: str, config: Mapping[str, Any], samples: Optional[int], *, earlier: bool) -> TrainedOn:
    section = config["datasets"][name] or {}
    folder = _storage(config, name)
    options = section.get("options") or {}
    if folder is None or not is_prepared(folder):
        return TrainedOn(name, samples, options, earlier=earlier)
    manifest = read_manifest(folder)
    return TrainedOn(name, manifest["kept"].get("train") if samples is None else samples,
                     manifest.get("options") or options, manifest["layout"], file_sha256(folder / MANIFEST), earlier)


def _storage(config: Mapping[str, Any], name: str) -> Optional[Path]:
    """Folder of a data set; None where the configuration's references lead nowhere on this machine."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        storage = OmegaConf.select(OmegaConf.create(dict(config)), "datasets.{}.build_info.storage".format(name))
    except OmegaConfBaseException:
        return None
    return Path(storage) if isinstance(storage, str) else None


def _model_front(facts: ModelFacts) -> Dict[str, Any]:
    tasks = sorted({source_of(each.dataset).task for each in facts.trained_on})
    front: Dict[str, Any] = {"language": ["en"], "pipeline_tag": "image-text-to-text",
                             "tags": ["medical", "radiology", "minigpt-v2", "pefomed", "lora", *tasks]}
    front = {**_licence("bsd-3-clause" if facts.embedded else "other" if facts.terms() else "llama2"), **front}
    if facts.base_model:
        front["base_model"] = facts.base_model
    library = {"adapter": "peft", "merged": "transformers"}.get(facts.form)
    return {**front, **({"library_name": library} if library else {})}


def _data_front(manifest: Mapping[str, Any], source: DataSource) -> Dict[str, Any]:
    total = sum(manifest["kept"].values())
    language = {"zh": ["zh"], "all": ["en", "zh"]}.get((manifest.get("options") or {}).get("language", "en"), ["en"])
    licence = _licence("bsd-3-clause" if manifest.get("embedded") else source.licence_id)
    return {**licence, "pretty_name": source.title, "language": language, "task_categories": [source.task],
            "size_categories": [next((name for limit, name in _SIZES if total < limit), "n>1M")],
            "tags": ["medical", "radiology" if manifest["dataset"] != "path_vqa" else "pathology", "pefomed"],
            "configs": [{"config_name": "default", "data_files": [
                {"split": _HUB_SPLITS[split], "path": split_file(split)} for split in manifest["kept"]]}]}


def _trained_table(trained_on: Sequence[TrainedOn]) -> str:
    rows = []
    for each in trained_on:
        options = ", ".join("{}={}".format(key, value) for key, value in each.options.items())
        rows.append((
            "{} (`{}`{})".format(source_of(each.dataset).title, each.dataset, "; " + options if options else ""),
            "before" if each.earlier else "this run",
            "not known" if each.samples is None else "{:,}".format(each.samples),
            each.layout or "-", "`{}`".format(each.manifest_sha256[:16]) if each.manifest_sha256 else "-"))
    return _table(("data set, train split", "trained in", "samples", "layout", "manifest (SHA-256)"), rows)


def _history(facts: ModelFacts) -> str:
    if facts.whole_history:
        return "Training began with the released MiniGPT-v2, whose own data come on top."
    start = str((facts.config.get("model") or {}).get("ckpt") or "")
    named = start.startswith("${") or not start
    return "Training began with {}; what that one was trained on could not be followed{}.".format(
        "a checkpoint that is not named" if named else "`{}`".format(Path(start).name),
        "" if facts.trained_on else ", and the file does not say what came after")


def _figures(facts: ModelFacts) -> str:
    rows = [(key, *row) for key, metrics in facts.figures.items() for row in figure_rows(metrics)]
    if not rows:
        return "None: no metrics.json lay beside the weights."
    return _table(("test set", "score", "n", "value", "95 % interval"), rows) + \
        "\n\nIntervals are bootstraps over studies or images."


def _model_licences(facts: ModelFacts) -> List[str]:
    if facts.embedded:
        return ["Model and data are generated; both are under this software's licence, BSD 3-Clause."]
    return [LLAMA_NOTICE + " It covers what is derived from it, these weights too.",
            "MiniGPT-v2's projection and LoRA, from which training began: BSD 3-Clause (Vision-CAIR/MiniGPT-4).",
            *("{}: {}.".format(each.title, each.licence) for each in facts.sources())]


def _configuration(facts: ModelFacts) -> str:
    rows = [("`{}.{}`".format(name, key), "`{}`".format(section[key]))
            for name, keys in _SHOWN.items() for section in [facts.config.get(name) or {}]
            for key in keys if section.get(key) is not None]
    rows += [("`datasets.{}.{}`".format(name, key), "`{}`".format(section[key]))
             for name, section in (facts.config.get("datasets") or {}).items() for key in ("batch_size", "sample_ratio")
             if isinstance(section, Mapping) and section.get(key) is not None]
    rows += [("checkpoint: " + ("epoch (from 0)" if key == "epoch" else key), "`{}`".format(value))
             for key, value in facts.training.items() if isinstance(value, (int, float, str)) and key != "version"]
    rows.append(("pefomed_plugin", "{} (this card: {})".format(facts.training.get("version", "not used"), __version__)))
    rows += [(name, version + " (when this card was written)") for name, version in facts.versions.items()]
    return _table(("", ""), rows)


def _licence(identifier: str) -> Dict[str, str]:
    other = {"license_name": "see-licences", "license_link": "README.md"} if identifier == "other" else {}
    return {"license": identifier, **other}


def _front_matter(content: Mapping[str, Any]) -> str:
    import yaml

    return "---\n{}---".format(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines: List[Sequence[str]] = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| {} |".format(" | ".join(str(each).replace("|", "\\|").replace("\n", " ") for each in line))
                     for line in lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join("- " + each for each in lines)


def _join(parts: Sequence[str]) -> str:
    return "\n\n".join(each for each in parts if each) + "\n"


def _write(folder: Path, text: str) -> Path:
    path = Path(folder) / CARD
    if path.is_file() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        path = path.with_name(OTHER_CARD)
    write_text(path, text)
    return path
