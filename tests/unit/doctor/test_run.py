"""A run's configuration from end to end, with fabricated weights; and that nothing is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pefomed_plugin import requirements
from pefomed_plugin.cli import main
from pefomed_plugin.doctor.findings import ERROR, NOTE, OK, WARNING, is_broken
from pefomed_plugin.doctor.run import check_run, check_up, check_variables
from tests.unit.services.own_data.files import write_images, write_table
from tests.unit.services.small import LEAKY, write_rad

from .fabricated import lora_tensors, make_llama, save, vit_tensors

ROOT = Path(__file__).resolve().parents[3]
STAGE2 = str(ROOT / "projects" / "pefomed" / "stage2_vqa_rad.yaml")
REPORTS = str(ROOT / "eval_configs" / "pefomed_iu_xray.yaml")
JUDGE = str(ROOT / "eval_configs" / "pefomed_judge_vqa.yaml")
OPTIONS = [
    "model.vit.embed_dim=8",
    "model.vit.depth=2",
    "model.vit.patch_size=4",
    "model.vit.num_heads=2",
    "model.lora_r=4",
]


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """A whole set of small weights and data, all variables set, an empty folder to work in."""
    write_rad(tmp_path / "data" / "vqa_rad", LEAKY)
    values = {
        "PEFOMED_DATA": tmp_path / "data",
        "PEFOMED_LLAMA": make_llama(tmp_path / "llama"),
        "PEFOMED_VIT": save(vit_tensors(), tmp_path / "eva.pth"),
        "PEFOMED_CKPT": save({"model": lora_tensors()}, tmp_path / "ckpt.pth"),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("PEFOMED_SAMPLE", str(tmp_path / "sample"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def of(findings, what):
    return [finding for finding in findings if finding.what == what]


def everything_below(folder):
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_a_run_that_is_ready_but_not_the_papers(paths, capsys):
    before = everything_below(paths)
    assert main(["doctor", "--cfg-path", STAGE2, "--options", *OPTIONS]) == 0
    shown = capsys.readouterr().out
    assert "rank 4 on q_proj, v_proj" in shown and "warning language model" in shown
    assert "ready: 1 warning" in shown
    assert everything_below(paths) == before


def test_every_path_that_is_wrong_is_told_at_once(paths, capsys):
    (paths / "eva.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (paths / "llama" / "tokenizer.model").unlink()
    (paths / "data" / "vqa_rad" / "trainset.json").unlink()
    options = [*OPTIONS, "model.lora_r=64", "run.device=cuda"]
    assert main(["doctor", "--cfg-path", STAGE2, "--options", *options]) == 1
    assert "not ready: 5 errors" in capsys.readouterr().out
    findings = check_run(STAGE2, options)
    broken = {finding.what for finding in findings if finding.state == ERROR}
    assert broken == {"language model", "vision encoder", "checkpoint", "data set vqa_rad", "run.device"}
    assert all(finding.remedy for finding in findings if finding.state == ERROR)


def test_variables_that_are_missing_do_not_hide_what_is_wrong_with_the_others(paths, monkeypatch):
    monkeypatch.delenv("PEFOMED_CKPT")
    (paths / "llama" / "config.json").unlink()
    findings = check_run(STAGE2, OPTIONS)
    assert "PEFOMED_CKPT is not set" in of(findings, "variables")[0].found
    assert of(findings, "language model")[0].state == ERROR


def test_mistakes_of_the_yaml_and_the_options(paths):
    assert "no configuration file" in check_run(str(paths / "none.yaml"))[0].found
    (found,) = check_run(STAGE2, ["run.max_epochs=3"])
    assert found.state == ERROR and "did you mean 'max_epoch'" in found.found
    (found,) = check_run(STAGE2, [*OPTIONS, "run.precision=bf17"])
    assert "bf17" in found.found and found.remedy


def test_fp16_without_a_gpu_is_told_before_the_weights_are_loaded(paths, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (found,) = of(check_run(STAGE2, [*OPTIONS, "run.amp=true"]), "run.precision")
    assert found.state == ERROR and "run.precision=fp32" in found.remedy


def test_a_run_without_a_checkpoint_starts_untrained(paths):
    (found,) = of(check_run(STAGE2, [*OPTIONS, "model.ckpt=null"]), "checkpoint")
    assert found.state == NOTE


def test_packages_that_scoring_will_need_are_missed_now(paths, monkeypatch):
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    (found,) = of(check_run(REPORTS, OPTIONS), "scoring")
    assert found.state == ERROR and found.found == "report metrics need pycocoevalcap"
    assert found.remedy == "pip install pycocoevalcap"
    assert not of(check_run(STAGE2, OPTIONS), "scoring")  # exact match needs none


def test_own_data_are_scored_by_their_own_task(paths, monkeypatch, capsys):
    """As the YAMLs of folds, which are like one of questions, whatever the data are."""
    write_images(paths / "own", "a.png", "b.png")
    for split, name in (("train", "a.png"), ("test", "b.png")):
        write_table(paths / "own" / f"{split}.csv", "image,report", f"{name},Clear.")
    assert main(["prepare", "medical_custom", "--source", str(paths / "own"), "--out", str(paths / "prepared")]) == 0
    capsys.readouterr()
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    own = [f"datasets.medical_custom.build_info.storage={paths / 'prepared'}", "datasets.vqa_rad=null"]
    findings = check_run(STAGE2, [*OPTIONS, *own])
    (found,) = of(findings, "scoring")
    assert found.state == ERROR and "pycocoevalcap" in found.found


def test_a_runner_of_a_checkout_that_is_not_there_is_told(paths):
    (found,) = of(check_run(STAGE2, [*OPTIONS, "run.runner=runner_base"]), "run.runner")
    assert found.state == ERROR and "needs its checkout: pefomed link" in found.found
    told = [finding.found for finding in check_run(STAGE2, [*OPTIONS, "run.runner=runner_pefo"])]
    assert any("did you mean 'runner_pefomed'" in words for words in told)


def test_a_judged_run_needs_key_and_model(paths, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    findings = check_run(JUDGE, OPTIONS)
    assert [each.state for each in of(findings, "judge by API") + of(findings, "run.judge_model")] == [ERROR, ERROR]
    assert not of(check_run(JUDGE, [*OPTIONS, "run.judge=offline"]), "judge by API")


def test_a_local_judge_is_looked_at(paths):
    local = [*OPTIONS, "run.judge=local"]
    folder = paths / "judge"
    for make, said in (
        (lambda: None, "no folder"),
        (folder.mkdir, "no config.json"),
        (lambda: (folder / "config.json").write_text("{}"), "no chat template"),
    ):
        make()
        (found,) = of(check_run(JUDGE, [*local, f"run.judge_model={folder}"]), "local judge")
        assert found.state == ERROR and said in found.found, said
    (found,) = of(check_run(JUDGE, local), "local judge")
    assert "Name its folder" in found.found
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    (found,) = of(check_run(JUDGE, [*local, f"run.judge_model={folder}"]), "local judge")
    assert found.state == OK


def test_a_checkpoint_of_ones_own_is_looked_at_before_the_rest_is_generated(paths, monkeypatch):
    for name in ("PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.delenv(name)
    (found,) = of(check_run(STAGE2, ["model.ckpt=gone.pth"]), "checkpoint")
    assert found.state == ERROR and "gone.pth" in found.found


def test_the_embedded_default_is_announced_not_generated(paths, monkeypatch):
    for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.delenv(name)
    environ = dict(os.environ)
    findings = check_run(STAGE2)
    assert not is_broken(findings)
    assert "will be generated" in of(findings, "embedded default")[0].found
    assert not (paths / "sample").exists()
    assert dict(os.environ) == environ


def test_an_embedded_default_that_cannot_be_written_is_an_error(paths, monkeypatch):
    for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.delenv(name)
    (paths / "file").write_text("")
    monkeypatch.setenv("PEFOMED_SAMPLE", str(paths / "file" / "sample"))
    monkeypatch.setattr("pefomed_plugin.storage.TemporaryFile", lambda dir: (_ for _ in ()).throw(OSError(30, "full")))
    finding = of(check_run(STAGE2), "embedded default")[0]
    assert (
        finding.state == ERROR
        and "file/sample cannot be written" in finding.found
        and "PEFOMED_SAMPLE" in finding.remedy
    )


def test_without_a_run_the_variables_are_looked_at(paths, monkeypatch):
    findings = check_variables()
    assert of(findings, "data set vqa_rad")[0].state == OK
    assert of(findings, "language model")[0].state == WARNING
    assert "(1408, 3, 14, 14)" in of(findings, "vision encoder")[0].found
    monkeypatch.setenv("PEFOMED_DATA", str(paths / "work"))
    assert of(check_variables(), "PEFOMED_DATA")[0].state == ERROR


def test_a_broken_toolkit_comes_first(monkeypatch):
    from pefomed_plugin.doctor import run
    from pefomed_plugin.doctor.findings import Finding

    monkeypatch.setattr(run, "check_toolkit", lambda: [Finding("toolkit", "torch", ERROR, "not installed", "pip")])
    assert check_up(STAGE2)[-1].found == "not looked at: the toolkit comes first"


def test_options_without_a_run(capsys):
    assert main(["doctor", "--options", "run.seed=1"]) == 2
    assert "--cfg-path" in capsys.readouterr().err


def test_a_folder_with_a_run_that_is_not_finished(paths):
    out = paths / "out"
    out.mkdir()
    (out / "unfinished.json").write_text('{"command": "pefomed train --options run.resume=auto"}')
    (out / "checkpoint_last.pth").write_bytes(b"half")
    options = [*OPTIONS, f"run.output_dir={out}"]
    (found,) = of(check_run(STAGE2, options), "run.output_dir")
    assert found.state == ERROR and "not finished" in found.found and "run.resume=auto" in str(found)
    assert of(check_run(STAGE2, [*options, "run.resume=auto"]), "run.output_dir") == []


def _images(paths, *options):
    findings = check_run(STAGE2, [*OPTIONS, *options])
    return {finding.what: finding for finding in findings if finding.what.startswith("vqa_rad, ")}


def test_images_are_counted_and_some_opened(paths):
    found = _images(paths)
    assert {what: finding.state for what, finding in found.items()} == {"vqa_rad, train": OK, "vqa_rad, test": OK}
    rows = [row for row in LEAKY if row["split"] == "train"]
    assert f"{len(rows)} samples, {len({row['image'] for row in rows})} images" in found["vqa_rad, train"].found
    assert list(_images(paths, "run.evaluate=true")) == ["vqa_rad, test"]


def test_missing_and_damaged_images_are_named_before_the_run(paths):
    (test_row,) = [row for row in LEAKY if row["split"] == "test"][:1]
    image = paths / "data" / "vqa_rad" / "images" / f"synpic{test_row['image']}.png"
    content = image.read_bytes()
    image.unlink()
    found = _images(paths)["vqa_rad, test"]
    assert found.state == ERROR and image.name in found.found and "missing_images=skip" in found.remedy
    skipped = _images(paths, "datasets.vqa_rad.missing_images=skip")["vqa_rad, test"]
    tests = {row["image"] for row in LEAKY if row["split"] == "test"}
    assert skipped.state == (WARNING if len(tests) > 1 else ERROR)
    image.write_bytes(content[:100])
    found = _images(paths)["vqa_rad, test"]
    assert found.state == ERROR and image.name in found.found


def test_tracking_and_caches_that_a_run_would_fail_at(paths, monkeypatch):
    (paths / "file").write_text("")
    options = ["run.wandb.mode=offline", "run.image_cache=pixels", f"run.cache_dir={paths / 'file' / 'cache'}"]
    monkeypatch.setattr("pefomed_plugin.doctor.needs.find_spec", lambda name: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(paths / "file"))
    findings = check_run(STAGE2, [*OPTIONS, *options])
    assert {"run.wandb", "run.cache_dir", "cache"} <= {each.what for each in findings if each.state == ERROR}
    for what in ("run.cache_dir", "cache"):
        assert str(paths / "file") in of(findings, what)[0].found and of(findings, what)[0].remedy


def test_a_split_that_the_data_have_not_is_told(paths):
    found = _images(paths, "run.valid_splits=[val]", "run.train_splits=[train,val]")
    assert found["vqa_rad, val"].state == WARNING and "no such split" in found["vqa_rad, val"].found
    assert _images(paths, "run.valid_splits=[val]")["vqa_rad, val"].state == NOTE


def test_a_folder_that_the_options_name_is_not_drawn(tmp_path, monkeypatch):
    """With generated data for the others, it was left out of the check, and the run was ready."""
    for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PEFOMED_SAMPLE", str(tmp_path / "sample"))
    nowhere = tmp_path / "nowhere"
    found = check_run(STAGE2, [f"datasets.vqa_rad.build_info.storage={nowhere}"])
    assert any(one.state == ERROR and str(nowhere) in one.found for one in found)
    assert not is_broken(check_run(STAGE2))
