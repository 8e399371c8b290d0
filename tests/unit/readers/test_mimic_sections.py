"""Sections of radiology reports by the official rules. All reports are invented."""

from __future__ import annotations

import pytest

from pefomed_plugin.readers.mimic_sections import HAND_SECTIONED, official_text, section_name, sections_of

STUDY = "59999999"


def report(*sections: str) -> str:
    """A print as in the release: one blank before every line, an empty line between sections."""
    return " " * 33 + "FINAL REPORT\n " + "\n \n ".join(sections)


def test_a_usual_report() -> None:
    text = report(
        "EXAMINATION:  CHEST (PA AND LAT)",
        "INDICATION:  ___ year old invented person",
        "COMPARISON:  None.",
        "FINDINGS: \n \n The invented lungs are clear.\n The heart is ___.",
        "IMPRESSION: \n \n Nothing invented.",
    )
    sections = sections_of(text)
    assert list(sections) == ["preamble", "examination", "indication", "comparison", "findings", "impression"]
    assert sections["findings"] == "The invented lungs are clear.\n The heart is ___."
    assert sections["indication"] == "___ year old invented person"
    assert official_text(STUDY, text) == "Nothing invented."


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("IMPRESSION", "impression"),
        ("FINDINGS AND IMPRESSION", "impression"),
        ("FINDINGS/IMPRESSION", "impression"),
        ("CONCLUSION", "impression"),
        ("IMPRESSON", "impression"),
        ("NDICATION", "impression"),
        ("FINDING", "findings"),
        ("CHEST, TWO VIEWS", "findings"),
        ("PORTABLE AP", "findings"),
        ("FRONTAL AND LATERAL", "findings"),
        ("CLINICAL HISTORY", "history"),
        ("REASON FOR EXAM", "indication"),
        ("COMPARISONS", "comparison"),
        ("REFERENCE EXAM", "comparison"),
        ("EXAM", "examination"),
        ("EXAMINATION", "examination"),
        ("WETREAD", "wet read"),
        ("RECOMMENDATION(S)", "recommendations"),
        ("ADDENDUM TO REPORT", "addendum"),
        ("NOTE", "note"),
    ],
)
def test_headers_are_unified(header: str, name: str) -> None:
    assert section_name(header) == name


def test_impression_before_findings_before_last_paragraph_before_comparison() -> None:
    assert official_text(STUDY, report("IMPRESSION: one", "FINDINGS: two")) == "one"
    assert official_text(STUDY, report("FINDINGS: two", "COMPARISON: four")) == "two"
    assert official_text(STUDY, report("COMPARISON: four", "HISTORY: cough\n \n three")) == "three"
    assert official_text(STUDY, report("COMPARISON: four", "HISTORY: cough")) == "four"
    assert official_text(STUDY, report("HISTORY: cough")) == ""


def test_the_last_paragraph_is_cut_from_the_last_section() -> None:
    sections = sections_of(report("INDICATION: cough", "TECHNIQUE: two views\n \n All clear.\n \n Really."))
    assert (sections["technique"], sections["last_paragraph"]) == ("two views", "All clear.\n \n Really.")


def test_there_is_no_last_paragraph_beside_findings() -> None:
    assert "last_paragraph" not in sections_of(report("FINDINGS: clear\n \n Really."))


def test_an_empty_section_does_not_hide_an_earlier_one() -> None:
    sections = sections_of(report("FINDINGS: The first.", "CHEST, PA LATERAL:\n", "IMPRESSION:  \n", "NOTE: x"))
    assert sections["findings"] == "The first."
    assert "impression" not in sections


def test_the_report_counts_before_the_addendum_above_it() -> None:
    text = "\n ADDENDUM: \n IMPRESSION: Seen later.\n " + "_" * 40 + "\n" + report("IMPRESSION: Seen first.")
    assert official_text(STUDY, text) == "Seen first."
    assert "Seen later." not in sections_of(text)["impression"]


def test_a_header_needs_capitals_and_the_blank_before_them() -> None:
    findings = "clear\nIMPRESSION: none\n Impression: none\n NOTE 2: none"
    assert sections_of("\n FINDINGS: " + findings) == {"preamble": "", "findings": findings}


def test_the_line_of_a_header_is_not_searched_for_the_next() -> None:
    assert sections_of("\n FINDINGS:\n IMPRESSION: one\n NOTE: two") == {
        "preamble": "",
        "findings": "IMPRESSION: one",
        "note": "two",
    }


def test_no_header_and_no_text() -> None:
    assert sections_of("All clear.") == {"full report": "All clear."}
    assert sections_of("") == {"full report": ""}
    assert official_text(STUDY, "All clear.\n \n Really.") == "Really."


def test_reports_sectioned_by_hand() -> None:
    assert len(HAND_SECTIONED) == 54
    assert official_text("50525523", "x" * 201 + "y" * 148 + "z") == "y" * 148
    assert official_text("58235663", report("IMPRESSION: none")) == ""
    assert official_text("59363654", report("EXAMINATION: here", "IMPRESSION: not here")) == "here"
    assert official_text("59363654", report("IMPRESSION: not here")) == ""
