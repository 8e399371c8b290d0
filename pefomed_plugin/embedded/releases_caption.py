"""Miniature releases of the stage-1 data sets in their official layouts, with the quirks the real ones have.

ROCO, ImageCLEFmedical Caption 2022, MedICaT, MIMIC-CXR-JPG. Every word and image is made here.
Images are named as in the real releases, with numbers beyond the real ones, or by digests (MedICaT, MIMIC-CXR).
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from .drawing import save
from .scenes import CHEST, RADIOLOGY, TISSUE, draw_scenes
from .wording import caption, report

UNCAPTIONED, UNSECTIONED = 5, 2
"""Number of the MedICaT figure without caption and of the MIMIC report without sections, whose images are damaged."""


def write_roco(out: Path, rng: Random, counts: Sequence[int] = (600, 24, 24)) -> None:
    """``data/{train,validation,test}/{radiology,non-radiology}/``: captions and their five companions.

    Quirks: captions begin with a blank, one holds quotation marks, one has no image, one image a split has the name
    from before 2022, double TABs after ids.
    """
    number = 0
    for split, count in zip(("train", "validation", "test"), counts):
        for kind, kinds, size in (("radiology", RADIOLOGY, count), ("non-radiology", (TISSUE,), max(2, count // 20))):
            folder = out / "data" / split / kind
            (folder / "images").mkdir(parents=True)
            rows: list[tuple[str, str]] = []
            for place, scene in enumerate(draw_scenes(kinds, size, rng)):
                number += 1
                name = f"ROCO_{90000 + number}"
                text = caption(scene, rng)
                rows.append((name, 'A "phantom": ' + text if place == 1 else text))
                if place != 2 or kind != "radiology" or split != "train":
                    save(scene, folder / "images" / (_old_name(place) if place == 3 else name + ".jpg"))
            _write_roco_texts(folder, rows)


def _old_name(place: int) -> str:
    return f"PMC{1000 + place:07d}_made-up-g{place:03d}.jpg"


def _write_roco_texts(folder: Path, rows: Sequence[tuple[str, str]]) -> None:
    figures = [_old_name(place) for place in range(len(rows))]
    texts: dict[str, list[str]] = {
        "captions.txt": [f"{name}\t {text}" for name, text in rows],
        "keywords.txt": ["\t".join((name, "", *text.lower().split()[:3])) for name, text in rows],
        "cuis.txt": [f"{name}\t\tC0000001\tC0000002" for name, _ in rows],
        "semtypes.txt": [f"{name}\t\tT046\tPathologic Function" for name, _ in rows],
        "dlinks.txt": [
            "{}\twget -r ftp://example.org/{}.tar.gz -P /path\t{}".format(name, *figure.split("_", 1))
            for (name, _), figure in zip(rows, figures)
        ],
        "licences.txt": ["ROCO_ID,PMC_ID,CC", *(f"{name},{figure},CC BY" for (name, _), figure in zip(rows, figures))],
    }
    for name, lines in texts.items():
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def write_clef2022(out: Path, rng: Random, counts: Sequence[int] = (200, 16)) -> None:
    """``<uuid>_..._caption_prediction_{train,valid}.csv`` (TABs in spite of the name) and the images.

    Quirks: a comma and quotation marks in a caption, validation numbers that begin with the real release's 084258.
    """
    for split, start, count in zip(("train", "valid"), (1, 84258), counts):
        lines = ["ID\tcaption"]
        for place, scene in enumerate(draw_scenes(RADIOLOGY, count, rng)):
            name = f"ImageCLEFmedCaption_2022_{split}_9{start + place:06d}"
            save(scene, out / split / (name + ".jpg"))
            text = caption(scene, rng)
            lines.append(f"{name}\t" + ('Seen, "as drawn": ' + text if place == 0 else text))
        path = out / f"0f8e1a52-0000-4000-8000-{start:012d}_ImageCLEFmedCaption_2022_caption_prediction_{split}.csv"
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def write_medicat(out: Path, rng: Random, count: int = 100) -> None:
    """``release/<long name>.jsonl`` and ``release/figures/<hash>_<uri>``; no split, no ids.

    Quirks: RGBA and palette PNGs, captions that begin with ``Figure 1.``, null captions, a figure that is cut short
    (that of the record without any caption: nobody trains on it).
    """
    folder = out / "release" / "figures"
    lines = []
    for number, scene in enumerate(draw_scenes((*RADIOLOGY, TISSUE), count, rng)):
        digest = hashlib.sha1(f"medicat {scene.seed}".encode()).hexdigest()
        uri = f"{number % 9 + 1}-Figure{number % 4 + 1}-1.png"
        path = folder / f"{digest}_{uri}"
        save(scene, path, mode={3: "RGBA", 4: "P"}.get(number, ""))
        if number == UNCAPTIONED:
            path.write_bytes(path.read_bytes()[:2000])
        lines.append(json.dumps(_medicat_record(digest, uri, number, caption(scene, rng), scene.kind != TISSUE)))
    (out / "release" / "s2_full_figures_oa_nonroco_combined_medical_top4_public.jsonl").write_text(
        "".join(line + "\n" for line in lines), encoding="utf-8"
    )


def _medicat_record(digest: str, uri: str, number: int, text: str, radiology: bool) -> dict[str, Any]:
    key = f"Figure{number % 4 + 1}"
    return {
        "pdf_hash": digest,
        "fig_key": key,
        "fig_uri": uri,
        "s2_caption": None if number == UNCAPTIONED else f"Figure {key[-1]}. {text}",
        "s2orc_caption": None,
        "s2orc_references": [f"As {key} shows."] if number % 4 else None,
        "radiology": radiology,
        "scope": False,
        "predicted_type": "Medical images",
        "oa_info": {
            "doi": f"10.0000/{number}",
            "doi_url": f"https://doi.org/10.0000/{number}",
            "oa": {
                "is_oa": True,
                "oa_status": "gold",
                "journal_is_oa": True,
                "journal_is_in_doaj": True,
                "license": None,
                "provenance": "made up",
            },
        },
    }


def write_mimic_cxr(out: Path, rng: Random, counts: Sequence[int] = (200, 10, 10)) -> None:
    """``mimic-cxr-jpg/2.0.0`` (images and gzipped tables) and ``mimic-cxr/2.0.0`` (reports, one level above images).

    Quirks: ``validate``, an addendum before a report, ``___`` for what was removed, one report with findings only, one
    without sections, whose image is the web page that PhysioNet gives to those without credentials.
    """
    images, reports = out / "mimic-cxr-jpg" / "2.0.0", out / "mimic-cxr" / "2.0.0" / "files"
    splits, metadata = (
        ["dicom_id,study_id,subject_id,split"],
        [
            "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
            "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
            "PatientOrientationCodeSequence_CodeMeaning"
        ],
    )
    number = 0
    for split, count in zip(("train", "validate", "test"), counts):
        for scene in draw_scenes((CHEST,), count, rng):
            subject, study = str(19000000 + number), str(59000000 + number)
            dicom = hashlib.sha1(f"mimic {scene.seed}".encode()).hexdigest()
            dicom = "-".join(dicom[start : start + 8] for start in range(0, 40, 8))
            patient = f"p{subject[:2]}/p{subject}"
            image = images / "files" / patient / f"s{study}" / (dicom + ".jpg")
            save(scene, image)
            if number == UNSECTIONED:
                image.write_text("<html><body>401 Authorization Required</body></html>\n", encoding="utf-8")
            (reports / patient).mkdir(parents=True, exist_ok=True)
            (reports / patient / f"s{study}.txt").write_text(
                _mimic_report(report(scene, rng), number), encoding="utf-8"
            )
            splits.append(f"{dicom},{study},{subject},{split}")
            metadata.append(
                f"{dicom},{subject},{study},CHEST (PA),PA,224,224,21800101,101010.5,CHEST,postero-anterior,Erect"
            )
            number += 1
    for name, lines in (("split", splits), ("metadata", metadata)):
        with open(images / f"mimic-cxr-2.0.0-{name}.csv.gz", "wb") as raw:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:  # no clock: the same bytes again
                file.write("".join(line + "\n" for line in lines).encode())


def _mimic_report(findings: str, number: int) -> str:
    head = "                                 FINAL REPORT\n"
    if number == UNSECTIONED:
        return head + " A made-up film without any section.\n"
    listed = findings.replace(". ", ".\n ")
    text = (
        f"{head} EXAMINATION:  CHEST (PA)\n \n INDICATION:  ___ year old made-up person.\n \n"
        f" COMPARISON:  None.\n \n FINDINGS: \n \n {listed}\n"
    )
    if number != 1:
        text += f" \n IMPRESSION: \n \n {findings.rsplit('. ', maxsplit=1)[-1]}\n"
    return " ADDENDUM  Nothing to add.\n ______________\n" + text if number == 0 else text
