"""CSV and TAB files: what is kept, and what is said of damaged ones."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.tables import read_csv, read_lines, read_parquet, read_tab_pairs

from .files import write_lines, write_parquet


def rows(path: Path, *columns: str) -> list:
    problems: list[str] = []
    found = list(read_csv(path, columns, problems))
    assert problems == []
    return found


def test_a_csv_keeps_commas_quotes_and_line_ends_inside_quotes(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "ID , Caption", 'x,"an invented ""mass"", left', 'lower lobe"', "", "y, b ")
    assert rows(path, "ID", "Caption") == [
        (3, {"ID": "x", "Caption": 'an invented "mass", left\nlower lobe'}),
        (5, {"ID": "y", "Caption": " b "}),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path, encoding: str) -> None:
    assert rows(write_lines(tmp_path / "a.csv", "ID,x", "1,2", encoding=encoding), "ID") == [(2, {"ID": "1", "x": "2"})]


def test_only_lf_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("a\tone\u2028two\x0bthree\r\nb\t four".encode())
    assert list(read_tab_pairs(path)) == [(1, "a", "one\u2028two\x0bthree"), (2, "b", "four")]


def test_tab_pairs_split_at_the_first_tab_and_do_not_unquote(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.txt", 'a\t "open\tquote', "", "no tab", "b\t")
    assert list(read_tab_pairs(path)) == [(1, "a", '"open\tquote'), (3, "no tab", None), (4, "b", "")]


def test_a_gzip_is_unpacked_and_a_cut_one_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    whole = gzip.compress(b"ID,text\n" + b"".join(b"%d,invented %d\n" % (n, n * n) for n in range(5000)))
    path.write_bytes(whole)
    assert len(rows(path, "ID")) == 5000
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a\.csv\.gz: damaged after line \d{3,4} .*fetch the file again"):
        rows(path, "ID")


def test_a_web_page_instead_of_a_gzip(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv.gz", "<html>please log in</html>")
    with pytest.raises(DataError, match="damaged after line 0"):
        rows(path, "ID")


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("ID,text\n1,fine\n2,30° flexed\n".encode("latin1"))
    with pytest.raises(DataError, match="line 3: not UTF-8; convert"):
        rows(path, "ID")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("ID;text", "separated by semicolons"),
        ("ID\ttext", "separated by TABs"),
        ("ID|text", "separated by vertical"),
        ("id,text", r"missing column\(s\) ID; found id, text"),
    ],
)
def test_a_wrong_header_says_what_is_wrong(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        rows(write_lines(tmp_path / "a.csv", header, "1;2"), "ID", "text")


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the file is empty"):
        rows(write_lines(tmp_path / "a.csv"), "ID")


def test_every_ragged_row_is_a_problem_and_the_others_are_read(tmp_path: Path) -> None:
    problems: list[str] = []
    path = write_lines(tmp_path / "a.csv", "ID,text", "1,a, b", "2,fine", "3")
    assert [row["ID"] for _, row in read_csv(path, ("ID",), problems)] == ["2"]
    assert [problem.split(";")[0] for problem in problems] == [
        "a.csv, line 2: 3 cells, the header has 2",
        "a.csv, line 4: 1 cells, the header has 2",
    ]


def test_a_quote_that_never_closes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3: not a comma CSV"):
        rows(write_lines(tmp_path / "a.csv", "ID,text", '1,"open', "2,swallowed"), "ID")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.txt: No such file"):
        list(read_lines(tmp_path / "none.txt"))


def test_parquet_gives_the_named_columns_only(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, [{"question": "why?", "answer": "so"}])
    assert list(read_parquet(path, ("answer",), optional=("question", "cui"))) == [{"answer": "so", "question": "why?"}]
    with pytest.raises(DataError, match=r"missing column\(s\) caption; found image, question, answer"):
        list(read_parquet(path, ("caption",)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot read parquet"):
        list(read_parquet(path, ("answer",)))


def test_lines_that_end_with_a_carriage_return_alone_are_no_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"ROCO_00001\t one\rROCO_00002\t two\r")
    with pytest.raises(DataError, match=r"a.txt, line 1: a carriage return within it.*tr '"):
        list(read_tab_pairs(tmp_path / "a.txt"))
    (tmp_path / "a.txt").write_bytes(b"ROCO_00001\t one\r\nROCO_00002\t two\r\n")
    assert [text for _, _, text in read_tab_pairs(tmp_path / "a.txt")] == ["one", "two"]
