"""Prompts and images for MiniGPT-v2. Stands alone: needs torch, numpy, Pillow and transformers only.

``apply_chat_template`` writes the prompts that the weights were trained with, character by character. A prompt that is
written by hand has ``<ImageHere>`` where an image goes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any

from PIL import Image
from transformers import BatchFeature
from transformers.processing_utils import MultiModalData, ProcessorMixin

from .image_processing_minigpt_v2 import decoded, flat_images, read_image

_IMAGE_KINDS = ("image", "image_url")


class MiniGPTv2Processor(ProcessorMixin):
    """Text with ``<ImageHere>``, and images -> ``input_ids``, ``attention_mask``, ``pixel_values``."""

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        visual_tokens: int = 256,
        image_token: str = "<ImageHere>",
        chat_template: Any = None,
        **kwargs: Any,
    ) -> None:
        """Parts.

        Args:
            visual_tokens: places that one image takes up.
            image_token: what stands in a prompt where an image goes.
        """
        self.visual_tokens = visual_tokens
        self.image_token = image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)
        self._has_bytes = "<0x41>" in tokenizer.get_vocab()
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def __call__(self, images: Any = None, text: Any = None, **kwargs: Any) -> BatchFeature:
        """Inputs of the model.

        Args:
            images: in the order of their places, in any nesting.
            text: a prompt, or a list. What begins a sequence is put in front where it is not there yet.
            kwargs: of the tokenizer: ``padding``, ``return_tensors``, ...

        Raises:
            ValueError: more or fewer images than places, or no text.
        """
        settings = {**kwargs.pop("common_kwargs", {}), **kwargs.pop("text_kwargs", {}), **kwargs}
        of_images = {key: settings.pop(key) for key in _OF_IMAGES if key in settings}
        of_images.update(settings.pop("images_kwargs", {}))
        for key in ("videos", "audio"):
            if settings.pop(key, None) is not None:
                raise ValueError(f"{key}: this model sees images only")
        for key in _OF_OTHERS:
            settings.pop(key, None)
        if text is None:
            raise ValueError("no text is given; a prompt has <ImageHere> where an image goes")
        tensors, kinds = settings.pop("return_tensors", None), settings.pop("return_mm_token_type_ids", False)
        given = flat_images(images)
        texts = [text] if isinstance(text, str) else list(text)
        places = sum(one.count(self.image_token) for one in texts)
        if places != len(given):
            raise ValueError(
                f"{len(given)} image(s) are given, and the text has {places} place(s) for one ({self.image_token}); "
                "apply_chat_template writes them where a message has {'type': 'image'}"
            )
        begin = (self.tokenizer.bos_token or "") if settings.pop("add_special_tokens", True) else ""
        begun = [one if one.startswith(begin) else begin + one for one in texts]
        whole = [one.replace(self.image_token, self.image_token * self.visual_tokens) for one in begun]
        content = dict(self.tokenizer(whole, add_special_tokens=False, **settings))
        if "offset_mapping" in content:
            content["offset_mapping"] = [
                self._offsets_in(one, len(long) - len(one), row)
                for one, long, row in zip(texts, begun, content["offset_mapping"])
            ]
        if kinds:
            content["mm_token_type_ids"] = [
                [int(token == self.image_token_id) for token in row] for row in content["input_ids"]
            ]
        if given:
            content.update(self.image_processor(given, **of_images))
        return BatchFeature(content, tensor_type=tensors)

    def _offsets_in(self, text: str, before: int, offsets: Any) -> list[tuple[int, int]]:
        """Where tokens lie in the text as it was given, an image's all at its place; ``before`` characters were put
        in front. Transformers finds by it which tokens are an answer's."""
        size, grown = len(self.image_token), len(self.image_token) * (self.visual_tokens - 1)
        places, at = [], text.find(self.image_token)
        while at >= 0:
            places.append(at)
            at = text.find(self.image_token, at + size)

        def back(char: int, is_end: bool) -> int:
            char -= before
            for place in places:
                if char <= place:
                    break
                if char < place + size + grown:
                    return place + size * is_end
                char -= grown
            return max(char, 0)

        return [(back(start, False), back(end, True)) for start, end in offsets]

    def apply_chat_template(self, conversation: Any, *args: Any, **kwargs: Any) -> Any:
        """As of every processor. Image files are read as in training: with all of their bits, and as they are stored
        (a turn that EXIF asks for is not made).

        ``{"type": "image", "path": ..., "view": "frontal"}`` names one of several images.
        """
        if isinstance(conversation, (list, tuple)) and conversation:
            several = isinstance(conversation[0], (list, tuple))
            conversation = [_opened(one) for one in conversation] if several else _opened(conversation)
        return super().apply_chat_template(conversation, *args, **kwargs)

    def save_pretrained(self, save_directory: Any, push_to_hub: bool = False, **kwargs: Any) -> Any:
        """As of every processor; ``tokenizer.model``, which pefomed_plugin reads, goes along from a local folder."""
        found = super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)
        source, target = (os.path.join(str(folder), "tokenizer.model") for folder in (self._folder(), save_directory))
        if os.path.isfile(source) and not os.path.exists(target):
            shutil.copyfile(source, target)
        return found

    def _folder(self) -> str:
        return str(getattr(self.tokenizer, "name_or_path", ""))

    def post_process_image_text_to_text(
        self, generated_outputs: Any, skip_special_tokens: bool = True, **kwargs: Any
    ) -> list[str]:
        """Texts of token ids, places of images left out."""
        return self.batch_decode(generated_outputs, skip_special_tokens=skip_special_tokens, **kwargs)

    def batch_decode(self, sequences: Any, skip_special_tokens: bool = False, **kwargs: Any) -> list[str]:
        """Texts of rows of token ids."""
        return [self.decode(row, skip_special_tokens=skip_special_tokens, **kwargs) for row in sequences]

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **kwargs: Any) -> str:
        """Text of token ids; LLaMA's byte tokens as SentencePiece reads them, which leaves more of a broken text."""
        kwargs.setdefault("clean_up_tokenization_spaces", False)
        if not self._has_bytes:
            return self.tokenizer.decode(token_ids, skip_special_tokens=skip_special_tokens, **kwargs)
        ids = token_ids.tolist() if hasattr(token_ids, "tolist") else token_ids
        ids = [ids] if isinstance(ids, int) else list(ids)
        tokens = self.tokenizer.convert_ids_to_tokens(ids, skip_special_tokens=skip_special_tokens)
        text = _characters(b"".join(_bytes_of(token) for token in tokens))
        return text[1:] if text.startswith(" ") else text

    def _get_num_multimodal_tokens(self, image_sizes: Any = None, **kwargs: Any) -> MultiModalData:
        """For vLLM: every image takes up the same number of places."""
        if image_sizes is None:
            return MultiModalData()
        count = len(image_sizes)
        return MultiModalData(num_image_tokens=[self.visual_tokens] * count, num_image_patches=[1] * count)


_OF_OTHERS = (
    "videos_kwargs",
    "audio_kwargs",
    "return_metadata",
    "sanitize_control_tokens",
    "return_text_replacement_offsets",
)
"""Arguments that say nothing to text with images: offsets are those of the text that was given."""
_OF_IMAGES = (
    *("size", "image_mean", "image_std", "do_resize", "do_rescale", "do_normalize", "do_center_crop", "do_pad"),
    *("resample", "rescale_factor", "do_convert_rgb", "data_format"),
)


def _bytes_of(token: str) -> bytes:
    is_byte = len(token) == len("<0x00>") and token.startswith("<0x") and token.endswith(">")
    return bytes([int(token[3:5], 16)]) if is_byte else token.replace("\u2581", " ").encode()


def _characters(raw: bytes) -> str:
    """UTF-8, with one replacement character for each byte that is part of no character."""
    found, at = [], 0
    while at < len(raw):
        length = next((size for size in range(1, 5) if _is_text(raw[at : at + size])), 0)
        found.append(raw[at : at + length].decode() if length else "\ufffd")
        at += length or 1
    return "".join(found)


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _opened(messages: Any) -> Any:
    """Messages with files of images read."""
    found = []
    for message in messages:
        content: Any = message.get("content") if isinstance(message, Mapping) else None
        is_list = isinstance(content, (list, tuple))
        found.append({**message, "content": [_with_image(part) for part in content]} if is_list else message)
    return found


def _with_image(part: Any) -> Any:
    if not isinstance(part, Mapping) or part.get("type") not in _IMAGE_KINDS:
        return part
    for key in ("image", "path", "url", "image_url", "base64"):
        value = part.get(key)
        value = value.get("url") if isinstance(value, Mapping) else value
        if value is not None:
            rest = {name: other for name, other in part.items() if name != key}
            return {**rest, "type": "image", "image": _unturned(value, key == "base64")}
    return part


def _unturned(image: Any, is_base64: bool) -> Any:
    """An image without what transformers would turn it by."""
    rgb = read_image(Image.open(decoded(image)) if is_base64 else image)
    rgb.info.clear()
    return rgb
