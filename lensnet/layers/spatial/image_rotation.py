"""Rotating and reflecting images by elements of groups that map the pixel grid onto itself."""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["rotate_images"]


def rotate_images(images: Any, quarter_turns: int, reflect: bool = False) -> Any:
    """Images as `Group.transform` moves them: reflected, then rotated counter-clockwise.

    By reversals and a transposition: Keras's `rot90` is wrong for images that are not square, and
    fails on JAX where it is read from a file (3.15.1).

    Args:
        images: shape (batch, height, width, channels).
        quarter_turns: 0 to 3.
        reflect: whether columns are reversed first.
    """
    reversed_axes = (set[int](), {2}, {1, 2}, {1})[quarter_turns] ^ ({2} if reflect else set())
    if reversed_axes:
        images = ops.flip(images, axis=tuple(sorted(reversed_axes)))
    return ops.transpose(images, (0, 2, 1, 3)) if quarter_turns % 2 else images
