"""The driver's failures. Its numbers are in tests/conformance, since METEOR takes several seconds to start."""

from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.scoring.java import JavaError
from pefomed_plugin.scoring.meteor import Meteor

from .jvm import is_running, misbehaving_java, needs_shell

pytest.importorskip("pycocoevalcap")
pytestmark = needs_shell


def test_a_silent_process_is_ended_and_not_asked_again(tmp_path: Path) -> None:
    with Meteor(misbehaving_java(tmp_path, "exec sleep 60"), timeout_s=0.5) as meteor:
        with pytest.raises(JavaError, match=r"did not reply within 0\.5 s"):
            meteor.score(["a b"], ["a b"])
        assert not is_running(tmp_path)
        with pytest.raises(JavaError, match="not running"):
            meteor.score(["a b"], ["a b"])


def test_a_process_that_ends_early_leaves_its_message(tmp_path: Path) -> None:
    with Meteor(misbehaving_java(tmp_path, "echo Could not reserve heap >&2; exit 1")) as meteor:
        with pytest.raises(JavaError, match="Could not reserve heap"):
            meteor.score(["a b"] * 3, ["a b"] * 3)


def test_a_reader_that_never_reads_cannot_block_a_long_line(tmp_path: Path) -> None:
    with Meteor(misbehaving_java(tmp_path, "exec sleep 60"), timeout_s=0.5) as meteor:
        with pytest.raises(JavaError, match="did not reply"):
            meteor.score(["a " * 500_000], ["b"])


def test_a_talkative_process_cannot_block_on_its_messages(tmp_path: Path) -> None:
    script = "head -c 1000000 /dev/zero >&2; echo enough >&2; read line; echo 1.0; exit 1"
    with Meteor(misbehaving_java(tmp_path, script), timeout_s=20) as meteor:
        with pytest.raises(JavaError, match=r"ended before it replied: .*enough"):
            meteor.score(["a", "b"], ["a", "b"])


_SMALL = """case "$*" in *-Xmx512m*) read line; echo java.lang.OutOfMemoryError >&2; exit 1;; esac"""
_LARGE = """while read line; do case "$line" in
SCORE*endless*) echo java.lang.OutOfMemoryError >&2; exit 1;;
SCORE*) echo 7;;
EVAL*) for word in $line; do [ "$word" = 7 ] && echo 0.5; done; echo 0.25;;
esac; done"""


def test_more_memory_is_tried_and_a_text_that_no_memory_holds_costs_no_other(tmp_path: Path) -> None:
    with Meteor(misbehaving_java(tmp_path, f"{_SMALL}\n{_LARGE}")) as meteor:
        assert meteor.score(["a", "b"], ["a", "b"]) == (0.25, [0.5, 0.5])
        assert meteor.score(["a", "b", "c"], ["a", "endless", "c"]) == (None, [0.5, None, 0.5])
        with pytest.raises(JavaError, match="ran out of 4096 MB of memory on 7 texts"):
            meteor.score(["a"] * 7, ["endless"] * 7)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_process_ends_with_the_block(tmp_path: Path, error: type) -> None:
    def interrupted() -> None:
        with Meteor(misbehaving_java(tmp_path, "exec sleep 60")):
            assert is_running(tmp_path)
            raise error

    with pytest.raises(error):
        interrupted()
    assert not is_running(tmp_path)


def test_what_cannot_be_scored(tmp_path: Path) -> None:
    with pytest.raises(JavaError, match="cannot start"):
        Meteor(str(tmp_path / "java")).__enter__()
    meteor = Meteor(str(tmp_path / "java"))
    with pytest.raises(DataError):
        meteor.score([], [])
    with pytest.raises(DataError):
        meteor.score(["a"], ["a", "b"])
    with pytest.raises(JavaError, match="inside its with block"):
        meteor.score(["a"], ["a"])
