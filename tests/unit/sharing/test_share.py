"""``pefomed share``: what is written, what is refused, and that our own reader gives back what was shared."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from PIL import Image

from pefomed_plugin.cli import main
from pefomed_plugin.digests import file_sha256
from pefomed_plugin.doctor.data import check_data
from pefomed_plugin.errors import DataError
from pefomed_plugin.origins import mark_generated
from pefomed_plugin.readers import read_data
from pefomed_plugin.readers.custom import MEDICAL_CUSTOM
from pefomed_plugin.readers.prepared import MANIFEST, read_prepared
from pefomed_plugin.readers.shared import read_shared
from pefomed_plugin.services.data.prepare import prepare
from pefomed_plugin.services.images.decoding import open_encoded, open_image
from pefomed_plugin.sharing import FORMATS, parquet
from pefomed_plugin.storage import read_samples
from tests.unit.services.small import small_image
from tests.unit.sharing.studies import prepared_rad, prepared_studies

pytest.importorskip("pyarrow")


def share(capsys: pytest.CaptureFixture, prepared: Path, form: str, out: Path, *more: str) -> tuple[int, str, str]:
    code = main(["share", str(prepared), "--to", form, "--out", str(out), *more])
    shown = capsys.readouterr()
    return code, " ".join(shown.out.split()), shown.err


@pytest.fixture(scope="module")
def rad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return prepared_rad(tmp_path_factory.mktemp("rad"))


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return prepared_studies(tmp_path_factory.mktemp("studies"))


# -- a Hugging Face data set -------------------------------------------------------------------------------------------


def test_our_reader_gives_back_the_samples_and_the_bytes(
    rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    code, shown, errors = share(capsys, rad, "huggingface", tmp_path / "out")
    assert code == 0 and "nothing was uploaded" in shown and "converted" not in shown
    assert errors == f"""next: python -c 'import datasets; print(datasets.load_dataset("{tmp_path}/out"))'\n"""
    before, after = read_prepared(rad), read_data("vqa_rad", tmp_path / "out")
    assert [replace(sample, images=("x",)) for sample in after.samples] == [
        replace(sample, images=("x",)) for sample in before.samples
    ]
    for old, new in zip(before.samples, after.samples):
        assert stored(before.image_root, old.only_image) == stored(tmp_path / "out", new.only_image)


def stored(root: Path, image: str) -> bytes:
    stream, _ = open_encoded(root, image)
    with stream:
        return stream.read()


def test_several_images_keep_order_and_names(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert share(capsys, studies, "huggingface", tmp_path / "out")[0] == 0
    before, after = read_prepared(studies), read_shared(tmp_path / "out")
    assert after.samples[0].views == ("frontal", "lateral")
    assert len(after.samples[0].images) == 2
    for old, new in zip(before.samples, after.samples):
        for source, target in zip(old.images, new.images):
            assert open_image(tmp_path / "out", target).tobytes() == open_image(before.image_root, source).tobytes()


def test_names_of_files_tell_nothing(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for form in FORMATS:
        more = ["--scorer", "consistency"] if FORMATS[form].is_task else []
        assert share(capsys, studies, form, tmp_path / form, *more)[0] == 0
        written = [path for path in (tmp_path / form).rglob("*") if path.is_file()]
        assert written
        for path in written:
            assert "Doe" not in str(path.relative_to(tmp_path)) and b"Doe_Jane" not in path.read_bytes(), path
            assert str(tmp_path).encode() not in path.read_bytes(), f"{path} names a folder of this machine"


def test_the_card_says_what_datasets_needs(rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    share(capsys, rad, "huggingface", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    info = front["dataset_info"]
    assert {"name": "image", "dtype": "image"} in info["features"]
    assert [(split["name"], split["num_examples"]) for split in info["splits"]] == [("train", 4), ("test", 3)]
    files = list((tmp_path / "out" / "data").iterdir())
    assert info["download_size"] == sum(path.stat().st_size for path in files)
    assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"]) > 0
    assert front["task_categories"] == ["visual-question-answering"] and front["size_categories"] == ["n<1K"]
    assert front["license"] == "bsd-3-clause", "the data are generated"
    assert "Not a result" in text and "images stay in the release" not in text


def test_memory_stays_flat_row_groups_and_shards_end(
    rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow.parquet import ParquetFile

    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 2)
    monkeypatch.setattr(parquet, "BYTES_A_SHARD", 1)
    share(capsys, rad, "huggingface", tmp_path / "out", "--split", "train")
    files = sorted((tmp_path / "out" / "data").iterdir())
    assert [path.name for path in files] == [f"train-0000{number}-of-00002.parquet" for number in (0, 1)]
    assert [ParquetFile(path).metadata.num_row_groups for path in files] == [1, 1]
    monkeypatch.setattr(parquet, "BYTES_A_SHARD", 10**9)
    monkeypatch.setattr(parquet, "BYTES_A_GROUP", 1)
    share(capsys, rad, "huggingface", tmp_path / "again", "--split", "train")
    (file,) = (tmp_path / "again" / "data").iterdir()
    assert ParquetFile(file).metadata.num_row_groups == 4, "a row group ends with its bytes too"
    assert len(read_shared(tmp_path / "out").samples) == len(read_shared(tmp_path / "again").samples) == 4


@pytest.mark.parametrize("name", ["vqa_rad", "medical_custom"])
def test_a_shared_folder_can_be_examined(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Whoever gets it prepares it as a release: it is not taken for another project's parquet copy."""
    before = prepared_rad(tmp_path) if name == "vqa_rad" else prepared_studies(tmp_path)
    share(capsys, before, "huggingface", tmp_path / "out")
    code = main(["prepare", name, "--source", str(tmp_path / "out"), "--out", str(tmp_path / "again")])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert f"{'re-release' if name == 'vqa_rad' else 'JSON lines'} layout, generated data" in shown.out
    ids = [[sample.id for sample in read_prepared(folder).samples] for folder in (before, tmp_path / "again")]
    assert ids[0] == ids[1]
    assert share(capsys, tmp_path / "again", "huggingface", tmp_path / "twice")[0] == 0
    names = [path.relative_to(tmp_path / "out") for path in sorted((tmp_path / "out" / "data").iterdir())]
    assert all(file_sha256(tmp_path / "twice" / name) == file_sha256(tmp_path / "out" / name) for name in names)


def test_doctor_knows_a_shared_folder(rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    share(capsys, rad, "huggingface", tmp_path / "out")
    assert [finding.state for finding in check_data("vqa_rad", str(tmp_path / "out"))] == ["ok"]
    (finding,) = check_data("slake", str(tmp_path / "out"))
    assert finding.state == "error" and "was shared from vqa_rad" in finding.found


def test_without_pyarrow_the_package_is_named(
    rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pefomed_plugin.requirements.find_spec", lambda name: None)
    code, _, errors = share(capsys, rad, "huggingface", tmp_path / "out")
    assert code == 2 and "pip install pyarrow" in errors


def test_a_changed_folder_is_named(rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    share(capsys, rad, "huggingface", tmp_path / "out")
    file = next((tmp_path / "out" / "data").glob("test-*"))
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(DataError, match="share it again") as error:
        read_data("vqa_rad", tmp_path / "out")
    assert file.name in str(error.value)
    (tmp_path / "out" / MANIFEST).write_text('{"schema": 1, "kind": "shared data set"}')
    with pytest.raises(DataError, match="missing"):
        read_data("vqa_rad", tmp_path / "out")


def test_another_data_sets_folder_is_refused(rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    share(capsys, rad, "huggingface", tmp_path / "out")
    with pytest.raises(DataError, match="from vqa_rad, not from slake"):
        read_data("slake", tmp_path / "out")


# -- images ------------------------------------------------------------------------------------------------------------


def test_a_data_set_keeps_what_pillow_reads_and_says_what_turns(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    _, shown, _ = share(capsys, studies, "huggingface", tmp_path / "out")
    assert "converted" not in shown
    assert "1 images carry an EXIF orientation: datasets turns them, MiniGPT-v2 does not" in shown


def test_a_task_shows_what_our_model_is_shown(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    _, shown, _ = share(capsys, studies, "inspect_ai", tmp_path / "out", "--scorer", "consistency")
    for why in ("not 8 bits of grey or RGB", "TIFF", "transparent", "an EXIF orientation"):
        assert f"1 images converted to PNG, as they are decoded here: {why}" in shown
    before = read_prepared(studies)
    for old, new in zip(before.samples, read_samples(tmp_path / "out" / "test.jsonl")):
        for source, target in zip(old.images, new.images):
            with Image.open(tmp_path / "out" / target) as image:
                assert image.convert("RGB").tobytes() == open_image(before.image_root, source).tobytes()


def test_dicom_becomes_png_and_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("pydicom")
    import numpy as np

    from tests.unit.services.images.test_dicom import write

    root = tmp_path / "own"
    root.mkdir()
    write(root / "a.dcm", np.arange(64, dtype=np.uint16).reshape(8, 8), PatientName="Doe^Jane")
    (root / "test.jsonl").write_text('{"image": "a.dcm", "report": "Clear."}\n')
    mark_generated(root, {})
    prepare(MEDICAL_CUSTOM, root, tmp_path / "prepared")
    _, shown, _ = share(capsys, tmp_path / "prepared", "huggingface", tmp_path / "out")
    assert "1 images converted to PNG, as they are decoded here: DICOM" in shown
    assert "1 images are PNG in place of what they were: DICOM." in (tmp_path / "out" / "README.md").read_text()
    image = read_shared(tmp_path / "out").samples[0].only_image
    data = stored(tmp_path / "out", image)
    assert data.startswith(b"\x89PNG") and b"Doe" not in data
    assert Image.open(BytesIO(data)).tobytes() == open_image(root, "a.dcm").tobytes()


# -- Croissant, tasks --------------------------------------------------------------------------------------------------


def test_croissant_names_every_file_with_its_digest(rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    share(capsys, rad, "croissant", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "croissant.json").read_text(encoding="utf-8"))
    assert found["license"] == "BSD-3-Clause" and "Lau et al." in found["citeAs"]
    assert "Generated data" in found["description"]
    files = {item["contentUrl"]: item for item in found["distribution"]}
    assert {(tmp_path / "out" / name).is_file() for name in files} == {True}
    assert all(item["sha256"] == file_sha256(tmp_path / "out" / name) for name, item in files.items())
    assert [records["@id"] for records in found["recordSet"]] == ["train", "test"]


def test_a_task_is_of_test_and_names_its_figures(rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    share(capsys, rad, "lmms_eval", tmp_path / "out", "--scorer", "exact_match", "--scorer", "token_recall/corrected")
    (task,) = (tmp_path / "out").glob("*.yaml")
    text = task.read_text(encoding="utf-8").replace("!function ", "")
    content = yaml.safe_load(text)
    assert content["task"] == "pefomed_vqa_rad_test"
    names = [metric["metric"] for metric in content["metric_list"]]
    assert names == ["exact_match_pefomed_closed", "exact_match_pefomed_overall", "token_recall_corrected_overall"]
    (file,) = content["dataset_kwargs"]["data_files"]["test"]
    assert (tmp_path / "out" / file).is_file()


def test_the_command_of_a_task_is_below_the_folder_it_runs_in(
    rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, _, errors = share(capsys, rad, "inspect_ai", tmp_path / "out [1]")
    assert errors == "next: inspect eval 'out [[]1]/pefomed_task.py' --model PROVIDER/MODEL\n"


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "more", "message"),
    [
        ("huggingfase", [], "did you mean 'huggingface'?"),
        ("huggingface", ["--scorer", "exact_match"], "--scorer is of tasks"),
        ("huggingface", ["--split", "tset"], "did you mean 'test'?"),
        ("huggingface", ["--split", "val"], "no split val; it has train, test"),
        ("huggingface", ["--without", "sourceid"], "did you mean 'source_id'?"),
        ("inspect_ai", ["--scorer", "exact_mach"], "exact_match"),
        ("lmms_eval", ["--scorer", "lexical/r2gen60"], "needs more than predictions"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(
    rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture, form: str, more: list[str], message: str
) -> None:
    code, _, errors = share(capsys, rad, form, tmp_path / "out", *more)
    assert code == 2 and message in errors
    assert not (tmp_path / "out").exists()


def test_a_scorer_of_another_task_is_said(rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code, shown, _ = share(capsys, rad, "inspect_ai", tmp_path / "out", "--scorer", "consistency")
    assert code == 0 and "consistency is meant for report and caption; these samples are vqa" in shown


def test_a_folder_that_is_there_stays(rad: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    share(capsys, rad, "huggingface", tmp_path / "out")
    code, _, errors = share(capsys, rad, "croissant", tmp_path / "out")
    assert code == 2 and "not overwritten" in errors
    assert not (tmp_path / "out" / "croissant.json").exists()


def test_a_missing_image_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rad = prepared_rad(tmp_path)
    release = read_prepared(rad)
    (release.image_root / release.samples[0].only_image).unlink()
    code, _, errors = share(capsys, rad, "huggingface", tmp_path / "out" / "deep")
    assert code == 2 and "no such file" in errors
    assert not list((tmp_path / "out").iterdir())


def test_an_image_that_changed_since_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rad = prepared_rad(tmp_path)
    release = read_prepared(rad)
    small_image(9).save(release.image_root / release.samples[0].only_image)
    code, _, errors = share(capsys, rad, "croissant", tmp_path / "out")
    assert code == 2 and f"{release.samples[0].only_image}: changed since it was prepared" in errors


def test_what_a_cut_file_holds_is_filled_up_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = tmp_path / "own"
    root.mkdir()
    small_image(1, 256).save(root / "a.jpg")
    (root / "a.jpg").write_bytes((root / "a.jpg").read_bytes()[:-2000])
    (root / "test.jsonl").write_text('{"image": "a.jpg", "report": "Clear."}\n')
    mark_generated(root, {})
    command = ["prepare", "medical_custom", "--source", str(root), "--out", str(tmp_path / "prepared")]
    assert main([*command, "--allow-truncated"]) == 0
    _, shown, _ = share(capsys, tmp_path / "prepared", "huggingface", tmp_path / "out")
    assert "1 images converted to PNG, as they are decoded here: cut short" in shown
    image = Image.open(BytesIO(stored(tmp_path / "out", read_shared(tmp_path / "out").samples[0].only_image)))
    image.load()


def test_no_prepared_folder(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code, _, errors = share(capsys, tmp_path, "huggingface", tmp_path / "out")
    assert code == 2 and "prepare the data set first" in errors


def test_data_that_are_not_public_need_the_word_and_stay_private(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    prepared = prepared_studies(tmp_path, generated=False)
    code, _, errors = share(capsys, prepared, "huggingface", tmp_path / "out")
    assert code == 2 and "--i-have-permission" in errors and not (tmp_path / "out").exists()
    assert share(capsys, prepared, "huggingface", tmp_path / "out", "--i-have-permission")[0] == 0
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (tmp_path / "out").rglob("*")}
    assert modes == {0}


def test_paths_of_this_machine_in_metadata_are_left_out_by_name(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    prepared = prepared_studies(tmp_path, file={"from": ["/home/doe/scans/1.dcm"]}, site="A/B")
    code, _, errors = share(capsys, prepared, "huggingface", tmp_path / "out")
    assert code == 2 and "file: in 5 samples; --without file" in errors and "site" not in errors
    _, shown, _ = share(capsys, prepared, "huggingface", tmp_path / "out", "--without", "file")
    assert "metadata file: left out of 5 samples" in shown
    assert all(set(sample.metadata) == {"site", "source_id"} for sample in read_shared(tmp_path / "out").samples)
