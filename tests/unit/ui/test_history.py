"""What was asked in a session: shown without the reference, saved in our schema."""

from __future__ import annotations

from pathlib import Path

from pefomed_plugin.records import Sample
from pefomed_plugin.storage import read_predictions
from pefomed_plugin.ui.desk import Said
from pefomed_plugin.ui.history import next_turn, records_of, save_history, show_history, show_reference

SAMPLE = Sample("vqa_rad-1", "vqa_rad", "test", ("a.png",), "vqa", "Is <it> big?", "No & never", "CLOSED")
FACTS = [{"checkpoint": "out/stage1/last.pth"}, {"checkpoint": "out/stage2/last.pth"}]
ONE, OTHER = Said("yes", "[INST] one", 0.83), Said("<b>no</b>", "[INST] other", 0.4)


def both():
    first = records_of(1, "a.png", "vqa", SAMPLE.question, [ONE, OTHER], FACTS, SAMPLE)
    return [*first, *records_of(next_turn(first), "b.png", "report", "", [ONE, OTHER], FACTS)]


def test_the_file_is_read_by_everything_that_reads_predictions(tmp_path):
    path = Path(save_history(both(), str(tmp_path)))
    read = read_predictions(path)
    assert read == both() and path.name == "chat.jsonl"
    assert [record.id for record in read] == [f"images-chat-{turn}-{letter}" for turn in (1, 2) for letter in "ab"]
    assert [record.producer["confidence"] for record in read[:2]] == [0.83, 0.4]
    assert read[0].producer["prompt"] == "[INST] one" and read[1].producer["checkpoint"] == "out/stage2/last.pth"
    assert (read[0].answer, read[0].metadata["sample"]) == ("No & never", "vqa_rad-1")
    assert (read[2].question, read[2].answer, read[2].metadata["reference"]) == (None, "", "none")


def test_it_is_shown_the_latest_first_and_escaped():
    shown = show_history(both())
    assert shown.index("Write a report") < shown.index("Is &lt;it&gt; big?")
    assert "<b>" not in shown and "A: stage1/last.pth" in shown and "B: stage2/last.pth" in shown
    assert "confidence 0.83 (the model&#x27;s own word, not calibrated)" in shown
    assert "never" not in shown  # the reference comes on demand alone
    alone = show_history(records_of(1, "a.png", "vqa", "Is it?", [ONE], FACTS[:1]))
    assert "A: " not in alone and "stage1/last.pth" in alone
    assert "Nothing asked yet" in show_history([])


def test_the_reference_of_what_was_asked_last():
    assert "ask something first" in show_reference([])
    assert "<strong>No &amp; never</strong>" in show_reference(both()[:2]) and "vqa_rad-1" in show_reference(both()[:2])
    assert "Nobody says what is right here" in show_reference(both())
