"""The embedded default is used when nothing is set; when something is, all that is missing is one error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pefomed_plugin import environment, storage
from pefomed_plugin.cli import main
from pefomed_plugin.environment import VARIABLES, embedded_parts, point_at_embedded, sample_folder
from pefomed_plugin.errors import ConfigError

ALL = set(VARIABLES)


def test_nothing_set_means_everything_embedded():
    assert embedded_parts(ALL, {}) == sorted(ALL)
    assert embedded_parts({"PEFOMED_DATA"}, {"HOME": "/"}) == ["PEFOMED_DATA"]


def test_everything_set_means_nothing_embedded(tmp_path):
    assert embedded_parts(ALL, {name: str(tmp_path) for name in ALL}) == []


def test_some_set_means_one_error_with_all_that_is_missing(tmp_path):
    with pytest.raises(ConfigError) as caught:
        embedded_parts(ALL, {"PEFOMED_DATA": str(tmp_path), "PEFOMED_VIT": str(tmp_path / "no.pth")})
    assert len(caught.value.problems) == 3
    assert caught.value.problems[0].startswith("PEFOMED_CKPT is not set")
    assert caught.value.problems[1].startswith("PEFOMED_LLAMA is not set")
    assert "no.pth: no such path; it should be a eva_vit_g.pth" in caught.value.problems[2]


def test_what_a_variable_points_at_is_of_its_kind(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        embedded_parts(ALL, {"PEFOMED_DATA": str(tmp_path / "file")})
    assert caught.value.problems == (
        f"PEFOMED_DATA={tmp_path}/file: a file; it should be a {VARIABLES['PEFOMED_DATA']}",
    )
    with pytest.raises(ConfigError, match="~ is for a shell alone, write the whole path"):
        embedded_parts(ALL, {"PEFOMED_DATA": "~/data"})


def test_real_data_with_the_tiny_model(tmp_path):
    environ = {
        "PEFOMED_DATA": str(tmp_path),
        "PEFOMED_LLAMA": "embedded",
        "PEFOMED_VIT": "embedded",
        "PEFOMED_CKPT": "embedded",
    }
    assert embedded_parts(ALL, environ) == ["PEFOMED_CKPT", "PEFOMED_LLAMA", "PEFOMED_VIT"]


def test_half_an_embedded_model_is_refused(tmp_path):
    environ = {name: str(tmp_path) for name in ALL}
    environ["PEFOMED_VIT"] = "embedded"
    with pytest.raises(ConfigError, match="must be embedded together"):
        embedded_parts(ALL, environ)


def test_where_the_sample_is(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFOMED_SAMPLE", str(tmp_path / "here"))
    environ = {}
    point_at_embedded(["PEFOMED_DATA", "PEFOMED_CKPT"], environ)
    assert environ == {
        "PEFOMED_DATA": str(tmp_path / "here"),
        "PEFOMED_CKPT": str(tmp_path / "here" / "tiny" / "minigptv2_tiny.pth"),
    }
    monkeypatch.delenv("PEFOMED_SAMPLE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert sample_folder() == tmp_path / "cache" / "pefomed" / "sample"


def test_a_place_that_cannot_be_written_is_named_with_what_chooses_another(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PEFOMED_SAMPLE", str(tmp_path / "new" / "sample"))
    environment.check_sample_folder()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
    monkeypatch.setattr(storage, "TemporaryFile", refuse)
    with pytest.raises(ConfigError, match=r"new/sample cannot be written .*PEFOMED_SAMPLE, or XDG_CACHE_HOME"):
        environment.check_sample_folder()


def refuse(dir):
    raise OSError(30, "Read-only file system", str(dir))


def test_the_tiny_model_of_another_family_lies_beside_the_first(monkeypatch, tmp_path):
    from pefomed_plugin.embedded import TINY
    from pefomed_plugin.families import FAMILIES

    monkeypatch.setenv("PEFOMED_FAMILY", "qwen3")
    assert environment.embedded_values(tmp_path)["PEFOMED_LLAMA"] == str(tmp_path / "tiny_qwen3" / "llama")
    assert set(TINY.values()) == set(FAMILIES.own)
    monkeypatch.setenv("PEFOMED_FAMILY", "gemma")
    with pytest.raises(ConfigError, match="PEFOMED_FAMILY=gemma: no tiny model .* one of llama, llama3, qwen2, qwen3,"):
        environment.embedded_values(tmp_path)


def test_a_mistyped_variable_is_no_reason_to_train_the_tiny_model(tmp_path):
    with pytest.raises(ConfigError) as caught:
        embedded_parts(ALL, {"PEFOMED_LAMA": str(tmp_path), "pefomed_data": str(tmp_path)})
    assert caught.value.problems == (
        "PEFOMED_LAMA: write it PEFOMED_LLAMA, or unset it",
        "pefomed_data: write it PEFOMED_DATA, or unset it",
    )
    whole = {name: str(tmp_path) for name in ALL}
    assert embedded_parts(ALL, {**whole, "PEFOMED_LAMA": "x"}) == [], "what is needed is there: a warning does"


def test_every_variable_of_ours_is_known():
    root = Path(__file__).resolve().parents[2]
    files = [*(root / "pefomed_plugin").rglob("*.py"), *(root / "slurm").glob("*.sh")]
    read = {name for path in files for name in re.findall(r"PEFOMED_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))}
    assert len(read) > 10 and environment.mistyped(dict.fromkeys(read, "1")) == {}
    assert environment.mistyped({"PEFOMED_SAMPEL": "a", "PEFOMED_MINE": "b", "HOME": "/"}) == {
        "PEFOMED_MINE": "",
        "PEFOMED_SAMPEL": "PEFOMED_SAMPLE",
    }


def test_a_mistyped_variable_is_told_by_every_command(monkeypatch, capsys):
    monkeypatch.setenv("PEFOMED_OFLINE", "1")
    assert main(["wasm", "--counts", "1", "2", "3", "4", "5", "--json"]) == 0
    said = "warning: PEFOMED_OFLINE is set, and nothing reads it; did you mean PEFOMED_OFFLINE?\n"
    assert capsys.readouterr().err == said
