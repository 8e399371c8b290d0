"""The sample as a whole: made once, made again for another seed, and without torch."""

from __future__ import annotations

import json
import subprocess
import sys

from pefomed_plugin import embedded

PART = ("slake",)


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_made_once_and_made_again_for_another_seed(tmp_path):
    out = tmp_path / "sample"
    embedded.make_sample(out, parts=PART)
    first = stamps(out / "slake")
    embedded.make_sample(out, parts=PART)
    assert stamps(out / "slake") == first
    (out / embedded.FLAG).write_text(json.dumps({"seed": 0, "code": "of another version"}))
    (out / "slake" / "old.txt").write_text("stale")
    embedded.make_sample(out, parts=PART)
    assert not (out / "slake" / "old.txt").exists()


def test_write_sample_names_all_eight_folders(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(embedded, "make_sample", lambda out, seed, parts: made.append((out, seed, parts)))
    folders = embedded.write_sample(tmp_path, seed=3)
    assert set(folders) == {"roco", "clef2022", "medicat", "mimic_cxr", "vqa_rad", "slake", "path_vqa", "iu_xray"}
    assert folders["slake"] == tmp_path / "slake"
    assert made == [(tmp_path, 3, tuple(folders))]


def test_the_data_sets_need_no_torch():
    code = (
        "import sys; import pefomed_plugin.embedded.releases_vqa, pefomed_plugin.embedded.releases_caption; "
        "assert not {'torch', 'transformers', 'sentencepiece'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
