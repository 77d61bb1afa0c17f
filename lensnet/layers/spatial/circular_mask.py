"""Keeping what lies within a map's inscribed disk."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.folding.arrays import multiply
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.spatial.inscribed_disk import inscribed_disk

__all__ = ["CircularMask"]


@keras.saving.register_keras_serializable(package="lensnet")
class CircularMask(keras.layers.Layer):
    """Sets what lies outside a map's inscribed disk to zero.

    Rotating a square image by an angle that is not a multiple of 90 degrees moves its corners out
    of sight and brings others in. A network that is to be invariant at any angle must not see them.
    With R half of the map's shorter side, a pixel whose centre lies at radius r is multiplied by 1
    for `r <= R`; with an edge of width w, by `(1 + cos(pi (r - R + w) / w)) / 2` for `R - w < r <
    R`, by 1 within and 0 beyond, so that rotated pixels do not flicker across the edge. (Weiler &
    Cesa 2019, arXiv:1911.08251, mask their inputs alike; the raised cosine is our choice.)

    The mask is symmetric under every rotation and reflection of the grid.

    Args:
        edge_width_pixels: over how many pixels the mask falls from 1 to 0, inwards from R; 0 for
            a hard edge.

    Input shape:
        (batch, height, width, channels).

    Output shape:
        that of the input.

    Raises:
        ValueError: a negative width, or a map whose size is not known.

    Example:

    >>> import keras
    >>> masked = CircularMask()(keras.ops.ones((1, 4, 4, 1)))
    >>> print(keras.ops.convert_to_numpy(masked)[0, :, :, 0])
    [[0. 1. 1. 0.]
     [1. 1. 1. 1.]
     [1. 1. 1. 1.]
     [0. 1. 1. 0.]]
    """

    def __init__(self, edge_width_pixels: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if edge_width_pixels < 0:
            raise ValueError(f"edge_width_pixels is 0 or more; got {edge_width_pixels!r}.")
        self.edge_width_pixels = edge_width_pixels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        height, width = input_shape[1:3]
        if height is None or width is None:
            raise ValueError(f"{self.name}: the map's size must be known; got {input_shape}.")
        self._size = (height, width)

    def call(self, inputs: Any) -> Any:
        disk = inscribed_disk(*self._size, self.edge_width_pixels)
        return inputs * ops.cast(disk[None, :, :, None], inputs.dtype)

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        disk = inscribed_disk(*self._size, self.edge_width_pixels)
        return multiply(graph, self, inputs, disk[:, :, None])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "edge_width_pixels": self.edge_width_pixels}
