"""What a user sees of ``pefomed prepare``, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.origins import mark_generated
from pefomed_plugin.readers.prepared import read_prepared
from tests.unit.services.data.test_prepare import write_slake
from tests.unit.services.small import LEAKY, small_image, write_rad


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A VQA-RAD and a SLAKE in miniature, marked as such, side by side; SLAKE trains on a test image of VQA-RAD."""
    folder = tmp_path / "data"
    write_rad(folder / "vqa_rad", LEAKY)
    (folder / "slake").mkdir()
    write_slake(folder / "slake")
    small_image(2).save(folder / "slake" / "imgs" / "a.png")
    mark_generated(folder, {})
    return folder


def lines_of(text: str) -> list[str]:
    """Lines with single blanks, so that the width of a column does not matter."""
    return [" ".join(line.split()) for line in text.splitlines()]


def prepare(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, list[str], str]:
    code = main(["prepare", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, lines_of(shown.out), shown.err


def test_one_data_set(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code, lines, errors = prepare(
        capsys, "vqa_rad", "--source", data / "vqa_rad", "--out", tmp_path / "out", "--max-words", 4
    )
    assert code == 0 and errors.startswith("next: pefomed doctor --cfg-path projects/pefomed/stage2_vqa_rad.yaml")
    assert lines[0] == f"vqa_rad: reading {data / 'vqa_rad'}"
    assert "vqa_rad, re-release layout, generated data" in lines
    assert "train 4 1 5 5 1" in lines, "one answer is longer than four words"
    assert "framed questions in test 0 0 ok" in lines
    assert "test: framed version of the question in train 1 3 33.3 % vqa_rad-1" in lines
    assert lines[-1] == f"written to {tmp_path / 'out'}"
    assert len(read_prepared(tmp_path / "out").samples) == 7


def test_a_data_card_is_written_and_a_readme_of_the_user_stays(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = ("vqa_rad", "--source", data / "vqa_rad", "--out", tmp_path / "out")
    prepare(capsys, *arguments)
    card = tmp_path / "out" / "README.md"
    assert "pretty_name: VQA-RAD" in card.read_text(encoding="utf-8")
    card.write_text("mine")
    code, lines, _ = prepare(capsys, *arguments)
    assert (code, card.read_text()) == (0, "mine")
    assert f"{card} is not ours and stays; the data card is README.pefomed.md" in lines


def test_a_mismatch_is_shown_and_stops_unless_it_is_allowed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (data / "EMBEDDED").unlink()
    arguments = ("vqa_rad", "--source", data / "vqa_rad", "--out", tmp_path / "out")
    code, lines, errors = prepare(capsys, *arguments)
    assert code == 1
    assert "questions by split 3,064 / 0 / 451 4 / 0 / 3 WRONG" in lines
    assert "go on with --allow-mismatch" in errors
    assert not (tmp_path / "out" / "train.jsonl").exists()
    assert prepare(capsys, *arguments, "--allow-mismatch")[0] == 0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["mismatch_allowed"] is True


def test_a_damaged_release_is_the_datas_fault(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (data / "vqa_rad" / "testset.json").write_text("[{")
    code, _, errors = prepare(capsys, "vqa_rad", "--source", data / "vqa_rad", "--out", tmp_path / "out")
    assert code == 1
    assert "testset.json, line 1, column 3: not JSON" in errors
    assert "Traceback" not in errors


def test_options_reach_the_reader(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ("slake", "--source", data / "slake", "--out", tmp_path / "out")
    code, lines, _ = prepare(capsys, *arguments, "--option", "language=all")
    assert code == 0
    assert not [line for line in lines if line.startswith("skipped")]
    assert len(read_prepared(tmp_path / "out").samples) == 5
    code, _, errors = prepare(capsys, *arguments, "--option", "langage=all")
    assert code == 2
    assert "did you mean 'language'" in errors


def test_no_images_opens_none_and_says_so(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for path in (data / "slake" / "imgs").iterdir():
        path.unlink()
    arguments = ("slake", "--source", data / "slake", "--out", tmp_path / "out")
    code, _, errors = prepare(capsys, *arguments)
    assert code == 1
    assert "none of 4 images" in errors and "--no-images" in errors
    code, lines, _ = prepare(capsys, *arguments, "--no-images")
    assert code == 0
    assert "no image was opened: nothing is known of them but their names" in lines


def test_truncated_images_are_left_out_and_counted_or_used_and_counted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    image = data / "vqa_rad" / "images" / "synpic0.png"
    image.write_bytes(image.read_bytes()[:-200])
    arguments = ("vqa_rad", "--source", data / "vqa_rad", "--out", tmp_path / "out")
    _, lines, _ = prepare(capsys, *arguments)
    assert "skipped 2: image: truncated or damaged" in lines
    _, lines, _ = prepare(capsys, *arguments, "--allow-truncated")
    assert "1 truncated image(s) used" in lines
    assert not [line for line in lines if line.startswith("skipped")]


def test_all_goes_on_past_one_that_fails_and_names_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (data / "roco").mkdir()
    (data / "something_else").mkdir()
    code, lines, errors = prepare(capsys, "--all", "--source", data, "--out", tmp_path / "out")
    assert code == 1
    assert f"roco: {data / 'roco'} holds none of the known layouts" in errors
    assert lines[-1] == f"2 of 3 data sets written to {tmp_path / 'out'}; not: roco"
    assert len(read_prepared(tmp_path / "out" / "vqa_rad").samples) == 7
    assert len(read_prepared(tmp_path / "out" / "slake").samples) == 4


def test_all_compares_the_images_of_the_data_sets(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code, lines, _ = prepare(capsys, "--all", "--source", data, "--out", tmp_path / "out")
    assert code == 0
    assert "vqa_rad test: images that look like one in slake train 1 3 33.3 % synpic2.png" in lines
    assert "slake test: images that look like one in vqa_rad train 2 2 100.0 % b.png" in lines
    assert any(line.startswith("images shared in 2 of 2 comparison(s)") for line in lines)


def test_against_an_earlier_folder(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    prepare(capsys, "slake", "--source", data / "slake", "--out", tmp_path / "stage1")
    arguments = ("vqa_rad", "--source", data / "vqa_rad", "--out", tmp_path / "stage2")
    code, lines, _ = prepare(capsys, *arguments, "--against", tmp_path / "stage1")
    assert code == 0
    assert "stage2 test: images that look like one in stage1 train 1 3 33.3 % synpic2.png" in lines
    code, _, errors = prepare(capsys, *arguments, "--against", data / "slake")
    assert code == 2
    assert "slake: no folder that pefomed prepare wrote" in errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["vqa_rd"], "did you mean 'vqa_rad'"),
        ([], "name one data set, or give --all"),
        (["vqa_rad", "--all"], "name one data set, or give --all"),
        (["--all"], "no sub-folder named after a data set"),
        (["slake", "--option", "language"], "write it as key=value"),
        (["slake", "--option", "=en"], "write it as key=value"),
        (["slake", "--option", "language=[en"], "--option cannot be read"),
        (["vqa_rad", "--no-images", "--against", "x"], "leave --no-images out"),
    ],
)
def test_mistakes_in_what_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str], told: str
) -> None:
    (tmp_path / "source").mkdir()
    code, _, errors = prepare(capsys, *arguments, "--source", tmp_path / "source", "--out", tmp_path / "out")
    assert code == 2
    assert told in errors
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_not_there_and_options_with_all(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    code, _, errors = prepare(capsys, "vqa_rad", "--source", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert (code, "no such folder" in errors) == (2, True)
    code, _, errors = prepare(capsys, "--all", "--source", data, "--out", tmp_path / "out", "--option", "language=en")
    assert (code, "belongs to one data set" in errors) == (2, True)


def test_the_release_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    row = {"image": "1.png", "caption": "Invented."}
    (tmp_path / "train.jsonl").write_text(json.dumps(row))
    small_image(1).save(tmp_path / "1.png")
    code, _, errors = prepare(capsys, "medical_custom", "--source", tmp_path, "--out", tmp_path / "x" / "..")
    assert (code, "the release stays as it was downloaded" in errors) == (2, True)
    assert json.loads((tmp_path / "train.jsonl").read_text()) == row


@pytest.mark.parametrize("number", ["0", "-3", "x"])
def test_a_limit_that_is_none(tmp_path: Path, number: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["prepare", "vqa_rad", "--source", str(tmp_path), "--out", str(tmp_path / "out"), "--max-words", number])
    assert caught.value.code == 2


def test_a_file_in_the_place_of_a_release(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "t.csv").write_text("image,report\n")
    given = ["--source", tmp_path / "t.csv", "--out", tmp_path / "out"]
    for name, said in (
        (["vqa_rad"], "t.csv is a file; name the folder of the release (tables are of medical_custom)"),
        (["medical_costum"], "did you mean 'medical_custom'"),
        ([], "name one data set, or give --all"),
    ):
        code, _, error = prepare(capsys, *name, *given)
        assert code == 2 and said in error
