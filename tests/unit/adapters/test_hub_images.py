"""Images as the exported folder's own code reads them: nothing chosen, stretched or fetched in silence."""

from __future__ import annotations

import base64
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("transformers")

from pefomed_plugin.adapters.exports.hub import processing_minigpt_v2 as processing
from pefomed_plugin.adapters.exports.hub.image_processing_minigpt_v2 import MiniGPTv2ImageProcessor, read_image
from pefomed_plugin.services.images.decoding import open_image
from tests.unit.services.small import small_image

FILM, OTHER = small_image(1), small_image(2)


def encoded(kind: str = "PNG", **more: Any) -> bytes:
    stream = BytesIO()
    FILM.save(stream, kind, **more)
    return stream.getvalue()


TEXT = base64.b64encode(encoded()).decode()
URL = f"data:image/png;base64,{TEXT}"


def same(found: Image.Image) -> bool:
    return np.array_equal(np.asarray(found), np.asarray(FILM.convert("RGB")))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "image", "url": URL},
        {"type": "image", "base64": TEXT},
        {"type": "image", "base64": "\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76))},
        {"type": "image", "image": FILM},
        {"type": "image", "image": np.asarray(FILM.convert("RGB"))},
    ],
    ids="+".join,
)
def test_a_message_holds_an_image_in_every_usual_way(part: dict[str, Any]) -> None:
    ((message,),) = [processing._opened([{"role": "user", "content": [{**part, "view": "frontal"}]}])]
    (found,) = message["content"]
    assert set(found) == {"type", "image", "view"} and found["type"] == "image"
    assert same(found["image"])


def test_colours_are_never_stretched() -> None:
    shown = np.asarray(FILM.convert("RGB"))
    faint = shown.astype(np.float32) / 255
    for given in (shown, shown.astype(np.int64), faint, torch.tensor(faint).permute(2, 0, 1)):
        assert same(read_image(given))
    assert read_image(np.full((3, 4, 3), 0.5)).getpixel((0, 0)) == (128, 128, 128)
    grey = read_image(np.array([[100.0, 300.0]]))  # one channel alone has a scale of its own
    assert (grey.getpixel((0, 0)), grey.getpixel((1, 0))) == ((0, 0, 0), (255, 255, 255))


def refusals(folder: Path) -> dict[str, tuple[Any, str]]:
    for name in ("a.gif", "a.tif", "a.webp"):
        FILM.save(folder / name, save_all=True, append_images=[OTHER])
    shown = np.asarray(FILM.convert("RGB"))
    return {
        "frames": (str(folder / "a.gif"), "2 frames"),
        "pages": (folder / "a.tif", "2 frames"),
        "opened": (Image.open(folder / "a.webp"), "2 frames"),
        "address": ("https://example.org/a.png", "not fetched"),
        "capitals": ("HTTP://example.org/a.png", "not fetched"),
        "no base64": ("data:image/png,abc", "data:image/png;base64"),
        "broken": ("data:image/png;base64,!!!", "no base64"),
        "long": ("~" * 5000, "no base64"),
        "deep colours": (shown.astype(np.uint16) * 257, "colours of uint16"),
        "bright floats": (shown.astype(np.float32), "colours of float32"),
        "below nought": (shown.astype(np.float32) / 255 - 0.5, "from -0.5"),
        "not a number": (np.full((2, 2, 3), np.nan), "colours of float64"),
    }


def test_what_would_be_guessed_is_refused(tmp_path: Path) -> None:
    for name, (given, said) in refusals(tmp_path).items():
        with pytest.raises(ValueError, match=said) as caught:
            read_image(given)
        assert len(str(caught.value)) < 300, f"{name}: it quotes the image"


def test_a_frame_that_was_chosen_and_a_jpeg_with_previews_are_images(tmp_path: Path) -> None:
    for name in ("a.gif", "a.mpo"):
        FILM.save(tmp_path / name, save_all=True, append_images=[OTHER])
    frames = Image.open(tmp_path / "a.gif")
    frames.seek(1)
    assert read_image(frames).size == OTHER.size
    frames.seek(0)
    assert read_image(frames.copy()).size == read_image(tmp_path / "a.mpo").size == FILM.size


def deep_png(path: Path, values: Any) -> Path:
    """Colour (H, W, 3), or grey with alpha (H, W, 2), of 16 bits, which Pillow does not write."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    kind = {2: 4, 3: 2}[values.shape[2]]
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def test_colour_whose_used_bits_pillow_drops_is_refused(tmp_path: Path) -> None:
    """Ours reads the bits that are used; the folder alone has Pillow's upper 8 only."""
    draw = np.random.default_rng(0)
    for channels in (2, 3):
        faint = deep_png(tmp_path / "faint.png", draw.integers(0, 4096, (9, 8, channels)))
        for given in (str(faint), Image.open(faint)):
            with pytest.raises(ValueError, match="16 bits a channel that uses fewer of them"):
                read_image(given)
        whole = deep_png(tmp_path / "whole.png", draw.integers(0, 65536, (9, 8, channels)))
        wanted = np.asarray(open_image(tmp_path, "whole.png"))
        assert np.array_equal(np.asarray(read_image(str(whole))), wanted)
    stream = BytesIO(b"P6\n2 1\n65535\n" + bytes((1, 0) * 6))
    with pytest.raises(ValueError, match="16 bits a channel"):
        read_image(Image.open(stream))


def test_other_images_than_were_learnt_are_refused_and_what_is_done_anyway_is_taken() -> None:
    make = MiniGPTv2ImageProcessor(size=56)
    wanted = make(FILM)["pixel_values"]
    same_anyway = {"resample": 3, "rescale_factor": 1 / 255, "do_convert_rgb": True, "data_format": "channels_first"}
    assert torch.equal(make(FILM, **same_anyway)["pixel_values"], wanted)
    others = {"resample": 2, "rescale_factor": 1.0, "do_convert_rgb": False, "data_format": "channels_last"}
    for name, value in others.items():
        with pytest.raises(ValueError, match=f"{name}: the weights have learnt images of 56 pixels"):
            make(FILM, **{name: value})
        assert name in processing._OF_IMAGES  # else it would go to the tokenizer, which drops it
