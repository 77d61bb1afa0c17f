"""Antialiased downsampling whose output lies symmetrically on its input."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.field_layout import channels_of
from lensnet.layers.folding.arrays import multiply
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["SymmetricDownsample2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class SymmetricDownsample2D(keras.layers.Layer):
    """Blurs a map and keeps every n-th place, centred on the map whatever its parity.

    Each channel is blurred by a binomial filter, which takes out what the coarser grid cannot
    hold, and then sampled (Zhang 2019, arXiv:1904.11486, section 3.2). A side of n pixels becomes
    `m = ceil(n / strides)`, as with Keras's `"same"` padding. The m places lie symmetrically
    about the map's centre, `(n - 1) / 2 + strides (i - (m - 1) / 2)`: on pixels if `n - 1 -
    strides (m - 1)` is even, else halfway between two. The filter follows: an odd number of taps
    in the first case, an even one in the second. At stride 2 that is odd for odd maps, n -> (n +
    1) / 2, and even for even ones, n -> n / 2. Rotating a square map by 90 degrees or reflecting it
    then rotates or reflects the result, exactly, at every size.

    Deviations from the paper: the filter follows the parity, and at the edge the taps that fall
    outside the map are left out and the others raised to a sum of 1, where the paper reflects the
    map; a constant map stays constant either way.

    Args:
        strides: of the output, in pixels.
        window_size: taps of the filter along a side, at most; one more where the parity asks for
            it. Default: `2 * strides - 1`, so 3 or 4 at stride 2. The paper's Rect-2, Tri-3 and
            Bin-5 are 2, 3 and 5.

    Input shape:
        (batch, height, width, channels), of any kind of features.

    Output shape:
        (batch, ceil(height / strides), ceil(width / strides), channels).

    Raises:
        ValueError: an argument is not a positive integer, or the map's size is not known.

    Example:

    >>> import keras
    >>> [tuple(SymmetricDownsample2D()(keras.ops.ones((1, n, n, 8))).shape) for n in (8, 9)]
    [(1, 4, 4, 8), (1, 5, 5, 8)]
    """

    fold_transparent = True

    def __init__(self, strides: int = 2, window_size: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        for name, value in (("strides", strides), ("window_size", window_size)):
            if value is None and name == "window_size":
                continue
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is a positive number of pixels; got {value!r}.")
        self.strides = strides
        self.window_size = window_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._channels = channels_of(input_shape, self.name)
        height, width = input_shape[1:3]
        if height is None or width is None:
            raise ValueError(
                f"{self.name}: the filter follows the parity of the map's size, which must be "
                f"known; got {input_shape}."
            )
        self._rows, self._columns = self._steps(height), self._steps(width)

    def _steps(self, size: int) -> _Steps:
        return _steps(size, self.strides, self.window_size or 2 * self.strides - 1)

    def call(self, inputs: Any) -> Any:
        rows, columns = self._rows, self._columns
        inputs = inputs[:, rows.inside, columns.inside, :]
        if rows.pad_pixels or columns.pad_pixels:
            sides = ((rows.pad_pixels,) * 2, (columns.pad_pixels,) * 2)
            inputs = ops.pad(inputs, ((0, 0), *sides, (0, 0)))
        taps = np.multiply.outer(rows.taps, columns.taps)
        kernel = np.tile(taps[:, :, None, None], (1, 1, self._channels, 1))
        outputs = ops.depthwise_conv(
            inputs,
            ops.cast(kernel, inputs.dtype),
            strides=self.strides,
            padding="valid",
            data_format="channels_last",
        )
        sums = np.multiply.outer(rows.sums, columns.sums)
        if (sums == 1).all():
            return outputs
        return outputs * ops.cast(1 / sums[None, :, :, None], inputs.dtype)

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        rows, columns = self._rows, self._columns
        options = {"data_format": "channels_last", "dtype": self.dtype_policy}
        _, height, width, channels = inputs.shape
        crop = (
            (rows.inside.start, height - rows.inside.stop),
            (columns.inside.start, width - columns.inside.stop),
        )
        x = inputs
        if any(map(any, crop)):
            cropping = keras.layers.Cropping2D(crop, name=f"{self.name}.crop", **options)
            x = graph.add_channelwise(cropping, x)
        pads = (rows.pad_pixels, columns.pad_pixels)
        if any(pads):
            padding = keras.layers.ZeroPadding2D(pads, name=f"{self.name}.pad", **options)
            x = graph.add_channelwise(padding, x)
        taps = np.multiply.outer(rows.taps, columns.taps).astype("float32")
        sums = np.multiply.outer(rows.sums, columns.sums).astype("float32")
        blur = keras.layers.DepthwiseConv2D(
            taps.shape, strides=self.strides, use_bias=False, name=self.name, **options
        )
        kernel = np.tile(taps[:, :, None, None], (1, 1, channels, 1))
        x = graph.add_channelwise(blur, x, weights=[kernel])
        if (sums != 1).any():
            x = multiply(graph, self, x, 1 / sums[:, :, None])
        # A constant stays constant, so that a scale and an offset may as well come before.
        return graph.propagate_fusable(inputs, x)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        sides = (None if side is None else -(-side // self.strides) for side in input_shape[1:3])
        return (input_shape[0], *sides, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "strides": self.strides,
            "window_size": self.window_size,
        }


@dataclass(frozen=True)
class _Steps:
    """How a filter steps along one side of a map.

    Args:
        taps: the filter, of sum 1.
        pad_pixels: zeros added on either side.
        inside: the pixels that a filter sees; a short one misses some at both ends.
        sums: the sum of the taps that lie on the map, at each step.
    """

    taps: np.ndarray
    pad_pixels: int
    inside: slice
    sums: np.ndarray


@functools.cache
def _steps(size: int, strides: int, window_size: int) -> _Steps:
    outputs = -(-size // strides)
    # Between the first place and the map's edge, in half pixels.
    margin = size - 1 - strides * (outputs - 1)
    window = window_size + (window_size - 1 - margin) % 2
    pad = (window - 1 - margin) // 2
    taps = np.array([math.comb(window - 1, tap) for tap in range(window)]) / 2.0 ** (window - 1)
    inside = slice(-pad, size + pad) if pad < 0 else slice(0, size)
    on_map = np.pad(np.ones(size)[inside], max(pad, 0))
    starts = strides * np.arange(outputs)
    sums = np.array([(taps * on_map[start : start + window]).sum() for start in starts])
    return _Steps(taps, max(pad, 0), inside, sums)
