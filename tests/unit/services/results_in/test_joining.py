"""Which sample an answer is about, and what is said where that cannot be told."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Sample
from pefomed_plugin.services.results_in import FORMATS, Answer, join_answers
from pefomed_plugin.services.results_in.joining import BY_ID, IN_ORDER
from pefomed_plugin.storage import read_predictions

from .rows import QUESTIONS, TEXTS, archive, arguments, inspect_samples, lines, whole, write


def sample(key: str, question: str | None, answer: str, image: str, task: str = "vqa") -> Sample:
    return Sample(key, "vqa_rad", "test", (image,), task, question, answer, metadata={"source_id": key})


SAMPLES = [sample(*row[:1], row[2], row[3], row[1]) for row in QUESTIONS]
REPORTS = [
    sample("r0", None, "The heart is normal. No effusion.", "r0.png", "report"),
    sample("r1", None, "The heart is normal. No effusion.", "r1.png", "report"),
    sample("r2", None, "A mass of 1.6 cm.", "r2.png", "report"),
]


def problems(answers: list[Answer], samples: list[Sample] = SAMPLES) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        join_answers(answers, samples, {})
    return caught.value.problems


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"r2gen"}))
def test_every_format_is_joined_without_its_name(
    own: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(arguments(own, write(name, tmp_path))) == 0
    found = read_predictions(tmp_path / "out" / "predictions.jsonl")
    assert [prediction.prediction for prediction in found] == list(TEXTS)
    assert {prediction.producer["imported_from"] for prediction in found} == {name}
    assert f"2 answers of {FORMATS[name].project} ({name}): 2 joined by " in capsys.readouterr().out


def test_near_ids_images_and_questions_are_named() -> None:
    by_id, by_image, by_question, by_reference, *_ = problems(
        [
            Answer("1", "x", key="q0x"),
            Answer("2", "x", question="Is the square filled?", image="images/p7.png"),
            Answer("3", "x", question="Is the square full?", image="p0.png"),
            Answer("4", "x", question="Which shape is drown?", reference="triangle"),
        ]
    )
    assert by_id == "1: no sample has the id 'q0x'; near: q0"
    assert (
        by_image == "2: no sample has image 'images/p7.png' and question 'Is the square filled?'; near: p1.png, p0.png"
    )
    assert by_question.endswith("; near: q0, which asks 'Is the square filled?'")
    assert by_reference.endswith("with reference 'triangle'; near: q1, which asks 'Which shape is drawn?'")


def test_near_ids_are_looked_for_as_often_as_they_are_shown() -> None:
    said = problems([Answer(str(number), "x", key=f"q0{number}x") for number in range(30)])
    assert sum("near:" in line for line in said) == 10 and len(said) == 32


def test_reports_without_id_are_joined_in_order_where_they_repeat() -> None:
    answers = [Answer(str(place), f"text {place}", reference=report.answer) for place, report in enumerate(REPORTS)]
    ways: Counter[str] = Counter()
    found = join_answers(answers, REPORTS, {}, ways)
    assert [prediction.prediction for prediction in found] == ["text 0", "text 1", "text 2"]
    assert ways == {IN_ORDER: 3}
    said = problems(answers[::-1], REPORTS)
    assert said[0] == "1: fits 2 samples (r0, ...) and the file is not in their order"


def test_r2gens_references_are_cleaned_and_cut_and_lack_rare_words() -> None:
    written = ["the heart is normal . no effusion .", "the heart is <unk> . no effusion .", "a mass of 16 cm ."]
    answers = [Answer(str(place), "x", reference=text) for place, text in enumerate(written)]
    assert len(join_answers(answers, REPORTS, {})) == 3
    answers[1] = Answer("1", "x", reference="the lung is normal . no effusion .")
    assert problems(answers, REPORTS)[1] == "1: no sample has its reference"


def test_lmms_eval_in_the_order_of_its_documents(own: Path, tmp_path: Path) -> None:
    rows = [
        {"doc_id": place, "target": answer, "filtered_resps": text, "input": question}
        for place, ((*_, question, answer), text) in enumerate(zip(QUESTIONS, TEXTS))
    ]
    ways: Counter[str] = Counter()
    file = lines(tmp_path / "a.jsonl", rows[::-1])
    join_answers(FORMATS["lmms_eval"].read(file), SAMPLES, {}, ways)
    assert ways == {IN_ORDER: 2}


def test_tasks_of_ours_carry_the_id(tmp_path: Path) -> None:
    row = {"doc_id": 0, "target": "triangle", "filtered_resps": "x", "input": "another prompt", "exact_match": 1.0}
    record = {"id": "q1", "dataset": "vqa_rad", "prediction": "x", "question": "Which shape is drawn?"}
    (answer,) = FORMATS["lmms_eval"].read(lines(tmp_path / "a.jsonl", [{**row, "exact_match_pefomed_open": record}]))
    assert answer.key == "q1"


def test_of_several_generations_the_first_is_taken_and_counted(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = write("lmms_eval", tmp_path)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    lines(file, [{**row, "filtered_resps": [row["filtered_resps"], "other"]} for row in rows])
    assert main(arguments(own, file)) == 0
    assert "2 answers: the first of several generations was taken" in capsys.readouterr().out
    assert read_predictions(tmp_path / "out" / "predictions.jsonl")[0].prediction == TEXTS[0]


def test_vlmevalkits_failures_are_missing_and_counted(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = write("vlmevalkit", tmp_path)
    whole(file, [{**row, "prediction": "Failed to obtain answer via API."} for row in json.loads(file.read_text())])
    assert main(arguments(own, file)) == 0
    said = capsys.readouterr().out
    assert "2 answers: the harness had no answer" in said and "2 predictions, 2 without a text," in said


def test_several_paths_of_vlmevalkit_are_a_list_of_python(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "a", "prediction": "x", "image_path": "['a/p0.png', 'a/p1.png']"}
    assert FORMATS["vlmevalkit"].read(whole(tmp_path / "a.json", [row]))[0].image == "a/p0.png"


def test_a_row_of_a_tsv_with_other_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("index\tquestion\tanswer\tprediction\n0\tq\ta\n1\tq\ta\t\n")
    with pytest.raises(DataError, match="row 1: 3 columns, and 4 in the header"):
        FORMATS["vlmevalkit"].read(path)
    path.write_text("index\tquestion\tanswer\tprediction\n1\tq\ta\t\n")
    assert FORMATS["vlmevalkit"].read(path)[0].text is None


def test_a_format_named_wrongly_says_what_the_file_looks_like(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(arguments(own, "llama_factory", write("ms_swift", tmp_path))) == 2
    assert "it looks like ms_swift" in capsys.readouterr().err
    assert main(arguments(own, "ms_swift")) == 2
    assert "is the name of a format: give a file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_questions_belong_to_llava_med(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = write("ms_swift", tmp_path)
    assert main(arguments(own, file, "--questions", file)) == 2
    assert "--questions is of llava_med" in capsys.readouterr().err


def test_answers_about_studies_name_the_option(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    release = tmp_path / "iu"
    (release / "images").mkdir(parents=True)
    studies = [f"CXR{number}_IM-000{number}" for number in (1, 2)]
    records = [
        {"id": key, "report": f"Report of {key}.", "image_path": [f"{key}/0.png", f"{key}/1.png"], "split": "test"}
        for key in studies
    ]
    whole(release / "annotation.json", {"train": [], "val": [], "test": records})
    file = whole(tmp_path / "p.json", {key: {"model_prediction": f"said of {key}"} for key in studies})
    command = ["import-predictions", str(file), "--dataset", "iu_xray", "--data", str(release)]
    command += ["--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "was read with a sample for each image; add --option per=study" in capsys.readouterr().err
    assert main([*command, "--option", "per=study"]) == 0
    assert [found.prediction for found in read_predictions(tmp_path / "out" / "predictions.jsonl")] == [
        f"said of {key}" for key in studies
    ]


def test_the_page_of_imported_answers_shows_the_images(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pillow: Any = pytest.importorskip("PIL.Image")
    for _, image, _, _ in QUESTIONS:
        pillow.new("L", (8, 8), 200).save(own / image)
    for _ in range(2):
        assert main(arguments(own, archive(tmp_path / "a.eval", inspect_samples()))) == 0
    assert main(["report", str(tmp_path / "out"), "--out", str(tmp_path / "page.html")]) == 0
    assert "cannot be shown" not in capsys.readouterr().out
    shown = json.loads((tmp_path / "out" / "provenance.json").read_text())["data"]["medical_custom"]["image_root"]
    assert shown == str(own)
    (own / "p0.png").unlink()
    assert main(["report", str(tmp_path / "out"), "--out", str(tmp_path / "page.html")]) == 0
    assert "1 image(s) cannot be shown" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "provenance.json").read_text())["earlier"] == []


def test_a_study_is_found_by_any_of_its_images() -> None:
    shown = Sample(
        "s", "iu_xray", "test", ("a/0.png",), "report", None, "x", metadata={"images": ["a/0.png", "a/1.png"]}
    )
    assert join_answers([Answer("1", "said", image="root/a/1.png")], [shown], {})[0].prediction == "said"


def test_a_run_of_ours_is_not_written_over(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "out" / "results").mkdir(parents=True)
    assert main(arguments(own, write("ms_swift", tmp_path))) == 2
    assert "is the folder of a run of ours" in capsys.readouterr().err


def test_ids_win_over_everything() -> None:
    ways: Counter[str] = Counter()
    join_answers([Answer(row[0], "x", key=row[0]) for row in QUESTIONS], SAMPLES, {}, ways)
    assert ways == {BY_ID: 2}


def test_a_question_within_another_of_its_image_is_told_apart() -> None:
    """Both have the same reference, and a prompt stands around them."""
    nested = [
        sample("r0", "Is there a fracture?", "yes", "a.png"),
        sample("r1", "Is there a fracture in the rib?", "yes", "a.png"),
    ]
    asked = [f"{each.question}\nAnswer the question using a single word or phrase." for each in nested]
    answers = [Answer(str(place), text, None, asked[place], "/x/a.png") for place, text in ((1, "no"), (0, "yes"))]
    assert [found.prediction for found in join_answers(answers, nested, {})] == ["yes", "no"]


def test_near_ids_have_another_case() -> None:
    assert problems([Answer("1", "x", key="Q0"), Answer("2", "x", key="Q1")])[0].endswith("has the id 'Q0'; near: q0")


def test_what_nothing_tells_a_sample_of_is_said_so() -> None:
    said = problems([Answer("1", "x", question=QUESTIONS[0][2])])[0]
    assert said.startswith("1: has neither id, image nor reference, so that nothing tells its sample; near: q0")


def test_letters_of_choices_are_named() -> None:
    with pytest.raises(DataError, match="letters of choices: answers in words are needed"):
        join_answers([Answer("1", "A", question=row[2], reference="B") for row in QUESTIONS], SAMPLES, {})


def test_medevalkits_iu_xray_is_r2gens_validation_under_open_is_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """As ``datas/IU_XRAY/test.json`` of the kit: names of images are Open-i's, not R2Gen's."""
    release = tmp_path / "iu"
    (release / "images").mkdir(parents=True)
    records = {
        split: [
            {
                "id": f"CXR{number}_IM-0017",
                "report": f"Report {number}.",
                "image_path": [f"CXR{number}_IM-0017/{image}.png" for image in (0, 1)],
                "split": split,
            }
            for number in numbers
        ]
        for split, numbers in {"train": (5,), "val": (1020, 102), "test": (7, 8, 9)}.items()
    }
    whole(release / "annotation.json", records)
    rows = [
        {
            "id": f"open_i_{number}",
            "image": [f"CXR{number}_IM-0017-{view}001.png" for view in (1, 2)],
            "findings": f"Report {number}.",
            "impression": "",
            "response": f"said of {number}",
        }
        for number in (102, 1020)
    ]
    command = ["import-predictions", str(whole(tmp_path / "results.json", rows)), "--dataset", "iu_xray"]
    command += ["--data", str(release), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "the answers are about the split val, and whole studies" in said
    assert "add --option per=study --split val" in said
    assert main([*command, "--option", "per=study", "--split", "val"]) == 0
    assert [found.prediction for found in read_predictions(tmp_path / "out" / "predictions.jsonl")] == [
        "said of 1020",
        "said of 102",
    ]


def test_a_part_of_the_split_is_not_called_another_split(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rows = [{"id": f"v{number}", "image": "p0.png", "question": f"Asked {number}?", "answer": "x"} for number in (1, 2)]
    lines(own / "val.jsonl", rows)
    first = (tmp_path / "part.jsonl", write("ms_swift", tmp_path).read_text().splitlines(keepends=True)[0])
    first[0].write_text(first[1])
    assert main(arguments(own, first[0])) == 2
    said = capsys.readouterr().err
    assert "--split" not in said and "no answer for it" in said


def test_samples_that_a_log_lacks_are_those_it_never_asked(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    log = {"version": 2, "status": "error", "eval": {}, "samples": inspect_samples()[:1]}
    assert main(arguments(own, whole(tmp_path / "log.json", log))) == 2
    assert "the log is of an evaluation that did not end (status: error)" in capsys.readouterr().err


def test_what_has_no_thoughts_stays_as_it_is(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [
        {"question_id": row[0], "text": text} for row, text in zip(QUESTIONS, (" 3 < 4 [1] ", "[THINK]hm[/THINK]no"))
    ]
    assert main(arguments(own, lines(tmp_path / "a.jsonl", rows))) == 0
    assert [found.prediction for found in read_predictions(tmp_path / "out" / "predictions.jsonl")] == [
        " 3 < 4 [1] ",
        "no",
    ]
    assert "1 answer without its reasoning and tags" in capsys.readouterr().out


def test_an_accent_is_one_letter_however_it_is_written() -> None:
    """macOS writes names, and some tokenizers texts, with accents as characters of their own."""
    asked = sample("é1", "Où est la lésion ?", "à gauche", "images/thorax é.png")
    two = {name: unicodedata.normalize("NFD", getattr(asked, name) or "") for name in ("id", "question", "answer")}
    image = unicodedata.normalize("NFD", "/Volumes/x/images/thorax é.png")
    for answer in (
        Answer("a", "x", key=two["id"]),
        Answer("a", "x", question=two["question"], image=image),
        Answer("a", "x", question=two["question"], reference=two["answer"]),
    ):
        (found,) = join_answers([answer], [asked], {})
        assert found.prediction == "x"


@pytest.mark.parametrize("name", ["lmms_eval", "ms_swift", "llama_factory", "llava_med"])
def test_a_mark_of_the_image_in_our_own_question_is_no_word(tmp_path: Path, name: str) -> None:
    """As in data that were written for LLaVA."""
    marked = [sample(key, f"<image>\n{question}", answer, image) for key, image, question, answer in QUESTIONS]
    found = join_answers(FORMATS[name].read(write(name, tmp_path)), marked, {})
    assert [prediction.prediction for prediction in found] == list(TEXTS)
