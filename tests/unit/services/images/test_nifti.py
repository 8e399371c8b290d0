"""A slice of a volume, as radiologists see it, whatever way the volume is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pefomed_plugin.services.images.decoding import open_image
from pefomed_plugin.services.images.faults import UnusableImage
from pefomed_plugin.services.images.nifti import is_choice, split_nifti_address

RIGHT, FRONT, HEAD = 250, 200, 150
"""Grey at the patient's right, front and head of the volume below."""


def test_addresses_and_choices() -> None:
    assert split_nifti_address("a/b.nii.gz#axial:middle") == ("a/b.nii.gz", "axial:middle")
    assert split_nifti_address("b.nii#coronal:40%") == ("b.nii", "coronal:40%")
    assert split_nifti_address("b.nii") is None and split_nifti_address("b.png#axial:1") is None
    assert all(map(is_choice, ("axial:middle", "sagittal:0", "coronal:100%")))
    assert not any(map(is_choice, ("axial", "top:1", "axial:-1", "axial:101%", "axial:last")))


def test_without_nibabel_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    (tmp_path / "a.nii").write_bytes(b"")
    with pytest.raises(UnusableImage, match="NIfTI volumes need nibabel; pip install nibabel"):
        open_image(tmp_path, "a.nii#axial:middle")


@pytest.mark.parametrize("codes", [("R", "A", "S"), ("L", "P", "S"), ("P", "I", "R")])
def test_slices_are_shown_as_radiologists_see_them(tmp_path: Path, codes: tuple[str, str, str]) -> None:
    nibabel = pytest.importorskip("nibabel")
    from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

    values = np.zeros((9, 11, 7), np.float32)
    values[-1, 5, 3], values[4, -1, 3], values[4, 5, -1] = RIGHT, FRONT, HEAD
    volume = nibabel.Nifti1Image(values, np.eye(4))
    turned = volume.as_reoriented(ornt_transform(axcodes2ornt(("R", "A", "S")), axcodes2ornt(codes)))
    assert inv_ornt_aff is not None and nibabel.aff2axcodes(turned.affine) == codes
    nibabel.save(turned, tmp_path / "a.nii.gz")

    def grey(choice: str) -> np.ndarray:
        return np.asarray(open_image(tmp_path, f"a.nii.gz#{choice}").convert("L"))

    axial, coronal, sagittal = grey("axial:middle"), grey("coronal:5"), grey("sagittal:50%")
    assert axial.shape == (11, 9) and axial[5, 0] == 255 and axial[0, 4] == 204, "right is left, front is up"
    assert coronal.shape == (7, 9) and coronal[3, 0] == 255 and coronal[0, 4] == 153, "right is left, head is up"
    assert sagittal.shape == (7, 11) and sagittal[3, 0] == 255 and sagittal[0, 5] == 191, "front is left, head is up"
    with pytest.raises(UnusableImage, match=r"no such slice \(7, it has 0 to 6\)"):
        grey("axial:7")
    with pytest.raises(UnusableImage, match="no such file"):
        open_image(tmp_path, "b.nii#axial:1")
    (tmp_path / "b.nii").write_bytes(b"no volume")
    with pytest.raises(UnusableImage, match="cannot read NIfTI"):
        open_image(tmp_path, "b.nii#axial:1")
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4, 2)), np.eye(4)), tmp_path / "c.nii")
    with pytest.raises(UnusableImage, match="no volume of three axes"):
        open_image(tmp_path, "c.nii#axial:1")
