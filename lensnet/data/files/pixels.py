"""From an array as it is stored to an image that can be learned from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["channels_last", "to_float32", "validate_and_fill"]

# How much rounding to single precision may move a pixel, as a share of the spread of its band.
_ROUNDING = 1e-3

# A band whose pixels lie less far from zero than this many times their range is not in danger.
_FAR = 16


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

    Returns:
        The image, (H, W, C), as `to_float32` makes it, and the number of pixels filled.

    Raises:
        ValueError: too many are gaps, or all are one value.
    """
    filled = 0
    with np.errstate(over="ignore", invalid="ignore"):
        exact = np.ascontiguousarray(pixels, dtype=_exact(pixels.dtype))
        if mask_value is not None and (masked := _equals(exact, mask_value)).any():
            exact = np.where(masked, exact.dtype.type(np.nan), exact)
        image = to_float32(exact)
        if not np.isfinite(_norm(image)):
            image, filled = _fill(image, max_nonfinite, mask_value is not None)
    # Two corners tell most images from one that is all the same.
    if np.array_equal(image[0, 0], image[-1, -1]) and np.all(image == image[0, 0]):
        if 0 < np.nanmax(np.abs(exact)) < np.finfo(np.float32).tiny:
            raise ValueError("all pixels are below 1e-38: give them in another unit")
        raise ValueError("all pixels have one value")
    return image, filled


def to_float32(pixels: np.ndarray) -> np.ndarray:
    """Returns pixels in single precision, in which they differ as much as they did.

    Single precision has 24 bits: of 1e9 and 1e9 + 1 it makes one number. Where rounding would move
    pixels by more than a thousandth of their spread (from the first quartile to the third, or
    else the range), a band of an image is returned as the differences from its smallest pixel,
    which are taken before rounding. All other bands keep their values.

    Args:
        pixels: (..., H, W, C), of any type of number.

    >>> to_float32(np.array([1e9, 1e9 + 1, 1e9 + 2]).reshape(1, 3, 1)).ravel()
    array([0., 1., 2.], dtype=float32)
    """
    exact = np.ascontiguousarray(pixels, dtype=_exact(pixels.dtype))
    with np.errstate(over="ignore", invalid="ignore"):
        image = exact.astype(np.float32, copy=False)
        if image.dtype == exact.dtype or image.ndim < 3 or not image.size:
            return image
        height, width, bands = image.shape[-3:]
        rounded = image.reshape(-1, height * width, bands)
        for before, after in zip(exact.reshape(rounded.shape), rounded, strict=True):
            if not _is_harmless(after):
                for band in range(bands):
                    after[:, band] = before[:, band] - _offset(before[:, band], after[:, band])
    return image


def _equals(exact: np.ndarray, value: float) -> np.ndarray:
    """Returns which pixels have a value, also where it was rounded before it became a double."""
    kind = exact.dtype.type
    found = exact == kind(value)
    return found if kind(value) == kind(np.float32(value)) else found | (exact == np.float32(value))


def _is_harmless(rounded: np.ndarray) -> bool:
    """Returns whether rounding has moved no pixel (P, C) by more than it may, for certain.

    A few pixels tell it of most images, in a small part of the time, and no pixel is farther from
    zero than all of them together.
    """
    some = np.sort(rounded[:: len(rounded) // 256 + 1], axis=0)
    spread = some[3 * len(some) // 4] - some[len(some) // 4]
    return bool(_norm(rounded) * 2.0**-24 <= _ROUNDING / 4 * spread.min())


def _norm(image: np.ndarray) -> float:
    """Returns the root of the sum of squares, which is finite only if all pixels are.

    A third of the time of a sum. It may overflow where no pixel has.
    """
    flat = image.ravel()
    return math.sqrt(flat.dot(flat))


def _exact(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Returns the type of float in which pixels are compared and subtracted."""
    is_single = dtype.itemsize <= 4 if dtype.kind == "f" else dtype.itemsize <= 2
    return np.float32 if is_single else np.float64


def _offset(exact: np.ndarray, rounded: np.ndarray) -> float:
    """Returns what is to be taken off the pixels of a band before they are rounded; 0 for most."""
    values = exact[np.isfinite(rounded)]
    if not values.size:
        return 0.0
    lowest, highest = values.min(), values.max()
    farthest = max(-lowest, highest)
    if farthest <= _FAR * (highest - lowest):
        return 0.0
    rounding = np.abs(values - values.astype(np.float32)).max()
    if rounding == 0 or highest - lowest <= 16 * np.spacing(farthest):
        return 0.0  # they differ by the round-off of double precision alone
    first, third = np.percentile(values, (25, 75))
    spread = third - first or highest - lowest
    return float(lowest) if rounding > _ROUNDING * spread else 0.0


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
