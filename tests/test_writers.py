"""No file takes the place of a device, a pipe or a socket: root's ``--out /dev/null`` must not be the end of it.

Every module that renames is known, and why its target is no path of a user's; all others write by ``atomic`` and
``storage``, which ask ``check_place``.
"""

from __future__ import annotations

import ast
import os
import stat
from pathlib import Path

import pytest
import torch

from pefomed_plugin.adapters.exports.writing import save_tensors
from pefomed_plugin.cli import main
from pefomed_plugin.cli.arguments import make_room, page_file
from pefomed_plugin.errors import ConfigError, DataError, PefomedError
from pefomed_plugin.services.answer_files import refuse_out
from pefomed_plugin.services.own_data.pseudonyms import Pseudonyms
from pefomed_plugin.storage import set_aside, write_json, write_records, write_text
from pefomed_plugin.toolkit.checkpoint import write_checkpoint
from tests.test_layers import FILES, PACKAGE

RENAMES = {
    "atomic.py": "asks check_place, or moves files of a folder that it keeps itself",
    "storage.py": "set_aside asks check_place",
    "services/whole_folder.py": "a folder, onto nothing or an empty one",
    "services/run_folder.py": "a run's folder",
    "services/outbound_log.py": "asks special_kind",
    "services/privacy/archives.py": "within a temporary folder",
    "services/data/shard_cache.py": "within a folder of its own, named by a digest",
    "adapters/exports/writing.py": "save_tensors asks check_place",
    "adapters/exports/shards.py": "within a fresh folder",
    "sharing/parquet.py": "within a fresh folder",
    "embedded/__init__.py": "a folder, onto nothing",
    "embedded/tiny_model.py": "a folder, onto nothing",
}


def renames(source: str) -> bool:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    found = [call.func for call in calls if isinstance(call.func, ast.Attribute)]
    return any(
        call.attr in ("rename", "renames") or (call.attr == "replace" and getattr(call.value, "id", "") == "os")
        for call in found
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_whoever_renames_is_known(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    is_renaming = renames(path.read_text(encoding="utf-8"))
    assert is_renaming == (name in RENAMES), f"{name}: write by atomic.replacing, or ask check_place and declare it"


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_text(path, "x"),
        lambda path: write_json(path, {}),
        lambda path: write_records(path, []),
        lambda path: write_checkpoint({}, path),
        lambda path: save_tensors({"a": torch.zeros(2)}, path),
        make_room,
        lambda path: refuse_out(path.with_suffix(".csv"), 1),
    ],
)
def test_a_pipe_in_the_place_of_a_file_is_refused_and_stays(tmp_path: Path, write: object) -> None:
    path = tmp_path / "x.jsonl"
    os.mkfifo(path)
    with pytest.raises(PefomedError, match=r"cannot write .*x\.jsonl: it is a named pipe, not a file; name a file"):
        write(path)  # type: ignore[operator]
    assert stat.S_ISFIFO(path.stat().st_mode) and list(tmp_path.iterdir()) == [path]


def test_nothing_but_files_and_folders_is_set_aside(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="it is a named pipe"):
            set_aside(tmp_path / name)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="Is a directory"):
        make_room(tmp_path / "folder")
    assert set_aside(tmp_path / "folder").name == "folder.1"
    with pytest.raises(Exception, match="is no file"):
        page_file(str(tmp_path / "pipe"))


def test_a_salt_that_never_ends_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "salt")
    with pytest.raises(ConfigError, match=r"--salt: cannot read .*salt: it is a named pipe"):
        Pseudonyms(tmp_path / "salt")


def test_a_command_says_so_before_it_loads_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "map.png")
    (tmp_path / "a.png").write_bytes(b"no image, and not looked at")
    assert main(["explain", str(tmp_path / "a.png"), "--ckpt", "none.pth", "--out", str(tmp_path / "map.png")]) == 2
    assert "map.png: it is a named pipe" in capsys.readouterr().err
