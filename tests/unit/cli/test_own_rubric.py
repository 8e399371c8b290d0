"""A rubric of three levels from a file, all the way: judges, sheets, rating page, WASM, agreement, comparison, page."""

from __future__ import annotations

import csv
import json

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.storage import write_records
from tests.chat_server import ChatServer, judged
from tests.unit.services.judged import written_reports
from tests.unit.test_rubrics import HARM

N = 6


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a rubric and six predicted reports; no server is known."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    write_records(tmp_path / "predictions.jsonl", written_reports(N))
    (tmp_path / "harm.yaml").write_text(HARM)
    return tmp_path


def pefomed(place, *arguments, rubric="harm.yaml", code=0):
    words = [*map(str, arguments), *(["--rubric", str(place / rubric)] if rubric else [])]
    assert main(words) == code, words


def metrics(place):
    return json.loads((place / "metrics.json").read_text())


def judge(place, monkeypatch, *arguments):
    pytest.importorskip("openai")
    with ChatServer(lambda body, _: judged(body, 3)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        pefomed(place, "judge", "report", place / "predictions.jsonl", "--model", "invented", "--runs", 2, *arguments)
    return server


def fill(folder, rater, values):
    path = folder / f"{rater}.csv"
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, value in zip(rows, values):
        row["rating"] = value
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_from_judge_to_page(place, monkeypatch, capsys):
    predictions = place / "predictions.jsonl"
    server = judge(place, monkeypatch)
    asked = server.requests[0]["messages"][1]["content"]
    assert "2: It says what the reference says." in asked and "Equivalent" not in asked
    pefomed(place, "judge", "report", predictions, "--judge", "offline", "--runs", 1)
    pefomed(place, "rate", "export", predictions, "--annotators", 2, "--csv", "--out", place / "sheets")
    fill(place / "sheets", "rater01", [0, 1, 2, 2, 1, 0])
    fill(place / "sheets", "rater02", [0, 1, 2, 2, 2, 2])
    pefomed(place, "rate", "import", place / "sheets", predictions, rubric=None)
    found = metrics(place)
    assert set(found["judges"]) == {"judge/harm/invented", "judge/harm/offline-lexical", "human/harm"}
    for name, spec in found["scorers"].items():
        assert (spec["kind"], spec["range"], spec["levels"]) == ("levels", [0.0, 2.0], [0, 1, 2]), name
        assert spec["rubric"] == found["judges"][name]["rubric"]["digest"]
        assert [key for key in found["scores"][name] if key.startswith("level")] == ["level 0", "level 1", "level 2"]
    assert found["scores"]["human/harm"]["overall"]["value"] == pytest.approx(7.5 / 6)
    pefomed(place, "wasm", predictions)
    pefomed(place, "agree", predictions, rubric=None)
    assert [len(pair["table"]) for pair in json.loads((place / "agreement.json").read_text())["pairs"].values()]
    assert "harm score by human/harm" in capsys.readouterr().out
    pefomed(place, "compare", place, "--out", place / "compare.md", rubric=None)
    pefomed(place, "report", place, "--out", place / "page.html", "--no-images", rubric=None)
    shown = capsys.readouterr().out
    page = (place / "page.html").read_text()
    assert "level 2" in page and "level 3" not in page and "level 3" not in shown
    assert '"harm score"' in page and "| level 2 | harm score |" in (place / "compare.md").read_text()


def test_ratings_of_another_rubric_are_refused_by_name(place, monkeypatch, capsys):
    predictions = place / "predictions.jsonl"
    (place / "other.yaml").write_text(HARM.replace("Acting on it would harm", "It kills"))
    judge(place, monkeypatch)
    pefomed(place, "rate", "export", predictions, "--annotators", 1, "--csv", "--out", place / "sheets")
    fill(place / "sheets", "rater01", [0, 1, 2, 2, 1, 0])
    pefomed(place, "rate", "import", place / "sheets", predictions, rubric="other.yaml", code=2)
    pefomed(place, "wasm", predictions, "--scorer", "judge/harm/invented", rubric="other.yaml", code=2)
    shown = capsys.readouterr().err
    assert shown.count("were made under the rubric 'harm' (") == 2 and "this run uses 'harm' (" in shown
    pefomed(place, "rate", "import", place / "sheets", predictions)
    # Filled sheets beside the plan of another export, under another wording.
    pefomed(
        place, "rate", "export", predictions, "--annotators", 1, "--csv", "--out", place / "again", rubric="other.yaml"
    )
    (place / "again" / "rater01.csv").write_bytes((place / "sheets" / "rater01.csv").read_bytes())
    pefomed(place, "rate", "import", place / "again", predictions, rubric=None, code=2)
    assert "these ratings were made under the rubric harm-" in capsys.readouterr().err
    # A judge by another rubric beside people: not compared until one is chosen.
    pefomed(place, "judge", "report", predictions, "--judge", "offline", "--runs", 1, rubric=None)
    pefomed(place, "agree", predictions, rubric=None, code=2)
    assert "different rubrics are not compared" in capsys.readouterr().err
    pefomed(place, "agree", predictions)
    assert set(json.loads((place / "agreement.json").read_text())["raters"]) == {"judge/harm/invented", "rater 1"}


def test_a_reply_to_another_wording_is_not_reused(place, monkeypatch):
    judge(place, monkeypatch)
    (place / "harm.yaml").write_text(HARM.replace("It says what", "Exactly what"))
    with ChatServer(lambda body, _: judged(body, 3)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        (place / "prompt.txt").write_text("{reference} {prediction} End with VERDICT: N")
        arguments = ["judge", "report", place / "predictions.jsonl", "--model", "invented", "--runs", 1]
        pefomed(place, *arguments, "--prompt-file", place / "prompt.txt")
        (place / "harm.yaml").write_text(HARM)
        pefomed(place, *arguments, "--prompt-file", place / "prompt.txt")
    assert len(server.requests) == 2 * N  # the messages are the same, the rubrics are not


def test_the_page_shows_the_sessions_levels(place):
    from pefomed_plugin.rubrics import read_rubric
    from pefomed_plugin.services.rating.folder import begin_plan
    from pefomed_plugin.services.rating.session import RatingSession
    from pefomed_plugin.services.rating.store import STORE, RatingStore, StoreError

    rubric, predictions = read_rubric(place / "harm.yaml"), written_reports(N)
    plan = begin_plan(place / "r", predictions, rubric, None, None, 100)
    with RatingStore(place / "r" / STORE, rubric) as store:
        session = RatingSession(plan, predictions, store)
        shown = session.describe("anna")
        assert [(level["value"], level["key"], level["word"]) for level in shown["levels"]] == [
            (2, "2", "correct"),
            (1, "1", "harmless"),
            (0, "0", "harmful"),
        ]
        for item in shown["items"]:
            session.save("anna", item["item"], {"rating": 2})
    (place / "other.yaml").write_text(HARM.replace("Acting on it would harm", "It kills"))
    with pytest.raises(StoreError, match="were made under the rubric 'harm'"):
        RatingStore(place / "r" / STORE, read_rubric(place / "other.yaml"))
    pefomed(
        place, "rate", "serve", place / "predictions.jsonl", "--no-images", "--out", place / "r", rubric=None, code=2
    )
    pefomed(place, "rate", "import", place / "r", place / "predictions.jsonl")
    assert metrics(place)["scores"]["human/harm"]["overall"]["value"] == 2.0


def test_metrics_from_before_rubrics_were_noted_are_of_the_built_in_one(place, capsys):
    predictions = place / "predictions.jsonl"
    pefomed(place, "judge", "report", predictions, "--judge", "offline", "--runs", 1, rubric=None)
    content = metrics(place)
    del content["judges"]["judge/report/offline-lexical"]["rubric"], content["scorers"]
    (place / "metrics.json").write_text(json.dumps(content))
    pefomed(place, "wasm", predictions, rubric=None)
    shown = capsys.readouterr()
    assert shown.err.count("from before rubrics were noted") == 1
    assert "WASM by judge/report/offline-lexical" in shown.out
    pefomed(place, "wasm", predictions, code=2)
    assert "no ratings by the rubric 'harm'" in capsys.readouterr().err
