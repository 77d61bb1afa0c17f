"""Antialiased bilinear resizing as two matrix products.

The result is that of `tf.image.resize(method="bilinear", antialias=True)`, up to rounding. As
matrix products it is faster on a CPU, rotates when the image rotates (TensorFlow's kernel
computes its weights in single precision, and breaks the symmetry by 1e-6), and can be exported to
formats that have no such kernel.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from lensnet.data.pipeline.tensor_functions import TENSORFLOW

__all__ = ["resize", "resizing_weights"]


def resize(images: tf.Tensor, size: int, ops: Any = TENSORFLOW) -> tf.Tensor:
    """Resizes square images.

    Args:
        images: (N, H, H, C) float32, H known.
        size: pixels a side of the result.
        ops: the functions of the tensor's kind.

    Returns:
        (N, size, size, C) float32.
    """
    before, channels = images.shape[1], images.shape[3]
    weights = np.ascontiguousarray(resizing_weights(before, size).T, np.float32)
    # Products of two matrices only: with oneDNN, TensorFlow 2.21 multiplies a stack of matrices
    # by the transpose of one matrix wrongly, and writes beyond its memory.
    planes = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, before))
    columns = ops.reshape(ops.matmul(planes, weights), (-1, before, size))
    lines = ops.reshape(ops.transpose(columns, (0, 2, 1)), (-1, before))
    resized = ops.reshape(ops.matmul(lines, weights), (-1, channels, size, size))
    return ops.transpose(resized, (0, 3, 2, 1))


@functools.lru_cache(maxsize=32)
def resizing_weights(before: int, after: int) -> np.ndarray:
    """Returns the weight of each old pixel in each new one, (after, before) float64.

    A triangle as wide as two pixels, old or new, whichever are larger, is centred on each new
    pixel. Rows add up to 1. Both ends are treated alike, exactly.

    >>> resizing_weights(4, 2).tolist()[0]
    [0.42857142857142855, 0.42857142857142855, 0.14285714285714285, 0.0]
    """
    centres = (np.arange(after) + 0.5) * before / after
    pixels = np.arange(before) + 0.5
    width = max(1.0, before / after)
    weights = np.maximum(0.0, 1.0 - abs(pixels - centres[:, np.newaxis]) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    return (weights + weights[::-1, ::-1]) / 2
