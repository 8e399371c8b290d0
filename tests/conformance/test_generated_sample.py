"""The sample as a whole: made once, made again for another seed, and without torch."""

from __future__ import annotations

import subprocess
import sys

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
