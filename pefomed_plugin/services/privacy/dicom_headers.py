"""DICOM headers against the Basic Application Level Confidentiality Profile (PS3.15, annex E): found, and cleaned.

Which attribute is treated how stands in ``dicom_profile.csv``, with its source. Without knowing the kind of object, of
an action that depends on it (``X/Z``, ``Z/D``) the last is taken, which keeps every object valid.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .findings import KINDS, mask
from .patterns import find_in_field, in_place_of, with_instead
from .recognisers import Recogniser

TABLE = Path(__file__).with_name("dicom_profile.csv")
REMOVE, EMPTY, DUMMY, NEW_UID = "X", "Z", "D", "U"
_UID_ROOT = "2.25."
_DUMMIES = {
    "DA": "19000101",
    "DT": "19000101000000",
    "TM": "000000",
    "PN": "ANONYMOUS",
    "AS": "000Y",
    "IS": "0",
    "DS": "0",
}
_DUMMY_TEXT = "ANONYMOUS"
_NUMBERS = {"US": 0, "SS": 0, "UL": 0, "SL": 0, "FL": 0.0, "FD": 0.0, "UV": 0, "SV": 0}
_FREE_TEXT = frozenset({"LO", "LT", "SH", "ST", "UC", "UT", "UR", "AE", "CS"})
_BYTES = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_DE_IDENTIFIED = frozenset(
    {"", "ANONYMOUS", "ANONYMIZED", "ANON", "NONE", "UNKNOWN", "N/A", *(kind.placeholder for kind in KINDS.values())}
)
_PATIENT_AGE = 0x00101010
_LINKING = (0x00100020, 0x00080050)
"""PatientID and AccessionNumber: what else a patient or a study has, a table of reports, is found by them."""
_PSEUDONYM = re.compile(r"ANON-[0-9a-f]{10}")
_IDS = (0x00100020, 0x00080050, 0x00101000, 0x00101001, 0x00101002, 0x00380010, 0x00201206)
_PERSONAL = {
    0x00101040: "address",
    0x00102154: "phone",
    0x00102155: "phone",
    0x00080081: "address",
    0x00080094: "phone",
}
_OF_THE_FILE = frozenset(
    {0x00020016, 0x00020017, 0x00020018, 0x00020026, 0x00020027, 0x00020028, 0x00020100, 0x00020102}
)
"""Of the file's meta information: application entities, their addresses, and what is private."""
_METHOD = "PS3.15 Basic Application Level Confidentiality Profile (pefomed privacy)"


@cache
def profile() -> dict[str, str]:
    """Tag in eight hex digits (``x`` for any) -> action of the basic profile."""
    with open(TABLE, encoding="utf-8", newline="") as file:
        return {row["tag"]: row["action"] for row in csv.DictReader(line for line in file if not line.startswith("#"))}


def action_of(tag: int) -> str:
    """What the profile does to an attribute: ``X``, ``Z``, ``D``, ``U``, or empty where it is kept.

    One that no dictionary has is treated as a private one: nobody knows what it holds.
    """
    if (tag >> 16) % 2 or tag in _OF_THE_FILE or not _is_known(tag):
        return REMOVE
    name = f"{tag:08X}"
    group, table = name[:2], profile()
    found = table.get(name) or table.get(f"{group}xx{name[4:]}") or table.get(f"{group}xxxxxx") or ""
    return found.rpartition("/")[2]


@cache
def _is_known(tag: int) -> bool:
    from pydicom.datadict import dictionary_has_tag, repeater_has_tag  # late: optional

    return (tag & 0xFFFF) == 0 or dictionary_has_tag(tag) or repeater_has_tag(tag)


@dataclass(frozen=True)
class Held:
    """One attribute that holds what the profile does not leave."""

    tag: int
    place: str
    """``(0010,0010) PatientName``, those of sequences behind where they are."""
    kind: str
    excerpt: str
    action: str


@dataclass
class Uids:
    """New UIDs for old ones, the same for the same wherever it stands; the salt is thrown away at the end."""

    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def new(self, uid: str) -> str:
        """The UID that stands for another: ``2.25.`` and 128 bits (PS3.5, B.2)."""
        digest = hmac.new(self.salt, uid.encode(), hashlib.sha256).digest()
        return _UID_ROOT + str(int.from_bytes(digest[:16], "big"))

    def pseudonym(self, patient: str) -> str:
        """What stands for the number of a patient, so that images of one patient stay together."""
        return f"ANON-{hmac.new(self.salt, patient.encode(), hashlib.sha256).hexdigest()[:10]}"


def look_at(dataset: Any, recogniser: Recogniser) -> tuple[list[Held], int]:
    """What identifies in a header and in the file before it; how many places were cleaned before."""
    marks, held = 0, [*_of_preamble(dataset), *(held for held, _ in overlays_in_pixels(dataset))]
    is_cleaned = str(dataset.get("PatientIdentityRemoved") or "").upper() == "YES"
    for place, element in [*_elements(getattr(dataset, "file_meta", None) or ()), *_elements(dataset)]:
        kind, count = _kind(element, is_cleaned, recogniser)
        marks += count
        if kind:
            tag = int(element.tag)
            held.append(Held(tag, place, kind, mask(_text(element)), action_of(tag)))
    return held, marks


def clean(dataset: Any, recogniser: Recogniser, uids: Uids) -> list[tuple[Held, str]]:
    """Take out of a header what the profile takes out; what was changed, and how.

    Free text that the profile keeps is cleaned by the patterns, places of persons' names (VR PN) are emptied.
    """
    changed: list[tuple[Held, str]] = []
    _clean_level(dataset, "", recogniser, uids, changed)
    meta = getattr(dataset, "file_meta", None)
    if meta is not None:
        _clean_level(meta, "", recogniser, uids, changed)
    changed += [(told, "emptied") for told in _of_preamble(dataset)]
    if getattr(dataset, "preamble", None):
        dataset.preamble = b"\0" * 128
    _say_it_is_cleaned(dataset)
    return changed


def _of_preamble(dataset: Any) -> list[Held]:
    """The 128 bytes before a DICOM file, which are for other programs."""
    said = bytes(getattr(dataset, "preamble", None) or b"").strip(b"\0 ")
    return [Held(0, "preamble", "private", mask("bytes"), REMOVE)] if said else []


def overlays_in_pixels(dataset: Any) -> list[tuple[Held, int]]:
    """Overlays that older programs keep in bits of the pixels that the image does not use, and which bit each has.

    PS3.5, 8.1.2 (retired): an overlay without data of its own stands at ``OverlayBitPosition``.
    """
    found = []
    for group in range(0x6000, 0x6020, 2):
        position = dataset.get((group, 0x0102))
        if position is None or (group, 0x3000) in dataset or "PixelData" not in dataset:
            continue
        bit, tag = int(position.value or 0), (group << 16) + 0x0102
        if int(dataset.get("BitsStored") or 0) <= bit < int(dataset.get("BitsAllocated") or 0):
            found.append((Held(tag, f"({group:04X},0102) bit {bit} of the pixels", "graphics", "bits", REMOVE), bit))
    return found


def _say_it_is_cleaned(dataset: Any) -> None:
    """What PS3.15 E.1.1 asks of a de-identifier to note in the object."""
    from pydicom.dataset import Dataset  # late: optional
    from pydicom.sequence import Sequence  # late: optional

    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = _METHOD[:64]
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "113100", "DCM"
    code.CodeMeaning = "Basic Application Confidentiality Profile"
    dataset.DeidentificationMethodCodeSequence = Sequence([code])
    dataset.LongitudinalTemporalInformationModified = "REMOVED"


def _clean_level(
    dataset: Any, before: str, recogniser: Recogniser, uids: Uids, changed: list[tuple[Held, str]]
) -> None:
    from pydicom.dataset import Dataset  # late: optional
    from pydicom.sequence import Sequence  # late: optional

    for element in list(dataset):
        tag, vr = int(element.tag), str(element.VR)
        action, place, whole = action_of(tag), before + _name(element), _text(element)
        told = Held(
            tag, place, _kind(element, False, recogniser)[0] or _fallback_kind(tag, vr), mask(_text(element)), action
        )
        if action == REMOVE:
            del dataset[element.tag]
            changed.append((told, "removed"))
        elif vr == "SQ":
            if action in (EMPTY, DUMMY) and len(element.value):
                element.value = Sequence([Dataset()] if action == DUMMY else [])
                changed.append((told, "emptied"))
            for number, item in enumerate(element.value):
                _clean_level(item, f"{place}[{number}] > ", recogniser, uids, changed)
        elif vr == "UI" and action == NEW_UID:
            if _text(element):
                values = (
                    element.value if isinstance(element.value, (list, tuple)) or element.VM > 1 else [element.value]
                )
                new = [uids.new(str(value)) for value in values]
                element.value = new if len(new) > 1 else new[0]
                changed.append((told, "new UID"))
        elif action and _text(element):
            is_patient = tag in _LINKING
            element.value = _empty(vr) if action == EMPTY else _dummy(vr)
            if is_patient:
                element.value = uids.pseudonym(whole)
            done = "pseudonym" if is_patient else "emptied" if action == EMPTY else "dummy value"
            changed.append((told, done))
        elif vr == "PN" and _text(element):
            element.value = ""
            changed.append((told, "emptied"))
        elif vr in _FREE_TEXT and _text(element):
            _clean_text(element, told, recogniser, changed)


def _clean_text(element: Any, told: Held, recogniser: Recogniser, changed: list[tuple[Held, str]]) -> None:
    is_many = element.VM > 1
    values = [str(value) for value in element.value] if is_many else [str(element.value)]
    cleaned = [replaced(value, recogniser) for value in values]
    if cleaned != values:
        element.value = cleaned if is_many else cleaned[0]
        changed.append((told, "places of it replaced"))


def replaced(text: str, recogniser: Recogniser, name: str = "") -> str:
    """A text with a placeholder for each thing that identifies."""
    spans, _ = recogniser.find(text, name)
    return with_instead(text, spans, [in_place_of(text[span.start : span.end], span.kind) for span in spans])


def _elements(dataset: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for element in dataset:
        place = before + _name(element)
        yield place, element
        if str(element.VR) == "SQ":
            for number, item in enumerate(element.value):
                yield from _elements(item, f"{place}[{number}] > ")


def _kind(element: Any, is_cleaned: bool, recogniser: Recogniser) -> tuple[str, int]:
    """The kind of what an attribute holds, empty where it may stay; and how many places were cleaned before."""
    tag, vr, text = int(element.tag), str(element.VR), _text(element)
    if vr == "SQ":
        return ("description" if action_of(tag) == REMOVE and len(element.value) else ""), 0
    if not text:
        return "", 0
    if (
        text.upper() in _DE_IDENTIFIED
        or _PSEUDONYM.fullmatch(text)
        or text == _DUMMIES.get(vr)
        or (vr in _NUMBERS and not element.value)
        or set(text) <= set("_X*^ ")
    ):
        return "", 1
    if (tag >> 16) % 2 or not _is_known(tag):
        return "private", 0
    action = action_of(tag)
    if not action:
        if vr == "PN":
            return "name", 0
        if vr not in _FREE_TEXT:
            return "", 0
        spans, marks = recogniser.find(text)
        return (spans[0].kind if spans else ""), marks
    if action == NEW_UID:
        return ("" if is_cleaned else "uid"), 0
    if vr in ("DA", "DT") and int(text[:4] or 0 if text[:4].isdigit() else 0) >= 2100:
        return "", 1
    if tag == _PATIENT_AGE and find_in_field(text, "age")[0]:
        return "age", 0
    return _fallback_kind(tag, vr), 0


def _fallback_kind(tag: int, vr: str) -> str:
    if (tag >> 16) % 2 or not _is_known(tag):
        return "private"
    if vr == "PN":
        return "name"
    if vr in ("DA", "DT"):
        return "date"
    if vr == "UI":
        return "uid"
    if (tag >> 16) & 0xFF00 in (0x5000, 0x6000):
        return "graphics"
    if tag in _IDS:
        return "id"
    if tag in (0x00080080, 0x00081040):
        return "institution"
    return _PERSONAL.get(tag, "description")


def _text(element: Any) -> str:
    """The value of an attribute as text; of pixels and other bytes only that there are some."""
    value = element.value
    if value is None or str(element.VR) == "SQ":
        return ""
    if isinstance(value, bytes):
        return "bytes" if value.strip(b"\0 ") else ""
    if str(element.VR) in _BYTES:
        return "bytes"
    if not isinstance(value, str) and hasattr(value, "__iter__") and not hasattr(value, "original_string"):
        return ", ".join(str(one) for one in value).strip(", ")
    return str(value).strip()


def _name(element: Any) -> str:
    tag = int(element.tag)
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {element.keyword or ('private' if (tag >> 16) % 2 else 'unknown')}"


def _empty(vr: str) -> Any:
    return None if vr in _NUMBERS or vr in _BYTES else ""


def _dummy(vr: str) -> Any:
    if vr in _NUMBERS:
        return _NUMBERS[vr]
    if vr in _BYTES:
        return b"\0\0"
    if vr == "CS":
        return "ANON"
    return _DUMMIES.get(vr, _DUMMY_TEXT[:16] if vr in ("SH", "AE") else _DUMMY_TEXT)
