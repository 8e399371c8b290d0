"""What holds of whatever is given: the JSON reader, normalisation, the ledger, importers and options."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from pefomed_plugin.errors import PefomedError, printable
from pefomed_plugin.json_text import JsonFault, parse_json
from pefomed_plugin.readers import DATASETS
from pefomed_plugin.services.judge.ledger import Ledger
from pefomed_plugin.services.results_in import FORMATS
from pefomed_plugin.storage import read_predictions
from pefomed_plugin.text import NORMALISATIONS, normalise_clean

settings.register_profile("hostile", derandomize=True, max_examples=60, deadline=None)
settings.load_profile("hostile")
texts = some.text(max_size=40)
values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
answers = some.lists(
    some.sampled_from(["a", "an", "the", "x", "ray", "two", "1,000", "C.T.", "½", "-", "mm", "²", " "])
)


@given(values)
def test_what_is_written_is_read(value: Any) -> None:
    assert parse_json(json.dumps(value)) == json.loads(json.dumps(value)) or "\\ud" in json.dumps(value)


@given(some.text(alphabet='{}[]",:0123456789eEnulltrueNaN\\ud8-+. \n', max_size=60) | some.binary(max_size=60))
def test_whatever_is_read_is_a_value_or_a_fault(content: str | bytes) -> None:
    try:
        json.dumps(parse_json(content), allow_nan=False)
    except JsonFault as fault:
        assert all(problem.startswith("f, line 1") for problem in fault.at("f", 1))


@given(texts | answers.map("".join))
def test_what_is_normal_stays_so(text: str) -> None:
    assert normalise_clean(normalise_clean(text)) == normalise_clean(text)
    for normalise in NORMALISATIONS.values():
        assert isinstance(normalise(text), str)


@given(texts)
def test_nothing_printed_steers_the_terminal(text: str) -> None:
    assert not set(printable(text)) & set(map(chr, [*range(9), *range(11, 32), 127, *range(0x80, 0xA0), 0x202E]))


@given(some.lists(some.tuples(texts.filter(bool), some.dictionaries(texts, values, max_size=3)), max_size=5))
def test_a_ledger_gives_back_what_it_was_given(entries: list[tuple[str, dict[str, Any]]]) -> None:
    given_entries = [{**facts, "key": key} for key, facts in entries]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.jsonl")
        with Ledger(path) as ledger:
            ledger.append(given_entries)
        with Ledger(path) as ledger:
            assert ledger.torn_bytes == 0
            for key in {entry["key"] for entry in given_entries}:
                wanted = [entry for entry in given_entries if entry["key"] == key]
                found = [{name: found[name] for name in entry} for entry, found in zip(wanted, ledger.entries(key))]
                assert found == wanted


@given(some.sampled_from(sorted(FORMATS)), some.lists(values | some.dictionaries(texts, values), max_size=4))
def test_an_importer_reads_or_names(name: str, rows: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_text(json.dumps(rows), encoding="utf-8")
        for read in (FORMATS[name].read, read_predictions):
            try:
                read(path)
            except PefomedError as error:
                assert "a.json" in str(error)


@given(some.sampled_from(sorted(DATASETS.own)), some.dictionaries(texts, values, max_size=3))
def test_options_are_taken_or_named(name: str, options: dict[str, Any]) -> None:
    spec = DATASETS.own[name]
    known = {option.name: value for option, value in zip(spec.options, options.values())}
    for found in (options, known):
        try:
            assert set(spec.complete_options(found)) >= set(found)
        except PefomedError as error:
            assert spec.name in str(error)
