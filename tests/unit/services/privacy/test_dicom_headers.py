"""Headers against the profile of PS3.15: every attribute of its table, sequences, private ones, UIDs; cleaned."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pefomed_plugin.services.privacy.burned_in import find_reader
from pefomed_plugin.services.privacy.cleaning import Cleaner
from pefomed_plugin.services.privacy.dicom_headers import TABLE, Uids, action_of, clean, look_at, profile
from pefomed_plugin.services.privacy.recognisers import OWN, find_recogniser
from pefomed_plugin.services.privacy.scanning import Looker, scan
from pefomed_plugin.services.privacy.sources import find_sources

pydicom = pytest.importorskip("pydicom")
Dataset, Sequence = pydicom.dataset.Dataset, pydicom.sequence.Sequence
dictionary_description, dictionary_VR = pydicom.datadict.dictionary_description, pydicom.datadict.dictionary_VR

WRITTEN = {"enforce_file_format": True} if pydicom.__version__ >= "3" else {"write_like_original": False}
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


HIDDEN = {
    "meta information": lambda one: setattr(one.file_meta, "SourceApplicationEntityTitle", "WEBER"),
    "private meta information": lambda one: one.file_meta.update(
        {
            0x00020100: pydicom.DataElement(0x00020100, "UI", "1.2.3"),
            0x00020102: pydicom.DataElement(0x00020102, "OB", b"WEBER "),
        }
    ),
    "preamble": lambda one: setattr(one, "preamble", b"WEBER".ljust(128, b"\0")),
    "behind the pixels": lambda one: (one.add_new(0x7FE10010, "LO", "ACME"), one.add_new(0x7FE11001, "LO", "WEBER")),
    "padding": lambda one: one.add_new(0xFFFCFFFC, "OB", b"WEBER "),
    "an attribute that nobody knows": lambda one: one.add_new(0x00280999, "CS", "WEBER"),
    "bytes that nobody knows": lambda one: one.add_new(0x00100999, "UN", b"WEBER "),
    "an address": lambda one: one.add_new(0x00081190, "UR", "http://pacs/wado?patientID=WEBER"),
    "a code": lambda one: one.add_new(0x00181400, "LO", "of Dr. WEBER"),
    "a word": lambda one: setattr(one, "SequenceName", "of WEBER, MD"),
}


def an_image():
    one = Dataset()
    one.file_meta = pydicom.dataset.FileMetaDataset()
    one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    one.PatientIdentityRemoved, one.BurnedInAnnotation = "YES", "NO"
    one.Rows = one.Columns = 4
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PixelRepresentation = 1, "MONOCHROME2", 0
    one.BitsAllocated = one.BitsStored = 8
    one.HighBit, one.PixelData = 7, bytes(16)
    return one


def test_an_overlay_in_bits_of_the_pixels_is_found_and_gone(tmp_path):
    """As older programs keep one; the image's own bits stay."""
    one, ramp = an_image(), np.arange(16, dtype="<u2")
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelData = 16, 12, 11, (ramp | 0x1000).tobytes()
    one.add_new(0x60020100, "US", 16)
    one.add_new(0x60020102, "US", 12)
    (tmp_path / "a").mkdir()
    one.save_as(tmp_path / "a" / "x.dcm", **WRITTEN)
    look = Looker(RECOGNISER, find_reader("none"))
    sources, links = find_sources([tmp_path / "a"])
    assert [found.kind for found in scan(sources, links, look).findings] == ["graphics"]
    Cleaner(look, sources, tmp_path / "b").copy(sources)
    assert pydicom.dcmread(tmp_path / "b" / "x.dcm").PixelData == ramp.tobytes()
    assert scan(find_sources([tmp_path / "b" / "x.dcm"])[0], [], look).findings == []


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)
def test_wherever_a_file_may_hold_it_it_is_found_and_gone(tmp_path, hide):
    one = an_image()
    (tmp_path / "a").mkdir()
    one.save_as(tmp_path / "a" / "x.dcm", **WRITTEN)
    look = Looker(RECOGNISER, find_reader("none"))
    sources, links = find_sources([tmp_path / "a"])
    assert scan(sources, links, look).findings == []
    hide(one)
    one.save_as(tmp_path / "a" / "x.dcm", **WRITTEN)
    assert b"WEBER" in (tmp_path / "a" / "x.dcm").read_bytes() and scan(sources, links, look).findings
    done = Cleaner(look, sources, tmp_path / "b").copy(sources)
    assert done.files == {"cleaned": 1} and b"WEBER" not in (tmp_path / "b" / "x.dcm").read_bytes()
    assert pydicom.dcmread(tmp_path / "b" / "x.dcm").pixel_array.shape == (4, 4)
    assert scan(find_sources([tmp_path / "b" / "x.dcm"])[0], [], look).findings == []


def test_an_age_above_89_is_one_and_a_directory_of_files_is_not_copied(tmp_path):
    dataset = Dataset()
    dataset.PatientAge = "095Y"
    assert [one.kind for one in look_at(dataset, RECOGNISER)[0]] == ["age"]
    dataset.PatientAge = "054Y"
    assert [one.kind for one in look_at(dataset, RECOGNISER)[0]] == ["description"]
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    dataset.DirectoryRecordSequence = Sequence([ward()])
    (tmp_path / "a").mkdir()
    dataset.save_as(tmp_path / "a" / "DICOMDIR", **WRITTEN)
    sources, links = find_sources([tmp_path / "a"])
    look = Looker(RECOGNISER, find_reader("none"))
    assert any("PatientName" in one.place for one in scan(sources, links, look).findings)
    (reason,) = Cleaner(look, sources, tmp_path / "b").copy(sources).not_copied
    assert "a DICOMDIR" in reason


def test_another_cleaning_has_other_uids():
    assert Uids().new(UID) != Uids().new(UID)


def test_shifted_dates_and_empty_values_are_no_finding():
    dataset = Dataset()
    dataset.StudyDate, dataset.PatientName, dataset.PatientID = "21510304", "", "ANONYMOUS"
    held, marks = look_at(dataset, RECOGNISER)
    assert held == [] and marks == 2
