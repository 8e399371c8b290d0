from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from pefomed_plugin.adapters.evaluation import write_reliance
from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.readers import DATASETS, DatasetSpec, Field
from pefomed_plugin.reporting.agreement import measure_agreement, write_agreement
from pefomed_plugin.reporting.page.assets import embeddable
from pefomed_plugin.reporting.page.explorer import (
    THUMBNAIL_PX,
    encode_thumbnail,
    render_page,
    training_of,
    write_report,
)
from pefomed_plugin.reporting.page.explorer_data import page_data, spelt_labels
from pefomed_plugin.reporting.results import Run, read_run
from pefomed_plugin.storage import write_records

from ..made import answers, make_images, make_run, rate

HOSTILE = "</script><!-- <script>alert(1)</script> @DATA@ @SCRIPT@ \u2028"


def run_of(tmp_path: Path, **fields: object) -> Run:
    return read_run(
        make_run(tmp_path / "run", answers([True, True, False, False], **fields), ["exact_match", "token_recall"])
    )


def block(page: str, name: str) -> object:
    found = re.search(f'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


def test_hostile_text_stays_data(tmp_path: Path) -> None:
    run = run_of(tmp_path, prediction=HOSTILE)
    page = render_page(page_data([run]), [])
    data = block(page, "data")
    assert isinstance(data, dict)
    at = data["columns"].index("runs")
    assert [row[at][0][0] for row in data["samples"]] == [HOSTILE] * 4
    assert page.count("</script>") == 2 and "alert(1)</script>" not in page


def test_embeddable_json_holds_no_tag() -> None:
    assert "<" not in embeddable({"a": HOSTILE}) and json.loads(embeddable({"a": HOSTILE})) == {"a": HOSTILE}


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    page = render_page(page_data([run_of(tmp_path)]), [])
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert not [mark for mark in ("@STYLE@", "@SCRIPT@", "@DATA@", "@IMAGES@", "@SCRIPT_HASH@") if mark in page]


def test_images_are_stored_once_and_missing_ones_are_told(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    rows = run.answered["vqa_rad-test"].predictions
    root = make_images(tmp_path / "images", rows)
    assert write_report([run], tmp_path / "report.html", {"vqa_rad": root}) == []
    images = block((tmp_path / "report.html").read_text(encoding="utf-8"), "images-0")
    assert isinstance(images, list) and len(images) == 2
    assert Image.open(BytesIO(base64.b64decode(images[1]))).size == (40, 30)
    (root / "image1.png").unlink()
    problems = write_report([run], tmp_path / "report.html", {"vqa_rad": root})
    assert len(problems) == 1 and "image1.png: no such file" in problems[0]
    assert block((tmp_path / "report.html").read_text(encoding="utf-8"), "images-0")[1] is None  # type: ignore[index]


def test_every_image_of_a_study_is_shown_with_its_name(tmp_path: Path) -> None:
    rows = answers([True, False])
    rows[0] = replace(rows[0], images=("a.png", "b.png"), views=("frontal", "lateral"))
    run = read_run(make_run(tmp_path / "run", rows), "run")
    data = page_data([run])
    shown = [dict(zip(data["columns"], row)) for row in data["samples"]]
    assert [(list(row["images"]), list(row["views"])) for row in shown] == [([0, 1], ["frontal", "lateral"]), ([2], [])]
    assert data["imageCount"] == 3


def test_thumbnails_are_small() -> None:
    image = Image.effect_noise((1200, 600), 30).convert("RGB")
    decoded = Image.open(BytesIO(base64.b64decode(encode_thumbnail(image))))
    assert decoded.size == (THUMBNAIL_PX, THUMBNAIL_PX // 2)


def test_texts_and_images_can_be_left_out(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        producer={"prompt": "Is there a secret shadow?", "checkpoint": "made.pth"},
        answer="secret reference",
        prediction="secret answer",
        question="secret question",
    )
    write_report([run], tmp_path / "report.html", None, texts=False)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "secret" not in page and "vqa_rad-3" in page and "images-0" not in page


def test_the_data_names_figures_breakdowns_and_the_comparison(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    other = read_run(make_run(tmp_path / "other", answers([False] * 4)), "other")
    data = page_data([run, other])
    assert [each["name"] for each in data["scorers"]] == ["exact_match/pefomed", "token_recall/llava_med"]
    (only,) = data["sets"]
    assert {each["axis"] for each in only["breakdowns"]} == {"answer_type", "question_type", "organ"}
    assert [each["n"] for each in only["figures"][:3]] == ["1 of 2", "1 of 2", "2 of 4"]
    (table,) = data["comparison"]["tables"]
    assert [bar["value"] for bar in table["bars"]] == [50.0, 0.0]
    assert page_data([run])["comparison"] is None


def test_below_each_table_stands_what_its_test_says(tmp_path: Path) -> None:
    right = [number % 4 != 3 for number in range(60)]
    runs = [
        read_run(make_run(tmp_path / "a", answers([False] * 60)), "a"),
        read_run(make_run(tmp_path / "b", answers(right)), "b"),
    ]
    comparison = page_data(runs, axes=["organ"])["comparison"]
    (table,) = comparison["tables"]
    assert table["said"][0].startswith("b is better than a by 75.0 points")
    assert table["said"][1].startswith("  b against a by organ") and "HEAD: better by 100.0 points" in table["said"][1]
    assert [further["title"].split(":")[0] for further in comparison["further"]] == ["What the tests can show"]
    assert len(page_data(runs)["comparison"]["tables"][0]["said"]) == 1


def test_a_field_that_a_data_set_declares_is_a_filter_and_a_breakdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = Field("ward", "ward of the hospital", {"B2": "surgery"})
    monkeypatch.setitem(DATASETS.own, "notes", DatasetSpec("notes", "Notes", fields=(ward,)))
    rows = answers([True, False], dataset="notes", metadata={"ward": "B2"})
    data = page_data([read_run(make_run(tmp_path / "run", rows))])
    assert data["fields"][-1] == {
        "name": "ward",
        "title": "ward of the hospital",
        "labels": {"B2": "surgery"},
        "isTag": True,
    }
    groups = data["samples"][0][data["columns"].index("groups")]
    assert groups[-1] == ("B2",) and len(groups) == len(data["fields"])
    (found,) = [breakdown for breakdown in data["sets"][0]["breakdowns"] if breakdown["axis"] == "ward"]
    assert (found["title"], found["cells"][0]["label"]) == ("ward of the hospital", "surgery")


def test_judges_people_and_every_run_are_on_the_page(tmp_path: Path) -> None:
    rows = answers([True, True, False, False])
    folder = make_run(tmp_path / "run", rows) / "results/vqa_rad-test"
    rate(
        folder, rows, "judge/vqa/gpt-4o", [[1, 1, 1, 0], [1, 1, 0, 0]], {"model": "gpt-4o", "prompt": {"version": "1"}}
    )
    rate(folder, rows, "human/vqa", [[1, 1, 1, None]], {"raters": ["rater01"], "scope": "all answers"})
    write_agreement(rows, folder, measure_agreement(rows, folder))
    other = read_run(make_run(tmp_path / "other", answers([False] * 4)[::-1]), "other")
    data = page_data([read_run(tmp_path / "run"), other])
    ratings = data["sets"][0]["ratings"]
    people, judge = ratings["repeated"]
    assert (judge["runs"], judge["shown"]) == ([[75.0, "75.0 %"], [50.0, "50.0 %"]], "62.5 \u00b1 17.7 %")
    assert judge["facts"] == ["model: gpt-4o", "prompt: 1"] and people["word"] == "rater"
    assert (people["unscored"], people["facts"]) == (1, ["raters: rater01", "rated: all answers"])
    assert [row[0] for row in ratings["evaluations"]["rows"]] == [
        "exact_match/pefomed",
        "judge/vqa/gpt-4o",
        "human/vqa",
        "exact_match/pefomed, the 3 that people rated",
        "judge/vqa/gpt-4o, the 3 that people rated",
    ]
    assert ratings["agreement"]["pairs"]["judge/vqa/gpt-4o ~ rater 1"]["n"] == 3
    names = [each["name"] for each in data["scorers"]]
    of_run, ratings_of = (data["columns"].index(name) for name in ("runs", "ratings"))
    third = data["samples"][2]
    assert [run[0] for run in third[of_run]] == ["something else", "something else"]
    assert third[of_run][1][1][names.index("human/vqa")] is None
    assert third[ratings_of][names.index("judge/vqa/gpt-4o")] == [1, 0]
    assert page_data([read_run(tmp_path / "other")])["sets"][0]["ratings"] is None


def test_wasm_repeats_no_figure_on_the_page(tmp_path: Path) -> None:
    rows = answers([True, False], dataset="iu_xray", task="report", question=None, answer_type=None)
    folder = make_run(tmp_path / "run", rows, scorers=()) / "results/iu_xray-test"
    rate(folder, rows, "judge/report/gpt-4o", [[4, 2], [3, 2]])
    assert main(["wasm", str(folder / "predictions.jsonl")]) == 0
    (only,) = page_data([read_run(tmp_path / "run")])["sets"]
    assert {each["scorer"] for each in only["figures"]} == {"judge/report/gpt-4o"}
    assert only["ratings"]["repeated"][0]["shown"] == "2.75 \u00b1 0.35"


def test_answers_about_other_images_stand_beside_their_own(tmp_path):
    rows = answers([True, False])
    folder = make_run(tmp_path / "run", rows) / "results/vqa_rad-test"
    others = {"shuffled": answers([False, False]), "blind": answers([True, False]), "mirrored": rows}
    for variant, told in others.items():
        write_records(folder / "reliance" / variant / "predictions.jsonl", told)
    write_reliance(folder)
    data = page_data([read_run(tmp_path / "run")])
    assert data["sets"][0]["reliance"]["table"]["title"] == "vqa_rad-test: does it look?"
    looked = [row[data["columns"].index("looked")] for row in data["samples"]]
    assert looked == [
        [["something else", "yes", "yes"], ["shortcut"]],
        [["something else"] * 3, ["stays"]],
    ]
    plain = page_data([read_run(make_run(tmp_path / "plain", rows))])
    assert plain["sets"][0]["reliance"] is None and plain["samples"][0][-2] is None
    assert page_data([read_run(tmp_path / "run")], texts=False)["samples"][0][-2] == [[None] * 3, ["shortcut"]]


def test_answers_about_other_questions_are_not_shown_beside_them(tmp_path):
    rows = answers([True, False])
    folder = make_run(tmp_path / "run", rows) / "results/vqa_rad-test"
    for variant in ("shuffled", "blind", "mirrored"):
        write_records(folder / "reliance" / variant / "predictions.jsonl", rows)
    write_reliance(folder)
    write_records(folder / "reliance" / "blind" / "predictions.jsonl", rows[:1])
    with pytest.raises(DataError, match="not about the same questions"):
        read_run(tmp_path / "run")


def test_data_that_are_not_public_show_no_id_and_no_folder(tmp_path: Path) -> None:
    rows = answers([True, False], dataset="mimic_cxr")
    rows = [replace(row, id=f"mimic_cxr-p10000032-{row.id}", images=(f"p10/p10000032/{row.id}.jpg",)) for row in rows]
    run = read_run(make_run(tmp_path / "run", rows))
    page = render_page(page_data([run]), [])
    assert "p10000032" not in page
    data = page_data([run])
    shown = [dict(zip(data["columns"], row)) for row in data["samples"]]
    assert [(row["id"], row["files"]) for row in shown] == [
        ("mimic_cxr-test#1", ["vqa_rad-0.jpg"]),
        ("mimic_cxr-test#2", ["vqa_rad-1.jpg"]),
    ]
    data = page_data([run], texts=False)
    assert dict(zip(data["columns"], data["samples"][0]))["files"] == []
    made = [replace(row, producer={"origin": {"data": {"mimic_cxr": "generated"}, "model": "tiny"}}) for row in rows]
    data = page_data([read_run(make_run(tmp_path / "generated", made))])
    assert dict(zip(data["columns"], data["samples"][0]))["id"] == rows[0].id, "invented patients may be named"


def test_every_run_is_in_the_summary_and_rows_are_in_the_order_of_the_progression(tmp_path: Path) -> None:
    right = {"both": [True] * 4, "none": [False] * 4, "stage 2": [True, True, True, False], "another": [True] * 4}
    unknown = {"producer": {"checkpoint": "somebody/elses.pth"}}
    runs = [
        read_run(make_run(tmp_path / name, answers(of, **(unknown if name == "another" else {}))), name)
        for name, of in right.items()
    ]
    data = page_data(runs)
    assert data["comparison"]["title"] == "Comparison"
    (only,) = data["sets"]
    assert [(row["run"], row["shown"]) for row in only["runs"]] == [
        ("none", "0.0 %"),
        ("stage 2", "75.0 %"),
        ("both", "100.0 %"),
        ("another", "100.0 %"),
    ]
    (table,) = data["comparison"]["tables"]
    assert [bar["run"] for bar in table["bars"]] == ["none", "stage 2", "both", "another"]
    assert [row[0] for row in table["table"]["rows"]] == ["none", "stage 2", "both", "another"]
    assert page_data(runs[:3])["comparison"]["title"] == "Ablation"
    unscored = read_run(make_run(tmp_path / "unscored", answers([True] * 4), scorers=()), "stage 1")
    rows = page_data([*runs[:2], unscored])["sets"][0]["runs"]
    assert rows[1]["value"] is None and rows[1]["shown"] == "not scored by exact_match/pefomed"
    assert page_data(runs[:1])["sets"][0]["runs"] == []


def test_a_run_that_saw_other_images_is_no_row_of_an_ablation(tmp_path: Path) -> None:
    runs = [
        read_run(make_run(tmp_path / "both", answers([True] * 4, producer={"images": "shuffled"})), "both, shuffled"),
        read_run(make_run(tmp_path / "none", answers([False] * 4)), "none"),
    ]
    data = page_data(runs)
    assert data["comparison"]["title"] == "Comparison"
    assert [bar["run"] for bar in data["comparison"]["tables"][0]["bars"]] == ["none", "both, shuffled"]


@pytest.mark.parametrize(("origin", "has"), [("generated", False), ("real", True)])
def test_no_figure_of_the_paper_stands_beside_generated_data(tmp_path: Path, origin: str, has: bool) -> None:
    producer = {"origin": {"data": {"vqa_rad": origin}, "model": "real"}}
    rows = answers([True, True, False, False], producer=producer)
    folder = make_run(tmp_path / "both", rows) / "results/vqa_rad-test"
    rate(folder, rows, "judge/vqa/gpt-4o", [[1, 1, 1, 0]])
    data = page_data([read_run(tmp_path / "both"), read_run(make_run(tmp_path / "none", rows), "none")])
    said = json.dumps([data["comparison"], data["sets"][0]["ratings"]])
    assert ("(62.6)" in said, "the paper's Table 9" in said, "In round brackets" in said) == (has, has, has)
    assert data["hasPaperFigures"] is has


def test_codes_are_spelt_out_as_the_data_set_declares_them(tmp_path: Path) -> None:
    data = page_data([run_of(tmp_path, organ="ABD")])
    labels = {field["name"]: field["labels"] for field in data["fields"]}
    assert labels["organ"] == {"ABD": "abdomen"} and labels["answer_type"] == {"CLOSED": "closed", "OPEN": "open"}
    assert labels["question_type"]["PRES"] == "presence" and labels["question_type"]["SIZE"] == "size"
    (by_type,) = [found for found in data["sets"][0]["breakdowns"] if found["axis"] == "question_type"][:1]
    assert "presence" in [cell["label"] for cell in by_type["cells"]]


def test_codes_that_would_be_called_the_same_keep_their_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    ward = Field("ward", "ward", {"B2": "surgery", "B3": "surgery", "C": "eyes"})
    monkeypatch.setitem(DATASETS.own, "notes", DatasetSpec("notes", "Notes", fields=(ward,)))
    assert spelt_labels("notes", "ward", ["B2", "B3", "C"]) == {"B2": "B2 (surgery)", "B3": "B3 (surgery)", "C": "eyes"}


def test_training_of_the_runs_is_on_the_page(tmp_path: Path) -> None:
    from tests.unit.reporting.training.test_training import log

    run = make_run(tmp_path / "run", answers([True, False]))
    assert training_of([read_run(run)]) == ""
    log(run, 20)
    section = training_of([read_run(run)])
    assert (
        "<h2>Training</h2>" in section and "<polyline" in section and "stopped before its end, iteration 20" in section
    )


def test_what_the_model_holds_of_its_answer_is_on_its_row(tmp_path: Path) -> None:
    said = answers([True, False])
    sure = [replace(said[0], producer={**said[0].producer, "confidence": 0.75}), said[1]]
    data = page_data([read_run(make_run(tmp_path / "run", sure))], True)
    place = data["columns"].index("runs")
    assert [row[place][0][2:] for row in data["samples"]] == [[0.75], []]
    assert data["producer"] == {"checkpoint": "minigptv2_made.pth"}, "what one answer has is not said of the run"
    assert data["sets"][0]["references"] is True
