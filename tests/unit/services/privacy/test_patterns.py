"""What is found in a text, what is not, and what was taken out before; all of it invented."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pefomed_plugin.services.privacy.findings import KINDS, mask
from pefomed_plugin.services.privacy.patterns import (
    Span,
    find_in_field,
    find_spans,
    in_place_of,
    kind_of_field,
    passages_of,
    with_instead,
)
from pefomed_plugin.services.privacy.recognisers import OWN, Recogniser, find_recogniser, language_of

FOUND = [
    ("Mr. John Smith was seen.", "name", "John Smith"),
    ("Dictated by Dr. O'Brien, MD.", "name", "O'Brien"),
    ("Signed by L. Hargreaves", "name", "L. Hargreaves"),
    ("Patient: MÜLLER, Hans", "name", "MÜLLER, Hans"),
    ("Befundet von Prof. Dr. med. Schäfer", "name", "Schäfer"),
    ("Sehr geehrte Frau Kollegin Dr. Weber,", "name", "Weber"),
    ("wir berichten über Herrn Peter von der Heide", "name", "Peter von der Heide"),
    ("spoke with Wolfgang Lüttich today", "name", "Wolfgang Lüttich"),
    ("MUELLER^HANS^^DR", "name", "MUELLER^HANS"),
    ("seen on March 3, 2019 again", "date", "March 3, 2019"),
    ("Exam of 04-MAR-2019", "date", "04-MAR-2019"),
    ("Geburtsdatum: 11.7. und", "date", "11.7."),
    ("vom 12. März 2019", "date", "12. März 2019"),
    ("geb. 12.04.1956", "date", "12.04.1956"),
    ("am 12.4. untersucht", "date", "12.4."),
    ("2019-03-04T10:11:12", "date", "2019-03-04T10:11:12"),
    ("prior from March 2018", "date", "March 2018"),
    ("on 3/12 no change", "date", "3/12"),
    ("Tel. 089/4140-0", "phone", "089/4140-0"),
    ("call (555) 123-4567", "phone", "(555) 123-4567"),
    ("+49 89 1234567", "phone", "+49 89 1234567"),
    ("MRN: 4711234", "id", "4711234"),
    ("Fallnummer 20190412", "id", "20190412"),
    ("SSN 123-45-6789", "id", "123-45-6789"),
    ("NHS 943 476 5919", "id", "943 476 5919"),
    ("IBAN DE89 3704 0044 0532 0130 00", "id", "DE89 3704 0044 0532 0130 00"),
    ("hans.m@example.org", "email", "hans.m@example.org"),
    ("wohnhaft Berliner Straße 12, 80331 München", "address", "Berliner Straße 12, 80331 München"),
    ("12 Old Mill Road, Dayton, OH 45402", "address", "12 Old Mill Road, Dayton, OH 45402"),
    ("A 94-year-old woman", "age", "94"),
    ("94-jährige Patientin", "age", "94"),
    ("from St. Mary's Hospital", "institution", "St. Mary's Hospital"),
    ("im Klinikum Nordstadt", "institution", "Klinikum Nordstadt"),
    ("study 1.2.840.113619.2.55.3.604688", "uid", "1.2.840.113619.2.55.3.604688"),
    ("see 87654321 there", "number", "87654321"),
    ("PATIENT: SMITH", "name", "SMITH"),
    ("loading /data/Mueller_Hans_1/x.dcm", "name", "Mueller_Hans"),
    ("Pt: Smith, J", "name", "Smith, J"),
    ("Surgeon: Brown", "name", "Brown"),
    ("Assistenzarzt: Weber", "name", "Weber"),
    ("Drs. Smith and Jones", "name", "Smith"),
    ("ACC: 987654", "id", "987654"),
    ("wohnhaft in 80331 München", "address", "80331 München"),
    ("REFERRING PHYSICIAN:   JONES", "name", "JONES"),
    ("Discussed with DR. SMITH at 10:30", "name", "SMITH"),
    ("patient name: john smith", "name", "john smith"),
    ("gez. Weber", "name", "Weber"),
    ("Dr.med.Weber", "name", "Weber"),
    ("PD Dr. med. habil. Weber", "name", "Weber"),
    ("read by Jane Doe, M.D.", "name", "Jane Doe"),
    ("his wife Mary called", "name", "Mary"),
    ("PatientName = Weber", "name", "Weber"),
    ("Mme Dupont", "name", "Dupont"),
    ("Yesterday Hans Mueller came", "name", "Hans Mueller"),
    ("Nom: Dupont", "name", "Dupont"),
    ("Sra. López", "name", "López"),
    ("Paciente: García", "name", "García"),
    ("Sayın Yılmaz", "name", "Yılmaz"),
    ("12 avril 1956", "date", "12 avril 1956"),
    ("12 de marzo de 2019", "date", "12 de marzo de 2019"),
    ("12 Mart 2019", "date", "12 Mart 2019"),
    ("D.O.B. 12-Apr-56", "date", "12-Apr-56"),
    ("geb.12.04.1956", "date", "12.04.1956"),
    ("on 12APR2019", "date", "12APR2019"),
    ("at 20190304101112", "date", "20190304101112"),
    ("compared with 03/2019", "date", "03/2019"),
    ("seen Monday, March 3", "date", "Monday, March 3"),
    ("aged 93", "age", "93"),
    ("Alter: 92", "age", "92"),
    ("AGE: 095Y", "age", "095"),
    ("93F with cough", "age", "93"),
    ("mrn: 123456", "id", "123456"),
    ("MRN: 4711", "id", "4711"),
    ('"MRN": 123456', "id", "123456"),
    ("Med Rec No: 123-45-67", "id", "123-45-67"),
    ("ACC# 123456", "id", "123456"),
    ("Fallnr. 123456", "id", "123456"),
    ("Aufn.-Nr. 2019/1234", "id", "2019/1234"),
    ("http://pacs.local/viewer?pid=4711", "id", "4711"),
    ("1 56 04 75 123 456 78", "id", "1 56 04 75 123 456 78"),
    ("from 192.168.1.17", "network", "192.168.1.17"),
    ("12 rue de la Paix", "address", "12 rue de la Paix"),
    ("of Springfield, IL 62704", "address", "Springfield, IL 62704"),
    ("P.O. Box 123", "address", "P.O. Box 123"),
    ("<td>Patient</td><td>Weber</td>", "name", "Weber"),
    ("<b>Hans</b> <b>Weber</b>", "name", "Hans</b> <b>Weber"),
    ("von M&uuml;ller, Hans", "name", "M&uuml;ller, Hans"),
    ("Patient: <b>Ha</b>ns M&uuml;ller", "name", "Ha</b>ns M&uuml;ller"),
    (r"Patient: Hans M\'fcller", "name", r"Hans M\'fcller"),
    ("GET /view?dob=570312&name=Hans+Mueller", "id", "570312"),
    ("GET /view?name=Hans%20Mueller", "id", "Hans%20Mueller"),
    ("of M\\u00fcller, Hans", "name", "M\\u00fcller, Hans"),
]


@pytest.mark.parametrize(("text", "kind", "value"), FOUND, ids=[f"{kind}: {value}" for _, kind, value in FOUND])
def test_what_identifies_is_found_whole(text, kind, value):
    spans, _ = find_spans(text)
    assert any(span.kind == kind and value in text[span.start : span.end] for span in spans)


@pytest.mark.parametrize(
    "text",
    [
        "The heart is normal in size. No pneumothorax.",
        "3.5 x 2.1 cm nodule at L4/5, T2 N1 M0, ICD-10 J18.9, Apgar 9/10/10",
        "Kerley B lines, Baker cyst, Circle of Willis; MR Angiography; BI-RADS 2",
        "A 54-year-old man with cough for 3 weeks; 120 kV, 3.5 mAs, TE 12, TR 3400",
        "Raumforderung von 3,2 x 2,1 cm; Zustand nach OP; Patient: weiblich; Klinik unauffällig",
        "1.2.840.10008.1.2.1 and 2.25.329800735698586629295641978511506172918",
        "ORU^R01, T1^T2, Series_Two, Max_Length",
        "Ann Arbor stage IV, on 2/3 of the lobe, from 3/4 to 1/2, FiO2 0.5, BP 120/80, C5/6, T1N0M0, 1/2/3, 123/456",
        "Swan-Ganz catheter, Hodgkin lymphoma, MR Angiography, MRS VOI, DR chest, MS plaques, 2D and 3/4 of them",
        "PATIENT: STABLE. M. Crohn, Mutter-Kind-Pass, Name:\nVorname:\nPatient:\nGeburtsdatum:",
        "temperature 98F, 101F; 95 % of 120; aged 93 days; version 1.2.3.4; a <b>bold</b> word &amp; T1 < 5 mm",
        "pefomed_plugin 0.1.0, torch 2.14.1, sha256 3f786850e387550fdab836ed7e6dc881de23001b",
    ],
)
def test_medicine_and_numbers_of_machines_are_no_finding(text):
    assert find_spans(text)[0] == []


@pytest.mark.parametrize(
    "text",
    [
        "Dr. ___ saw Mr. ___ on ___",
        "on [**2151-3-4**] by Dr. [**Last Name (STitle)**]",
        "XXXX XXXX, PA and lateral",
        "Patient: [NAME], geb. [DATE], Tel. [PHONE]",
        "admitted 2151-03-04 and 4 March 2180",
        "files/p10/p10000032/s50414267.txt",
        "Signed by Dr. [NAME]",
    ],
)
def test_what_was_taken_out_before_is_understood(text):
    spans, marks = find_spans(text)
    assert spans == [] and marks


def test_a_label_behind_a_name_is_none_of_it():
    text = "Patient: Hans Weber, MRN 4711234"
    assert [(one.kind, text[one.start : one.end]) for one in find_spans(text)[0]] == [
        ("name", "Hans Weber"),
        ("id", "4711234"),
    ]


def test_tags_within_what_is_replaced_stay():
    assert in_place_of("Hans</b> <b>Weber", "name") == "[NAME]</b><b>"


def test_a_line_that_ends_in_a_label_goes_with_the_next():
    text = "Seen by Dr.\nWeber\nPatient:\nKeller\nMRN:\n123456\nNo effusion.\n"
    passages = list(passages_of(text))
    assert "".join(passage for _, passage in passages) == text
    found = [(place, passage[one.start : one.end]) for place, passage in passages for one in find_spans(passage)[0]]
    assert found == [("lines 1 to 2", "Weber"), ("lines 3 to 4", "Keller"), ("lines 5 to 6", "123456")]


@pytest.mark.parametrize(
    ("text", "found"), [("95", True), ("093Y", True), ("92 Jahre", True), ("54", False), ("", False)]
)
def test_the_age_of_a_field_counts_above_89(text, found):
    assert [span.kind for span in find_in_field(text, "PatientAge")[0]] == ["age"] * found


def test_names_of_fields_say_what_stands_there():
    assert [kind_of_field(name) for name in ("PatientName", "patient_id", "Geburtsdatum", "e-mail", "finding")] == [
        *("name", "id", "date", "email", "")
    ]
    (span,), _ = find_in_field("xiaoming", "PatientName")
    assert (span.start, span.end, span.kind) == (0, 8, "name")
    for empty in ("", "___", "unknown", "M", "-"):
        assert find_in_field(empty, "PatientName")[0] == []
    assert find_in_field("2151-03-04", "StudyDate") == ([], 1)
    assert find_in_field("'0402108060", "item") == ([], 0) and find_in_field("0402108060", "number")[0]


@pytest.mark.parametrize("number", ["943 476 5918", "DE88 3704 0044 0532 0130 00", "A123456789"])
def test_check_digits_count(number):
    assert all(span.kind != "id" for span in find_spans(f"value {number}")[0])


def test_a_masked_value_cannot_be_read():
    for value in ("Jo", "Hans", "Hans Mueller", "12.04.1956"):
        shown = mask(value)
        assert value not in shown and sum(letter != "*" for letter in shown) <= 1 and len(shown) <= 8


def test_every_kind_has_a_placeholder_that_is_no_finding():
    recogniser = find_recogniser(OWN)
    for kind in KINDS.values():
        assert recogniser.find(f"Patient: {kind.placeholder}, seen")[0] == []


def test_the_language_of_a_text():
    assert language_of("Das Herz ist normal groß.") == "de" and language_of("The heart is normal in size.") == "en"
    assert language_of("Patient: Hans Müller, geb. 12.04.1956") == "de" and language_of("Smith, John") == "en"


def test_presidio_is_asked_in_the_languages_it_has(monkeypatch):
    """Where it is not installed: with what stands in for its analyzer."""
    asked = []

    class Analyzer:
        def analyze(self, text, language, entities):
            asked.append((text, language))
            return [SimpleNamespace(start=0, end=8, entity_type="PERSON", score=0.85)]

    both = Recogniser("both", Analyzer(), ("en",))
    assert [span.kind for span in both.find("Xiaoming was seen there by us.")[0]] == ["name"]
    assert both.find("Kein Erguss, das Herz ist normal.")[0] == []
    assert asked == [("Xiaoming was seen there by us.", "en")]


def test_base64_is_no_text():
    assert find_spans("src='data:image/png;base64," + "1234567/" * 50 + "'")[0] == []


def test_what_we_write_ourselves_is_no_finding() -> None:
    """Words of a model card and numbers of a configuration."""
    assert _kinds("a frozen EVA ViT and max_pixels: 200000000") == []
    assert _kinds("seen by Eva McDonald, 20017734") == ["name", "number"]


def _kinds(text: str) -> list[str]:
    return [span.kind for span in find_spans(text)[0]]


def test_a_text_with_a_hundred_thousand_findings_is_put_together_once():
    """Cut at each of them it would be copied as often, and a page of some megabytes take hours."""
    text, spans = "Dr. Weber. " * 100_000, [Span(11 * place + 4, 11 * place + 9, "name") for place in range(100_000)]
    assert with_instead(text, spans, ["[NAME]"] * 100_000) == "Dr. [NAME]. " * 100_000
