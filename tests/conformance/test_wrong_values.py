"""Every key that is declared, with values that nobody means: refused by name, or legal as it is declared."""

from __future__ import annotations

import math
import re
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

import pytest

from pefomed_plugin.adapters.training.strategies import STRATEGIES
from pefomed_plugin.cli.estimate import _NAMES, _Declared
from pefomed_plugin.config.compose import compose_config, read_configuration
from pefomed_plugin.config.datasets import DatasetConfig
from pefomed_plugin.config.fields import alternatives_of, hints_of, options_of, rule_of
from pefomed_plugin.config.model import ModelConfig
from pefomed_plugin.config.run import RunConfig
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry

HOSTILE = {
    "null": None,
    "true": True,
    "zero": 0,
    "minus one": -1,
    "a half": 0.5,
    "nan": math.nan,
    "infinity": math.inf,
    "as text": "nan",
    "huge": 10**400,
    "large": 1e30,
    "empty": "",
    "a word": "eror",
    "NUL": "a\0b",
    "half a character": "\udcff",
    "other digits": "١٢",
    "a list": [],
    "a list of lists": [["train"]],
    "a list of numbers": [-1, 2],
    "a section": {"nonsense": 1},
    "an empty section": {},
    "missing": "???",
}


def keys_of(section, where, prefix=()):
    """(where, path, hint, rule) of every key of a section and of the sections in it."""
    hints = hints_of(section)
    for name, declared in options_of(section).items():
        yield where, (*prefix, name), hints[name], rule_of(declared)
        for kind in alternatives_of(hints[name]):
            if is_dataclass(kind):
                yield from keys_of(kind, where, (*prefix, name))


KEYS = [
    *keys_of(ModelConfig, ("model",)),
    *keys_of(DatasetConfig, ("datasets", "vqa_rad")),
    *keys_of(RunConfig, ("run",)),
]


def sections_with(where, path, value) -> dict[str, Any]:
    sections: dict[str, Any] = {
        "model": {"arch": "minigpt_v2"},
        "datasets": {"vqa_rad": {}},
        "run": {"task": "medical_vqa", "output_dir": "out", "test_splits": ["test"]},
    }
    at = sections
    for name in (*where, *path)[:-1]:
        at = at.setdefault(name, {})
    at[path[-1]] = value
    return sections


def is_legal(value, hint, rule) -> bool:
    """By the declaration alone, written down a second time."""
    kinds = [kind for kind in alternatives_of(hint) if kind is not type(None)]
    if value == "???":
        return False
    if value is None:
        return len(kinds) < len(alternatives_of(hint)) or is_dataclass(kinds[0]) or get_origin(kinds[0]) is dict
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, (int, float)):
        numbers = {int, float} & set(kinds)
        if not numbers or not math.isfinite(value if abs(value) < 1e308 else math.inf):
            return False
        if numbers == {int} and value != int(value):
            return False
        largest = rule.maximum if rule.maximum is not None else (2**31 - 1 if int in kinds else 1e9)
        return (
            abs(value) <= largest
            and (rule.minimum is None or value >= rule.minimum)
            and (rule.above is None or value > rule.above)
            and (rule.below is None or value < rule.below)
        )
    if isinstance(value, str):
        if tuple in map(get_origin, kinds) and str in get_args(kinds[0]):
            return value in (rule.choices or [value]) and value.isprintable()
        if str not in kinds:
            return False
        return value in rule.choices or (not rule.choices and value.isprintable() and not (rule.filled and not value))
    if isinstance(value, list):
        return value == [] and tuple in map(get_origin, kinds) and Ellipsis in get_args(kinds[0]) and not rule.filled
    if get_origin(kinds[0]) is dict:
        return not rule.filled
    return value == {} and is_dataclass(kinds[0])


@pytest.fixture
def compose(monkeypatch):
    """What train, evaluate, doctor and estimate all do with a YAML; here with the sections as they stand."""
    register_all()

    def composed(sections, options=(), known=registry):
        monkeypatch.setattr("pefomed_plugin.config.compose.load_yaml", lambda _: dict(sections))
        monkeypatch.setattr("pefomed_plugin.config.compose.plain", lambda tree: tree)
        monkeypatch.setattr("pefomed_plugin.config.compose.defaults_in", lambda _: {})
        monkeypatch.setattr("pefomed_plugin.config.layers.defaults_in", lambda _: {})
        return compose_config("run.yaml", options, known, STRATEGIES, {}, nothing_has_to_be_set=True)

    return composed


# names that only the registry knows, sections with rules of their own, and keys that another key decides about
_TOLD_ELSEWHERE = {
    *("run.task", "run.runner", "run.lr_sched", "run.strategy", "model.arch", "model.model_type"),
    *("datasets.vqa_rad.type", "run.wandb", "datasets.vqa_rad.options", "run.evaluate"),
}


@pytest.mark.parametrize("sections", [False, True], ids=["keys", "sections"])
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_wrong_values_of_all_keys_are_refused_together(compose, value, sections):
    """One configuration in which every key has the value, where it is not legal by its declaration."""
    given, wrong = sections_with(("run",), ("fresh",), False), []
    for where, path, hint, rule in KEYS:
        key = ".".join((*where, *path))
        is_section = any(is_dataclass(kind) for kind in alternatives_of(hint))
        if key in _TOLD_ELSEWHERE or "processor" in key or is_section != sections or is_legal(value, hint, rule):
            continue
        wrong.append(key)
        at = given
        for name in (*where, *path)[:-1]:
            at = at.setdefault(name, {})
        at[path[-1]] = value
    if not wrong:
        return
    with pytest.raises(ConfigError) as caught:
        compose(given)
    told = "\n".join(caught.value.problems)
    not_told = [key for key in wrong if not re.search(rf"^{re.escape(key)}[:.]", told, re.M)]
    assert not not_told, told
    assert len(max(caught.value.problems, key=len)) < 1000, "a message shows the beginning of a long value only"


def _is_read_or_refused(sections):
    """A refusal names what is wrong; anything else that is raised is a fault of ours."""
    try:
        read_configuration(sections)
    except ConfigError as error:
        return bool(error.problems)
    return True


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_wrong_values_by_themselves_are_no_traceback(value):
    """Where one key is wrong, those that depend on it are looked at too."""
    for where, path, _, _ in KEYS:
        assert _is_read_or_refused(sections_with(where, path, value))


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        (("model", "max_txt_len", 0), "model.max_txt_len: 0 is less than 1"),
        (("model", "max_txt_len", -1), "model.max_txt_len: -1 is less than 1"),
        (("model", "freeze_vit", False), "model.freeze_vit: the vision encoder is never trained; leave it true"),
        (("model", "drop_path_rate", 0.1), "model.drop_path_rate: 0.1 is more than 0"),
        (("model", "lora_r", -1), "model.lora_r: -1 is less than 0"),
        (("model", "lora_alpha", 0), "model.lora_alpha: 0.0 is not more than 0"),
        (("model", "lora_target_modules", []), "model.lora_target_modules: it is empty"),
        (("model", "peft", {"rank_pattern": {"q_proj": 0}}), "model.peft.rank_pattern: 0 is less than 1"),
        (
            ("model", "peft", {"rank_pattern": {"q_proj": "x"}}),
            "model.peft.rank_pattern: q_proj: expected a whole number",
        ),
        (
            ("model", "image_size", 450),
            "model.image_size: 450 pixels are no whole number of groups of four patches of 14",
        ),
        (("model", "vit", {"num_heads": 3}), "model.vit: embed_dim 1408 is no multiple of num_heads 3"),
        (("model", "model_type", "pretrian"), "model.model_type: unknown"),
        (("vqa_rad", "missing_images", "eror"), "datasets.vqa_rad.missing_images: 'eror' is none of error, skip"),
        (("vqa_rad", "batch_size", -1), "datasets.vqa_rad.batch_size: -1 is less than 1"),
        (("vqa_rad", "sample_ratio", -1), "datasets.vqa_rad.sample_ratio: -1.0 is less than 0"),
        (("vqa_rad", "limit", 200), "datasets.vqa_rad.limit: expected a section with train, val, test, found 200"),
        (("vqa_rad", "limit", {"trian": 3}), "datasets.vqa_rad.limit.trian: no such key; did you mean 'train'?"),
        (("vqa_rad", "options", {"languge": "en"}), "datasets.vqa_rad.options: vqa_rad has no option 'languge'"),
        (
            ("vqa_rad", "vis_processor", {"train": {"name": "blip2_image_train", "image_sise": 3}}),
            "datasets.vqa_rad.vis_processor.train.image_sise: no such key; did you mean 'image_size'?",
        ),
        (
            ("vqa_rad", "vis_processor", {"eval": {"name": "blip2_image_evla"}}),
            "datasets.vqa_rad.vis_processor.eval.name: nothing is registered as 'blip2_image_evla'; did you mean",
        ),
        (
            ("vqa_rad", "vis_processor", {"eval": {"name": "blip2_image_eval", "image_size": 224}}),
            "datasets.vqa_rad.vis_processor.eval.image_size: 224, but model.image_size is 448",
        ),
        (
            ("vqa_rad", "text_processor", {"train": {"name": "medical_text", "max_words": -1}}),
            "datasets.vqa_rad.text_processor.train.max_words: -1 is less than 1",
        ),
        (("run", "seed", -1), "run.seed: -1 is less than 0"),
        (("run", "beta2", 1), "run.beta2: 1.0 is not less than 1"),
        (("run", "init_lr", 0), "run.init_lr: 0.0 is not more than 0"),
        (("run", "train_splits", ["trian"]), "run.train_splits: 'trian' is none of train, val, test"),
        (("run", "train_splits", []), "run.train_splits: it is empty; to answer only, set run.evaluate=true"),
        (
            ("run", "task", "medical_vaq"),
            "run.task: nothing is registered as 'medical_vaq'; did you mean 'medical_vqa'",
        ),
        (("run", "runner", "runner"), "run.runner: nothing is registered as 'runner'"),
        (("run", "lr_sched", "cosine"), "run.lr_sched: nothing is registered as 'cosine'"),
        (("run", "max_epoch", 1_000_000), None),
        (("run", "output_dir", "/"), "run.output_dir: / is the root of the file system"),
        (("run", "output_dir", "."), "run.output_dir: . is the folder that the command runs in"),
        (("run", "output_dir", ".."), "run.output_dir: .. is above the"),
        (("run", "output_dir", "~/out"), "run.output_dir: '~/out' begins with ~, which only a shell expands"),
        (("run", "output_dir", " "), "run.output_dir: it is empty"),
        (("run", "cache_dir", "~/cache"), "run.cache_dir: '~/cache' begins with ~"),
    ],
)
@pytest.mark.parametrize("known", [registry, _Declared()], ids=["toolkit", "estimate"])
def test_what_was_taken_in_silence(compose, sections, line, known):
    where, key, value = sections
    given = sections_with(("datasets", where) if where == "vqa_rad" else (where,), (key,), value)
    if line is None:
        compose(given, known=known)
        return
    with pytest.raises(ConfigError) as caught:
        compose(given, known=known)
    assert any(problem.startswith(line) for problem in caught.value.problems), caught.value


def test_folders_of_what_is_read_are_not_written_to(compose, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for out in (tmp_path / "home", tmp_path / "data", tmp_path / "data" / "vqa_rad", tmp_path / "llama"):
        given = sections_with(("run",), ("output_dir",), str(out))
        given["datasets"]["vqa_rad"] = {"build_info": {"storage": str(tmp_path / "data" / "vqa_rad")}}
        given["model"]["llama_model"] = str(tmp_path / "llama")
        with pytest.raises(ConfigError) as caught:
            compose(given)
        assert "a run has a folder of its own" in caught.value.problems[0]
    given["run"]["output_dir"] = str(tmp_path / "data" / "out")
    compose(given)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("${run.output_dir}", "run.job_name: Recursive interpolation detected"),
        ("${run}", "run.job_name: Interpolation to parent node"),
        ("${nowhere}", "Interpolation key 'nowhere' not found"),
        ("${", "full_key: run.job_name"),
        ("${no_resolver:1}", "run.job_name: "),
    ],
)
def test_references_that_lead_nowhere(tmp_path, text, line):
    path = tmp_path / "run.yaml"
    path.write_text(
        "model: {}\ndatasets: {vqa_rad: {}}\n"
        f"run: {{task: medical_vqa, output_dir: '${{run.job_name}}', job_name: '{text}'}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        compose_config(str(path), [], registry, STRATEGIES, {}, nothing_has_to_be_set=True)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "model: ${model}\ndatasets: {vqa_rad: {}}\nrun: {}\n",
        "model: {}\ndatasets: ${datasets}\nrun: {}\n",
        "model: 3\ndatasets: [vqa_rad]\nrun: word\nembedded: 3\n",
        "model: {}\ndatasets: {1: {}, vqa_rad: 3}\nrun: {1: 2}\n",
        "model: {}\ndatasets: {vqa_rad: [1]}\nrun: {task: medical_vqa, output_dir: out}\n",
        "model: {}\ndatasets: {vqa_rad: {build_info: [1]}}\nrun: {task: medical_vqa, output_dir: out}\n",
        "model: {}\ndatasets: {vqa_rad: {}}\nrun: {task: medical_vqa, output_dir: out}\nembedded: {run: 3}\n",
        "model: {}\ndatasets: {vqa_rad: {}}\nrun: {task: medical_vqa, output_dir: out}\nevaluation_datasets: 3\n",
        "model: {lora_r: " + "9" * 5000 + "}\ndatasets: {vqa_rad: {}}\nrun: {task: medical_vqa, output_dir: out}\n",
        "run: {task: " + "[" * 5000 + "]" * 5000 + "}\n",
        "\0",
        "model: {}\nmodel: {}\n",
        "model: !!python/object/apply:os.system ['true']\n",
    ],
)
def test_yaml_that_is_no_configuration(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        compose_config(str(path), [], registry, STRATEGIES, {}, nothing_has_to_be_set=True)


@pytest.mark.parametrize(
    "options",
    [
        ["datasets.vqa_rad=3"],
        ["datasets.vqa_rad=[]"],
        ["datasets.vqa_rad.limit=200"],
        ["run.seed=-1", "run.seed.x=3"],
        ["run..seed=1"],
        ["run.=1"],
        ["run.seed=["],
        ["run.seed=${run.seed}"],
        ["run.train_splits=[a"],
        ["datasets.vqa_rad.vis_processor.train=3"],
    ],
)
def test_options_that_do_not_fit(tmp_path, options):
    path = tmp_path / "run.yaml"
    path.write_text("model: {}\ndatasets: {vqa_rad: {}}\nrun: {task: medical_vqa, output_dir: out}\n")
    with pytest.raises(ConfigError) as caught:
        compose_config(str(path), options, registry, STRATEGIES, {}, nothing_has_to_be_set=True)
    assert caught.value.problems


def test_estimate_knows_the_names_of_the_registry():
    register_all()
    assert registry.list_tasks() == sorted(_NAMES["task"])
    assert registry.list_lr_schedulers() == sorted(_NAMES["lr_scheduler"])
    assert registry.list_processors() == sorted(_NAMES["processor"])
    assert set(registry.list_runners()) <= set(_NAMES["runner"])
