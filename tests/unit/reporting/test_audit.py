"""What an audit found, as tables: equal outcomes are one row, what is off has a row of its own."""

from __future__ import annotations

from pefomed_plugin.reporting.audit import audit_table, harness_table
from pefomed_plugin.services.audit.harness_calls import Called, Counted
from pefomed_plugin.services.audit.scorers import NOT_RUN, OFF, RIGHT, Finding


def found(scorer, value, probe="perfect", figure="overall", verdict=RIGHT, low=100.0, high=100.0, unit="%", **fields):
    return Finding("slake", scorer, probe, figure, verdict, value, low, high, unit=unit, **fields)


def rows(findings, **options):
    return [[text for text in row if text] for row in audit_table("slake", findings, **options).texts()]


def test_equal_outcomes_are_one_row_and_a_whole_family_is_named_as_one():
    names = ("exact_match/a", "exact_match/b", "judge/vqa/c")
    assert rows([found(name, 100.0) for name in names]) == [
        ["perfect", "100.0 %", "100.0 %", "exact_match/* (2); judge/vqa/c"]
    ]
    part = [found("exact_match/a", 100.0), found("exact_match/b", 0.0, low=0.0, high=0.0)]
    assert [row[-1] for row in rows(part)] == ["exact_match/a", "exact_match/b"]


def test_figures_of_one_bound_are_a_span():
    metrics = ("bleu1", "bleu2", "bleu3", "bleu4", "cider")
    findings = [
        found("lexical/coco", place / 10, "another's", name, low=0.0, high=10.0, unit="", below="perfect")
        for place, name in enumerate(metrics)
    ]
    assert rows(findings) == [["another's", "below perfect", "0.000 - 0.400", "lexical/coco: bleu1 to cider (5)"]]
    assert len(rows(findings, every_figure=True)) == 5


def test_what_is_off_has_a_row_of_its_own_also_of_a_group():
    findings = [
        found("mine", 100.0),
        found("mine", 100.0, figure="open"),
        found("mine", 150.0, figure="closed", verdict=OFF, reason="a figure of 5 of 6 answers"),
    ]
    assert rows(findings) == [
        ["perfect", "100.0 %", "100.0 %", "mine"],
        ["perfect", "100.0 %", "150.0 % (a figure of 5 of 6 answers)", "OFF", "mine: closed"],
    ]


def test_what_was_not_run_is_a_note():
    findings = [found("c/r", None, figure=name, verdict=NOT_RUN, reason="no Java") for name in ("meteor", "green")]
    assert audit_table("", findings).notes == ["not run: c/r, meteor, green: no Java"]


def test_a_harness_shows_what_differs_and_says_the_rest():
    figures = [
        Counted("perfect", "", "overall", 100.0, 100.0, 100.0),
        Counted("perfect", "right", "overall", 139.9, 100.0, 100.0),
        Counted("empty", "", "", None, reason="ValueError: empty"),
        Counted("echo", "", "overall", 0.0, 0.0, 0.0),
    ]
    table = harness_table(Called("h", "slake", 2094, "9b12e3b", figures, "no network", ("torch",)))
    assert [[text for text in row if text] for row in table.texts()] == [
        ["perfect", "overall", "100.0 %", "100.0 %"],
        ["perfect, judge always right", "overall", "100.0 %", "139.9 %", "differs"],
        ["empty", "ValueError: empty", "differs"],
    ]
    assert table.notes == [
        "1 more figures are those of a right count",
        "their code, in a process with no network",
        "not installed, and not called: torch",
    ]
    nothing = harness_table(Called("h", "slake", 3, "no git: unknown commit", error="needs the package nltk"))
    assert nothing.notes == ["nothing counted: needs the package nltk"]
