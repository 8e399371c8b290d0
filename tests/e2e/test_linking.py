"""Linking into a small stand-in for a checkout: what is added, what is refused, and that every byte comes back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pefomed_plugin import __version__
from pefomed_plugin.cli import main
from pefomed_plugin.config.given import shipped
from pefomed_plugin.errors import ToolkitError
from pefomed_plugin.services import linking
from pefomed_plugin.services.linking import LINE, MARKER, link_checkout, unlink_checkout

TRAIN = (
    b'"""Trains."""\nimport torch\n\nimport minigpt4.tasks as tasks\nfrom minigpt4.models import *\n'
    b"from minigpt4.tasks import (\n    setup_task,\n)\n\n\ndef main():\n    pass\n"
)


def write_checkout(root: Path, train: bytes = TRAIN) -> Path:
    for name in ("minigpt4/common", "minigpt4/runners", "train_configs", "eval_configs"):
        (root / name).mkdir(parents=True)
    for name in ("minigpt4/__init__.py", "minigpt4/common/registry.py", "minigpt4/runners/runner_base.py"):
        (root / name).write_text("")
    (root / "train_configs" / "minigptv2_finetune.yaml").write_text("run: {}\n")
    (root / "train.py").write_bytes(train)
    return root


def everything(root: Path):
    """Every path below ``root`` with its kind, permissions and content."""
    return {
        str(path.relative_to(root)): (
            os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "",
            path.lstat().st_mode,
        )
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return write_checkout(tmp_path / "MiniGPT-4")


def test_linking_adds_one_line_behind_the_last_import_of_minigpt4(checkout):
    link_checkout(checkout)
    before, after = TRAIN.split(b"\n"), (checkout / "train.py").read_bytes().split(b"\n")
    assert [line for line in after if line not in before] == [LINE]
    assert after.index(LINE) == before.index(b")") + 1
    compile((checkout / "train.py").read_bytes(), "train.py", "exec")


def test_package_and_yamls_are_linked_beside_the_checkouts_own(checkout):
    link_checkout(checkout)
    assert (checkout / "pefomed_plugin" / "linked.py").is_file()
    assert (checkout / "train_configs" / "pefomed_stage2.yaml").is_file()
    assert (checkout / "eval_configs" / "pefomed_vqa_rad.yaml").is_file()
    assert (checkout / "projects" / "pefomed" / "stage2_slake.yaml").is_file()
    missing = [name for name in shipped() if not (checkout / name).is_file()]
    assert len(shipped()) > 10 and not missing
    assert (checkout / "train_configs" / "minigptv2_finetune.yaml").read_text() == "run: {}\n"


@pytest.mark.parametrize(
    "train",
    [
        TRAIN,
        TRAIN.replace(b"\n", b"\r\n"),
        TRAIN.replace(b"import torch\n", b"import torch\r\n"),
        b"from minigpt4.tasks import *",
        b"import os\r\nfrom minigpt4.tasks import *",
        b"\xef\xbb\xbf" + TRAIN,
        TRAIN + b"\x0c\nx = 1  # \xc3\xa9",
        b"from minigpt4.tasks import *\n\n\n\n",
    ],
    ids=["LF", "CRLF", "mixed", "no newline", "CRLF, no newline", "BOM", "form feed", "blank lines at the end"],
)
def test_unlinking_restores_every_byte(tmp_path, train):
    checkout = write_checkout(tmp_path / "MiniGPT-4", train)
    os.chmod(checkout / "train.py", 0o750)
    before = everything(checkout)
    link_checkout(checkout)
    linked = (checkout / "train.py").read_bytes()
    assert linked != train
    assert linked.count(b"\r\n") + linked.count(b"\n") >= train.count(b"\r\n") + train.count(b"\n") + 1
    unlink_checkout(checkout)
    assert everything(checkout) == before


def test_the_line_has_the_files_own_ending(tmp_path):
    checkout = write_checkout(tmp_path / "MiniGPT-4", TRAIN.replace(b"\n", b"\r\n"))
    link_checkout(checkout)
    assert (checkout / "train.py").read_bytes().replace(b"\r\n", b"").count(b"\n") == 0


def test_where_links_cannot_be_made_there_are_copies(checkout, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no symbolic links here")

    before = everything(checkout)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    link_checkout(checkout)
    assert not (checkout / "pefomed_plugin").is_symlink()
    assert (checkout / "pefomed_plugin" / "errors.py").read_bytes() == Path(linking.__file__).parents[1].joinpath(
        "errors.py"
    ).read_bytes()
    assert all(step.done for step in link_checkout(checkout))
    (checkout / "pefomed_plugin" / "__pycache__").mkdir()
    unlink_checkout(checkout)
    assert everything(checkout) == before


def test_a_copy_that_was_changed_is_not_thrown_away(checkout, monkeypatch):
    monkeypatch.setattr(Path, "symlink_to", lambda *_, **__: (_ for _ in ()).throw(OSError()))
    link_checkout(checkout)
    (checkout / "train_configs" / "pefomed_stage2.yaml").write_text("mine: true\n")
    linked = everything(checkout)
    with pytest.raises(ToolkitError, match="nothing was changed") as caught:
        unlink_checkout(checkout)
    assert [problem.split(":")[0].rsplit("/", 1)[1] for problem in caught.value.problems] == ["pefomed_stage2.yaml"]
    assert everything(checkout) == linked


def test_linking_again_changes_nothing(checkout):
    assert not any(step.done for step in link_checkout(checkout))
    linked, time = everything(checkout), (checkout / "train.py").stat().st_mtime_ns
    assert all(step.done for step in link_checkout(checkout))
    assert everything(checkout) == linked
    assert (checkout / "train.py").stat().st_mtime_ns == time


def test_what_was_lost_since_is_linked_again(checkout):
    link_checkout(checkout)
    linked = everything(checkout)
    (checkout / "train.py").write_bytes(TRAIN)  # git checkout train.py
    (checkout / "train_configs" / "pefomed_stage1.yaml").unlink()
    redone = [step.path for step in link_checkout(checkout) if not step.done]
    assert redone == ["train_configs/pefomed_stage1.yaml", "train.py:9"]
    assert everything(checkout) == linked


def test_a_dry_run_says_the_same_and_does_nothing(checkout):
    before = everything(checkout)
    said = link_checkout(checkout, dry_run=True)
    assert everything(checkout) == before
    assert link_checkout(checkout) == said
    linked = everything(checkout)
    said = unlink_checkout(checkout, dry_run=True)
    assert everything(checkout) == linked
    assert unlink_checkout(checkout) == said


def test_another_version_is_named_and_comes_out_first(checkout, monkeypatch):
    before = everything(checkout)
    monkeypatch.setattr(linking, "__version__", "0.0.1")
    link_checkout(checkout)
    monkeypatch.setattr(linking, "__version__", __version__)
    with pytest.raises(ToolkitError, match=r"linked to pefomed_plugin 0\.0\.1 .*run pefomed unlink"):
        link_checkout(checkout)
    unlink_checkout(checkout)
    assert everything(checkout) == before


def test_no_checkout_is_one_error_with_all_that_is_missing(tmp_path):
    (tmp_path / "train.py").write_text("")
    with pytest.raises(ToolkitError, match="not a clone of Vision-CAIR/MiniGPT-4") as caught:
        link_checkout(tmp_path)
    assert len(caught.value.problems) == 5
    with pytest.raises(ToolkitError, match="no folder"):
        unlink_checkout(tmp_path / "none")


def test_files_in_the_way_are_all_named_and_nothing_is_changed(checkout):
    (checkout / "train_configs" / "pefomed_stage2.yaml").write_text("mine: true\n")
    (checkout / "pefomed_plugin").mkdir()
    before = everything(checkout)
    with pytest.raises(ToolkitError, match="nothing was changed") as caught:
        link_checkout(checkout)
    assert len(caught.value.problems) == 2
    assert everything(checkout) == before


def test_a_folder_that_was_made_stays_where_the_user_has_put_something(checkout):
    link_checkout(checkout)
    (checkout / "projects" / "mine.yaml").write_text("run: {}\n")
    unlink_checkout(checkout)
    assert [path.name for path in (checkout / "projects").iterdir()] == ["mine.yaml"]


def test_a_folder_of_the_checkouts_own_stays(checkout):
    (checkout / "projects").mkdir()
    before = everything(checkout)
    link_checkout(checkout)
    unlink_checkout(checkout)
    assert everything(checkout) == before


def test_a_file_where_a_folder_must_be(checkout):
    (checkout / "projects").write_text("")
    before = everything(checkout)
    with pytest.raises(ToolkitError) as caught:
        link_checkout(checkout)
    assert f"{checkout / 'projects'}: is no folder; move it away" in caught.value.problems
    assert everything(checkout) == before


def test_a_read_only_train_py_is_respected(checkout):
    (checkout / "train.py").chmod(0o444)
    with pytest.raises(ToolkitError) as caught:
        link_checkout(checkout)
    assert "chmod u+w" in caught.value.problems[0]
    (checkout / "train.py").chmod(0o644)
    link_checkout(checkout)
    (checkout / "train.py").chmod(0o444)
    with pytest.raises(ToolkitError, match="nothing was changed"):
        unlink_checkout(checkout)
    assert (checkout / "pefomed_plugin").exists()


@pytest.mark.parametrize(("train", "message"), [(b"import torch\n", "no 'from minigpt4"), (b"def (\n", "not Python")])
def test_a_train_py_without_a_place_for_the_line(tmp_path, train, message):
    checkout = write_checkout(tmp_path / "MiniGPT-4", train)
    with pytest.raises(ToolkitError, match=message):
        link_checkout(checkout)


def test_the_users_own_changes_stay(checkout):
    link_checkout(checkout)
    path = checkout / "train.py"
    path.write_bytes(path.read_bytes().replace(b"    pass", b"    print(1)").replace(b"\n", b"\r\n"))
    steps = unlink_checkout(checkout)
    assert path.read_bytes() == TRAIN.replace(b"    pass", b"    print(1)").replace(b"\n", b"\r\n")
    assert any("your own changes" in step.what for step in steps)
    assert not (checkout / MARKER).exists()


@pytest.mark.parametrize(
    "changed",
    [
        b"try:\n    " + LINE + b"\nexcept ImportError:\n    pass",
        b"import pefomed_plugin.linked",
        LINE + b"\nimport pefomed_plugin",
    ],
    ids=["wrapped", "shortened", "used besides"],
)
def test_a_changed_line_is_left_to_its_author(checkout, changed):
    link_checkout(checkout)
    path = checkout / "train.py"
    path.write_bytes(path.read_bytes().replace(LINE, changed))
    linked = everything(checkout)
    with pytest.raises(ToolkitError, match="nothing was changed") as caught:
        unlink_checkout(checkout)
    assert "take it out, then unlink again" in caught.value.problems[0]
    assert everything(checkout) == linked


def test_unlinking_without_the_marker_still_finds_everything(checkout):
    before = everything(checkout)
    link_checkout(checkout)
    (checkout / MARKER).unlink()
    unlink_checkout(checkout)
    assert everything(checkout) == before
    assert unlink_checkout(checkout) == []


@pytest.mark.parametrize("marker", ["{", "[]", "{}"])
def test_a_damaged_marker_is_named(checkout, marker):
    link_checkout(checkout)
    (checkout / MARKER).write_text(marker)
    with pytest.raises(ToolkitError, match="is damaged"):
        unlink_checkout(checkout)


def test_a_marker_cannot_lead_out_of_the_checkout(checkout, tmp_path):
    link_checkout(checkout)
    marker = json.loads((checkout / MARKER).read_text())
    marker["links"]["../outside.txt"] = {"target": "x", "sha256": "x"}
    (checkout / MARKER).write_text(json.dumps(marker))
    with pytest.raises(ToolkitError, match="not as 'pefomed link' writes it"):
        unlink_checkout(checkout)


def test_on_the_command_line(checkout, capsys):
    assert main(["link", str(checkout), "--dry-run"]) == 0
    assert "none made (--dry-run)" in capsys.readouterr().out
    assert main(["link", str(checkout)]) == 0
    said = capsys.readouterr().out
    assert "train.py:9" in said
    assert "torchrun --nproc-per-node 1 train.py --cfg-path train_configs/pefomed_stage2.yaml" in said
    assert main(["link", str(checkout)]) == 0
    assert "no change(s)" in capsys.readouterr().out
    assert main(["unlink", str(checkout)]) == 0
    assert "import line taken out" in capsys.readouterr().out
    assert main(["unlink", str(checkout)]) == 0
    assert "is not linked; nothing to do" in capsys.readouterr().out
    assert main(["unlink", str(checkout / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: no folder ")
