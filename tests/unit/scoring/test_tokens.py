from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pefomed_plugin.scoring.java import JavaError
from pefomed_plugin.scoring.tokens import tokenise_approximately, tokenise_ptb

from .jvm import is_running, misbehaving_java, needs_java, needs_shell

pytest.importorskip("pycocoevalcap")
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@needs_java
def test_one_line_a_text_whatever_it_holds() -> None:
    texts = [
        "The first.",
        *(f"Heart{line_end}size is normal." for line_end in LINE_ENDS),
        "",
        "\n\n",
        "\x00\x01",
        "*NL* and *NL*",
        "\ud800 lone surrogate",
        "Temp 37\u00b0C (mild), don't!",
        "",
        "The last.",
    ]
    tokens = tokenise_ptb(texts, str(shutil.which("java")))
    assert len(tokens) == len(texts)
    assert tokens[0] == "the first"
    assert set(tokens[1 : 1 + len(LINE_ENDS)]) == {"heart size is normal"}
    assert tokens[11:14] == ["", "", ""]
    assert tokens[-3:] == ["temp 37 \u00b0 c -lrb- mild -rrb- do n't", "", "the last"]


@needs_java
def test_tokens_do_not_depend_on_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=tr -Dfile.encoding=ISO-8859-1")
    assert tokenise_ptb(["THIN caf\u00e9 \u65e5\u672c"], str(shutil.which("java"))) == ["thin caf\u00e9 \u65e5\u672c"]


@needs_shell
@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo no heap >&2; exit 3", "status 3 after 0 of 2 texts: no heap"),
        ("cat > /dev/null; echo one line", "status 0 after 1 of 2 texts"),
    ],
)
def test_a_failing_jvm_is_told(tmp_path: Path, script: str, told: str) -> None:
    with pytest.raises(JavaError, match=told):
        tokenise_ptb(["one", "two"], misbehaving_java(tmp_path, script))


@needs_shell
def test_a_jvm_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(JavaError, match=r"within 0\.5 s"):
        tokenise_ptb(["one"], misbehaving_java(tmp_path, "exec sleep 60"), timeout_s=0.5)
    assert not is_running(tmp_path)


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(JavaError, match="cannot start"):
        tokenise_ptb(["one"], str(tmp_path / "java"))


def test_approximate_tokens() -> None:
    text = "The patient's lungs aren't clear; T8-T9 (1.6 cm), \u201cstable\u201d."
    assert tokenise_approximately([text, "", " . "]) == [
        "the patient 's lungs are n't clear t8-t9 -lrb- 1.6 cm -rrb- stable",
        "",
        "",
    ]
