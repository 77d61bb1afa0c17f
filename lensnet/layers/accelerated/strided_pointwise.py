"""Convolutions of one pixel at a stride, on the pixels that they read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["without_stride"]


def without_stride(inputs: Any, kernel: Any, strides: Sequence[int]) -> tuple[Any, Sequence[int]]:
    """Returns the inputs and strides by which a convolution gives the same, without a stride.

    A filter of one pixel at a stride of two reads every other pixel: it is that filter at a stride
    of one on these pixels. The gradient of the strided one must not be asked for: where oneDNN has
    AVX-512, TensorFlow 2.21 (`Conv2DBackpropFilter`, at most 16 input channels, an even height and
    width) writes beyond its memory, and the process dies some steps later.

    Args:
        inputs: shape (batch, height, width, channels).
        kernel: shape (height, width, channels, filters); other heights and widths than 1 are left.
        strides: of the convolution.
    """
    vertical, horizontal = strides
    if tuple(kernel.shape[:2]) != (1, 1) or (vertical, horizontal) == (1, 1):
        return inputs, strides
    return inputs[:, ::vertical, ::horizontal], (1, 1)
