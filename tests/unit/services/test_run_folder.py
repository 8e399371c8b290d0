"""A run's folder after deaths of every kind: nothing lost, nothing started over unasked."""

from __future__ import annotations

import os

import pytest

from pefomed_plugin.errors import ConfigError, DataError, PefomedError
from pefomed_plugin.locks import NoLocks, holder_of
from pefomed_plugin.services.ranks import report_errors
from pefomed_plugin.services.run_folder import MARKER, RunFolder

COMMAND = "pefomed train --cfg-path a.yaml --options run.resume=auto"


def folder(path, *, evaluate=False, resume=False, fresh=False):
    return RunFolder(path / "s2", evaluate=evaluate, resume=resume, fresh=fresh, command=COMMAND)


def names(path):
    return sorted(found.name for found in path.iterdir())


def run(path, text="whole", error=None, step=True, **settings):
    """A run that writes ``text`` into its checkpoint, or its answers, and perhaps dies."""
    room = folder(path, **settings)
    room.check()
    with room.used("config"):
        if step:
            name = "results/vqa/answers.rank0.jsonl" if settings.get("evaluate") else "checkpoint_last.pth"
            (room.path / name).parent.mkdir(parents=True, exist_ok=True)
            (room.path / name).write_text(text)
        if error is not None:
            raise error


def test_a_finished_run_is_set_aside(tmp_path, capsys):
    for number in range(3):
        run(tmp_path, str(number))
    assert names(tmp_path) == ["s2", "s2.1", "s2.2"]
    assert [(tmp_path / name / "checkpoint_last.pth").read_text() for name in names(tmp_path)] == ["2", "0", "1"]
    assert "it is now" in capsys.readouterr().out
    assert names(tmp_path / "s2") == ["checkpoint_last.pth", "config.yaml"]


def test_evaluation_sets_only_the_results_aside(tmp_path):
    run(tmp_path)
    for _ in range(2):
        run(tmp_path, evaluate=True)
    there = names(tmp_path / "s2")
    assert there[:3] == ["checkpoint_last.pth", "config.yaml", "config.yaml.1"]
    assert there[-2:] == ["results", "results.1"]


@pytest.mark.parametrize("evaluate", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("boom"), PefomedError("stopped")])
def test_starting_over_a_run_that_died_has_to_be_asked_for(tmp_path, error, evaluate):
    with pytest.raises(type(error)):
        run(tmp_path, "half", error, evaluate=evaluate)
    before = names(tmp_path)
    with pytest.raises(ConfigError, match="a run that is not finished") as caught:
        run(tmp_path, evaluate=evaluate)
    assert caught.value.problems == (
        f"to continue it: {COMMAND}",
        "to start over (it is renamed, not deleted): add run.fresh=true",
    )
    assert names(tmp_path) == before
    run(tmp_path, "more", evaluate=evaluate, resume=True)
    assert names(tmp_path) == before
    run(tmp_path, evaluate=evaluate)  # it is finished now


def test_a_run_that_was_killed_leaves_its_marker(tmp_path):
    entered = folder(tmp_path).used("config")
    entered.__enter__()  # and nothing after it: SIGKILL
    (tmp_path / "s2" / "checkpoint_last.pth").write_text("half")
    with pytest.raises(ConfigError, match="a run that is not finished"):
        folder(tmp_path).check()


def test_auto_looks_at_what_was_set_aside(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "half", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):  # started over, and killed before its first checkpoint
        run(tmp_path, error=KeyboardInterrupt(), fresh=True, step=False)
    assert names(tmp_path) == ["s2", "s2.2"]  # given back: it had not begun
    (tmp_path / "s2").rename(tmp_path / "s2.3")
    with folder(tmp_path, resume=True).used("config"):
        assert (tmp_path / "s2" / "checkpoint_last.pth").read_text() == "half"
    assert "s2.3 holds the run that is not finished; it is" in capsys.readouterr().out


def test_auto_leaves_a_finished_run_alone(tmp_path, capsys):
    run(tmp_path, "whole")
    (tmp_path / "s2").rename(tmp_path / "s2.1")
    run(tmp_path, "new", resume=True)
    assert (tmp_path / "s2.1" / "checkpoint_last.pth").read_text() == "whole"
    assert "s2.1 holds an earlier run, which is left alone" in capsys.readouterr().out


def test_a_run_that_fails_before_its_first_step_leaves_the_earlier_one_where_it_was(tmp_path, capsys):
    run(tmp_path, "whole")
    with pytest.raises(DataError) as caught:
        run(tmp_path, error=DataError("no data"), step=False)
    assert (tmp_path / "s2" / "checkpoint_last.pth").read_text() == "whole"
    assert not (tmp_path / "s2" / MARKER).exists()
    assert "is the earlier run again" in capsys.readouterr().out
    assert not hasattr(caught.value, "to_continue")
    run(tmp_path, "next")
    assert (tmp_path / "s2" / "checkpoint_last.pth").read_text() == "next"


@pytest.mark.parametrize(
    ("error", "code"), [(PefomedError("no gradient"), 2), (KeyboardInterrupt(), 130), (RuntimeError("boom"), None)]
)
def test_every_death_says_how_to_continue(tmp_path, error, code, capsys):
    if code is None:
        with pytest.raises(RuntimeError):
            report_errors(lambda: run(tmp_path, error=error))
    else:
        assert report_errors(lambda: run(tmp_path, error=error)) == code
    assert f"to continue: {COMMAND}\n" in capsys.readouterr().err


def test_a_folder_that_cannot_be_renamed(tmp_path, monkeypatch):
    run(tmp_path)
    monkeypatch.setattr("pefomed_plugin.services.run_folder.set_aside", _fails)
    with pytest.raises(DataError, match="which holds an earlier run"):
        run(tmp_path)


def test_where_nothing_can_be_written_is_told_before_anything_is_loaded(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"run\.output_dir: .*file/s2 cannot be written \(.*file: Not a directory"):
        folder(tmp_path / "file").check()
    folder(tmp_path / "not there yet").check()
    monkeypatch.setenv("RANK", "1")
    folder(tmp_path / "file").check()  # the first rank writes, and says it
    assert names(tmp_path) == ["file"]


def _fails(path):
    raise OSError(13, "Permission denied")


@pytest.mark.parametrize(("first", "second"), [(False, False), (False, True), (True, True), (True, False)])
def test_two_runs_at_once_do_not_share_a_folder(tmp_path, first, second):
    running, other = folder(tmp_path, evaluate=first), folder(tmp_path, evaluate=second, resume=True)
    with running.held():
        for begin in (other.check, lambda: other.held().__enter__()):
            with pytest.raises(ConfigError, match=r"is in use: process \d+ on .* since") as caught:
                begin()
            assert "run.output_dir" in caught.value.problems[0]
    other.check()
    with other.held():
        assert names(tmp_path)
    assert names(tmp_path) == []  # locks go with who held them


def test_the_lock_of_a_killed_process_holds_nobody_up(tmp_path):
    child = os.fork()
    if child == 0:
        with folder(tmp_path).held():
            os._exit(9)
    os.waitpid(child, 0)
    assert names(tmp_path) == [".s2.lock", ".s2.results.lock"]
    folder(tmp_path).check()
    with folder(tmp_path).held():
        assert f"process {os.getpid()} on" in holder_of(tmp_path / ".s2.lock")


def test_where_there_are_no_locks_it_is_said(tmp_path, monkeypatch, capsys):
    def none(*_, **__):
        raise NoLocks("No locks available")

    monkeypatch.setattr("pefomed_plugin.services.run_folder.take", none)
    with folder(tmp_path).held():
        assert "No locks available); start only one run in it" in capsys.readouterr().err
