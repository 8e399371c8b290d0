"""Encodings and delimiters: found out, said, and where they cannot be told refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.own_data.sniffing import choose_delimiter, decode

PATH = Path("befunde.csv")
TEXT = "Bild;Befund\nä.png;Herz groß\n"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16 without a byte order mark"),
        ("utf-16-be", "UTF-16 without a byte order mark"),
        (
            "latin-1",
            "guessed Latin-1 (the same as cp1252 here), as line 2 is not UTF-8; letters beyond ASCII: ä 1, ß 1;",
        ),
    ],
)
def test_encodings(encoding: str, said: str) -> None:
    text, words = decode(PATH, TEXT.encode(encoding))
    assert text == TEXT
    assert words.startswith(said)


def test_windows_letters_and_a_doubt_about_dos() -> None:
    text, words = decode(PATH, "Befund\n„frei“ – 3 €, ä ö ü\n".encode("cp1252"))
    assert "„frei“ – 3 €" in text and "guessed cp1252 (Windows)" in words and "cp850" not in words
    _, words = decode(PATH, "Befund\nHerz in Lunge: Ö, ä, ä, ß\n".encode("cp850").replace(b"\x81", b""))
    assert "it may be cp850 (DOS)" in words
    with pytest.raises(DataError, match=r"befunde\.csv, line 2: neither UTF-8 nor .*--encoding cp850"):
        decode(PATH, "Befund\nÜbersicht über\n".encode("cp850"))
    assert decode(PATH, "Befund\nüber\n".encode("cp850"), "cp850") == ("Befund\nüber\n", "cp850 (as --encoding says)")


def test_what_is_told_and_does_not_fit() -> None:
    with pytest.raises(ConfigError, match="no such encoding of text"):
        decode(PATH, b"a", "latin-99")
    with pytest.raises(ConfigError, match="no such encoding of text"):
        decode(PATH, b"a", "hex")
    with pytest.raises(DataError, match=r"befunde\.csv, line 2: not utf-8 .*; give another --encoding"):
        decode(PATH, TEXT.encode("latin-1"), "utf-8")


@pytest.mark.parametrize(
    ("content", "encoding", "line"),
    [
        (b"\x7fELF\0\0\0abcdefghijklmnopqrst", "", 1),
        (b"Bild;Befund\n" + b"a.png;gut\n" * 1000 + b"b.png;\0\n", "", 1002),
        ("Bild;Befund\nb.png;\0\n".encode("utf-8-sig"), "", 2),
        (TEXT.encode("utf-16-le"), "latin-1", 1),
    ],
    ids=["binary", "far down", "behind a mark", "of another encoding"],
)
def test_nul_bytes_are_no_text(content: bytes, encoding: str, line: int) -> None:
    with pytest.raises(DataError, match=rf"befunde\.csv, line {line}: no text: it holds NUL bytes"):
        decode(PATH, content, encoding)


@pytest.mark.parametrize("mark", [";", "\t", ",", "|"])
def test_delimiters(mark: str) -> None:
    text = f'image{mark}report\na.png{mark}"Heart; clear, | \tno mass"\nb.png{mark}fine\n'
    assert choose_delimiter(PATH, text, "")[0] == mark


def test_a_delimiter_that_cannot_be_told_and_one_that_columns_tell() -> None:
    text = "image,x;report,y\na,b;c,d\n"
    assert choose_delimiter(PATH, text, "", ["image", "y"])[0] == ","
    assert choose_delimiter(PATH, text, ";")[:2] == (";", "semicolon (as --delimiter says)")
    mark, words, _ = choose_delimiter(PATH, "image;report;x,y\na;b;c,d\n", "")
    assert mark == ";" and "comma would do as well" in words
    with pytest.raises(DataError, match="semicolon or by comma; give --delimiter"):
        choose_delimiter(PATH, "image,x;report\na,b;c\n", "")


def test_sep_of_excel_and_named_marks() -> None:
    assert choose_delimiter(PATH, "sep=|\na|b,c\n", "") == ("|", "vertical bar (its first line says sep=|)", "a|b,c\n")
    assert choose_delimiter(PATH, "a\tb", "tab")[0] == "\t"
    with pytest.raises(ConfigError, match="one character"):
        choose_delimiter(PATH, "a", ";;")
    with pytest.raises(DataError, match="one column only"):
        choose_delimiter(PATH, "image\na.png\n", "")
    with pytest.raises(DataError, match="empty"):
        choose_delimiter(PATH, " \n", "")


def test_a_file_of_two_encodings_is_refused() -> None:
    """As when exports of two programs were put together: in either encoding some letters would be others."""
    content = TEXT.encode() * 3 + "b.png;groß\n".encode("latin-1")
    with pytest.raises(DataError, match=r"befunde\.csv, line 7: not UTF-8, as 3 other line\(s\) .*\(1 are not\)"):
        decode(PATH, content)
    assert decode(PATH, content, "cp1252")[1] == "cp1252 (as --encoding says)"


def test_letters_that_were_encoded_twice_and_those_of_the_mac_are_doubted() -> None:
    twice = "Bild;Befund\na.png;groß über 3 °C\n".encode().decode("cp1252")
    assert decode(PATH, twice.encode())[1].startswith("UTF-8; 3 letter(s) look as if encoded twice, ÃŸ the first")
    assert decode(PATH, "Befund\nÂge, FRÃN, à côté ÄÖÜ\n".encode())[1] == "UTF-8"
    assert "it may be mac_roman" in decode(PATH, "Befund\ngroß, ähnlich, öfter\n".encode("mac_roman"))[1]


@pytest.mark.parametrize(("start", "said"), [(b"PK\x03\x04", "XLSX, ODS or ZIP"), (b"\xd0\xcf\x11\xe0", "old .xls")])
def test_a_spreadsheet_under_the_ending_of_a_text(start: bytes, said: str) -> None:
    with pytest.raises(DataError, match=f"no text but .*{said}"):
        decode(PATH, start + b"\0abc")
