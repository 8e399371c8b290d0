"""The error for one image that cannot be used, so worded that a thousand of them can be counted by cause."""

from __future__ import annotations

from ...errors import ImageError


class UnusableImage(ImageError):
    """``<where>: <fault> (<detail>); <remedy>``."""

    def __init__(self, where: str, fault: str, remedy: str, detail: str = "") -> None:
        self.fault = fault
        """The same words for the same cause, free of names and numbers."""
        self.remedy = remedy
        self.told = f"{fault} ({detail})" if detail else fault
        """The same with what differs from image to image."""
        super().__init__(f"{where}: {self.told}; {remedy}")


def refuse_too_large(where: str, width: int, height: int, limit: int, weight: int = 1) -> None:
    """The budget of one image: what decoding takes of memory follows its pixels.

    Args:
        limit: ``ImagePolicy.max_pixels``; a side may be ten times that of a square of so many.
        weight: as how many pixels one counts (several frames, 16-bit colour).

    Raises:
        UnusableImage: it has more.
    """
    counted = f", each counts {weight} times" if weight > 1 else ""
    shown = f"{width} x {height}{counted}, limit {limit}"
    if width * height * weight > limit:
        raise UnusableImage(where, "too many pixels", "raise max_pixels, shrink it or leave it out", shown)
    if max(width, height) ** 2 > 100 * limit:
        raise UnusableImage(where, "too long a side", "raise max_pixels, cut it into pieces or leave it out", shown)


def choose_frame(frames: int, frame: int | None, where: str) -> int:
    """Index of the frame to show of a file with ``frames`` of them.

    Raises:
        UnusableImage: several and no choice, or a choice beyond the last.
    """
    if frames == 1:
        return 0
    if frame is None:
        raise UnusableImage(where, "holds several frames", "choose one with the option frame", f"0 to {frames - 1}")
    if not 0 <= frame < frames:
        raise UnusableImage(
            where, "no such frame", "choose another with the option frame", f"{frame}, it holds 0 to {frames - 1}"
        )
    return frame
