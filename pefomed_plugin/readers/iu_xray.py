"""IU-Xray (Demner-Fushman et al. 2016): R2Gen's packaging, OpenI's XML reports, Kaggle's tables.

The paper's data set is R2Gen's: findings only, its split, one sample an image (4,138 / 592 / 1,180).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Callable

from ..errors import ConfigError
from ..records import SPLITS
from .expectations import ERROR, WARNING, Expectation, disjoint, distinct, in_layout, metadata_of
from .iu_sources import PROJECTIONS_CSV, REPORTS_CSV, REPORTS_XML, Found, read_kaggle, read_openi
from .iu_studies import (
    ANNOTATION,
    DATASET,
    HASHED_SPLIT,
    SECTIONS,
    Study,
    add_study,
    annotated_studies,
    place_study,
    read_annotation,
)
from .layouts import Layout, Release, find
from .spec import PUBLIC, DatasetSpec, Option
from .views import FRONTAL, LATERAL, most_images, view_options, view_problems

_KAGGLE_IMAGES = "images/images_normalized"
_OPENI_IMAGES = ("NLMCXR_png", "images", ".")


def _read_r2gen(root: Path, **options: Any) -> Release:
    if options["section"] != "findings":
        raise ConfigError(
            f"iu_xray.section: {root / ANNOTATION} holds findings only, not {options['section']!r}; use OpenI's or "
            "Kaggle's release"
        )
    _require_named_views("R2Gen's packaging", options)
    release = Release(DATASET, "R2Gen", root / "images", files=[root / ANNOTATION], holds_every_image=True)
    for where, split, row in read_annotation(root / ANNOTATION, release.problems):
        key, report, images = row["id"], row["report"], row["image_path"]
        if not (
            isinstance(key, str)
            and isinstance(report, str)
            and isinstance(images, list)
            and all(isinstance(image, str) for image in images)
        ):
            release.problems.append(f"{where}: id and report are not texts or image_path is not a list of texts")
            continue
        add_study(
            release,
            f"{where} ({key})",
            Study(key, tuple(images), report),
            split=split,
            options=options,
            metadata={"split_from": ANNOTATION},
        )
    return release


def _require_named_views(release: str, options: Mapping[str, Any]) -> None:
    """Raises ConfigError where views are wanted by name and the release names none."""
    if isinstance(options["views"], list):
        raise ConfigError(
            f"iu_xray.views: {release} does not say which image is frontal and which lateral; take views: all, which "
            "calls them image 1 and image 2, or Kaggle's release"
        )


def _read_raw(
    root: Path,
    *,
    name: str,
    image_root: Callable[[Path], Path],
    read_studies: Callable[[Release, Path], Iterator[Found]],
    with_annotation: bool,
    **options: Any,
) -> Release:
    if read_studies is read_openi:
        _require_named_views("OpenI's XML", options)
    release = Release(DATASET, f"{name} (split: {ANNOTATION if with_annotation else HASHED_SPLIT})", image_root(root))
    annotated = None
    if with_annotation:
        release.files.append(root / ANNOTATION)
        annotated = annotated_studies(root / ANNOTATION, release.problems)
    numbers = set()
    for where, number, study in read_studies(release, root):
        numbers.add(number)
        split, metadata = place_study(study, number, annotated)
        if split is None:
            release.skip(where, "not in " + ANNOTATION)
        else:
            add_study(release, where, study, split=split, options=options, metadata=metadata)
    for number, place in (annotated or {}).items():
        if number not in numbers:
            release.skip(f"{ANNOTATION} ({place.folder})", "no report in the release")
    return release


def _openi_images(root: Path) -> Path:
    # The archive of images is flat, and where it was unpacked is up to the user.
    found = (root / folder for folder in _OPENI_IMAGES if find(root, folder + "/CXR*.png"))
    return next(found, root / _OPENI_IMAGES[0])


def _kaggle_images(root: Path) -> Path:
    return root / _KAGGLE_IMAGES


def _raw(
    name: str,
    looks_for: tuple[str, ...],
    images: str,
    image_root: Callable[[Path], Path],
    read_studies: Callable[[Release, Path], Iterator[Found]],
) -> tuple[Layout, Layout]:
    """A raw release without R2Gen's split, and with it; then ``images`` tells it from R2Gen's packaging."""
    read = partial(_read_raw, name=name, image_root=image_root, read_studies=read_studies)
    return (
        Layout(name, looks_for, partial(read, with_annotation=False), unless=(ANNOTATION,)),
        Layout(name + " with R2Gen's split", (*looks_for, images, ANNOTATION), partial(read, with_annotation=True)),
    )


def _images(release: Release) -> tuple[int, ...]:
    counts: Counter = Counter()
    for sample in release.samples:
        counts[sample.split] += len(sample.metadata.get("images", sample.images))
    return tuple(counts[split] for split in SPLITS)


def _studies_read(release: Release) -> int:
    return len({sample.metadata["study"] for sample in release.samples}) + len(release.skips)


IU_XRAY = DatasetSpec(
    DATASET,
    "IU X-Ray (Open-i, Indiana University)",
    layouts=(
        Layout("R2Gen", (ANNOTATION,), _read_r2gen, unless=(REPORTS_XML, _KAGGLE_IMAGES)),
        *_raw("OpenI XML", (REPORTS_XML,), REPORTS_XML, _openi_images, read_openi),
        *_raw("Kaggle", (REPORTS_CSV, PROJECTIONS_CSV), _KAGGLE_IMAGES, _kaggle_images, read_kaggle),
    ),
    tasks=("report",),
    options=(
        *view_options((FRONTAL, LATERAL), "with the images that views says"),
        Option(
            "section", "findings", SECTIONS, "findings is what the paper uses, and all that R2Gen's packaging holds"
        ),
    ),
    option_problems=view_problems,
    most_images=most_images,
    stage=2,
    splits={"train": 4_138, "val": 592, "test": 1_180},
    images=5_910,
    longest=(0, 953),
    mean_length=(0, 217),
    expectations=(
        Expectation(
            "reports by split", ERROR, ((2_069, 296, 590),), distinct(metadata_of("study")), in_layout("R2Gen")
        ),
        Expectation("images by split", ERROR, ((4_138, 592, 1_180),), _images, in_layout("R2Gen")),
        Expectation("every study in one split only", ERROR, (True,), disjoint(metadata_of("study")), full=False),
        Expectation("reports, skipped ones too", WARNING, (3_955,), _studies_read, in_layout("OpenI")),
        Expectation("reports, skipped ones too", WARNING, (3_851,), _studies_read, in_layout("Kaggle")),
    ),
    audience=PUBLIC,
    licence="openly distributed by the U.S. National Library of Medicine; the packagings carry no licence file",
    citation="Demner-Fushman et al., Preparing a collection of radiology examinations for distribution and retrieval, "
    "JAMIA 23(2):304-310, 2016, doi:10.1093/jamia/ocv080",
    url="https://openi.nlm.nih.gov",
    quirks=(
        "The images of a study share one reference report, so samples are not independent.",
        "`XXXX` stands for what was removed to protect patients.",
    ),
    specialty="radiology",
    languages=lambda options: ("en",),
    sample_writer="pefomed_plugin.embedded.releases_vqa:write_iu_xray",
    page="docs/data/iu_xray.md",
)
"""Only R2Gen defines a split. OpenI and Kaggle take it from an ``annotation.json`` that lies beside, and count what it
leaves out as skipped; some studies have more images there than R2Gen's two (Kaggle: 1,223 in test). Without it the
split is a hash of the study. ``Release.layout`` and ``metadata["split_from"]`` say which. Kaggle's tables beside an
``annotation.json`` without Kaggle's images are read as R2Gen.

With ``per: study``, ``metadata["images"]`` lists all images. ``metadata``: ``study``, ``source_id``, ``split_from``;
``view`` (Kaggle); ``r2gen_id`` and ``same_series`` (whether all images are of the series that R2Gen's folder is named
after) for a raw study placed by ``annotation.json``."""
