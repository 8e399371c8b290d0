"""An image as a program or a person hands it over, as 8-bit RGB: a path, a Pillow image, or an array of numbers.

For trying a model; the images of a data set go through ``images`` alone, below their root.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Union

from PIL import Image, ImageFile

from .decoding import DEFAULT_POLICY, ImagePolicy, decode_image, open_image
from .faults import UnusableImage
from .pixels import stretch, to_rgb
from .sixteen_bits import has_sixteen_bits

if TYPE_CHECKING:
    import numpy

GivenImage = Union[str, Path, Image.Image, "numpy.ndarray"]


def open_given(image: GivenImage, policy: ImagePolicy = DEFAULT_POLICY) -> Image.Image:
    """The image in mode RGB, 8 bits.

    Args:
        image: path of any file that ``open_image`` reads (DICOM too), Pillow image, or array (H, W), (H, W, 1),
            (H, W, 3) or (H, W, 4); ``uint8`` counts as it is, any other type is scaled by its own range.

    Raises:
        ImageError: missing, damaged, not an image, or an array of another shape.
    """
    if isinstance(image, ImageFile.ImageFile) and image.fp and has_sixteen_bits(image):  # opened, its pixels not loaded
        image.fp.seek(0)
        name = str(image.filename or "the image")
        return decode_image(BytesIO(image.fp.read()), name, replace(policy, frame=image.tell()))
    if isinstance(image, Image.Image):
        return to_rgb(image, policy.background)
    if isinstance(image, (str, Path)):
        path = Path(image).expanduser().resolve()  # the user names the file, so links of his are followed
        if path.is_dir():
            raise UnusableImage(
                str(image), "a folder, not an image", "name one image; pefomed predict --images takes a folder"
            )
        return open_image(path.parent, path.name, policy=policy)
    return to_rgb(_from_array(image), policy.background)


def _from_array(values: numpy.ndarray) -> Image.Image:
    import numpy as np  # late: heavy

    if not isinstance(values, np.ndarray):
        raise UnusableImage(type(values).__name__, "no image", "give a path, a Pillow image or a numpy array")
    shape = values.shape
    if values.ndim == 3 and shape[2] == 1:
        values = values[..., 0]
    if not values.size or values.ndim not in (2, 3) or (values.ndim == 3 and shape[2] not in (3, 4)):
        raise UnusableImage("array", "no image", "give (height, width) or (height, width, 3)", f"shape {shape}")
    if values.dtype == np.uint8:
        return Image.fromarray(values)
    if values.ndim == 3 and shape[2] == 4:  # an alpha of its own range takes no part in the colours'
        alpha = values[..., 3:] / (values[..., 3:].max() or 1)
        return Image.fromarray(np.concatenate([stretch(values[..., :3]), np.rint(alpha * 255).astype(np.uint8)], -1))
    return Image.fromarray(stretch(values))
