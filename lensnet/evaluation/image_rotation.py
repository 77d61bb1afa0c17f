"""Rotating a stack of images about its centre, by right angles exactly, by others in a disk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[Any]


def angles_of(rotations: int) -> NDArray[np.float64]:
    """Return the angles 360 / rotations * k in degrees, shape (rotations,).

    Raises:
        ValueError: `rotations` is not a whole number of at least 2.
    """
    whole = isinstance(rotations, int | np.integer) and not isinstance(rotations, bool)
    if not whole or rotations < 2:
        raise ValueError(f"rotations must be a whole number of at least 2, but is {rotations!r}")
    return np.arange(rotations, dtype=np.float64) * 360.0 / rotations


def check_size(height: int, width: int, rotations: int) -> None:
    """Raise a ValueError where images of this size cannot be rotated by these rotations."""
    if rotations % 4 == 0 and height != width:
        raise ValueError(
            f"rotations={rotations} contains a rotation by 90 degrees, which makes a "
            f"{height}x{width} image {width}x{height}: crop or pad the images to squares, or "
            "take a number of rotations that 4 does not divide"
        )
    if 4 % rotations and min(height, width) < 3:
        raise ValueError(
            f"rotations={rotations} rotates images inside their inscribed disk, which needs at "
            f"least 3x3 pixels, but the images are {height}x{width}"
        )


def inscribed_disk(height: int, width: int) -> NDArray[np.bool_]:
    """Mark the pixels whose centre lies in the largest disk that no rotation carries off the image.

    The disk is centred on the image's centre ((H - 1) / 2, (W - 1) / 2) and reaches the centres
    of the outermost pixels of the shorter side, so that every point of it, rotated by any angle,
    lies between pixel centres of the image.

    Returns:
        Shape (H, W), True inside.
    """
    y, x = _from_centre(height, width)
    return y**2 + x**2 <= ((min(height, width) - 1) / 2) ** 2


def outside_median(images: Images) -> Images:
    """Return the median of each image and channel outside the disk: (N, H, W, C) -> (N, 1, C)."""
    outside = ~inscribed_disk(*images.shape[1:3])
    return np.median(images[:, outside], axis=1, keepdims=True).astype(images.dtype)


def rotate_in_disk(images: Images, angle_degrees: float, fill: Images | None = None) -> Images:
    """Rotate images counterclockwise (first row on top) about their centre, inside the disk.

    A multiple of 90 degrees moves pixels as `np.rot90` does; any other angle interpolates
    bilinearly, which smooths pixel noise a little. What lies outside the inscribed disk is
    `fill`, at every angle, 0 included.

    Args:
        images: Shape (N, H, W, C). A right angle needs H = W.
        angle_degrees: The angle; at 90 the result equals `np.rot90(images, 1, axes=(1, 2))`
            inside the disk.
        fill: Shape (N, 1, C); by default `outside_median(images)`.

    Returns:
        A new array of the images' shape and dtype.

    Example:
        >>> import numpy as np
        >>> image = np.zeros((1, 5, 5, 1), np.float32)
        >>> image[0, 2, 4] = 1  # right of the centre
        >>> rotate_in_disk(image, 90.0)[0, 0, 2, 0]  # above it
        np.float32(1.0)
    """
    height, width = images.shape[1:3]
    disk = inscribed_disk(height, width)
    fill = outside_median(images) if fill is None else fill
    rotated = np.empty_like(images)
    rotated[:, ~disk] = fill
    quarters, rest = divmod(angle_degrees, 90.0)
    if rest == 0:
        rotated[:, disk] = np.rot90(images, int(quarters) % 4, axes=(1, 2))[:, disk]
    else:
        rotated[:, disk] = _interpolate(images, disk, math.radians(angle_degrees))
    return rotated


def rotated_images(images: Images, rotations: int) -> Iterator[Images]:
    """Yield the images rotated by each of `angles_of(rotations)`, each a new array.

    If all the angles are multiples of 90 degrees the whole images are rotated, exactly. If not,
    every angle is cut to the inscribed disk, so that no angle sees more of an image than another.

    Args:
        images: Shape (N, H, W, C), of a float dtype.

    Raises:
        ValueError: See `angles_of` and `check_size`.
    """
    angles = angles_of(rotations)
    check_size(images.shape[1], images.shape[2], rotations)
    if 4 % rotations == 0:
        for angle in angles:
            yield np.ascontiguousarray(np.rot90(images, int(angle // 90), axes=(1, 2)))
        return
    fill = outside_median(images)
    for angle in angles:
        yield rotate_in_disk(images, float(angle), fill)


def _from_centre(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y = np.arange(height, dtype=np.float64) - (height - 1) / 2
    x = np.arange(width, dtype=np.float64) - (width - 1) / 2
    return y[:, None], x[None, :]


def _interpolate(images: Images, disk: NDArray[np.bool_], angle: float) -> Images:
    """Sample the images at the disk's pixels rotated back by the angle: (N, P, C)."""
    number, height, width, channels = images.shape
    y, x = (grid[disk] for grid in np.broadcast_arrays(*_from_centre(height, width)))
    rows = math.cos(angle) * y + math.sin(angle) * x + (height - 1) / 2
    columns = math.cos(angle) * x - math.sin(angle) * y + (width - 1) / 2
    # The disk keeps every sample on the image but for round-off at its rim.
    top = np.clip(np.floor(rows).astype(np.intp), 0, height - 2)
    left = np.clip(np.floor(columns).astype(np.intp), 0, width - 2)
    down = (rows - top).astype(images.dtype)[:, None]
    right = (columns - left).astype(images.dtype)[:, None]
    flat = images.reshape(number, height * width, channels)
    corner = top * width + left
    upper = flat[:, corner] * (1 - right) + flat[:, corner + 1] * right
    lower = flat[:, corner + width] * (1 - right) + flat[:, corner + width + 1] * right
    return upper * (1 - down) + lower * down
