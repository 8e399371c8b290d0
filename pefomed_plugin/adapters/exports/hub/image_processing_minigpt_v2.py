"""Images for MiniGPT-v2: 8-bit RGB, resized to a square, normalised. Never cropped, never flipped.

Stands alone: needs torch, numpy, Pillow and transformers only. The same numbers as in training, from every version of
Pillow.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.image_processing_utils import BaseImageProcessor, BatchFeature

_DEEP = ("I", "F")
"""Modes of more than 8 bits begin with these letters."""


_LONGEST_PATH = 4096
_OTHERWISE: dict[str, tuple[Any, ...]] = {
    "resample": (None, Image.Resampling.BICUBIC),
    "rescale_factor": (None, 1 / 255),
    "do_convert_rgb": (None, True),
    "data_format": (None, "channels_first"),
}
"""What transformers' other processors can be told -> what is done here anyway."""
_DARK = 64
"""An upper byte below it is of a value that needs fewer than 15 bits."""


def read_image(image: Any) -> Image.Image:
    """A path, data URL, Pillow image, array (H, W), (H, W, 3), (H, W, 4) or tensor (3, H, W) as 8-bit RGB.

    Colours of an array are bytes, or floats from 0 to 1; one channel alone may have any values.

    Raises:
        ValueError: it is none of these, has several frames, or colour of which Pillow keeps too little.
    """
    if isinstance(image, (str, Path)):
        with Image.open(_source(image)) as opened:
            _refuse_frames(opened)
            return to_rgb(_loaded(opened))
    if isinstance(image, Image.Image):
        _refuse_frames(image)
        return to_rgb(_loaded(image))
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu().numpy()
        image = np.moveaxis(image, 0, -1) if image.ndim == 3 and image.shape[0] in (1, 3, 4) else image
    if not isinstance(image, np.ndarray):
        raise ValueError(f"a {type(image).__name__} is no image; give a path, a Pillow image or an array")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if not image.size or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ValueError(f"an array of shape {image.shape} is no image; give (height, width) or (height, width, 3)")
    if image.dtype != np.uint8:
        image = _stretch(image) if image.ndim == 2 else _as_bytes(image)
    return to_rgb(Image.fromarray(image))


def decoded(text: str) -> BytesIO:
    """The file that base64 stands for. Raises ValueError: it stands for none."""
    try:
        return BytesIO(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("no path of an image, and no base64 of one") from None


def _source(image: str | Path) -> Path | BytesIO:
    words = str(image)
    if words[:8].lower().startswith(("http://", "https://")):
        raise ValueError(f"{words[:200]} is not fetched; download the image, and give its path")
    if words[:5].lower() == "data:":
        head, _, payload = words.partition(",")
        if not head.lower().endswith(";base64"):
            raise ValueError("a data URL is data:image/png;base64,...")
        return decoded(payload)
    return decoded(words) if len(words) > _LONGEST_PATH else Path(image).expanduser()


def _refuse_frames(image: Image.Image) -> None:
    """Raises ValueError: there are several, and none was chosen; a JPEG with previews behind it (MPO) has one."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO" and not image.tell():
        raise ValueError(f"an image of {frames} frames; give one of them, as image.copy() after image.seek(NUMBER)")


def _loaded(image: Image.Image) -> Image.Image:
    """The image with its pixels.

    Raises:
        ValueError: colour, or grey with alpha, of 16 bits a channel that uses fewer than 15 of them: Pillow keeps the
            upper 8, and they are all but black.
    """
    is_deep = _has_deep_channels(image)
    image.load()
    if is_deep:
        values = np.asarray(image if image.mode == "CMYK" else image.convert("RGBA"))
        seen = values if image.mode == "CMYK" else values[..., :3][values[..., 3] > 0]
        if (seen if seen.size else values[..., :3]).max() < _DARK:
            raise ValueError(
                "colour of 16 bits a channel that uses fewer of them, of which Pillow keeps the upper 8 alone; save it "
                "with 8 bits a channel, from the bits that are used (pefomed itself reads all of them)"
            )
    return image


def _has_deep_channels(image: Image.Image) -> bool:
    """Whether an opened file that is not loaded yet has several channels of 16 bits."""
    if image.mode not in ("LA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK"):
        return False
    if image.format == "JPEG2000":
        place = image.fp.tell()  # type: ignore[attr-defined]
        image.fp.seek(0)  # type: ignore[attr-defined]
        _, _, components = image.fp.read(2**20).partition(b"\xff\x4f\xff\x51")  # type: ignore[attr-defined]
        image.fp.seek(place)  # type: ignore[attr-defined]
        return len(components) > 38 and (components[38] & 0x7F) >= 15
    if image.format == "TIFF":
        return 16 in tuple(image.tag_v2.get(258, ()))  # type: ignore[attr-defined]
    arguments = [tile[3] for tile in getattr(image, "tile", ())]
    if image.format == "PPM":
        return any(isinstance(one, tuple) and one[-1] >> 15 for one in arguments)
    return any("16" in str(one[0] if isinstance(one, tuple) and one else one) for one in arguments)


def _as_bytes(colours: np.ndarray) -> np.ndarray:
    low, high = colours.min(), colours.max()
    if np.issubdtype(colours.dtype, np.integer) and low >= 0 and high <= 255:
        return colours.astype(np.uint8)
    if np.issubdtype(colours.dtype, np.floating) and low >= 0 and high <= 1:
        return np.rint(colours.astype(np.float64) * 255).astype(np.uint8)
    raise ValueError(
        f"colours of {colours.dtype} from {low} to {high}; give whole numbers from 0 to 255, or floats from 0 to 1"
    )


def to_rgb(image: Image.Image) -> Image.Image:
    """Transparent images on white; those of more than 8 bits from their smallest value to their largest."""
    if image.mode.startswith(_DEEP):
        values, hidden = np.asarray(image), image.info.get("transparency")
        counted = values != hidden if isinstance(hidden, int) else None
        return Image.fromarray(_stretch(values, counted)).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        straight = image.convert("RGBA")
        opaque = Image.new("RGB", image.size, (255, 255, 255))
        opaque.paste(straight, (0, 0), straight.getchannel("A"))
        return opaque
    return image.convert("RGB")


def _stretch(values: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
    """uint8 with the smallest value as 0 and the largest as 255; what is not finite or does not count is 0."""
    numbers = values.astype(np.float64)
    taken = np.isfinite(numbers) if counted is None else np.isfinite(numbers) & counted
    if not taken.any():
        return np.zeros(values.shape, np.uint8)
    lowest, highest = numbers[taken].min(), numbers[taken].max()
    shown = np.where(taken, numbers - lowest, 0.0) / (highest - lowest or 1.0)
    return np.rint(shown * 255).astype(np.uint8)


def resize_square(image: Image.Image, size: int) -> Image.Image:
    """``size`` x ``size``, bicubic, one side after the other in an order that does not depend on Pillow's version."""
    width, height = image.size
    is_height_first = height > size and height - size > 2 * (width - size)
    between = (width, size) if is_height_first else (size, height)
    return image.resize(between, Image.Resampling.BICUBIC).resize((size, size), Image.Resampling.BICUBIC)


class MiniGPTv2ImageProcessor(BaseImageProcessor):
    """Images -> ``pixel_values`` (images, 3, S, S), one after the other whichever prompt they belong to."""

    model_input_names = ["pixel_values"]

    def __init__(
        self,
        size: Any = None,
        image_mean: Any = (0.48145466, 0.4578275, 0.40821073),
        image_std: Any = (0.26862954, 0.26130258, 0.27577711),
        **kwargs: Any,
    ) -> None:
        """How images are made.

        Args:
            size: ``{"height": S, "width": S}``, or S.
            image_mean: of the channels, of pixels from 0 to 1.
            image_std: what they are divided by.
        """
        super().__init__(**kwargs)
        size = 448 if size is None else size
        self.size = {"height": size, "width": size} if isinstance(size, int) else dict(size)
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)

    def preprocess(self, images: Any, return_tensors: Any = None, **kwargs: Any) -> BatchFeature:
        """Images in any nesting.

        Raises:
            ValueError: what is given is no image, or asks for other images than the weights have learnt.
        """
        self._refuse_other_images(kwargs)
        pixels = [self._pixels(image) for image in flat_images(images)]
        if not pixels:
            raise ValueError("no image is given")
        return BatchFeature({"pixel_values": torch.stack(pixels)}, tensor_type=return_tensors)

    def _pixels(self, image: Any) -> torch.Tensor:
        square = np.array(resize_square(read_image(image), self.size["height"]))
        channels = torch.from_numpy(square).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (self.image_mean, self.image_std))
        return channels.sub(mean).div(deviation)

    def _refuse_other_images(self, asked: dict[str, Any]) -> None:
        own = {"size": self.size, "image_mean": self.image_mean, "image_std": self.image_std}
        wrong = [key for key, value in own.items() if asked.get(key) is not None and asked[key] != value]
        wrong += [key for key in ("do_resize", "do_rescale", "do_normalize") if asked.get(key) is False]
        wrong += [key for key in ("do_center_crop", "do_pad") if asked.get(key)]
        wrong += [key for key, known in _OTHERWISE.items() if asked.get(key) not in known]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)}: the weights have learnt images of {self.size['height']} pixels a side, resized, "
                "scaled and normalised and never cropped; leave these arguments out"
            )


def flat_images(images: Any) -> list[Any]:
    """Images in any nesting of lists, one after the other; a tensor or array of four dimensions is several."""
    return list(_flat(images))


def _flat(images: Any) -> Iterator[Any]:
    if images is None:
        return
    several = isinstance(images, (np.ndarray, torch.Tensor)) and images.ndim == 4
    if several or isinstance(images, (list, tuple)):
        for image in _each(images):
            yield from _flat(image)
    else:
        yield images


def _each(images: Any) -> Iterable[Any]:
    return images
