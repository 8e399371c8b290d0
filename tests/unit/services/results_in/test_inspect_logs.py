from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.services.results_in import inspect_archives, inspect_logs
from pefomed_plugin.services.results_in.answers import FAILED
from pefomed_plugin.services.results_in.inspect_logs import read_inspect

from .rows import QUESTIONS, TEXTS, archive, inspect_samples, whole


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    packed = read_inspect(archive(tmp_path / "a.eval", inspect_samples()))
    log = {"version": 2, "status": "success", "eval": {}, "samples": inspect_samples()}
    flat = read_inspect(whole(tmp_path / "a.json", log))
    for found in (packed, flat):
        assert [(answer.key, answer.question, answer.reference, answer.text) for answer in found] == [
            (key, question, reference, text) for (key, _, question, reference), text in zip(QUESTIONS, TEXTS)
        ]


def test_an_id_that_is_a_number_is_the_logs_own_and_orders(tmp_path: Path) -> None:
    samples = [{**sample, "id": 10 - place} for place, sample in enumerate(inspect_samples())]
    found = read_inspect(archive(tmp_path / "a.eval", samples))
    assert [(answer.key, answer.text) for answer in found] == [(None, "circle"), (None, "no")]


def test_of_several_epochs_the_first_is_taken_and_counted(tmp_path: Path) -> None:
    later = [{**sample, "epoch": 2, "output": {"completion": "later"}} for sample in inspect_samples()]
    found = read_inspect(archive(tmp_path / "a.eval", [*later, *inspect_samples()]))
    assert [answer.text for answer in found] == list(TEXTS)
    assert {answer.notes for answer in found} == {("only the first of several epochs was taken",)}


def test_a_sample_that_ended_in_an_error_is_missing(tmp_path: Path) -> None:
    broken = {**inspect_samples()[0], "output": {"choices": []}, "error": {"message": "rate limit"}}
    (found,) = read_inspect(archive(tmp_path / "a.eval", [broken]))
    assert (found.text, found.notes) == (None, (FAILED,))


def test_reasoning_is_left_out_and_a_path_in_the_metadata_is_the_image(tmp_path: Path) -> None:
    content = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "left"}]
    output = {"choices": [{"message": {"content": content}}]}
    sample = {**inspect_samples(metadata={"image": "p0.png"})[0], "output": output}
    (found,) = read_inspect(archive(tmp_path / "a.eval", [sample]))
    assert (found.text, found.image) == ("left", "p0.png")


def test_newer_logs_are_packed_with_zstandard(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = archive(tmp_path / "a.eval", inspect_samples(), zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, zstandard.ZstdCompressor().compress(content))
        for member, content in zip(file.infolist(), members.values()):  # a stored member that says it is a packed one
            member.compress_type, member.file_size = 93, len(content)
            member.CRC = inspect_archives.zlib.crc32(content)
    assert [answer.text for answer in read_inspect(path)] == list(TEXTS)


def test_what_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.eval", [{**inspect_samples()[0], "store": {"a": "0" * 2_000_000}}])
    assert path.stat().st_size < 4_000
    monkeypatch.setattr(inspect_archives, "ALWAYS_ALLOWED", 1_000)
    with pytest.raises(DataError, match=r"a\.eval unpacks to 2 MiB, \d+ times its size"):
        read_inspect(path)
    monkeypatch.setattr(inspect_archives, "MOST_TIMES", 10**9)
    monkeypatch.setattr(inspect_archives, "MOST_LINE_BYTES", 1_000)
    with pytest.raises(DataError, match="in one sample"):
        read_inspect(path)


def test_damage_names_file_and_sample(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.eval", inspect_samples(), zipfile.ZIP_STORED)
    whole_file = path.read_bytes()
    path.write_bytes(whole_file[: len(whole_file) // 2])
    with pytest.raises(DataError, match=r"a\.eval is no zip, or is damaged or cut short"):
        read_inspect(path)
    path.write_bytes(whole_file.replace(b"circle", b"cirkle"))
    with pytest.raises(DataError, match=r"a\.eval is no zip, or is damaged .*CRC"):
        read_inspect(path)
    with pytest.raises(DataError, match="holds no samples; was the log written with --no-log-samples"):
        read_inspect(archive(path, []))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("samples/0_epoch_1.json", '{"id": 1, "output": ')
        file.writestr("samples/1_epoch_1.json", "[]")
    with pytest.raises(DataError) as caught:
        read_inspect(path)
    assert len(caught.value.problems) == 2 and "samples/0_epoch_1.json" in caught.value.problems[0]


@pytest.mark.parametrize(
    "more",
    [
        {"limit": {"type": "token", "limit": 10}},
        {"output": {"choices": [{"message": {"content": "no, beca"}, "stop_reason": "max_tokens"}]}},
        {"output": {"completion": "", "choices": [{"message": {"content": ""}, "stop_reason": "content_filter"}]}},
    ],
)
def test_what_a_limit_cut_is_taken_and_counted(tmp_path: Path, more: dict) -> None:
    first, second = inspect_samples()
    found = read_inspect(archive(tmp_path / "a.eval", [{**first, **more}, second]))
    assert [any("cut short by a limit" in note for note in answer.notes) for answer in found] == [True, False]
    assert found[0].text is not None


def test_an_answer_can_have_two_notes(tmp_path: Path) -> None:
    broken = {**inspect_samples()[0], "output": {"choices": []}, "error": {"message": "rate limit"}}
    (found,) = read_inspect(archive(tmp_path / "a.eval", [broken, {**broken, "epoch": 2}]))
    assert len(found.notes) == 2


def test_a_log_that_did_not_end_says_so(tmp_path: Path) -> None:
    """Its header is written last; the samples that it holds are read."""
    for name, header, status in (("a", None, "started"), ("b", {"status": "cancelled"}, "cancelled"), ("c", [], "")):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            if header is not None:
                file.writestr("header.json", json.dumps(header))
            file.writestr("samples/1.json", json.dumps(inspect_samples()[0]))
        (found,) = read_inspect(tmp_path / name)
        assert found.notes == ((f"{inspect_logs.UNFINISHED} (status: {status})",) if status else ())


def test_long_texts_among_the_attachments_are_put_back(tmp_path: Path) -> None:
    """As in logs that were recovered after a crash: in place of a text stands its key."""
    content = [{"type": "image", "image": "attachment://0"}, {"type": "text", "text": "attachment://ab"}]
    sample = {**inspect_samples()[0], "input": [{"role": "user", "content": content}]}
    sample |= {"output": {"completion": "attachment://cd"}, "attachments": {"ab": "Is it\nlong?", "cd": "no, because"}}
    (found,) = read_inspect(archive(tmp_path / "a.eval", [sample]))
    assert (found.question, found.text) == ("Is it\nlong?", "no, because")
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_inspect(archive(tmp_path / "a.eval", [{**sample, "attachments": {}}]))
    assert caught.value.problems == (
        "a.eval, sample q0: its answer is among the attachments, and they lack it; take a whole log",
    )


def test_a_sample_may_have_a_folder(tmp_path: Path) -> None:
    """The shape that inspect_ai converts large logs into: events are not looked at."""
    first, second = inspect_samples()
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as file:
        file.writestr("header.json", '{"status": "success"}')
        file.writestr("samples/q1_epoch_1.json", json.dumps(second))
        folder = "samples/q0_epoch_1"
        shell = {**first, "input": [{"role": "user", "content": "attachment://3"}]}
        file.writestr(f"{folder}/sample.json", json.dumps(shell))
        file.writestr(f"{folder}/metadata.json", '{"image": "p0.png"}')
        file.writestr(f"{folder}/attachments/0.json", '["a", "b"]')
        file.writestr(f"{folder}/attachments/2.json", '["c", "What is long?"]')
        for name in ("skeleton", "events/0", "events/stats", "messages/0", "calls/0"):
            file.writestr(f"{folder}/{name}.json", "damaged")
    found = read_inspect(tmp_path / "a.eval")
    assert {(answer.key, answer.question, answer.image, answer.text) for answer in found} == {
        ("q0", "What is long?", "p0.png", TEXTS[0]),
        ("q1", QUESTIONS[1][2], None, TEXTS[1]),
    }


def test_an_error_after_an_answer_is_counted(tmp_path: Path) -> None:
    """A scorer that failed, say, or a request after the first."""
    first, second = inspect_samples()
    found = read_inspect(archive(tmp_path / "a.eval", [{**first, "error": {"message": "in the scorer"}}, second]))
    assert [answer.text for answer in found] == list(TEXTS)
    assert [any("ended in an error after" in note for note in answer.notes) for answer in found] == [True, False]


def test_what_was_marked_as_invalid_is_taken_and_counted(tmp_path: Path) -> None:
    first, second = inspect_samples()
    found = read_inspect(archive(tmp_path / "a.eval", [{**first, "invalidation": {"author": "a"}}, second]))
    assert [any("marked as invalid" in note for note in answer.notes) for answer in found] == [True, False]


def test_an_answer_of_a_model_that_was_fallen_back_to_is_counted(tmp_path: Path) -> None:
    first, second = inspect_samples()
    output = {**first["output"], "fallback": {"model": "provider/a", "fallback_model": "provider/b", "count": 1}}
    found = read_inspect(archive(tmp_path / "a.eval", [{**first, "output": output}, second]))
    told = "answered by provider/b, to which the provider fell back; taken as it is"
    assert [told in answer.notes for answer in found] == [True, False]
