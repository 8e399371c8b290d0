"""Headers against the profile of PS3.15: every attribute of its table, sequences, private ones, UIDs; cleaned."""

from __future__ import annotations

import re

import pytest

from pefomed_plugin.services.privacy.dicom_headers import TABLE, Uids, action_of, clean, look_at, profile
from pefomed_plugin.services.privacy.recognisers import OWN, find_recogniser

pydicom = pytest.importorskip("pydicom")
Dataset, Sequence = pydicom.dataset.Dataset, pydicom.sequence.Sequence
dictionary_description, dictionary_VR = pydicom.datadict.dictionary_description, pydicom.datadict.dictionary_VR

RECOGNISER = find_recogniser(OWN)
VALUES = {
    "DA": "20190304",
    "DT": "20190304101112",
    "TM": "101112",
    "PN": "MUELLER^HANS",
    "UI": "1.2.276.0.7230010.3.1.4",
    "AS": "045Y",
    "CS": "VALUE",
}
UID = "1.2.276.0.7230010.3.1.4.8323329.1"


def plain(text):
    return re.sub("[^a-z0-9]", "", text.lower())


def test_the_table_names_its_source_and_the_standards_attributes():
    head = TABLE.read_text().splitlines()[:4]
    assert "PS3.15" in head[0] and "dicom.nema.org" in head[2]
    assert len(profile()) == 620 and set("".join(profile().values())) <= set("XZDU/")
    rows = [
        line.split(",")
        for line in TABLE.read_text().splitlines()
        if line[:1] in "0123456789ABCDEF" and "x" not in line[:8]
    ]
    wrong = [
        row for row in rows if '"' not in row[1] and plain(dictionary_description(int(row[0], 16))) != plain(row[1])
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("tag", "action"),
    [(0x00100010, "Z"), (0x00100020, "D"), (0x00080018, "U"), (0x00080080, "D"), (0x00080020, "Z"), (0x00091001, "X"),
     (0x60003000, "X"), (0x50100010, "X"), (0x00280010, ""), (0x7FE00010, "")],
)  # fmt: skip
def test_what_the_profile_does(tag, action):
    assert action_of(tag) == action


def test_every_attribute_of_the_profile_is_found_and_gone_from_the_copy():
    missed, left = [], []
    for name in profile():
        if "x" in name or int(name, 16) >> 16 in (0, 2):
            continue
        tag, vr = int(name, 16), dictionary_VR(int(name, 16)).split(" or ")[0]
        dataset = Dataset()
        value = Sequence([Dataset()]) if vr == "SQ" else b"\1\2" if vr in ("OB", "OW", "UN", "OF") else VALUES.get(vr)
        with pydicom.config.disable_value_validation():
            dataset.add_new(
                tag, vr, value or ("Value 7" if vr not in ("US", "UL", "SS", "SL", "FL", "FD", "AT", "IS", "DS") else 7)
            )
            before = str(dataset)
            if not look_at(dataset, RECOGNISER)[0] and vr != "SQ":
                missed.append(dictionary_description(tag))
            changed = clean(dataset, RECOGNISER, Uids())
            if (changed == [] or str(dataset) == before) and vr != "SQ":
                left.append(dictionary_description(tag))
            if [one for one in look_at(dataset, RECOGNISER)[0] if one.tag == tag]:
                left.append(f"{dictionary_description(tag)} is found again")
    assert (missed, left) == ([], [])


def ward():
    """A header with what a ward's has, in a sequence as well."""
    dataset = Dataset()
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = "MUELLER^HANS", "4711234", "20190304"
    dataset.SOPInstanceUID = dataset.StudyInstanceUID = UID
    dataset.ImageType, dataset.Modality, dataset.Rows = ["ORIGINAL", "PRIMARY"], "CT", 512
    dataset.SeriesNumber, dataset.ProtocolName, dataset.Manufacturer = "3", "Thorax of Mr. Smith", "of Dr. Weber"
    dataset.add_new(0x00090010, "LO", "ACME")
    dataset.add_new(0x00091001, "LO", "Hans")
    item = Dataset()
    item.ReferencedSOPInstanceUID, item.ReferencedSOPClassUID = UID, "1.2.840.10008.5.1.4.1.1.2"
    item.PersonName = "WEBER^ANNA"
    dataset.ReferencedImageSequence = Sequence([item])
    return dataset


def test_findings_say_tag_and_name_and_mask_the_value():
    held, _ = look_at(ward(), RECOGNISER)
    by_place = {one.place: one for one in held}
    assert by_place["(0010,0010) PatientName"].kind == "name" and by_place["(0010,0020) PatientID"].kind == "id"
    assert by_place["(0008,0020) StudyDate"].kind == "date" and by_place["(0020,000D) StudyInstanceUID"].kind == "uid"
    assert by_place["(0009,1001) private"].kind == "private"
    assert any(" > " in place and "ReferencedSOPInstanceUID" in place for place in by_place)
    assert not any("MUELLER" in one.excerpt or "4711" in one.excerpt for one in held)


def test_a_cleaned_header_keeps_the_image_and_its_relations_and_nothing_of_the_patient():
    dataset, uids = ward(), Uids()
    clean(dataset, RECOGNISER, uids)
    assert "MUELLER" not in str(dataset) and "Hans" not in str(dataset) and "Weber" not in str(dataset)
    assert (dataset.Rows, dataset.Modality, list(dataset.ImageType)) == (512, "CT", ["ORIGINAL", "PRIMARY"])
    assert dataset.SOPInstanceUID == dataset.StudyInstanceUID == uids.new(UID) != UID
    assert dataset.SOPInstanceUID.startswith("2.25.") and len(dataset.SOPInstanceUID) <= 64
    if "ReferencedImageSequence" in dataset:
        assert dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
        assert dataset.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert dataset.PatientID == uids.pseudonym("4711234") and dataset.Manufacturer == "of Dr. [NAME]"
    assert (
        dataset.PatientIdentityRemoved == "YES" and dataset.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    )
    assert look_at(dataset, RECOGNISER)[0] == []


def test_another_cleaning_has_other_uids():
    assert Uids().new(UID) != Uids().new(UID)


def test_shifted_dates_and_empty_values_are_no_finding():
    dataset = Dataset()
    dataset.StudyDate, dataset.PatientName, dataset.PatientID = "21510304", "", "ANONYMOUS"
    held, marks = look_at(dataset, RECOGNISER)
    assert held == [] and marks == 2
