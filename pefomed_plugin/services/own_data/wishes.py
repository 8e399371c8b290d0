"""What a user says of own files on the command line, and what comes of reading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...readers import Release
from .pseudonyms import SALT
from .tables import Manner


@dataclass(frozen=True)
class Wishes:
    """How own files are to be read; empty: as found out, or refused with the choices."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Field -> column (``--map``)."""
    image_root: Path | None = None
    """Folder that image names are relative to; None: that of the table."""
    manner: Manner = field(default_factory=Manner)
    shares: Mapping[str, int] = field(default_factory=dict)
    """Split -> share, of unsplit records."""
    by: str = ""
    """What is not torn apart in splitting."""
    seed: int = 1
    salt: Path = SALT
    reports: Path | None = None
    """Table of the texts of DICOM studies."""
    join: str = ""
    """What joins it with the studies: ``accession``, ``study`` or ``patient``."""
    per: str = "image"
    """``image``: a sample for each film of a study; ``study``: one that shows all."""
    nifti_slice: str = ""
    """``axial:middle``, of volumes."""
    views: str = "all"
    """Of records that name several images: all, or the first."""


@dataclass
class OwnData:
    """Own files that were read."""

    release: Release
    said: list[str]
    """How they were read, a line each: encoding, columns, splits, what patients are called."""
    missing: int = 0
    """Image names of which there is no file; what opens images counts them itself."""
    public_said: list[str] | None = None
    """The same without what may say who somebody is, for files; None: ``said`` may be written as it is."""
