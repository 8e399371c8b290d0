"""``pefomed train`` and ``evaluate``: the torchrun command they say, and whose exit code they pass on.

Runs with torchrun are in ``tests/e2e/test_command_line.py``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import tempfile
from types import SimpleNamespace

import pytest

from pefomed_plugin.cli import main, train
from pefomed_plugin.errors import ConfigError


def said(capsys, *arguments):
    assert main([*arguments, "--dry-run"]) == 0
    return shlex.split(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_torchrun_command_is_said(command, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert said(
        capsys,
        command,
        "--cfg-path",
        "my run.yaml",
        "--nproc-per-node",
        "4",
        "--options",
        "run.seed=1",
        "model.ckpt=a b.pth",
    ) == [
        "torchrun",
        "--standalone",
        "--nproc-per-node",
        "4",
        "-m",
        "pefomed_plugin.cli._launch",
        command,
        "--cfg-path",
        "my run.yaml",
        "--options",
        "run.seed=1",
        "model.ckpt=a b.pth",
    ]


def test_threads_are_set_where_the_user_does_not(capsys, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(train.os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert said(capsys, "train", "--cfg-path", "a.yaml", "--nproc-per-node", "3")[0] == "OMP_NUM_THREADS=2"


@pytest.mark.parametrize(("gpus", "processes"), [(0, "1"), (2, "2")])
def test_one_process_for_each_visible_gpu(gpus, processes, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    words = said(capsys, "train", "--cfg-path", "a.yaml")
    assert words[words.index("--nproc-per-node") + 1] == processes


def test_several_machines(capsys):
    words = said(
        capsys,
        "train",
        "--cfg-path",
        "a.yaml",
        "--nproc-per-node",
        "8",
        "--torchrun",
        "--nnodes 2 --rdzv-endpoint 'host:29400'",
    )
    assert "--standalone" not in words and words[words.index("--rdzv-endpoint") + 1] == "host:29400"


@pytest.mark.parametrize(
    ("exitcode", "returned", "told"),
    [
        (2, 2, ""),
        (130, 130, ""),
        (1, 1, "process 3 failed"),
        (-9, 137, "ended by SIGKILL, as the system does when memory"),
        (-11, 139, "ended by SIGSEGV\n"),
    ],
)
def test_the_first_failure_is_explained(exitcode, returned, told, capsys, monkeypatch):
    monkeypatch.delenv("PEFOMED_CONTINUE", raising=False)
    error = SimpleNamespace(get_first_failure=lambda: (3, SimpleNamespace(exitcode=exitcode)))
    assert train._explain(error) == returned
    shown = capsys.readouterr().err
    assert told in shown and bool(told) == bool(shown)


@pytest.mark.parametrize("value", ["0", "-1", "two"])
def test_processes_are_counted_from_one(value, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "--cfg-path", "a.yaml", "--nproc-per-node", value])
    assert caught.value.code == 2 and "--nproc-per-node" in capsys.readouterr().err


def test_a_process_that_was_killed_cannot_say_how_to_continue(capsys, monkeypatch):
    monkeypatch.setenv("PEFOMED_CONTINUE", "pefomed train --cfg-path a.yaml --options run.resume=auto")
    train._explain(SimpleNamespace(get_first_failure=lambda: (0, SimpleNamespace(exitcode=-9))))
    assert capsys.readouterr().err.endswith(
        "to continue, if the run had begun: pefomed train --cfg-path a.yaml --options run.resume=auto\n"
    )


def test_the_command_that_continues():
    arguments = argparse.Namespace(
        command="train",
        cfg_path="my run.yaml",
        options=["run.seed=1", "run.fresh=true"],
        nproc_per_node=2,
        torchrun="--nnodes 2",
        i_have_permission=False,
    )
    assert train.continuing(arguments) == (
        "pefomed train --cfg-path 'my run.yaml' --nproc-per-node 2 --torchrun '--nnodes 2' --options run.seed=1 "
        "run.resume=auto"
    )


def test_starting_over_is_passed_on(capsys):
    assert "--fresh" in said(capsys, "train", "--cfg-path", "a.yaml", "--fresh")


def test_permission_goes_on_to_the_processes_and_stands_in_what_continues():
    arguments = argparse.Namespace(
        command="evaluate", cfg_path="run.yaml", options=[], nproc_per_node=None, torchrun="--standalone", fresh=False
    )
    for given in (True, False):
        arguments.i_have_permission = given
        assert ("--i-have-permission" in train.torchrun_arguments(arguments, 1)) is given
        assert ("--i-have-permission" in train.continuing(arguments)) is given


def test_offline_processes_meet_in_a_file_of_this_machine(monkeypatch):
    monkeypatch.setenv("PEFOMED_OFFLINE", "1")
    arguments = argparse.Namespace(torchrun="--standalone")
    with train.meeting_place(arguments) as torchrun:
        place = os.environ["PEFOMED_RANKS"]
        assert "store_type=file" in torchrun and place in torchrun and "--local-addr 127.0.0.1" in torchrun
    assert "PEFOMED_RANKS" not in os.environ and not os.path.exists(place)
    arguments.torchrun = "--nnodes 2 --rdzv-endpoint elsewhere:29400"
    with pytest.raises(ConfigError, match="PEFOMED_OFFLINE is set"), train.meeting_place(arguments):
        pass
    monkeypatch.delenv("PEFOMED_OFFLINE")
    with train.meeting_place(arguments) as torchrun:
        assert torchrun == arguments.torchrun


@pytest.mark.parametrize("own", ["", "logs of mine"])
def test_what_torchrun_writes_for_itself_is_removed(monkeypatch, tmp_path, own):
    """Without a folder it makes one among the temporary files, and leaves it there after every run."""
    from torch.distributed.run import get_args_parser

    monkeypatch.setenv("PET_LOG_DIR", own)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with train.meeting_place(argparse.Namespace(torchrun="--standalone")):
        logs = get_args_parser().parse_args(["a.py"]).log_dir
        assert logs == own or logs.startswith(str(tmp_path))
        (tmp_path / logs).mkdir(parents=True)
    assert os.listdir(tmp_path) == ([own] if own else [])


def test_torchrun_gives_the_signals_back(monkeypatch):
    """It answers them by an exception of its own, which would come in the midst of tidying up."""
    before = signal.getsignal(signal.SIGTERM)
    run = SimpleNamespace(main=lambda _: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    monkeypatch.setitem(sys.modules, "torch.distributed.run", run)
    assert train.run_torchrun([]) == 0
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_a_run_is_told_is_told_no_other_run(monkeypatch):
    """A second run in the same process would print the first one's line for going on."""
    seen = {}
    monkeypatch.setattr(train, "run_torchrun", lambda command: seen.update(os.environ) or 0)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("PEFOMED_CONTINUE", "of another")
    before = dict(os.environ)
    assert main(["train", "--cfg-path", "a.yaml", "--nproc-per-node", "1"]) == 0
    assert seen["PEFOMED_CONTINUE"].startswith("pefomed train --cfg-path a.yaml") and seen["OMP_NUM_THREADS"]
    assert dict(os.environ) == before
