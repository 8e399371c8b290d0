"""Files are recognised by what is in them; what is not says what was seen."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError, PefomedError
from pefomed_plugin.services.results_in import FORMATS, recognise

from .rows import QUESTIONS, TEXTS, lines, whole, write

PAGE = Path(__file__).resolve().parents[4] / "docs" / "other-peoples-predictions.md"


def zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, "{}")
    return content.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_recognised_and_read(tmp_path: Path, name: str) -> None:
    path = write(name, tmp_path)
    assert recognise(path).name == name
    assert [answer.text for answer in FORMATS[name].read(path)] == list(TEXTS)


@pytest.mark.parametrize("name", FORMATS)
def test_the_page_tells_what_is_declared(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert FORMATS[name].row in page
    assert FORMATS[name].checked in page


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"inspect_ai", "r2gen"}))
def test_a_bom_and_line_ends_of_windows_are_read(tmp_path: Path, name: str) -> None:
    path = write(name, tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert recognise(path).name == name
    assert [answer.text for answer in FORMATS[name].read(path)] == list(TEXTS)


def test_one_line_is_one_record(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"prompt": "p", "predict": "x", "label": "y"}])
    assert recognise(path).name == "llama_factory"
    path.write_text(path.read_text().rstrip("\n"))
    assert recognise(path).name == "llama_factory"


def test_a_first_line_may_hold_an_image(tmp_path: Path) -> None:
    """ms-swift writes images that it has as bytes into its records."""
    path = write("ms_swift", tmp_path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    large = [{**row, "images": [{"bytes": "iVBOR" * 300_000, "path": None}]} for row in rows]
    for kept in (large, large[:1]):
        found = recognise(lines(path, kept))
        assert found.name == "ms_swift" and [answer.text for answer in found.read(path)] == list(TEXTS)[: len(kept)]


def test_a_table_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "model_data.tsv"
    path.write_text('"index"\t"question"\t"answer"\t"prediction"\r\n"0"\t"q"\t"a"\t"x"\r\n')
    assert recognise(path).name == "vlmevalkit"
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["index", "question", "answer", "prediction"])
    book.save(tmp_path / "model_data.xlsx")
    assert recognise(tmp_path / "model_data.xlsx").name == "vlmevalkit"


def test_what_could_be_several_must_be_named(tmp_path: Path) -> None:
    row = {"prompt": "p", "predict": "x", "label": "y", "response": "x", "messages": []}
    with pytest.raises(ConfigError, match=r"could be of ms-swift or LLaMA-Factory.*import-predictions ms_swift"):
        recognise(lines(tmp_path / "a.jsonl", [row]))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"filtered_resps": "x", "doc_id": 0}, "whose first record has doc_id, filtered_resps; near: lmms_eval (lacks"),
        ({"strange": 1}, "has strange; known: llava_med, "),
        ({"question_id": 1, "image": "a.png", "text": "Is it?"}, "these are LLaVA-Med's questions"),
        ({"id": 1, "dataset": "d", "prediction": "x", "producer": {}}, "predictions of ours already"),
    ],
)
def test_what_is_none_says_what_was_seen(tmp_path: Path, row: dict, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recognise(lines(tmp_path / "a.jsonl", [row, row]))
    assert said in str(caught.value) and "a.jsonl" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (gzip.compress(b"{}", mtime=0), "gunzip a.jsonl"),
        (bz2.compress(b"{}"), "bunzip2 a.jsonl"),
        (lzma.compress(b"{}"), "unxz a.jsonl"),
        (b"\x28\xb5\x2f\xfd\x00", "unzstd a.jsonl"),
        (b"PAR1\x15\x04", "is Parquet; write its rows as JSON lines"),
        (pickle.dumps({"prediction": 1}), "is a pickle, which could run any program and is not opened"),
        (zipped("run/answers.jsonl"), "is a zip that holds run/answers.jsonl; unpack it"),
        ("\ufeff{}".encode("utf-16-le"), "iconv -f utf-16"),
        (b"PK\x03\x04cut", "is no zip, or is damaged or cut short"),
        (b"[1, 2]", "expected records that are objects, found a number"),
        (b'[{"a": 1, ', "column 11: not JSON"),
        ('{"text": "\u00e9"'.encode("latin-1"), "is not UTF-8"),
        (b"id,prediction", "neither JSON nor a table with tabs: its first line has id,prediction"),
        (json.dumps({"a": {"model_prediction": 1}, "b": 2}).encode(), "of no format that is known"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(PefomedError) as caught:
        recognise(path)
    assert said in str(caught.value) and "a.jsonl" in str(caught.value)


def test_rexranks_data_file_is_not_its_predictions(tmp_path: Path) -> None:
    path = whole(tmp_path / "test.json", {"CXR1": {"section_findings": "a", "key_image_path": "b"}})
    with pytest.raises(ConfigError, match="this is ReXrank's data file"):
        recognise(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"results": {"vqa": {}}, "configs": {}, "date": "d"}, "lmms-eval's figures: run it with --log_samples"),
        ({"predict_bleu-4": 1.0, "predict_runtime": 2.0}, "give generated_predictions.jsonl, which lies beside them"),
        ({"version": 2, "status": "success", "eval": {}}, "the head of a log of inspect_ai"),
    ],
)
def test_figures_in_place_of_answers_say_which_file_is_meant(tmp_path: Path, content: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        recognise(whole(tmp_path / "results.json", content))


def test_a_table_is_read_by_what_it_is_where_its_name_does_not_say_it(tmp_path: Path) -> None:
    for name in ("answers.txt", "answers"):
        (tmp_path / name).write_text("question\tanswer\tprediction\nq\ta\tx\n")
        assert [answer.text for answer in recognise(tmp_path / name).read(tmp_path / name)] == ["x"]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    header = ["question", "answer", "prediction", "prediction"]
    (tmp_path / "a.tsv").write_text("\t".join(header) + "\nq\ta\tx\ty\n")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(header)
    book.active.append(["q", "a", "x", "y"])
    book.save(tmp_path / "a.xlsx")
    for name in ("a.tsv", "a.xlsx"):
        with pytest.raises(DataError, match=f"{name}: two columns are called prediction; rename or delete"):
            FORMATS["vlmevalkit"].read(tmp_path / name)


def test_a_quote_that_is_astray_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('question\tanswer\tprediction\nq\ta\tx\nq\ta\t"x"y\n')
    with pytest.raises(DataError, match=r"a\.tsv, line 3: .*is a quote astray\?"):
        FORMATS["vlmevalkit"].read(tmp_path / "a.tsv")


def test_r2gen_needs_both_files_of_one_length(tmp_path: Path) -> None:
    write("r2gen", tmp_path)
    read = FORMATS["r2gen"].read
    assert [answer.reference for answer in read(tmp_path)] == [row[3] for row in QUESTIONS]
    (tmp_path / "gts.csv").write_text("yes\n")
    with pytest.raises(DataError, match="has 2 reports and .* 1; both must be of one run"):
        read(tmp_path)
    (tmp_path / "gts.csv").write_text("yes,no\ntriangle\n")
    with pytest.raises(DataError, match="row 1: 2 columns, not 1"):
        read(tmp_path)
    (tmp_path / "gts.csv").unlink()
    with pytest.raises(ConfigError, match=r"two files, res\.csv and gts\.csv"):
        read(tmp_path / "res.csv")
    with pytest.raises(DataError, match="a folder without"):
        recognise(tmp_path)
    with pytest.raises(DataError, match=r"res\.csv is one of R2Gen's two files; gts\.csv must lie beside it"):
        recognise(tmp_path / "res.csv")
