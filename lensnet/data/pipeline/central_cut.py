"""The square in the middle of an image."""

from __future__ import annotations

from collections.abc import Sequence

from lensnet.errors import DataError

__all__ = ["central_cut", "check_crop"]


def check_crop(crop: int | None, shape: Sequence[int]) -> None:
    """Checks that a square can be cut out of the middle of images.

    A square of 4 pixels has no place in the middle of 7: half a pixel off it, a rotated image would
    lose other pixels than the image itself, and no network were invariant.

    Args:
        crop: pixels a side; None for the whole image, which fits always.
        shape: (H, W, ...) of the images.

    Raises:
        DataError: the images are smaller, or of odd size where the square is of even, or the
            reverse.
    """
    if crop is None:
        return
    height, width = shape[:2]
    if crop > min(height, width):
        raise DataError(
            f"data.crop cuts {crop} x {crop} pixels out of images of {height} x {width}: take "
            f"{min(height, width)} at most, or leave it out.",
            key="data.crop",
        )
    if (height - crop) % 2 or (width - crop) % 2:
        advice = f"Take {crop - 1} or {crop + 1}."
        if (height - width) % 2:
            advice = "No square is in the middle of an odd and an even number: leave it out."
        raise DataError(
            f"data.crop: {crop} pixels are not in the middle of images of {height} x {width}, but "
            f"half a pixel off it, so that a rotated image would be cut elsewhere. {advice}",
            key="data.crop",
        )


def central_cut(crop: int | None, shape: Sequence[int]) -> tuple[slice, slice]:
    """Returns the rows and columns of a square in the middle of images.

    Args:
        crop: pixels a side; None for the whole image.
        shape: (H, W, ...) of the images.

    >>> central_cut(3, (7, 5, 1))
    (slice(2, 5, None), slice(1, 4, None))
    """
    height, width = shape[:2]
    if crop is None:
        return slice(0, height), slice(0, width)
    top, left = (height - crop) // 2, (width - crop) // 2
    return slice(top, top + crop), slice(left, left + crop)
