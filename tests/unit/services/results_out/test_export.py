"""Predictions in other projects' formats: they come back the same, and what is not carried is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Prediction
from pefomed_plugin.services.results_in import FORMATS, recognise
from pefomed_plugin.services.results_in.tables import pair_of
from pefomed_plugin.services.results_out import FORMATS_OUT, Given, studies, writers
from pefomed_plugin.storage import read_predictions, write_records

from ..results_in.rows import lines, whole

PAGE = Path(__file__).resolve().parents[4] / "docs" / "other-peoples-predictions.md"
TEXTS = ["no", "=SUM(1)", "None", ' "quoted",\ttab\nand line ', "carriage\rreturn", "_x000D_ \U0001f600", "03", None]
GIVEN = Given("model")


def answered(number: int, text: str | None, **fields: Any) -> Prediction:
    return Prediction(
        **{
            "id": f"medical_custom-{number}",
            "dataset": "medical_custom",
            "split": "test",
            "images": (f"p{number}.png",),
            "task": "vqa",
            "question": f"Which shape is number {number}?",
            "answer": f"shape {number}",
            "prediction": text,
            "producer": {"model": "a/b: c"},
            **fields,
        }
    )


ANSWERS = [answered(number, text) for number, text in enumerate(TEXTS)]
REPORTS = [
    replace(answer, task="report", question=None, metadata={"study": f"s{n}"}) for n, answer in enumerate(ANSWERS)
]


def two_views(texts: Sequence[str] = ("a0", "a1", "b0", "b1")) -> list[Prediction]:
    return [
        answered(
            number,
            text,
            id=f"iu_xray-CXR{number // 2}/{number % 2}",
            dataset="iu_xray",
            task="report",
            question=None,
            answer=f"Report {number // 2}.",
            images=(f"CXR{number // 2}/{number % 2}.png",),
            metadata={"study": f"CXR{number // 2}", "view": ("Lateral", "Frontal")[number % 2]},
        )
        for number, text in enumerate(texts)
    ]


def test_the_page_tells_what_is_declared() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name, form in FORMATS_OUT.items() if form.row not in page or form.checked not in page] == []


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Sequence[Prediction]], Path]:
    def write(predictions: Sequence[Prediction]) -> Path:
        """A run of own data, and beside it the release that it answers."""
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        asked = predictions[0].task == "vqa"
        lines(
            folder / "test.jsonl",
            [
                {"id": found.id.removeprefix("medical_custom-"), "image": found.images[0]}
                | ({"question": found.question, "answer": found.answer} if asked else {"report": found.answer})
                for found in predictions
            ],
        )
        write_records(tmp_path / "run" / "results" / "medical_custom-test" / "predictions.jsonl", predictions)
        return tmp_path / "run"

    return write


@pytest.mark.parametrize("kind", ["vqa", "report"])
@pytest.mark.parametrize("name", ["lmms_eval", "vlmevalkit", "vlmevalkit_tsv", "r2gen"])
def test_what_is_written_is_read_back(run: Any, tmp_path: Path, name: str, kind: str) -> None:
    form = FORMATS_OUT[name]
    if kind not in form.tasks:
        pytest.skip("the format has no questions")
    if name == "vlmevalkit":
        pytest.importorskip("openpyxl")
    predictions = ANSWERS if kind == "vqa" else REPORTS
    out = tmp_path / "out"
    assert main(["export-predictions", name, str(run(predictions)), "--out", str(out)]) == 0
    files = sorted(out.iterdir())
    file = out if pair_of(out) else files[0]
    assert recognise(file).name == (form.read_as or name)
    where = ["--dataset", "medical_custom", "--data", str(tmp_path / "own"), "--out", str(tmp_path / "back")]
    assert main(["import-predictions", str(file), *where]) == 0
    back = read_predictions(tmp_path / "back" / "predictions.jsonl")
    assert [found.prediction for found in back] == TEXTS
    assert [found.id for found in back] == [found.id for found in predictions]


def test_names_of_files_are_those_of_the_projects() -> None:
    names = {
        name: list(form.files_of(REPORTS if name == "r2gen" else ANSWERS, GIVEN).contents)
        for name, form in FORMATS_OUT.items()
        if name not in ("rexrank", "vlmevalkit")
    }
    assert names == {
        "lmms_eval": ["model_samples_medical_custom_test.jsonl"],
        "vlmevalkit_tsv": ["model_medical_custom_test.tsv"],
        "r2gen": ["res.csv", "gts.csv"],
    }


def test_what_is_not_carried_is_counted() -> None:
    said = {name: FORMATS_OUT[name].files_of(ANSWERS, GIVEN).notes for name in ("lmms_eval", "vlmevalkit_tsv")}
    assert said["lmms_eval"][0].startswith("1 without a text have null there")
    assert said["lmms_eval"][1].startswith("8 have no image there")
    assert said["vlmevalkit_tsv"] == [
        "1 without a text are 'Failed to obtain answer via API.' there, as the kit writes it",
        "1 answers or references such as 'None' are empty cells to pandas",
        "1 cells begin as a formula does: whoever opens the file in a spreadsheet imports it as text",
    ]
    assert FORMATS_OUT["r2gen"].files_of(REPORTS, GIVEN).notes[-3:] == [
        "1 without a text are an empty text there",
        "1 answers or references such as 'None' are empty cells to pandas",
        "1 cells begin as a formula does: whoever opens the file in a spreadsheet imports it as text",
    ]


def test_references_that_pandas_takes_for_nothing_are_counted() -> None:
    """``None`` and ``NA`` are answers to questions, too."""
    given = [answered(0, "x", answer="None"), answered(1, "NA", answer="NA")]
    for name in ("vlmevalkit", "vlmevalkit_tsv"):
        assert FORMATS_OUT[name].files_of(given, GIVEN).notes == [
            "3 answers or references such as 'None' are empty cells to pandas"
        ]


def test_answers_without_references_are_counted() -> None:
    """Of a folder of images, which nobody has answered before."""
    notes = FORMATS_OUT["lmms_eval"].files_of([answered(0, "x", answer=""), answered(1, "x")], GIVEN).notes
    assert "1 have no reference, which is an empty text there: nothing can be scored against it" in notes


def test_a_file_that_is_no_run_has_no_next_step(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_records(tmp_path / "a.jsonl", ANSWERS)
    assert main(["export-predictions", "lmms_eval", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "out")]) == 0
    assert "next:" not in capsys.readouterr().err


def test_empty_texts_are_counted_where_they_come_back_missing() -> None:
    said = [replace(answer, prediction="") for answer in REPORTS[:2]]
    notes = FORMATS_OUT["r2gen"].files_of(said, GIVEN).notes
    assert "2 empty texts are read back as missing" in notes


def test_several_images_are_a_list_as_vlmevalkit_writes_it(tmp_path: Path) -> None:
    files = FORMATS_OUT["vlmevalkit_tsv"].files_of([answered(0, "x", images=("a.png", "b.png"))], GIVEN)
    path = tmp_path / "a.tsv"
    path.write_bytes(next(iter(files.contents.values())))
    assert b"['a.png', 'b.png']" in path.read_bytes()
    assert FORMATS["vlmevalkit"].read(path)[0].image == "a.png"


def test_a_text_that_no_cell_holds_is_named() -> None:
    pytest.importorskip("openpyxl")
    with pytest.raises(DataError, match=r"32,767 characters at most; write vlmevalkit_tsv") as caught:
        FORMATS_OUT["vlmevalkit"].files_of([answered(0, "x" * 32_768)], GIVEN)
    assert caught.value.problems == ("medical_custom-0, prediction: 32,768 characters",)


@pytest.mark.parametrize("name", ["r2gen", "rexrank"])
def test_which_answer_of_a_study_is_never_guessed(name: str, tmp_path: Path) -> None:
    data = whole(
        tmp_path / "data.json",
        {f"CXR{n}": {"section_findings": f"Report {n}.", "key_image_path": f"CXR{n}/{n}.png"} for n in (0, 1)},
    )
    given = Given("m", data if name == "rexrank" else None)
    with pytest.raises(ConfigError, match=r"4 answers are of 2 studies.*--view \(first, (key, )?frontal, lateral\)"):
        FORMATS_OUT[name].files_of(two_views(), given)

    def said(view: str) -> list[str]:
        files = FORMATS_OUT[name].files_of(two_views(), replace(given, view=view))
        assert "2 answers about other images of the same studies are left out" in files.notes
        if name == "r2gen":
            return files.contents["res.csv"].decode().replace('"', "").split()
        return [record["model_prediction"] for record in json.loads(files.contents["prediction.json"]).values()]

    assert said("first") == ["a0", "b0"]
    assert said("frontal") == ["a1", "b1"]
    if name == "rexrank":
        assert said("key") == ["a0", "b1"]
    else:
        with pytest.raises(ConfigError, match="nothing says which image that is"):
            said("key")
    with pytest.raises(ConfigError, match="not one answer in 2 studies; known: first") as caught:
        said("sagittal")
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigError, match="every study has one answer already"):
        FORMATS_OUT[name].files_of(two_views()[::2], replace(given, view="first"))


def test_rexranks_file_keeps_its_fields_and_is_read_back(tmp_path: Path) -> None:
    theirs = {
        f"CXR{number}": {
            "key_image_path": f"CXR{number}/0.png",
            "section_findings": f"Report {number}.",
            "section_impression": "An impression.",
            "context": "Indication: none",
        }
        for number in (1, 0)
    }
    given = Given("m", whole(tmp_path / "data.json", theirs), "key")
    files = FORMATS_OUT["rexrank"].files_of(two_views(), given)
    path = tmp_path / "prediction.json"
    path.write_bytes(files.contents["prediction.json"])
    content = json.loads(path.read_text())
    assert list(content) == ["CXR1", "CXR0"]
    assert content["CXR0"] == {**theirs["CXR0"], "model_prediction": "a0"}
    assert [(answer.key, answer.text) for answer in FORMATS["rexrank"].read(path)] == [("CXR1", "b0"), ("CXR0", "a0")]
    theirs["CXR0"]["section_findings"] = "Another."
    whole(tmp_path / "data.json", theirs)
    assert FORMATS_OUT["rexrank"].files_of(two_views(), given).notes[0].startswith("1 references differ")


def test_other_studies_than_rexranks_are_refused(tmp_path: Path) -> None:
    given = Given(
        "m",
        whole(tmp_path / "data.json", {"CXR0": {"section_findings": "a"}, "CXR11": {"section_findings": "b"}}),
        "first",
    )
    with pytest.raises(DataError, match="1 are not in it, and 1 of it have no answer") as caught:
        FORMATS_OUT["rexrank"].files_of(two_views(), given)
    assert caught.value.problems == ("CXR1: not in the file; near: CXR11", "CXR11: no answer for it")
    with pytest.raises(DataError, match=r"R2Gen's 590 studies; these are 2 of iu_xray, split test, and not those"):
        FORMATS_OUT["rexrank"].files_of(two_views(), Given("m", view="first"))
    with pytest.raises(DataError, match="not a data file of ReXrank"):
        FORMATS_OUT["rexrank"].files_of(two_views(), Given("m", whole(tmp_path / "a.json", {"a": {}})))


def test_r2gens_split_is_known_without_their_file(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = studies.hashlib.sha256(b"CXR0\nCXR1").hexdigest()
    monkeypatch.setattr(studies, "_R2GEN_TEST", digest)
    files = FORMATS_OUT["rexrank"].files_of(two_views()[::-1], Given("m", view="first"))
    record = json.loads(files.contents["prediction.json"])["CXR0"]
    assert record == {
        "image_path": ["CXR0/1.png"],
        "section_findings": "Report 0.",
        "section_impression": None,
        "split": "test",
        "model_prediction": "a1",
    }
    assert "give its data file as --studies" in files.notes[0]


def test_studies_of_mimic_have_no_letter_there() -> None:
    assert studies.study_of(answered(0, "x", metadata={"study": "s50051329"})) == "50051329"
    assert studies.study_of(answered(0, "x", metadata={"study": "CXR9", "r2gen_id": "CXR9_IM-1"})) == "CXR9_IM-1"
    assert studies.study_of(answered(0, "x")) == "medical_custom-0"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("rexrank", GIVEN, "rexrank is for report; these predictions are vqa"),
        ("lmms_eval", Given("m", Path("a")), "--studies is ReXrank's data file"),
        ("lmms_eval", Given("m", view="first"), "--view chooses one answer a study"),
    ],
)
def test_what_a_format_does_not_take_is_refused(name: str, given: Given, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        FORMATS_OUT[name].files_of(ANSWERS, given)


def test_one_file_is_about_one_test_set() -> None:
    with pytest.raises(DataError, match="these are medical_custom-test, slake-test"):
        FORMATS_OUT["lmms_eval"].files_of([ANSWERS[0], replace(ANSWERS[1], dataset="slake")], GIVEN)


def test_the_command_says_what_it_wrote(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder, out = run(ANSWERS), tmp_path / "out"
    command = ["export-predictions", "lmms_eval", str(folder), "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    file = out / "b_c_samples_medical_custom_test.jsonl"
    assert "8 answers of medical_custom-test for lmms-eval (lmms_eval)" in said and f"written to {file}" in said
    assert file.stat().st_mode & 0o077 == 0  # own data are nobody else's
    assert main(command) == 0 and "was there with other content" not in capsys.readouterr().out
    file.write_text("mine")
    assert main(command) == 0 and f"is now {file}.1" in capsys.readouterr().out
    assert (out / f"{file.name}.1").read_text() == "mine"


def test_mistakes_of_the_command_are_named(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = run(ANSWERS)
    write_records(folder / "results" / "slake-test" / "predictions.jsonl", [replace(ANSWERS[0], dataset="slake")])

    def said(*given: str) -> str:
        assert main(["export-predictions", *given, "--out", str(tmp_path / "out")]) == 2
        return capsys.readouterr().err

    assert "did you mean 'rexrank'" in said("rexrang", str(folder))
    assert "say of which: --test-set medical_custom-test" in said("lmms_eval", str(folder))
    assert "has no test set 'a'; it has medical_custom-test, slake-test" in said(
        "lmms_eval", str(folder), "--test-set", "a"
    )
    assert "no run and no file" in said("lmms_eval", str(tmp_path / "nowhere"))
    assert "holds no answers" in said("lmms_eval", str(tmp_path / "own"))
    file = str(folder / "results" / "slake-test" / "predictions.jsonl")
    assert "is the answers of one" in said("lmms_eval", file, "--test-set", "a")
    assert not (tmp_path / "out").exists()


def test_a_formula_stays_a_text_when_its_cell_is_edited(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    path = tmp_path / "a.xlsx"
    path.write_bytes(next(iter(FORMATS_OUT["vlmevalkit"].files_of(ANSWERS, GIVEN).contents.values())))
    cell = openpyxl.load_workbook(path).active["F3"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == ("=SUM(1)", "s", True)


def test_more_answers_than_a_sheet_has_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "MOST_ROWS", len(ANSWERS))
    with pytest.raises(DataError, match="a sheet holds 8 rows, and these are 8; write vlmevalkit_tsv"):
        FORMATS_OUT["vlmevalkit"].files_of(ANSWERS, GIVEN)
