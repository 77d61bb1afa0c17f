"""From an array as it is stored to an image that can be learned from."""

from __future__ import annotations

import numpy as np

__all__ = ["channels_last", "validate_and_fill"]


def channels_last(pixels: np.ndarray) -> np.ndarray:
    """Returns an array of numbers as (H, W, C).

    Raises:
        ValueError: it has other dimensions, or its channel axis cannot be told; the message is a
            reason for the quarantine.
    """
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"holds {pixels.dtype.name} values, not numbers")
    if 0 in pixels.shape:
        raise ValueError(f"shape {pixels.shape} holds no pixels")
    if pixels.ndim == 2:
        return pixels[:, :, np.newaxis]
    if pixels.ndim != 3:
        raise ValueError(f"{pixels.ndim} dimensions, where an image has two or three")
    first, middle, last = pixels.shape
    if first < min(middle, last):
        return np.moveaxis(pixels, 0, -1)
    if last < min(first, middle):
        return pixels
    raise ValueError(
        f"shape {pixels.shape} does not tell the channels: they are the shortest axis, first or "
        "last"
    )


def validate_and_fill(
    pixels: np.ndarray, max_nonfinite: float, mask_value: float | None = None
) -> tuple[np.ndarray, int]:
    """Returns pixels as native float32 without gaps, and how many of them had been gaps.

    Args:
        pixels: (H, W, C).
        max_nonfinite: share of the pixels that may be NaN, infinite or masked. They are filled with
            the median of their band's other pixels.
        mask_value: the value of a masked pixel, which says nothing of the sky; None if none is.

    Raises:
        ValueError: too many are gaps, or all are one value.
    """
    filled = 0
    with np.errstate(over="ignore", invalid="ignore"):
        image = np.ascontiguousarray(pixels, dtype=np.float32)
        if mask_value is not None and (masked := image == np.float32(mask_value)).any():
            image = np.where(masked, np.float32(np.nan), image)
        # A sum is finite if all terms are (and hardly ever overflows): one pass, nothing stored.
        if not np.isfinite(np.sum(image)):
            image, filled = _fill(image, max_nonfinite, mask_value is not None)
    # Two corners tell most images from one that is all the same.
    if np.array_equal(image[0, 0], image[-1, -1]) and np.all(image == image[0, 0]):
        raise ValueError("all pixels have one value")
    return image, filled


def _fill(image: np.ndarray, max_nonfinite: float, masks: bool) -> tuple[np.ndarray, int]:
    finite = np.isfinite(image)
    share = 1 - np.count_nonzero(finite) / image.size
    if share > max_nonfinite:
        raise ValueError(
            f"{100 * share:.3g} % of its pixels are {'masked or ' * masks}not finite; "
            f"{100 * max_nonfinite:.3g} % may be"
        )
    image = image.copy()
    for band in range(image.shape[2]):
        known = finite[:, :, band]
        if not known.any():
            raise ValueError(f"channel {band} has no finite pixel")
        image[:, :, band][~known] = np.median(image[:, :, band][known])
    return image, int(np.count_nonzero(~finite))
