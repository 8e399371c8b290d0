"""Model cards and data cards: what they say, what they must not say, and that the hub can read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pefomed_plugin.digests import file_sha256
from pefomed_plugin.families import LLAMA3, QWEN3
from pefomed_plugin.origins import GENERATED, REAL, TINY, Origins, mark_generated
from pefomed_plugin.readers.prepared import read_manifest
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.reporting.cards import CARD, MARK, OTHER_CARD, write_card
from pefomed_plugin.reporting.cards.data_card import data_card
from pefomed_plugin.reporting.cards.model_card import model_card
from pefomed_plugin.reporting.cards.model_facts import ModelFacts, TrainedOn, gather_facts
from pefomed_plugin.services.data.prepare import prepare
from tests.unit.services.small import LEAKY, write_rad

FIGURES = {
    "vqa_rad-test": {
        "n": 4,
        "scores": {
            "exact_match/pefomed": {
                "version": "1",
                "overall": {"n": 4, "correct": 3, "value": 75.0, "unit": "%", "interval": {"low": 30.1, "high": 95.4}},
            }
        },
    }
}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A small VQA-RAD as ``pefomed prepare`` leaves it, marked as generated."""
    source = write_rad(tmp_path / "sample" / "vqa_rad", LEAKY)
    mark_generated(tmp_path / "sample", {})
    prepare(VQA_RAD, source, tmp_path / "prepared")
    return tmp_path / "prepared"


def front_of(text: str) -> dict[str, Any]:
    return yaml.safe_load(text.split("---\n")[1])


def config(ckpt: str, **datasets: Any) -> dict[str, Any]:
    return {
        "model": {"arch": "minigpt_v2", "lora_r": 64, "ckpt": ckpt, "llama_model": "/home/me/llama"},
        "datasets": datasets,
        "run": {"task": "medical_vqa", "init_lr": 3e-5, "output_dir": "/home/me/out"},
    }


# -- model cards -------------------------------------------------------------------------------------------------------


def test_a_model_card_says_data_licences_figures_and_limits() -> None:
    text = model_card(
        ModelFacts(
            "stage2",
            config=config("a/minigptv2_checkpoint.pth"),
            figures=FIGURES,
            trained_on=[
                TrainedOn("vqa_rad", 3064, layout="re-release", manifest_sha256="ab" * 32),
                TrainedOn("roco", 65448, {"kind": "radiology"}, earlier=True),
            ],
            whole_history=True,
            training={"version": "0.1.0", "seed": 42},
        )
    )
    assert front_of(text)["license"] == "llama2"
    assert "| VQA-RAD | `vqa_rad` | this run | 3,064 | re-release | `abababababababab` |" in text
    assert "| ROCO; kind=radiology | `roco` | before | 65,448 | - | - |" in text
    assert "Training began with the released MiniGPT-v2" in text
    assert "| vqa_rad-test | exact_match/pefomed overall | 3 of 4 | 75.0 % | 30.1 - 95.4 |" in text
    assert "Copyright (c) Meta Platforms" in text and "VQA-RAD: CC0 1.0." in text
    assert "Not for clinical use." in text and "Lau et al." in text
    assert "| `run.init_lr` | `3e-05` |" in text and "| checkpoint: seed | `42` |" in text
    assert "/home/me" not in text
    assert "Not a result" not in text


def test_a_card_names_the_language_models_own_licence_and_class(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\n")
    text = model_card(ModelFacts("x", "merged", family=LLAMA3, language_folder=tmp_path, whole_history=True))
    assert front_of(text)["license"] == "llama3.2"
    assert "Llama 3.2 is licensed under the Llama 3.2 Community License" in text and "Built with Llama" in text
    assert "a frozen LLaMA-3, of which" in text and "released MiniGPT-v2" not in text
    qwen = model_card(ModelFacts("x", "adapter", family=QWEN3, trained_on=[TrainedOn("vqa_rad")], whole_history=True))
    assert front_of(qwen)["license"] == "apache-2.0"
    assert "from transformers import Qwen3ForCausalLM" in qwen and "Llama" not in qwen.split("## Use")[1]
    assert "Training began with an untrained projection and untrained LoRA." in qwen


def test_what_is_not_known_is_said() -> None:
    text = model_card(ModelFacts("bare"))
    assert "does not say what it was trained on" in text
    assert "None: no metrics.json of these weights lay beside them." in text
    unfollowed = model_card(ModelFacts("x", config=config("/home/me/stage1/last.pth"), trained_on=[TrainedOn("slake")]))
    assert "Training began with `last.pth`; what that one was trained on could not be followed." in unfollowed
    assert "| SLAKE | `slake` | this run | not known | - | - |" in unfollowed


def test_terms_of_earlier_data_bind_later_weights() -> None:
    text = model_card(ModelFacts("x", trained_on=[TrainedOn("vqa_rad"), TrainedOn("mimic_cxr", earlier=True)]))
    assert front_of(text)["license"] == "other"
    assert "share such a model through PhysioNet" in text


def test_generated_data_are_under_no_releases_licence() -> None:
    origin = Origins({"mimic_cxr": GENERATED}, TINY).to_json()
    facts = ModelFacts("x", trained_on=[TrainedOn("mimic_cxr", origin=GENERATED)], training={"origin": origin})
    text = model_card(facts)
    assert front_of(text)["license"] == "bsd-3-clause"
    assert "Not a result: tiny model, generated data (mimic_cxr)." in text
    assert "| MIMIC-CXR; generated | `mimic_cxr` |" in text
    assert "PhysioNet" not in text and facts.terms() == []


def test_real_data_keep_their_licence_beside_the_tiny_model() -> None:
    """A checkpoint of an earlier version says only that the sample took part: its data are taken for real."""
    for training in ({"origin": {"data": {"vqa_rad": "real"}, "model": "tiny"}}, {"embedded": True}):
        text = model_card(ModelFacts("x", trained_on=[TrainedOn("vqa_rad", origin=REAL)], training=training))
        assert front_of(text)["license"] == "cc0-1.0"
        assert "Not a result: tiny model, real data (vqa_rad)." in text
        assert "VQA-RAD: CC0 1.0." in text and "The tiny model, from which training began, is generated" in text
        assert "Copyright (c) Meta" not in text
        bound = ModelFacts("x", trained_on=[TrainedOn("mimic_cxr", origin=REAL)], training=training)
        assert front_of(model_card(bound))[
            "license"
        ] == "other" and "share such a model through PhysioNet" in model_card(bound)


def test_what_is_trained_beside_lora_is_on_the_card() -> None:
    peft = {"use_dora": True, "modules_to_save": ["lm_head", "norm"]}
    text = model_card(ModelFacts("x", config={"model": {"lora_r": 8, "peft": peft}}))
    assert "low-rank adapters (LoRA), and its lm_head, and its norm are trained" in " ".join(text.split())
    assert "`model.peft`" in text and "use_dora" in text


@pytest.mark.parametrize(
    ("form", "library", "told"),
    [
        ("adapter", "peft", 'LlamaForCausalLM.from_pretrained("meta-llama/Llama-2-7b-chat-hf")'),
        ("merged", "transformers", "model.lora_r=0"),
        ("checkpoint", None, "pefomed_plugin.load("),
    ],
)
def test_how_to_use_it_depends_on_its_form(form: str, library: Any, told: str) -> None:
    text = model_card(ModelFacts("x", form=form, base_model="meta-llama/Llama-2-7b-chat-hf"))
    assert "PATH OF THIS FOLDER" not in text
    assert told in text
    assert front_of(text).get("library_name") == library
    assert front_of(text)["base_model"] == "meta-llama/Llama-2-7b-chat-hf"


def test_facts_are_gathered_from_what_lies_near(prepared: Path, tmp_path: Path) -> None:
    for name, started_from, dataset in (
        ("stage1", "x/minigptv2_checkpoint.pth", "roco"),
        ("stage2", str(tmp_path / "stage1" / "checkpoint_last.pth"), "vqa_rad"),
    ):
        (tmp_path / name).mkdir()
        storage = str(prepared) if dataset == "vqa_rad" else "${oc.env:PEFOMED_NOT_SET}/roco"
        content = config(started_from, **{dataset: {"build_info": {"storage": storage}}})
        content["run"]["task"] = "medical_caption" if name == "stage1" else "medical_vqa"
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "stage2" / "metrics.json").write_text(json.dumps({"results": FIGURES}))
    facts = gather_facts(tmp_path / "stage2", content, {"seed": 42})
    vqa_rad, roco = facts.trained_on
    assert (vqa_rad.dataset, vqa_rad.samples, vqa_rad.layout, vqa_rad.earlier) == ("vqa_rad", 4, "re-release", False)
    assert len(vqa_rad.manifest_sha256) == 64
    assert (roco.dataset, roco.samples, roco.earlier) == ("roco", None, True)
    assert (facts.name, facts.whole_history, facts.figures) == ("stage2", True, FIGURES)
    assert gather_facts(tmp_path / "stage2", content, {"samples": {"vqa_rad": {"train": 3}}}).trained_on[0].samples == 3


def test_figures_of_other_weights_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"results": FIGURES}))
    answers = tmp_path / "results" / "vqa_rad-test" / "predictions.jsonl"
    answers.parent.mkdir(parents=True)
    weights = tmp_path / "checkpoint_last.pth"
    weights.write_bytes(b"weights")
    for digest, expected in ((file_sha256(weights), FIGURES), (None, FIGURES), ("0" * 64, {})):
        answers.write_text(json.dumps({"id": "x", "producer": {"checkpoint_sha256": digest}}) + "\n")
        assert gather_facts(tmp_path, {}, {}, weights).figures == expected


def test_what_was_scored_since_and_floors_are_on_the_card(tmp_path: Path) -> None:
    """``metrics.json`` of a run is of its end; ``score`` and ``floors`` write beside the answers."""
    (tmp_path / "metrics.json").write_text(json.dumps({"results": FIGURES}))
    assert "without looking was not measured (pefomed floors)" in model_card(gather_facts(tmp_path, {}, {}))
    (test_set,) = FIGURES
    later = tmp_path / "results" / test_set / "metrics.json"
    later.parent.mkdir(parents=True)
    (scorer,) = FIGURES[test_set]["scores"]
    floor = {"predictor": "most_frequent", "figures": {"overall": {"value": 31.9, "n": 4, "unit": "%"}}}
    later.write_text(json.dumps({**FIGURES[test_set], "floors": {scorer: floor}}))
    text = model_card(gather_facts(tmp_path, {}, {}))
    assert "31.9" in text and "without looking: most_frequent" in text
    assert "without looking 31.9" in str(front_of(text)["model-index"])


# -- data cards --------------------------------------------------------------------------------------------------------


def test_a_data_card_from_a_manifest(prepared: Path) -> None:
    path = write_card(prepared, data_card(read_manifest(prepared)))
    text = path.read_text(encoding="utf-8")
    front = front_of(text)
    assert (path.name, front["license"], front["pretty_name"]) == (CARD, "bsd-3-clause", "VQA-RAD")
    assert front["configs"][0]["data_files"] == [
        {"split": "train", "path": "train.jsonl"},
        {"split": "test", "path": "test.jsonl"},
    ]
    assert "Not a result: generated data (vqa_rad)." in text
    assert "| train | 4 | 1 | 5 |" in text
    assert "| test: images in train | 2 | 3 |" in text
    assert "284 of 451 test questions" in text and "doi:10.1038/sdata.2018.251" in text
    assert "| `trainset.json` |" in text and str(prepared.parent) not in text, "no path of this machine"


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        (["vqa"], ["visual-question-answering"]),
        (["report"], ["image-to-text"]),
        (["report", "vqa"], ["image-to-text", "visual-question-answering"]),
        (None, ["image-to-text"]),
    ],
)
def test_data_of_ones_own_are_for_what_they_hold(prepared: Path, tasks: Any, told: list[str]) -> None:
    manifest = {**read_manifest(prepared), "dataset": "medical_custom", "tasks": tasks}
    assert front_of(data_card(manifest))["task_categories"] == told


def test_a_real_data_sets_licence_and_what_does_not_hold(prepared: Path) -> None:
    manifest = {
        **read_manifest(prepared),
        "origin": REAL,
        "dataset": "mimic_cxr",
        "skipped": {"no findings": 1234},
        "verdicts": [{"check": "images", "severity": "E", "expected": "377,110", "found": "4", "holds": False}],
    }
    text = data_card(manifest)
    assert front_of(text)["license"] == "other"
    assert "may be passed on" in text
    assert "| no findings | 1,234 |" in text
    assert "| images | 377,110 | 4 |" in text
    assert front_of(data_card({**manifest, "dataset": "slake", "options": {"language": "all"}}))["language"] == [
        "en",
        "zh",
    ]
    assert "to be stated by whoever collected them" in data_card({**manifest, "dataset": "medical_custom"})


def test_somebody_elses_readme_is_left_alone(prepared: Path) -> None:
    (prepared / CARD).write_text("mine")
    assert write_card(prepared, data_card(read_manifest(prepared))).name == OTHER_CARD
    assert (prepared / CARD).read_text() == "mine"
    (prepared / CARD).write_text("old\n" + MARK)
    assert write_card(prepared, data_card(read_manifest(prepared))).name == CARD
    assert "VQA-RAD" in (prepared / CARD).read_text(encoding="utf-8")


def test_a_card_of_a_model_does_not_take_the_place_of_that_of_data(prepared: Path) -> None:
    """A run whose output_dir is the folder of prepared data."""
    write_card(prepared, data_card(read_manifest(prepared)))
    assert write_card(prepared, model_card(ModelFacts("x"))).name == OTHER_CARD
    assert "VQA-RAD" in (prepared / CARD).read_text(encoding="utf-8")
    assert "# x" in (prepared / OTHER_CARD).read_text(encoding="utf-8")
    (prepared / CARD).unlink()
    for name in ("x", "y"):
        assert write_card(prepared, model_card(ModelFacts(name))).name == CARD


# -- both --------------------------------------------------------------------------------------------------------------


def test_what_was_measured_is_in_the_model_index() -> None:
    """As the hub reads it: each figure with its interval, its floor, and whether the data are generated."""
    floors = {"exact_match/pefomed": {"predictor": "most_often", "figures": {"overall": {"value": 50.0, "unit": "%"}}}}
    figures = {"vqa_rad-test": {**FIGURES["vqa_rad-test"], "floors": floors}}
    (model,) = front_of(model_card(ModelFacts("x", figures=figures)))["model-index"]
    (result,) = model["results"]
    assert result["dataset"] == {"name": VQA_RAD.title, "type": "vqa_rad", "split": "test"}
    assert result["task"] == {"type": "visual-question-answering"}
    (metric,) = result["metrics"]
    assert (metric["type"], metric["value"]) == ("exact_match/pefomed", 75.0)
    assert "95 % interval 30.1 to 95.4" in metric["name"] and "without looking 50" in metric["name"]
    made = ModelFacts("x", figures=figures, trained_on=[TrainedOn("vqa_rad", origin=GENERATED)])
    named = front_of(model_card(made))["model-index"][0]["results"][0]["dataset"]["name"]
    assert named == f"{VQA_RAD.title} (generated, not the release)"
    assert "model-index" not in front_of(model_card(ModelFacts("x")))


def test_the_base_is_named(tmp_path: Path) -> None:
    (tmp_path / "Llama-2-7b-chat-hf").mkdir()
    text = model_card(ModelFacts("x", language_folder=tmp_path / "Llama-2-7b-chat-hf", weights="checkpoint_best.pth"))
    assert "Base model: LLaMA" in text and "`Llama-2-7b-chat-hf`" in text and "`eva_clip_g`" in text
    assert 'load("checkpoint_best.pth", llama="Llama-2-7b-chat-hf", vit="eva_vit_g.pth")' in text
    assert str(tmp_path) not in text
    tiny = model_card(ModelFacts("x", training={"origin": {"model": TINY}}))
    assert 'load("checkpoint_last.pth")' in tiny and "generated tiny model" in tiny


def test_the_hub_reads_the_front_matter(tmp_path: Path, prepared: Path) -> None:
    from huggingface_hub import DatasetCard, ModelCard

    model = ModelCard.load(write_card(tmp_path, model_card(ModelFacts("x", form="adapter", base_model="a/b"))))
    assert (model.data.license, model.data.base_model, model.data.library_name) == ("llama2", "a/b", "peft")
    measured = ModelCard.load(write_card(tmp_path, model_card(ModelFacts("x", figures=FIGURES))))
    (result,) = measured.data.eval_results
    assert (result.dataset_type, result.metric_value) == ("vqa_rad", 75.0)
    data = DatasetCard.load(write_card(prepared, data_card(read_manifest(prepared))))
    assert (data.data.task_categories, data.data.size_categories) == (["visual-question-answering"], ["n<1K"])


def test_a_card_of_an_unknown_data_set_declares_no_licence(prepared: Path) -> None:
    text = data_card({**read_manifest(prepared), "dataset": "some-other", "origin": REAL})
    assert "# some-other" in text and "Licence not declared." in text and "- not declared" in text
    text = model_card(ModelFacts("x", trained_on=[TrainedOn("some-other", 3)]))
    assert "- some-other: licence not declared." in text


def test_cards_of_several_images_say_what_is_shown(prepared: Path) -> None:
    views = {"train": {"frontal + lateral": 3, "one image": 1}}
    notes = {"image(s) are not among the views that are shown": 2}
    card = data_card({**read_manifest(prepared), "views": views, "notes": notes, "skipped": {}})
    assert "| train | frontal + lateral | 3 |" in card and "| train | one image | 1 |" in card
    assert "- 2 image(s) are not among the views that are shown" in card and "Nothing." not in card
    facts = ModelFacts("run", training={"images_a_prompt": {"report": 2}})
    assert "Its prompts showed up to 2 images (report), each behind its name." in model_card(facts)
    assert "Its prompts showed" not in model_card(ModelFacts("run"))


@pytest.mark.parametrize(("language", "told"), [("en", ["en"]), ("all", ["en", "zh"]), ("zh", ["en", "zh"])])
def test_the_languages_are_those_of_the_data(language: str, told: list[str]) -> None:
    facts = ModelFacts("x", trained_on=[TrainedOn("slake", options={"language": language})])
    assert front_of(model_card(facts))["language"] == told
