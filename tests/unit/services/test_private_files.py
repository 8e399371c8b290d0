"""Who may read what is written of data that are not public."""

from __future__ import annotations

import os

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.rubrics import REPORT
from pefomed_plugin.services import private_files
from pefomed_plugin.services.console import say_once
from pefomed_plugin.services.private_files import keep_answers_private, keep_private
from pefomed_plugin.services.rating.store import STORE, RatingStore
from pefomed_plugin.storage import write_records
from tests.unit.services.judged import answers, written_reports

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture(autouse=True)
def a_process_that_has_read_nothing(monkeypatch):
    monkeypatch.setattr(private_files, "_private", set())
    say_once.cache_clear()
    os.umask(0o022)


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("datasets", "origins", "private"),
    [
        (["vqa_rad"], {}, False),
        (["vqa_rad", "mimic_cxr"], {}, True),
        (["somebody_elses"], {}, True),
        (["mimic_cxr"], {"mimic_cxr": "generated"}, False),
        (["mimic_cxr"], {"mimic_cxr": "real"}, True),
        ([], {}, False),
    ],
)
def test_files_are_the_users_alone_where_data_are_not_public(tmp_path, datasets, origins, private):
    assert keep_private(datasets, origins) is private
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("words")
    assert (mode(tmp_path / "folder"), mode(tmp_path / "folder" / "file")) == (
        (0o700, 0o600) if private else (0o755, 0o644)
    )


def test_answers_say_by_themselves_whether_their_data_are_generated():
    assert keep_answers_private(written_reports(2, dataset="mimic_cxr"))
    generated = written_reports(2, dataset="mimic_cxr", producer={"origin": {"data": {"mimic_cxr": "generated"}}})
    assert not keep_answers_private(generated)
    assert not keep_answers_private(answers(2))


@pytest.mark.parametrize("public", [True, False])
def test_commands_write_so(tmp_path, capsys, public):
    path = tmp_path / "predictions.jsonl"
    write_records(path, written_reports(3, dataset="iu_xray" if public else "mimic_cxr"))
    assert main(["judge", "report", str(path), "--judge", "offline"]) == 0
    assert main(["report", str(tmp_path), "--no-images", "--out", str(tmp_path / "page.html")]) == 0
    assert (capsys.readouterr().err.count("readable by you alone") == 1) is not public
    written = [found for found in tmp_path.rglob("*") if found.is_file() and found != path]
    assert len(written) >= 3
    assert {mode(found) for found in written} == {0o644 if public else 0o600}


def test_ratings_that_others_could_read_are_closed_to_them(tmp_path):
    with RatingStore(tmp_path / STORE, REPORT):
        pass
    assert mode(tmp_path / STORE) == 0o644
    keep_private(["mimic_cxr"])
    with RatingStore(tmp_path / STORE, REPORT) as store:
        store.save("anna", "a", rating=3)
        assert {mode(found) for found in tmp_path.iterdir()} == {0o600}
