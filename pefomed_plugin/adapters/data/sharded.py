"""A split that lies in the shards of ``pefomed shard``, as a data set like any other: the same plan draws from it.

The images are already at the model's size, where the processor's resizing changes nothing (Pillow and torchvision give
such an image back as it is), so only its normalising is left. Why not a stream: docs/adr/0005.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from ...digests import sha256_of
from ...errors import ConfigError, DataError
from ...services.data.shard_files import ShardFiles
from .datasets import MedicalDataset


class ShardedDataset(MedicalDataset):
    """``MedicalDataset`` whose samples and images are read from tar files by number."""

    samples: ShardFiles

    def _stored_digest(self, number: int) -> str:
        return sha256_of(BytesIO(self.samples.read_encoded(number)))

    def _open(self, number: int) -> Image.Image:
        return self.samples.open_image(number)


def check_shards(dataset: str, samples: ShardFiles, size_px: int, wanted_px: int | None) -> None:
    """Whether shards are of this data set and of the size that its processor makes.

    Raises:
        DataError: they were made from another data set.
        ConfigError: the sizes differ: resizing again would blur the images.
    """
    found = samples[0].dataset
    if found != dataset:
        raise DataError(f"{samples.paths[0]} was made from {found}, not from {dataset}")
    if wanted_px is not None and wanted_px != size_px:
        raise ConfigError(
            f"{samples.paths[0].parent}: the shards hold images of {size_px} pixels, datasets.{dataset}.vis_processor "
            f"makes {wanted_px}; run pefomed shard with "
            f"--image-size {wanted_px}, or set model.image_size={size_px}"
        )
