"""``pefomed rate serve``: what the terminal says, from the first start over Ctrl-C to figures and sheets."""

from __future__ import annotations

import io
import json
import re
import shlex
import signal
import sqlite3
import sys
import threading
from contextlib import redirect_stdout
from dataclasses import replace
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from PIL import Image

from pefomed_plugin.cli import main
from pefomed_plugin.provenance import DataPart, ModelPart, RunRecord, write_record
from pefomed_plugin.scoring.files import read_scores
from pefomed_plugin.services import rating
from pefomed_plugin.services.rating.sheets import read_sheet, write_csv
from pefomed_plugin.services.rating.store import STORE
from pefomed_plugin.storage import write_records
from tests.unit.services.judged import answers, written_reports

pytest.importorskip("uvicorn")


@pytest.fixture
def path(tmp_path):
    write_records(tmp_path / "predictions.jsonl", [*answers(5), answers(6, prediction="yes")[5]])
    return tmp_path / "predictions.jsonl"


def serve(*arguments, visit=lambda url: None, out=None):
    """Run the command, visit its page, press Ctrl-C; what it said, also while it is said."""
    out, failed, ended = io.StringIO() if out is None else out, [], threading.Event()

    def come_by():
        try:
            while "Ctrl-C" not in out.getvalue():
                if ended.wait(0.005):
                    return
            visit(re.findall(r"http://\S+/\S*", out.getvalue())[0])
        except Exception as error:  # raised again below, where pytest sees it
            failed.append(error)
        finally:
            if not ended.is_set():
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    visitor = threading.Thread(target=come_by, daemon=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored where tests run
    try:
        with redirect_stdout(out):
            visitor.start()
            code = main(["rate", "serve", *map(str, arguments), "--port", "0"])
        visitor.join(timeout=30)
    finally:
        ended.set()
        signal.signal(signal.SIGINT, before)
    if failed:
        raise failed[0]
    assert code == 0
    return out.getvalue()


def ask(url, path, body=None):
    """As a browser does that opens the printed link first: its token becomes a cookie."""
    browser = build_opener(HTTPCookieProcessor())
    browser.open(url, timeout=10).close()
    return browser.open(Request(urljoin(url, path), body, {"Content-Type": "application/json"}), timeout=10)


def items(url, rater):
    with ask(url, "/session?rater=" + rater) as answer:
        return json.load(answer)["items"]


def rate(url, rater, count, value):
    for item in items(url, rater)[:count]:
        body = json.dumps({"rater": rater, "item": item["item"], "rating": value}).encode()
        ask(url, "/rating", body).close()


def printed_command(said, start):
    [command] = re.findall(f"^{start} +pefomed (.*)$", said, re.MULTILINE)
    return shlex.split(command)


def test_rate_stop_go_on_and_figures_by_the_printed_commands(path, tmp_path, capsys):
    def first_day(url):
        rate(url, "anna", 5, 1)
        rate(url, "boris", 2, 0)

    def second_day(url):
        assert [item["rating"] for item in items(url, "boris")] == [0, 0, None, None, None]
        rate(url, "boris", 4, 0)

    said = serve(path, "--no-images", visit=first_day)
    assert "5 of 6 answers to rate (only answers that failed exact match" in said
    assert re.search(r"anna +5 of 5\n +boris +2 of 5\n", said)
    said = serve(path, "--no-images", visit=second_day)
    assert "boris                2 of 5" in said.split("Ctrl-C")[0]
    assert main(printed_command(said, "figures:")) == 0
    figures = json.loads((tmp_path / "metrics.json").read_text())["scores"]["human/vqa"]
    assert (figures["overall"]["runs"], figures["overall"]["unscored"]) == (2, 1)
    said = serve(path, "--no-images", visit=lambda url: rate(url, "boris", 5, 0))
    assert "--allow-missing" not in said
    assert main(printed_command(said, "figures:")) == 0
    from_page = json.loads((tmp_path / "metrics.json").read_text())
    assert from_page["judges"]["human/vqa"]["raters"] == ["anna", "boris"]
    sheets = [*printed_command(said, "sheets:"), "--csv"]
    assert main(sheets) == 0
    assert main(["rate", "import", str(tmp_path / "ratings" / "sheets"), str(path)]) == 0
    assert json.loads((tmp_path / "metrics.json").read_text()) == from_page
    assert main(["agree", str(path)]) == 0
    assert main(sheets) == 2
    assert "not overwritten" in capsys.readouterr().err


def test_workbooks_of_the_page_are_imported_as_they_are(path, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    serve(path, "--no-images", "--out", tmp_path / "r", "--all", visit=lambda url: rate(url, "anna", 6, 1))
    assert main(["rate", "sheets", str(tmp_path / "r"), str(path), "--out", str(tmp_path / "s")]) == 0
    assert sorted(each.name for each in (tmp_path / "s").iterdir()) == ["anna.xlsx", "ratings.json"]
    book = openpyxl.load_workbook(tmp_path / "s" / "anna.xlsx")
    [rating] = [cell.column_letter for cell in book["Ratings"][1] if cell.value == "rating"]
    assert [cell.value for cell in book["Ratings"][rating]][1:] == [1] * 6
    assert main(["rate", "import", str(tmp_path / "s"), str(path)]) == 0


def test_images_from_the_folder_given_and_missing_ones_are_told(path, tmp_path):
    def look(url):
        shown = [item["item"] for item in items(url, "anna") if item["images"]]
        assert len(shown) == 3
        with ask(url, "/image?rater=anna&item=" + shown[0]) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"

    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "image0.png")
    said = serve(path, "--image-root", tmp_path / "images", visit=look)
    assert "2 answer(s) without an image" in said and "image1.png: no such file" in said


def test_images_come_from_the_record_of_the_run(path, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "image0.png")
    (dataset,) = {json.loads(line)["dataset"] for line in path.read_text().splitlines()}
    part = DataPart(dataset, "real", image_root=str(tmp_path / "images"))
    write_record(tmp_path / "run" / "results", RunRecord({dataset: part}, ModelPart("tiny")))
    answered = tmp_path / "run" / "results" / f"{dataset}-test"
    answered.mkdir()
    of_run = path.rename(answered / path.name)
    said = serve(of_run, visit=lambda url: next(item for item in items(url, "anna") if item["images"]))
    assert "2 answer(s) without an image" in said
    (tmp_path / "images").rename(tmp_path / "moved")
    assert main(["rate", "serve", str(of_run)]) == 2
    assert "which is gone" in " ".join(capsys.readouterr().err.split())


def test_where_the_images_are_must_be_known(path, capsys):
    assert main(["rate", "serve", str(path)]) == 2
    assert "--no-images" in capsys.readouterr().err
    assert not (path.parent / "ratings").exists()


def test_a_page_and_sheets_share_a_folder(path, tmp_path, capsys):
    """One rater on the page, one on a sheet, one on both: nothing is lost, a contradiction is named."""
    study = tmp_path / "r"
    assert main(["rate", "export", str(path), "--raters", "Anna, boris", "--all", "--csv", "--out", str(study)]) == 0
    assert main(["rate", "sheets", str(study), str(path)]) == 2
    assert "holds no ratings of a page" in capsys.readouterr().err
    serve(path, "--no-images", "--out", study, visit=lambda url: (rate(url, "anna", 2, 1), rate(url, "clara", 6, 0)))
    sheets = {name: read_sheet(study / f"{name}.csv") for name in ("anna", "boris")}
    on_sheet = [replace(row, rating=1 if at == 0 else 0 if at > 1 else None) for at, row in enumerate(sheets["anna"])]
    write_csv(study / "anna.csv", on_sheet)
    write_csv(study / "boris.csv", [replace(row, rating="Cannot  judge", comment="dark") for row in sheets["boris"]])
    capsys.readouterr()
    assert main(["rate", "import", str(study), str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["raters"] == ["anna", "boris", "clara"] and found["cannot_judge"] == {"boris": 6}
    assert found["figures"]["overall"]["cannot_judge"] == 6 and found["new"] == 10
    assert found["pairs"]["anna ~ clara"]["n"] == 6 and found["pairs"]["anna ~ boris"]["n"] == 0
    runs = sorted((tmp_path / "scores").glob("*.run*.jsonl"))
    values = [[score.value for score in read_scores(run)] for run in runs]
    assert [sorted(map(str, each)) for each in values] == [["0.0"] * 4 + ["1.0"] * 2, ["None"] * 6, ["0.0"] * 6]
    assert {score.reason for score in read_scores(runs[1])} == {"cannot judge"}
    assert main(["rate", "status", str(study), "--json"]) == 0
    rows = {row["rater"]: row for row in json.loads(capsys.readouterr().out)["raters"]}
    assert (rows["anna"]["rated"], rows["anna"]["on_page"], rows["anna"]["on_sheets"]) == (6, 2, 4)
    assert (rows["boris"]["cannot"], rows["boris"]["commented"], rows["clara"]["rated"]) == (6, 6, 6)

    assert main(["agree", str(path), "--json"]) == 0
    agreed = json.loads(capsys.readouterr().out)
    assert agreed["names"] == {"rater 1": "anna", "rater 2": "boris", "rater 3": "clara"}
    assert agreed["cannot_judge"] == {"rater 2": 6}
    [pairs] = [table for table in agreed["shown"] if table["title"].startswith("Pairs of raters")]
    assert len(pairs["rows"]) == 3

    write_csv(study / "anna.csv", [replace(on_sheet[0], rating=0), *on_sheet[1:]])
    assert main(["rate", "import", str(study), str(path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "anna.csv, line 2: anna says 0 here and said 1 on the page" in said and "--prefer" in said
    assert main(["rate", "import", str(study), str(path), "--prefer", "page"]) == 0
    assert "the page counts" in " ".join(capsys.readouterr().out.split())
    assert main(["rate", "import", str(study), str(path), "--prefer", "sheet"]) == 0
    assert "0 takes the place of 1 (the page" in " ".join(capsys.readouterr().out.split())
    serve(path, "--no-images", "--out", study, visit=lambda url: rate(url, "anna", 1, 1))  # later, and stands
    assert main(["rate", "import", str(study), str(path)]) == 0
    base = sqlite3.connect(str(study / STORE))
    words = base.execute("SELECT rating, origin FROM said WHERE rater = 'anna' ORDER BY number").fetchall()
    base.close()
    assert words[0] == (1, "page") and words[-2:] == [(0, "anna.csv"), (1, "page")]


def test_a_study_has_rounds_on_page_and_sheets(path, tmp_path, capsys):
    study = tmp_path / "r"
    serve(path, "--no-images", "--all", "--out", study, visit=lambda url: rate(url, "anna", 6, 1))
    assert main(["rate", "export", str(path), "--new-round", "--csv", "--out", str(study)]) == 0  # for who rated before
    assert "round 2" in capsys.readouterr().out
    rows = read_sheet(study / "anna-round2.csv")
    write_csv(study / "anna-round2.csv", [replace(row, rating=int(at > 1)) for at, row in enumerate(rows)])
    assert main(["rate", "import", str(study), str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["figures"]["overall"]["value"] == pytest.approx(100 * 4 / 6)  # the later round counts
    assert found["rounds"]["anna, round 1 ~ round 2"]["n"] == 6
    assert main(["rate", "export", str(path), "--raters", "anna", "--csv", "--out", str(study)]) == 2
    assert "not overwritten" in capsys.readouterr().err
    wrong = ["rate", "export", str(path), "--raters", "../x", "--new-round", "--csv", "--out", str(study)]
    assert main(wrong) == 2  # and no round was added
    shown = serve(path, "--no-images", "--new-round", "--out", study)
    assert "round 3" in shown and "rated so far" not in shown.split("Ctrl-C")[0]
    going_on = shlex.split(re.search(r"go on: +pefomed rate serve (.+)", shown)[1])
    assert "--new-round" not in going_on and going_on[-2:] == ["--port", "0"]
    assert "round 3" in serve(*going_on[:-2])


def test_the_operator_has_a_page_of_their_own(path):
    def look(url):
        rate(url, "anna", 2, 1)
        for known in ("/progress", "/operator", "/operator.js"):
            with pytest.raises(HTTPError):
                ask(url, known)
        [operator] = re.findall(r"http://\S+/operator\?token=\S+", said.getvalue())
        with ask(operator, "/progress") as answer:
            found = json.load(answer)
        assert [(row["rater"], row["rated"], row["of"]) for row in found["raters"]] == [("anna", 2, 5)]
        for hidden in ("/session?rater=anna", "/image?rater=anna", "/full?rater=anna", "/"):
            with pytest.raises(HTTPError):
                ask(operator, hidden)

    said = io.StringIO()
    serve(path, "--no-images", visit=look, out=said)


def test_a_credentialed_data_set_is_not_shown_to_other_machines_unasked(tmp_path, capsys):
    write_records(tmp_path / "predictions.jsonl", written_reports(2, dataset="mimic_cxr"))
    arguments = [str(tmp_path / "predictions.jsonl"), "--no-images", "--host", "0.0.0.0"]
    assert main(["rate", "serve", *arguments]) == 2
    assert "--i-have-permission" in capsys.readouterr().err
    said = serve(*arguments, "--i-have-permission")
    assert "?token=" in said and "The whole link is the key" in said


def test_nothing_rated_yet_is_said(path, tmp_path, capsys):
    assert "rate import" not in serve(path, "--no-images")
    assert main(["rate", "import", str(tmp_path / "ratings"), str(path)]) == 2
    assert "nobody has rated yet" in capsys.readouterr().err


def test_without_the_servers_packages_nothing_is_begun(path, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "pefomed_plugin.services.rating.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delattr(rating, "server", raising=False)
    assert main(["rate", "serve", str(path), "--no-images"]) == 2
    assert "pip install starlette uvicorn" in capsys.readouterr().err
    assert not (path.parent / "ratings").exists()
