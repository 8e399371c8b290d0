"""Time and memory of reading MIMIC-CXR at its real size, on made-up rows and reports.

    python projects/benchmarks/read_mimic.py                   # reports in the zip, as released
    python projects/benchmarks/read_mimic.py --reports files   # reports unpacked: 227,835 small files

Prints one line of JSON and fails above the limits: 60 s and 2 GiB for 377,110 images, on one core.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from pefomed_plugin.readers.mimic_cxr import MIMIC_CXR

IMAGES, STUDIES, SUBJECTS = 377_110, 227_835, 65_379
VALIDATE_SUBJECTS, TEST_SUBJECTS = 500, 293
LIMIT_S, LIMIT_GIB = 60.0, 2.0

_LINE = " The invented lungs are clear and the invented heart is not enlarged, as of ___.\n"
_REPORT = (
    " " * 33 + "FINAL REPORT\n EXAMINATION:  CHEST (PA AND LAT)\n \n INDICATION:  ___ year old invented person\n \n"
    " COMPARISON:  None.\n \n FINDINGS: \n \n"
    + _LINE * 6
    + " \n IMPRESSION: \n \n No invented abnormality, study {}.\n"
)


def made_up_study(image: int) -> tuple[int, int, str]:
    """Study, subject and split of an image: evenly spread, a subject in one split only."""
    study = image * STUDIES // IMAGES
    subject = study * SUBJECTS // STUDIES
    split = "train"
    if subject < VALIDATE_SUBJECTS + TEST_SUBJECTS:
        split = "validate" if subject < VALIDATE_SUBJECTS else "test"
    return 50_000_000 + study, 10_000_000 + subject * 150, split


def write_release(root: Path, images: int, reports: str) -> None:
    """``mimic-cxr-jpg/2.0.0`` with its tables, ``mimic-cxr/2.0.0`` with the reports; no images."""
    home, text_home = root / "mimic-cxr-jpg/2.0.0", root / "mimic-cxr/2.0.0"
    home.mkdir(parents=True)
    text_home.mkdir(parents=True)
    rows = [("-".join([f"{image:08x}"] * 5), *made_up_study(image)) for image in range(images)]
    write_table(
        home / "mimic-cxr-2.0.0-split.csv.gz",
        "dicom_id,study_id,subject_id,split",
        ["{},{},{},{}".format(*row) for row in rows],
    )
    write_table(
        home / "mimic-cxr-2.0.0-metadata.csv.gz",
        "dicom_id,subject_id,study_id,ViewPosition",
        ["{0},{2},{1},PA".format(*row) for row in rows],
    )
    names = {study: f"files/p{subject!s:.2}/p{subject!s}/s{study}.txt" for _, study, subject, _ in rows}
    if reports == "zip":
        with zipfile.ZipFile(text_home / "mimic-cxr-reports.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for study, name in names.items():
                archive.writestr(name, _REPORT.format(study))
        return
    for study, name in names.items():
        (text_home / name).parent.mkdir(parents=True, exist_ok=True)
        (text_home / name).write_text(_REPORT.format(study), encoding="utf-8")


def write_table(path: Path, header: str, lines: list[str]) -> None:
    path.write_bytes(gzip.compress("\n".join([header, *lines, ""]).encode(), compresslevel=1))


def measure(root: Path, section: str) -> None:
    """Read in this process and print what it took; memory is the highest the process ever had."""
    start, cpu_start = time.perf_counter(), time.process_time()
    release = MIMIC_CXR.read(root, section=section)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        json.dumps(
            {
                "layout": release.layout,
                "section": section,
                "samples": len(release.samples),
                "skips": len(release.skips),
                "seconds": round(seconds, 1),
                "cpu_seconds": round(cpu_seconds, 1),
                "peak_gib": round(peak_gib, 2),
            }
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--reports", choices=("zip", "files"), default="zip")
    parser.add_argument("--section", default="findings")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure, args.section)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        write_release(Path(folder), args.images, args.reports)
        # A process of its own, so that writing the release does not count.
        command = [sys.executable, __file__, "--measure", folder, "--section", args.section]
        line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(line, end="")
    result = json.loads(line)
    return int(result["seconds"] > LIMIT_S or result["peak_gib"] > LIMIT_GIB)


if __name__ == "__main__":
    sys.exit(main())
