"""Invented persons, numbers and reports, and where in them something identifies: what the benchmark plants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Callable


def _words(**texts: str) -> dict[str, list[str]]:
    """Language -> words."""
    return {language: text.split() for language, text in texts.items()}


def _contexts(lines: str) -> dict[str, list[str]]:
    """``kind: sentence | sentence`` as kind -> sentences."""
    named = (line.partition(": ") for line in lines.strip().splitlines())
    return {kind: sentences.split(" | ") for kind, _, sentences in named}


GIVEN = _words(
    en="James Mary Robert Patricia Linda David Elizabeth Brandon Kimberly Tamika Declan Siobhan Nkechi Xiaoming",
    de="Hans Ursula Peter Monika Jürgen Sabine Klaus Heike Ayşe Matthias Thies Wiebke Levke Ottokar",
)
FAMILY = _words(
    en="Smith Johnson Okonkwo Fitzgerald Nguyen Baker Whitfield O'Brien Hargreaves Patel McAllister Zhang",
    de="Müller Schneider Weber Özdemir Kowalczyk Hofstetter Brandt Schäfer Petersen Lüttich Winkelmann Groß",
)
MONTHS = _words(
    en="January February March April May June July August September October November December",
    de="Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
)
CLEAN = {
    "en": """
The heart is normal in size.
No pneumothorax or pleural effusion.
There is a 3.2 x 2.1 cm mass in the right upper lobe.
Degenerative changes at L4/5 and C5-C6.
Kerley B lines are present bilaterally.
PA and lateral views of the chest, 120 kV, 3.5 mAs.
Findings are consistent with Crohn disease.
The Circle of Willis is patent; Baker cyst of 2.5 cm.
Port-A-Cath tip at the cavoatrial junction, T2 signal 1.5 T.
FLAIR and T1 sequences, TE 12, TR 3400, matrix 256 x 256.
A 54-year-old man with cough for 3 weeks.
Hounsfield units of 35 to 40; BI-RADS 2; score 4/10.
Paul Bunnell test negative; Arnold Chiari malformation.
Swan Ganz catheter and St. Jude valve in place.
Apgar 9/10/10; ratio 1/2; stage T2 N1 M0, ICD-10 J18.9.
May be seen in March fracture; Mr. imaging was not done.
""".strip().splitlines(),
    "de": """
Das Herz ist normal groß.
Kein Pneumothorax, kein Pleuraerguss.
Raumforderung von 3,2 x 2,1 cm im rechten Oberlappen.
Degenerative Veränderungen in Höhe LWK 4/5 und HWK 5/6.
Zustand nach Cholezystektomie, Morbus Crohn bekannt.
Thorax in zwei Ebenen, 120 kV, 3,5 mAs.
Baker-Zyste medial, Meniskus unauffällig.
Port-Katheter mit Spitze in der Vena cava superior.
T1- und T2-gewichtete Sequenzen, TE 12, TR 3400.
Ein 54-jähriger Patient mit Husten seit 3 Wochen.
Hounsfield-Einheiten 35 bis 40; BI-RADS 2.
Kontrolle in 6 bis 8 Wochen empfohlen.
Paul-Ehrlich-Institut; Robert Koch als Namensgeber.
Herr der Lage: Stadium T2 N1 M0, ICD-10 J18.9.
Klinik und Verlauf unauffällig, Dosis 1.5.0 nach Protokoll.
Frau mit Husten; Patient: weiblich; Arzt vom Dienst informiert.
""".strip().splitlines(),
}
PLANTED = {
    "en": _contexts("""
name: Patient: {} | Mr. {} was seen today. | Dictated by Dr. {}. | Referring physician: {} | Signed by {}, MD.
date: Exam of {}. | Comparison: {} | Compared with the study from {}. | Date of birth: {}
phone: Tel. {} | Please call {} with questions. | Fax: {} | Results to {}.
id: MRN: {} | Accession number {} | Patient ID: {} | Insurance number: {}
email: Contact {}. | Copy to {}
address: Lives at {}. | Address: {}
age: A {}-year-old woman. | Patient is {} years old.
institution: Transferred from {}. | Seen at {} before.
"""),
    "de": _contexts("""
name: Patient: {} | Herr {} stellte sich vor. | Befundet von Dr. {}. | Zuweiser: {} | Wir berichten über Frau {}.
date: Untersuchung vom {}. | Geburtsdatum: {} | Im Vergleich zur Voraufnahme vom {}. | Geb. {}
phone: Tel. {} | Rückruf unter {} erbeten. | Fax: {} | Befund an {}.
id: Fallnummer {} | Patienten-ID: {} | Versichertennummer: {} | Aufnahmenummer: {}
email: Kontakt: {}. | Kopie an {}
address: Wohnhaft {}. | Adresse: {}
age: Eine {}-jährige Patientin. | Der Patient ist {} Jahre alt.
institution: Verlegung aus {}. | Voraufnahmen aus {}.
"""),
}
"""Language -> kind -> sentences that patterns are made for; ``{}`` is where it stands."""
UNFORESEEN = {
    "en": _contexts("""
name: I spoke with {} at 10:30. | {} was informed by telephone. | cc {}
date: as on the film of {} | last scan {} unchanged
phone: reach the ward, {}
id: see file {} for details
"""),
    "de": _contexts("""
name: Telefonisch mit {} besprochen. | {} wurde informiert. | Kopie: {}
date: Aufnahme {} zum Vergleich | zuletzt {} unverändert
phone: Station erreichbar unter {}
id: siehe Akte {}
"""),
}
"""The same for which no pattern is made."""


@dataclass
class Planted:
    """A text with what is planted in it: (start, end, kind)."""

    text: str
    places: list[tuple[int, int, str]]


@dataclass(frozen=True)
class Drawn:
    """What values are made of, drawn anew for each."""

    language: str
    given: str
    family: str
    day: date
    digits: str
    """Ten of them."""
    rng: Random

    @property
    def month(self) -> str:
        """Name of the day's month."""
        return MONTHS[self.language][self.day.month - 1]

    def one_of(self, written: Mapping[str, list[str]]) -> str:
        """One way to write it in this language."""
        return self.rng.choice(written[self.language])


def value_of(kind: str, language: str, rng: Random) -> str:
    """A made-up value."""
    given, family = rng.choice(GIVEN[language]), rng.choice(FAMILY[language])
    day = date(1930, 1, 1) + timedelta(rng.randrange(34_000))
    digits = "".join(str(rng.randrange(10)) for _ in range(10))
    return _MAKERS[kind](Drawn(language, given, family, day, digits, rng))


def _name(drawn: Drawn) -> str:
    given, family = drawn.given, drawn.family
    particle = {"en": "van der", "de": "von der"}[drawn.language]
    second = drawn.rng.choice(FAMILY[drawn.language])
    usual = [f"{given} {family}", f"{family}, {given}", family, f"{family.upper()}, {given}"]
    rare = [f"{given[0]}. {family}", f"{given} {particle} {family}", f"{given} {family}-{second}"]
    return drawn.rng.choice([*usual, *rare])


def _date(drawn: Drawn) -> str:
    day, month = drawn.day, drawn.month
    iso = f"{day:%Y-%m-%d}"
    english = [f"{month} {day.day}, {day.year}", f"{day:%m/%d/%Y}", f"{day.day} {month} {day.year}"]
    english += [f"{month} {day.year}", f"{day:%m/%d/%y}", f"{day:%d}-{month[:3].upper()}-{day.year}"]
    english += [f"{day.day}th of {month}"]
    german = [f"{day:%d.%m.%Y}", f"{day.day}. {month} {day.year}", f"{day:%d.%m.%y}", f"{month} {day.year}"]
    german += [f"{day.day}.{day.month}.{day.year}", f"{day.day}.{day.month}.", f"{day:%d%m%Y}"]
    return drawn.one_of({"en": [iso, *english], "de": [iso, *german]})


def _phone(drawn: Drawn) -> str:
    digits = drawn.digits
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    english = [f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"+1 {area} {exchange} {line}"]
    german = [f"089/{digits[:6]}", f"0171 {digits[:7]}", f"+49 89 {digits[:7]}", f"(030) {digits[:6]}-{digits[6:8]}"]
    return drawn.one_of({"en": english, "de": german})


def _number(drawn: Drawn) -> str:
    digits = drawn.digits
    return drawn.rng.choice([digits[:7], digits[:8], f"A{digits[:6]}", f"{digits[:4]}-{digits[4:8]}"])


def _email(drawn: Drawn) -> str:
    address = f"{drawn.given.lower()}.{drawn.family.lower()}@example.org"
    return address.replace("'", "").encode("ascii", "ignore").decode()


def _address(drawn: Drawn) -> str:
    rng, digits = drawn.rng, drawn.digits
    if drawn.language == "de":
        street = rng.choice(["Gartenstraße", "Berliner Straße", "Lindenweg", "Am Marktplatz", "Goetheallee"])
        return f"{street} {rng.randrange(1, 120)}, {digits[:5]} {rng.choice(['München', 'Kiel', 'Jena'])}"
    street = rng.choice(["Baker Street", "Oak Avenue", "Old Mill Road", "Elm Lane", "Sunset Boulevard"])
    return f"{rng.randrange(1, 900)} {street}, {rng.choice(['Boston', 'Dayton'])}, MA {digits[:5]}"


def _age(drawn: Drawn) -> str:
    return str(drawn.rng.randrange(90, 104))


def _institution(drawn: Drawn) -> str:
    english = ["St. Mary's Hospital", "Lakeview Medical Center", "Harbor Clinic"]
    return drawn.one_of({"en": english, "de": ["Klinikum Nordstadt", "Krankenhaus Altona", "Marien Hospital"]})


_MAKERS: Mapping[str, Callable[[Drawn], str]] = {
    "name": _name,
    "date": _date,
    "phone": _phone,
    "id": _number,
    "email": _email,
    "address": _address,
    "age": _age,
    "institution": _institution,
}


def make_text(language: str, rng: Random, unforeseen: bool) -> Planted:
    """A report of four clean sentences and two that identify."""
    sentences: list[tuple[str, str]] = [("", one) for one in rng.sample(CLEAN[language], 4)]
    for _ in range(2):
        contexts = UNFORESEEN if unforeseen else PLANTED
        kind = rng.choice(list(contexts[language]))
        sentences.insert(rng.randrange(len(sentences) + 1), (kind, rng.choice(contexts[language][kind])))
    text, places = "", []
    for kind, sentence in sentences:
        before, _, behind = sentence.partition("{}")
        value = value_of(kind, language, rng) if kind else ""
        if kind:
            start = len(text) + len(before)
            places.append((start, start + len(value), kind))
        text += before + value + behind + rng.choice([" ", "\n"])
    return Planted(text, places)
