"""The expressions of ``patterns``: what identifies, English and German, and what was taken out before.

Each has a group ``value``, what is found; the words around it are its reason. Sources: the 18 identifiers of the HIPAA
safe harbour rule (45 CFR 164.514(b)(2)), and how releases mark what they took out (MIMIC ``___``, i2b2 and MIMIC-III
``[**...**]``, IU-Xray ``XXXX``).
"""

from __future__ import annotations

import re

from .findings import PLACEHOLDERS

_CAPITAL, _LETTER = "A-ZÄÖÜÀ-ÖØ-ÞĞİŞ", r"\w\u0300-\u036f"
"""Accents may be letters of their own (NFD), as macOS writes them in names of files."""
_WORD = rf"[{_CAPITAL}][{_LETTER}'’-]{{1,40}}"
_LETTERS = rf"[{_CAPITAL}][^\W\d_]{{1,40}}"
"""A word within the name of a file: ``Mueller_Hans_1``."""
_START = r"(?<![\w'’-])"
_LABELS_BEHIND = r"(?!(?:MRN|DOB|SSN|NHS|ID|Tel|Fax|Geb)\b)"
_NAME = (
    rf"(?:[{_CAPITAL}]\.\s?){{0,2}}{_WORD}"
    rf"(?:,?[ \xa0\^]\s?{_LABELS_BEHIND}(?:(?:von|van|de|der|zu|la|al|bin)\s)*"
    rf"(?:{_WORD}|[{_CAPITAL}]\.?(?![{_LETTER}]))){{0,3}}"
)
_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December|Januar|Februar|März|Maerz|"
    "Mai|Juni|Juli|Oktober|Dezember|Jänner|Jan|Feb|Mar|Mär|Mrz|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Okt|Nov|Dec|Dez"
)
_OTHER_MONTHS = (
    "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre|"
    "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre|"
    "Ocak|Şubat|Mart|Nisan|Mayıs|Haziran|Temmuz|Ağustos|Eylül|Ekim|Kasım|Aralık"
)
"""French, Spanish, Turkish."""
_GERMAN_MONTHS = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember|Jänner"
_YEAR = r"(?:1[89]|2[0-2])\d\d"
_TITLE = (
    r"(?:Univ\.-?\s?)?(?:Prof(?:essor)?\.?|Priv\.-?\s?Doz\.?|PD|"
    r"(?:Dr\.?|Dipl\.-?\s?Med\.)(?:\s?(?:med|rer|nat|phil|dent|habil|univ|h\.\s?c)\b\.?)*|"
    r"Doctor|Mr\.?|Mrs\.?|Ms\.?|Pt\.|Drs\.|"
    r"Miss|Herrn?|Frau|Kolleg(?:e|in|en)|Hr\.|Fr\.|Nurse|Schwester|Pfleger|OA|Oberarzt|Oberärztin|Chefarzt|"
    r"Mme|Mlle|Sra?\.|Srta\.|Sayın)"
)
_TITLE_IN_CAPITALS = r"(?:DR\.|MR\.|MRS\.|MS\.|PROF\.|HERRN?|FRAU)"
_ANY_CASE = rf"(?=[{_CAPITAL}])(?i:"
"""Begins words that start with a capital: ``Referring physician``, ``REFERRING PHYSICIAN``."""
_PERSON_LABEL = (
    rf"{_ANY_CASE}Patient(?:in|enname|'s name|ennamen)?(?: name)?|Name (?:of (?:the )?patient|des Patienten)|"
    r"Full name|Name|Nachname|Vorname|"
    r"Familienname|Surname|Last name|First name|Given name|Geburtsname|Referring(?: physician| doctor)?|"
    r"Ordering (?:physician|provider)|"
    r"Requested by|Attending(?: physician)?|Physician|Radiologist(?:e?in)?|Radiologe|Pt|Pat\.?|Surgeon|"
    r"Technologist|Sonographer|Provider|PCP|Consultant|Resident|Fellow|MTRA?|Anforderer|Überw\. Arzt|"
    r"(?:Assistenz|Ober|Chef|Stations)arzt|Dictated by|"
    r"Transcribed by|Read by|"
    r"Reported by|(?:Electronically )?Signed(?: by)?|Überweiser(?:in)?|Zuweiser(?:in)?|"
    r"Zuweisende[rn]? (?:Arzt|Ärztin)|"
    r"Hausarzt|Hausärztin|Befunder(?:in)?|Unterzeichnet|Geschrieben von|Next of kin|Angehörige[rn]?|"
    r"Ansprechpartner(?:in)?|Gez\.|"
    r"Nom(?: de naissance)?|Prénom|Médecin|Nombre|Apellidos?|Paciente|Médico|Hasta(?: Adı)?|Adı?(?: Soyadı)?|Soyadı|"
    r"Doktor)"
)
_NAME_LABEL = (
    r"(?i:patient(?:'s)?[ _]?name|patientenname|name (?:of (?:the )?patient|des patienten)|(?:last|first|given|full)"
    r"[ _]name|surname|nachname|vorname|familienname|geburtsname|prénom|apellidos?)"
)
"""What stands behind it is a name however it is written."""
_BY = (
    r"(?i:(?:signed|dictated|reported|transcribed|interpreted|reviewed|read|verified|referred|discussed) (?:by|with)|"
    r"(?:befundet|vidiert|freigegeben|unterzeichnet|geschrieben|überwiesen) (?:von|durch)|rücksprache mit|gez\.|"
    r"i\.\s?[AV]\.)"
)
_KIN = (
    r"(?i:wife|husband|son|daughter|mother|father|sister|brother|partner|ehefrau|ehemann|tochter|sohn|mutter|vater|"
    r"schwester|bruder)"
)
_NUMBER_WORD = r"[- _.]{0,2}(?:(?:number|nummer|num|no|nr|id|identifier)\b\.?|#)"
_ID_LABEL = (
    r"(?:(?i:MRN|KVNR|SSN|NIR|acc(?=\s?[:#])|med(?:ical)?\.?[- ]?rec(?:ord)?\.?|accession|social security|"
    r"NHS|insurance|policy|encounter|account|license|historia clínica|T\.?C\.? kimlik|dossier)"
    rf"(?i:{_NUMBER_WORD})?|"
    r"(?i:patient(?:en|'s|s)?|pat|acc|fall|aufnahme|aufn|versicherten|versicherungs|vers|kv|member|auftrags|"
    r"untersuchungs|befund|order|visit|case|chart|ausweis|personal|unit|exam|study)\.?"
    rf"(?i:{_NUMBER_WORD})|[IP]ID|ID)"
)
_IS = r"[\"'”]?\s{0,12}(?:[:=#]{1,2}|is|ist|lautet|Nr\.)?\s{0,12}[\"'“]?#?"
_COLON = r"[\"'”]?\s{0,12}[:=]\s{0,40}[\"'“]?"
_STREET = (
    rf"(?:{_WORD} )?(?:[{_CAPITAL}][{_LETTER}-]{{0,40}}?(?:straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer)|"
    rf"Straße|Strasse|Str\.|Allee|Platz|Weg)"
    r"\s\d{1,4}\s?[a-z]?\b"
)
_ROAD = (
    rf"\d{{1,5}}\s(?:[NSEW]\.?\s)?(?:{_WORD}\s){{1,3}}(?:Street|Avenue|Ave\.?|Road|Rd\.|Lane|Boulevard|"
    rf"Blvd\.?|Drive|Terrace|Crescent|St\b|Rd\b|Ln\b)\.?"
)
_ABROAD = (
    rf"(?:\d{{1,4}},?\s(?:bis\s)?(?:rue|avenue|boulevard|place|chemin|allée)\s(?:(?:de|du|des|la)\s|de la\s|l'|d')?"
    rf"{_WORD}|"
    rf"(?:Calle|Avenida|Plaza)\s(?:de\s(?:la\s)?)?{_WORD},?\s\d{{1,4}}|"
    rf"(?:P\.?\s?O\.? Box|Postfach)\s\d{{1,3}}(?:[ .]?\d{{1,3}})?)"
)
_STATES = (
    "A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]"
)
_TOWN = rf"(?:,?\s+(?:D-)?\d{{5}}\s{_WORD})?"
_STATE = rf"(?:,\s*{_WORD}(?:\s{_WORD})?,?\s[A-Z]{{2}}\s\d{{5}}(?:-\d{{4}})?)?"
_HOUSE = (
    r"(?:Hospital|Medical Cent(?:er|re)|Clinic|Health System|Krankenhaus|Klinikum|Klinik|Spital|Universitätsklinikum)"
)
_EDGE, _END = r"(?<![\w.,/+-])", r"(?![\w]|[.,/-]\d)"

PATTERNS: tuple[tuple[str, str], ...] = (
    ("email", r"(?<![\w.+-])(?P<value>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,24})"),
    ("phone", r"(?<![\w.+])(?P<value>\+\d{1,3}[\s/.-]?(?:\(0\)\s?)?\(?\d(?:[\d\s()/.-]{5,14})\d)"),
    (
        "phone",
        r"(?:Tel(?:efon|ephone)?|Phone|Ph|Fax|Mobile?|Handy|Cell|Pager|Durchwahl|Ext(?:ension)?|call|Rückruf)"
        r"\b\.?(?:\s?(?:No|Nr)\.?)?\s?[:.]?\s?(?P<value>\+?[\d(](?:[\d\s()/.-]{2,18})\d)",
    ),
    ("phone", rf"{_EDGE}(?P<value>(?:\(\d{{3}}\)\s?|\d{{3}}[-.])\d{{3}}[-.]\d{{4}}){_END}"),
    ("phone", rf"{_EDGE}(?P<value>0[1-9](?:[ .]\d\d){{4}}){_END}"),
    ("phone", rf"{_EDGE}(?P<value>\(?0\d{{2,5}}\)?(?:\s?/\s?|-|\s)\d{{3,9}}(?:[-\s]\d{{1,5}})?){_END}"),
    ("id", rf"(?<![A-Za-z]){_ID_LABEL}{_IS}(?P<value>[A-Z]{{0,4}}[-/]?\d[\w/-]{{3,}}\w)"),
    (
        "id",
        rf"(?<![A-Za-z])(?i:MRN|patient(?:en)?[- ]?(?:id|no|nr|number|nummer)){_COLON}#?"
        r"(?P<value>[A-Z]{0,4}-?\d{3,}\w*)",
    ),
    (
        "query",
        r"[?&](?i:pid|mrn|(?:family|given|last|first|sur)?_?name|dob|birth\w{0,8}|patient\w{0,12}|accession\w{0,12}|case\w{0,8}|study\w{0,12})=(?P<value>[\w.%+-]{2,})",
    ),
    ("id", rf"{_EDGE}(?P<value>[12]\s\d\d\s(?:0[1-9]|1[0-2])\s\d[\dAB]\s\d{{3}}\s\d{{3}}(?:\s\d\d)?){_END}"),
    ("network", r"(?<![\w.,/+-])(?P<value>[1-9]\d{1,2}(?:\.\d{1,3}){3})(?![\w]|[.,/-]\d)"),
    ("id", rf"{_EDGE}(?P<value>\d{{3}}-\d{{2}}-\d{{4}}){_END}"),
    ("kvnr", r"\b(?P<value>[A-Z]\d{9})\b"),
    ("nhs", rf"{_EDGE}(?P<value>\d{{3}}\s\d{{3}}\s\d{{4}}){_END}"),
    ("iban", r"\b(?P<value>[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,7}(?:\s?[A-Z0-9]{1,3})?)\b"),
    ("address", rf"{_START}(?P<value>{_STREET}{_TOWN})"),
    ("address", rf"\b(?P<value>{_ROAD}{_STATE})"),
    ("address", rf"{_START}(?P<value>{_ABROAD})"),
    ("address", rf"{_START}(?P<value>{_WORD}(?:\s{_WORD})?,\s(?:{_STATES})\s\d{{5}}(?:-\d{{4}})?)\b"),
    ("address", rf"(?:(?i:wohnhaft in)\s|{_START}(?=D-))(?P<value>(?:D-)?\d{{5}}\s{_WORD})"),
    (
        "ymd",
        rf"{_EDGE}(?P<value>(?P<y>{_YEAR})(?P<s>[-/.])(?P<m>\d{{1,2}})(?P=s)(?P<d>\d{{1,2}})(?:[T ]"
        rf"\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?(?:Z|[+-]\d{{2}}:?\d{{2}})?)?)(?![\d-])",
    ),
    (
        "dmy",
        rf"(?<![Aa]pgar ){_EDGE}"
        rf"(?P<value>(?P<d>\d{{1,2}})(?P<s>[./-])(?P<m>\d{{1,2}})(?P=s)(?P<y>{_YEAR}|\d{{2}}))(?![\w]|"
        rf"[./-]\d|\s?(?:mm|cm|x)\b)",
    ),
    (
        "ymd",
        r"(?<![\d.])(?P<value>(?P<y>(?:19[1-9]|2[0-2]\d)\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"
        r"(?:(?:[01]\d|2[0-3])(?:[0-5]\d){2})?)(?![\d.]|\w{8})",
    ),
    (
        "dmy",
        rf"(?:\b[Gg]eb\.|[*†])(?P<value>(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.(?P<y>{_YEAR}|\d{{2}}))(?!\w|[./-]\d)",
    ),
    (
        "date",
        rf"(?<![\w])(?P<value>\d{{1,2}}(?:er|\.)?\s(?:de\s)?(?i:{_OTHER_MONTHS})\s(?:de\s|del\s)?(?P<y>{_YEAR}))(?!\d)",
    ),
    (
        "date",
        rf"(?<![\w])(?P<value>(?:0?[1-9]|[12]\d|3[01])-?(?i:{_MONTHS})-?(?:(?P<y>{_YEAR})|\d\d))(?![\w-])",
    ),
    (
        "date",
        rf"{_EDGE}(?P<value>(?:0?[1-9]|1[0-2])/(?P<y>{_YEAR})|(?P<z>{_YEAR})-(?:0[1-9]|1[0-2])){_END}(?!-|\s?(?:mm|cm))",
    ),
    ("date", rf"\b(?P<value>(?i:(?:mon|tues|wednes|thurs|fri|satur|sun)day),?\s(?:{_MONTHS})\.?\s\d{{1,2}})(?!\d)"),
    (
        "date",
        rf"(?<!\w)(?P<value>(?:\d{{1,2}}(?:st|nd|rd|th|\.)?[ -](?:of )?)?(?:{_MONTHS}|{_MONTHS.upper()})\.?[ -]"
        rf"(?:\d{{1,2}}(?:st|nd|rd|th)?,?\s)?(?P<y>{_YEAR}))(?!\d)",
    ),
    ("date", rf"(?<!\w)(?P<value>\d{{1,2}}(?:st|nd|rd|th)\s(?:of )?(?:{_MONTHS}))\b"),
    ("date", rf"(?<![\w./])(?P<value>\d{{1,2}}\.\s(?:{_GERMAN_MONTHS}))\b"),
    ("date", rf"(?<!\w)(?P<value>(?:{_MONTHS})\.?\s\d{{1,2}}(?:st|nd|rd|th))\b"),
    (
        "date",
        rf"\b(?:[Oo]n|[Dd]ated|[Ff]rom|[Ss]ince)\s(?P<value>(?:{_MONTHS})\.?\s\d{{1,2}}|(?:0?[1-9]|1[0-2])"
        rf"/(?:0?[1-9]|[12]\d|3[01]))(?![\w/.]|\s?(?:mm|cm)|\sof\b|\sto\s\d/)",
    ),
    (
        "date",
        r"\b(?:[Aa]m|[Vv]om|[Bb]is|[Ss]eit|[Zz]um|[Gg]eb\.|[Gg]eboren|[Gg]eburtsdatum:?)\s(?P<value>\d{1,2}\.\d{1,2}\.)(?!\d)",
    ),
    (
        "age",
        r"(?<![\w.])(?i:aged?|alter(?: von)?|âgée? de|edad|yaş)(?:\s?[:=]\s?|\s)"
        r"(?P<value>0?(?:9\d|1[01]\d))(?!\d|[.,/-]\d|\s?(?:%|mm|cm|days?|weeks?|months?|Tage|Wochen|Monate))",
    ),
    ("age", r"(?<![\w.])(?P<value>9\d|1[01]\d)(?=[MF]\s(?:with|w/|who|s/p|p/w|presenting|admitted|pt|patient))"),
    ("age", r"(?<![\w.])(?P<value>(?:9\d|1[01]\d))(?=(?:[- ]?(?:years?|yrs?|y/?o)\b|[- ]?jährig|\sJahre\b|\sJ\.))"),
    ("institution", rf"{_START}(?P<value>(?:(?:St\.|{_WORD})\s){{1,3}}{_HOUSE})\b"),
    (
        "institution",
        rf"\b(?P<value>(?:Klinikum|Krankenhaus|Universitätsklinikum|Uniklinik|Universitätsklinik|Praxis|MVZ)"
        rf"\s(?:St\.\s|der\s|am\s|Dr\.\s(?:med\.\s)?)?{_WORD})",
    ),
    ("name", rf"(?<![\w.]){_TITLE}(?:\s{_TITLE})*\s(?P<value>{_NAME})"),
    ("name", rf"(?<![\w.]){_TITLE_IN_CAPITALS}\s(?P<value>(?:[{_CAPITAL}]\.\s?){{0,2}}{_WORD})"),
    ("name", rf"(?<![\w.])Dr\.med\.(?P<value>{_WORD})"),
    ("name", rf"(?<![\w]){_PERSON_LABEL}{_COLON}(?:{_TITLE}\s)*(?P<value>{_NAME})(?!\w*\s?:)"),
    ("name", rf"(?<![\w]){_NAME_LABEL}{_COLON}(?P<value>(?:[{_LETTER}'’-]{{2,40}}(?:,?[ ^])?){{1,3}})"),
    ("name", rf"(?<!\w){_BY}:?\s(?:{_TITLE}\s)*(?P<value>{_NAME})"),
    (
        "name",
        rf"{_START}(?P<value>(?:[{_CAPITAL}]\.\s?){{0,2}}{_WORD}(?:\s[{_CAPITAL}]\.)?(?:\s{_WORD})?),?\s"
        r"(?:M\.D\.|M\.?D\b|MBBS|FRCR)",
    ),
    ("relative", rf"\b{_KIN}[:,]?\s(?P<value>(?P<given>{_WORD})(?:\s{_WORD})?)"),
    ("name", rf"{_START}(?P<value>{_WORD}\^(?!\w*\d){_WORD}(?:\^{_WORD})*)"),
    (
        "given",
        rf"{_START}(?P<value>(?P<given>{_WORD})\s(?:[{_CAPITAL}]\.\s)?(?:(?:von|van|de|der)\s)*(?P<family>{_WORD}))",
    ),
    ("given", rf"{_START}(?P<value>(?P<family>{_WORD}),\s?(?P<given>{_WORD}))"),
    ("given", rf"(?<![^\W\d_])(?P<value>(?P<given>{_LETTERS})_(?P<family>{_LETTERS}))(?![^\W\d_])"),
    ("given", rf"(?<![^\W\d_])(?P<value>(?P<family>{_LETTERS})_(?P<given>{_LETTERS}))(?![^\W\d_])"),
    ("uid", r"(?<![\w.])(?P<value>[0-2](?:\.(?:0|[1-9]\d*)){5,})(?![\w]|\.\d)"),
    ("number", rf"{_EDGE}(?P<value>\d{{7,12}}){_END}"),
)
GOES_ON = re.compile(
    rf"(?:(?<![\w.])(?:{_TITLE}|{_TITLE_IN_CAPITALS}|{_BY}:?)|(?<!\w)(?:{_PERSON_LABEL}|{_NAME_LABEL}|{_ID_LABEL})\s?[:=])\s*$"
)
"""Ends a line whose next one says who or which: reports are wrapped, and forms have answers below their labels."""
MARKS = re.compile(
    r"_{3,}(?:[/-]_{2,})*|\bANON-[0-9a-f]{10}\b|\[\*\*[^\[\]\n]{0,80}\*\*\]|\bX{4,}\b|<(?:NAME|DATE|PATIENT|PHONE|ID|AGE|LOCATION|HOSPITAL|DOCTOR)>|"
    r"\[?\b(?:ANONYM(?:IZED|ISED|OUS|ISIERT)|DE-?IDENTIFIED|REDACTED)\b\]?|"
    + "|".join(re.escape(mark) for mark in sorted(PLACEHOLDERS))
)
PSEUDONYMS = re.compile(
    r"\bImageCLEFmed\w{0,20}[_ ]\d{4}[_ ](?:train|valid|test)[_ ]\d+|\bp1\d{7}\b|\bs5\d{7}\b|\bp1\d(?=/)"
)
"""Of MIMIC-CXR, whose numbers of patients and studies are made up by its release, and of ImageCLEF's images."""
KNOWN_UIDS = ("1.2.840.10008.", "2.25.")
"""Roots of UIDs that name no patient's study: DICOM's own, and those that are made from random numbers."""
LONG_CODE = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
"""Base64 and the like, which is no text."""
FIELDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "name",
            r"(patient|pat|physician|doctor|arzt|person|full|last|first|sur|given|nach|vor|referr\w*|"
            r"operator)[_ ']*s?[_ ]*name",
        ),
        (
            "name",
            r"((patient|name)[_ ](first|last|given|family|middle|full|text)|nachname|vorname|"
            r"surname|patient|referring_?physician|physician|radiologist|arzt|überweiser|zuweiser)",
        ),
        (
            "id",
            r"(mrn|pat(ient)?(en)?[_ ]?(id|no|nr|number|nummer)|medical[_ ]?record\w*|accession\w*|"
            r"acc[_ ]?(no|nr|number)|anforderungs(nummer|[_ ]?nr)|auftrags(nummer|[_ ]?nr)|fall(nummer|[_ ]?nr|"
            r"[_ ]?id)|ssn|insurance\w*|versicher\w*|kvnr|pid|case[_ ]?(id|no|number)|patientennummer)",
        ),
        (
            "date",
            r"((patient_?)?(birth|study|exam\w*|admission|discharge|visit|series|acquisition)[_ ]?(date|day|dt)|"
            r"date[_ ]?of[_ ]?birth|dob|geburts(datum|tag)|aufnahmedatum|untersuchungsdatum)",
        ),
        ("phone", r"((patient_?)?(phone|telephone|tel|telefon\w*|mobile|fax)([_ ]?(no|nr|number))?)s?"),
        ("email", r"e_?mail(_?address)?"),
        (
            "address",
            r"(patient_?)?(street|address|anschrift|adresse|straße|strasse|wohnort|zip([_ ]?code)?|"
            r"post(al)?[_ ]?code|plz|city|ort)",
        ),
        ("institution", r"(hospital|institution|clinic|klinik)([_ ]?name)?"),
        ("uid", r"((study|series|sop)[_ ]?)?(instance[_ ]?)?uids?"),
        ("age", r"(patient'?s?[_ ]?)?(age|alter)([_ ]?(in[_ ]?)?(years?|yrs?|jahren?))?"),
    )
)
NO_VALUES = re.compile(
    r"^[\W_\d]?$|^(n/?a|none|null|nan|unknown|unbekannt|-+|\?+|x+|_+|male|female|m|f|w|d)$", re.IGNORECASE
)
