"""What a rater of the page sees and may say, where a page goes on, and that its ratings are those of sheets."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.services.rating.folder import begin_plan, clean_rater, rated_rows, read_any_plan
from pefomed_plugin.services.rating.plan import PLAN, make_plan, rating_pairs, read_plan, write_plan
from pefomed_plugin.services.rating.session import COMMENT_LIMIT, RatingSession
from pefomed_plugin.services.rating.sheets import read_sheet, write_csv
from pefomed_plugin.services.rating.store import STORE, RatingStore
from pefomed_plugin.services.rating.study import import_study, scores_of
from pefomed_plugin.services.rating.workbook import write_workbook

from ..judged import answers, written_reports


def import_ratings(folder, plan, predictions, may_be_missing=False):
    return scores_of(plan, predictions, import_study(folder, plan, predictions, may_be_missing))


@pytest.fixture
def session(tmp_path):
    predictions = written_reports(6)
    plan = begin_plan(tmp_path, predictions, REPORT, 7, "all", 100)
    with RatingStore(tmp_path / STORE, REPORT) as store:
        yield RatingSession(plan, predictions, store)


def rate_all(session, rater, value, comment=""):
    for number, item in enumerate(session.describe(rater)["items"]):
        session.save(rater, item["item"], {"rating": value(number), "comment": comment})


def test_a_rater_sees_what_a_sheet_shows_in_the_same_order_and_nothing_else(session):
    shown = session.describe("anna")
    plan = make_plan(written_reports(6), REPORT, 1, 7, "all")
    assert [each["item"] for each in shown["items"]] == [
        code for code, _ in rating_pairs(plan, "anna", written_reports(6))
    ]
    texts = {"item", "question", "reference", "answer", "images", "views"}
    assert set(shown["items"][0]) == {*texts, "rating", "cannot", "comment"}
    assert [level["value"] for level in shown["levels"]] == [4, 3, 2, 1, 0]
    text = json.dumps(shown)
    assert "invented-" not in text and "view0.png" not in text and "iu_xray" not in text
    others = session.describe("boris")["items"]
    assert not {each["item"] for each in shown["items"]} & {other["item"] for other in others}
    assert [each["answer"] for each in shown["items"]] != [other["answer"] for other in others]


def test_saving_counts_and_is_shown_again(session):
    first, second = (each["item"] for each in session.describe("anna")["items"][:2])
    assert session.save("anna", first, {"rating": 4}) == {"rated": 1, "saved": 1, "replaced": None}
    said = session.save("anna", second, {"comment": "bell \x07 and half \ud83d"})
    assert said == {"rated": 1, "saved": 2, "replaced": None}
    said = session.save("anna", first, {"rating": 0, "comment": "changed"})
    assert said == {"rated": 1, "saved": 3, "replaced": "4"}, (
        "a window that showed nothing says that it replaced something"
    )
    items = session.describe("anna")["items"]
    assert [(item["rating"], item["comment"]) for item in items[:2]] == [
        (0, "changed"),
        (None, "bell \u2407 and half \ufffd"),
    ]
    assert {each["rating"] for each in session.describe("boris")["items"]} == {None}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"rating": 5}, "choose one of 0, 1, 2, 3, 4"),
        ({"rating": -1}, "choose one"),
        ({"rating": True}, "choose one"),
        ({"rating": "3"}, "choose one"),
        ({"rating": 3.0}, "choose one"),
        ({"rating": None}, "choose one"),
        ({"rating": [3]}, "choose one"),
        ({"rating": 3, "comment": 7}, "comment"),
        ({"comment": None}, "comment"),
        ({"rating": 3, "comment": "x" * (COMMENT_LIMIT + 1)}, "2,000 characters"),
        ({}, "neither"),
        ({"cannot": False}, "one of the two"),
        ({"cannot": True, "rating": 3}, "one of the two"),
        ({"rating": 3, "round": 2}, "no such round"),
        ({"undo": "1"}, "number"),
        ({"undo": 1}, "changed since"),
    ],
)
def test_what_is_no_rating_is_refused_and_not_kept(session, said, words):
    item = session.describe("anna")["items"][0]["item"]
    with pytest.raises(DataError, match=words):
        session.save("anna", item, said)
    assert session.store.ratings_of("anna") == {}


@pytest.mark.parametrize("item", ["unknown", "", None, 3, ["x"], "invented-0"])
def test_items_of_nobody_and_of_others_are_refused(session, item):
    for each in (item, session.describe("boris")["items"][0]["item"]):
        with pytest.raises(DataError, match="no such item"):
            session.save("anna", each, {"rating": 3})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("anna", "anna"),
        ("  Anna  B. ", None),
        ("Anna  B", "anna b"),
        ("rater_1", "rater_1"),
        ("JOS\u00c9", "jos\u00e9"),
        ("Jose\u0301", "jos\u00e9"),
        ("", None),
        (".", None),
        ("../x", None),
        ("a/b", None),
        ("a\\b", None),
        ("a\0b", None),
        ("-x", None),
        ("x" * 41, None),
        (None, None),
        (7, None),
        ("a\nb", "a b"),
    ],
)
def test_names_are_one_a_person_and_safe_as_file_names(given, kept):
    if kept is None:
        with pytest.raises(DataError, match="rater's name"):
            clean_rater(given)
    else:
        assert clean_rater(given) == kept


def test_a_page_goes_on_with_its_plan(tmp_path):
    predictions = answers(30)
    plan = begin_plan(tmp_path, predictions, VQA, 3, "random", 10)
    assert len(plan.sample_ids) == 10 and plan.raters == ()
    assert begin_plan(tmp_path, predictions, VQA, None, None, 100) == plan
    assert begin_plan(tmp_path, predictions, VQA, None, "random", 10) == plan
    assert begin_plan(tmp_path, predictions, VQA, 3, None, 100) == plan
    assert read_plan(tmp_path, predictions) == plan


def test_another_choice_is_taken_only_while_nobody_has_rated(tmp_path):
    predictions = answers(30)
    begin_plan(tmp_path, predictions, VQA, 0, "random", 10)
    plan = begin_plan(tmp_path, predictions, VQA, None, "random", 12)
    assert read_plan(tmp_path, predictions) == plan and len(plan.sample_ids) == 12
    with RatingStore(tmp_path / STORE, VQA) as store:
        store.save("anna", plan.sample_ids[0], rating=1)
    for seed, scope, count in ((1, None, 100), (None, "all", 100), (None, "random", 13)):
        with pytest.raises(ConfigError, match="another choice"):
            begin_plan(tmp_path, predictions, VQA, seed, scope, count)
    with pytest.raises(DataError, match="other predictions"):
        begin_plan(tmp_path, answers(30, prediction="others"), VQA, None, None, 100)
    (tmp_path / PLAN).unlink()
    with pytest.raises(ConfigError, match=r"ratings\.json is gone"):
        begin_plan(tmp_path, predictions, VQA, None, "random", 12)


def test_whoever_cannot_judge_says_so_and_both_can_be_taken_back(session):
    item = session.describe("anna")["items"][0]["item"]
    saved = session.save("anna", item, {"rating": 3, "comment": "blurred"})["saved"]
    beyond = session.save("anna", item, {"cannot": True})
    assert beyond["rated"] == 1 and beyond["saved"] > saved and beyond["replaced"] == "3"
    assert session.save("anna", item, {"cannot": True})["replaced"] == "cannot judge", "said once more"
    shown = session.describe("anna")["items"][0]
    assert (shown["rating"], shown["cannot"], shown["comment"]) == (None, True, "blurred")
    back = session.save("anna", item, {"undo": beyond["saved"]})
    assert (back["rating"], back["cannot"], back["rated"]) == (3, False, 1)
    with pytest.raises(DataError, match="changed since"):
        session.save("anna", item, {"undo": beyond["saved"]})
    other = session.describe("anna")["items"][1]["item"]
    back = session.save("anna", other, {"undo": session.save("anna", other, {"rating": 1})["saved"]})
    assert (back["rating"], back["cannot"], back["rated"]) == (None, False, 1)


def test_the_operator_sees_counts_and_no_verdict(session):
    items = [each["item"] for each in session.describe("anna")["items"]]
    session.save("anna", items[0], {"rating": 3, "comment": "secret words"})
    session.save("anna", items[1], {"cannot": True})
    found = session.progress()
    [row] = found["raters"]
    assert (row["rater"], row["rated"], row["cannot"], row["commented"], row["of"]) == ("anna", 1, 1, 1, 6)
    assert (row["on_page"], row["on_sheets"]) == (2, 0)
    assert set(row) == {"rater", "round", "rated", "cannot", "commented", "on_page", "on_sheets", "last", "of"}
    assert "secret" not in json.dumps(found)


def test_a_folder_of_sheets_goes_on_as_a_page(tmp_path):
    plan = make_plan(answers(3), VQA, 2)
    write_plan(plan, tmp_path)
    assert begin_plan(tmp_path, answers(3), VQA, None, None, 100) == plan
    with pytest.raises(ConfigError, match="another choice"):
        begin_plan(tmp_path, answers(3), VQA, 4, None, 100)


def test_a_new_round_has_codes_of_its_own_and_hides_what_was_said_before(tmp_path):
    predictions = answers(30)
    first = begin_plan(tmp_path, predictions, VQA, 0, "random", 8)
    with RatingStore(tmp_path / STORE, VQA) as store:
        RatingSession(first, predictions, store).save("anna", next(iter(first.codes("anna"))), {"rating": 1})
    plan = begin_plan(tmp_path, predictions, VQA, None, None, 100, new_round=True)
    assert plan == read_plan(tmp_path, predictions) and plan.round == 2
    assert plan.sample_ids == first.sample_ids and plan.codes("anna") == first.codes("anna")
    assert not set(plan.codes("anna", 2)) & set(plan.codes("anna"))
    with RatingStore(tmp_path / STORE, VQA) as store:
        session = RatingSession(plan, predictions, store)
        again = session.describe("anna")
        assert (again["round"], again["rounds"]) == (2, 2) and {each["rating"] for each in again["items"]} == {None}
        assert sum(each["rating"] == 1 for each in session.describe("anna", 1)["items"]) == 1
    grown = begin_plan(tmp_path, predictions, VQA, None, "random", 12, new_round=True)
    assert grown.round == 3 and len(grown.ids_of(3)) == 4 and len(grown.sample_ids) == 12
    with pytest.raises(ConfigError, match="larger choice"):
        begin_plan(tmp_path, predictions, VQA, None, "random", 5, new_round=True)
    with pytest.raises(ConfigError, match="no study"):
        begin_plan(tmp_path / "none", predictions, VQA, None, None, 100, new_round=True)


def test_a_page_without_ratings_has_nothing_to_import(session, tmp_path):
    with pytest.raises(DataError, match="nobody has rated yet"):
        read_any_plan(tmp_path, written_reports(6))


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_ratings_of_the_page_are_those_of_its_sheets(session, tmp_path, suffix):
    predictions = written_reports(6)
    rate_all(session, "anna", lambda number: number % 5, "=1+1")
    rate_all(session, "boris", lambda number: 4)
    plan = read_any_plan(tmp_path, predictions)
    assert plan.raters == ("anna", "boris")
    sheets = tmp_path / "sheets"
    for rater in plan.raters:
        rows = rated_rows(tmp_path, plan, rater, predictions)
        if suffix == ".csv":
            write_csv(sheets / (rater + suffix), rows)
        else:
            pytest.importorskip("openpyxl")
            write_workbook(sheets / (rater + suffix), rows, REPORT)
    write_plan(plan, sheets)
    assert {row.comment for row in read_sheet(sheets / ("anna" + suffix))} == {"=1+1"}
    from_page = import_ratings(tmp_path, plan, predictions)
    assert import_ratings(sheets, read_any_plan(sheets, predictions), predictions) == from_page
    by_id = {
        plan.codes("anna")[each["item"]]: float(number % 5)
        for number, each in enumerate(session.describe("anna")["items"])
    }
    assert [score.value for score in from_page[0]] == [by_id[prediction.id] for prediction in predictions]
    assert {score.value for score in from_page[1]} == {4.0}


def test_what_is_not_rated_yet_is_counted_or_left_empty(session, tmp_path):
    predictions = written_reports(6)
    for item in session.describe("anna")["items"][:4]:
        session.save("anna", item["item"], {"rating": 2})
    plan = read_any_plan(tmp_path, predictions)
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    [problem] = caught.value.problems
    assert problem.startswith("anna: 2 of 6 items are not rated yet") and "--allow-missing" in problem
    [scores] = import_ratings(tmp_path, plan, predictions, may_be_missing=True)
    assert sorted(str(score.value) for score in scores) == ["2.0"] * 4 + ["None"] * 2


def test_missing_and_foreign_images_are_found_at_the_start(tmp_path):
    predictions = written_reports(3)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "view0.png").write_bytes(b"-")
    predictions[2] = written_reports(3, image="../secret.png")[2]
    (tmp_path / "secret.png").write_bytes(b"-")
    plan = make_plan(predictions, REPORT, 1)
    with RatingStore(tmp_path / STORE, REPORT) as store:
        session = RatingSession(plan, predictions, store, {"iu_xray": tmp_path / "images"})
        assert list(session.no_image) == ["invented-1", "invented-2"]
        assert "no such file" in session.no_image["invented-1"]
        assert "outside" in session.no_image["invented-2"]
        shown = {
            session.prediction("anna", each["item"]).id: each["images"] for each in session.describe("anna")["items"]
        }
    assert shown == {"invented-0": True, "invented-1": False, "invented-2": False}


def test_a_plan_and_ratings_from_before_rubrics_were_noted_are_of_the_built_in_one(tmp_path, capsys):
    predictions = written_reports(4)
    plan = begin_plan(tmp_path, predictions, REPORT, 7, "all", 100)
    with RatingStore(tmp_path / STORE, REPORT) as store:
        store.save("anna", "invented-0", 4)
    content = json.loads((tmp_path / PLAN).read_text())
    del content["rubric"]
    (tmp_path / PLAN).write_text(json.dumps({**content, "kind": "report"}))
    base = sqlite3.connect(str(tmp_path / STORE))
    base.execute("DROP TABLE facts")
    base.commit()
    base.close()
    assert read_plan(tmp_path, predictions) == plan
    assert "from before rubrics were noted" in capsys.readouterr().err
    [scores] = import_ratings(tmp_path, read_any_plan(tmp_path, predictions), predictions, may_be_missing=True)
    assert scores[0].value == 4.0
    own = replace(REPORT, name="own", levels=REPORT.levels[:3])
    with pytest.raises(DataError, match="made under the rubric 'report'"):
        begin_plan(tmp_path, predictions, own, None, None, 100)
