"""The sample as a whole: made once, made again for another seed, and without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pefomed_plugin import embedded
from pefomed_plugin.origins import data_origin, mark_generated

PART = ("slake",)


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_made_once_and_made_again_for_another_seed(tmp_path):
    out = tmp_path / "sample"
    embedded.make_sample(out, parts=PART)
    first = stamps(out / "slake")
    embedded.make_sample(out, parts=PART)
    assert stamps(out / "slake") == first
    mark_generated(out, {"seed": 0, "code": "of another version"})
    (out / "slake" / "old.txt").write_text("stale")
    embedded.make_sample(out, parts=PART)
    assert not (out / "slake" / "old.txt").exists()


def test_whoever_needs_other_parts_brings_back_those_of_an_older_version(tmp_path):
    """``chat`` needs the tiny model alone; the report of a run of before shows images of the data."""
    out = tmp_path / "sample"
    embedded.make_sample(out, parts=PART)
    made = set(stamps(out / "slake"))
    mark_generated(out, {"seed": 0, "code": "of another version"})
    embedded.make_sample(out, parts=())
    assert set(stamps(out / "slake")) == made


def test_each_part_is_marked_so_that_a_real_release_put_among_them_is_none(tmp_path):
    embedded.make_sample(tmp_path / "sample", parts=PART)
    (tmp_path / "sample" / "vqa_rad").mkdir()
    origins = {name: data_origin(tmp_path / "sample" / name) for name in ("slake", "slake/imgs", "vqa_rad")}
    assert origins == {"slake": "generated", "slake/imgs": "generated", "vqa_rad": "real"}
    (tmp_path / "sample" / "vqa_rad" / "trainset.json").write_text("[]")
    embedded.make_sample(tmp_path / "sample", seed=1, parts=PART)
    assert (tmp_path / "sample" / "vqa_rad" / "trainset.json").read_text() == "[]", (
        "made again, it deletes its own only"
    )


def test_every_data_set_of_ours_but_the_custom_one_is_drawn():
    assert set(embedded.DRAWN) == {
        *("roco", "clef2022", "medicat", "mimic_cxr"),
        *("vqa_rad", "slake", "path_vqa", "iu_xray"),
    }


def test_the_data_sets_need_no_torch():
    code = (
        "import sys; import pefomed_plugin.embedded.releases_vqa, pefomed_plugin.embedded.releases_caption; "
        "assert not {'torch', 'transformers', 'sentencepiece'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("way", ["a file", "a pipe"])
def test_a_script_without_a_guard_makes_it_and_runs_once(way, tmp_path):
    """``load("embedded")`` in a user's script: the processes that draw do not run that script again."""
    lines = (
        "from pefomed_plugin.embedded import make_sample",
        f"make_sample({str(tmp_path / 'sample')!r}, parts=['slake'])",
    )
    script = "\n".join([*lines, "print('once', __name__, '__file__' in globals())"])
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, "-" if way == "a pipe" else "script.py"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1:] == ["once __main__ True"] and done.stdout.count("once") == 1
    assert (tmp_path / "sample" / "slake" / "train.json").is_file()
