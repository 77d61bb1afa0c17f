"""What the convolutions with rectangular filters share: arguments, rotation and padding."""

from __future__ import annotations

import functools
from abc import abstractmethod
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.plain_convolutions import plain_convolution
from lensnet.symmetry import Group

__all__ = ["RectangularConv2D", "rotated_taps"]


@functools.cache
def rotated_taps(group: Group, element: int, height: int, width: int) -> np.ndarray:
    """Where each tap of a rotated rectangular filter comes from.

    Args:
        group: a group that maps the pixel grid onto itself.
        element: the element that rotates the filter.
        height, width: of the filter, in pixels.

    Returns:
        int32 array of shape (height, width), or (width, height) after a quarter turn: the number
        of the tap, in rows, that comes to stand there.

    Example:

    >>> rotated_taps(Group(4), 1, 1, 3).tolist()
    [[2], [1], [0]]
    """
    taps = np.arange(height * width, dtype="int32").reshape(height, width, 1)
    rotated = np.ascontiguousarray(group.transform(taps, element)[..., 0])
    rotated.setflags(write=False)
    return rotated


class RectangularConv2D(keras.layers.Layer):
    """Base of the convolutions whose filters are rectangles, rotated by right angles at stride 1.

    A rectangle that is rotated by 90 degrees covers other pixels than before. With `"same"` every
    orientation is padded on its own sides and all outputs have the input's size. With `"valid"`
    an output pixel is one at which the rectangle fits in every orientation, so that outputs are
    those of a square filter of the longer side.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: tuple[int, int],
        padding: str = "same",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        name = type(self).__name__
        if not isinstance(filters, int) or filters < 1:
            raise ValueError(f"{name} takes filters as one positive integer; got {filters!r}.")
        sides = tuple(kernel_size) if isinstance(kernel_size, (tuple, list)) else ()
        if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
            raise ValueError(
                f"{name} takes kernel_size as two positive integers, the filter's height and "
                f"width; got {kernel_size!r}. For a square filter there are GroupConv2D and "
                "RotationalConv2D."
            )
        if padding not in ("same", "valid"):
            raise ValueError(f'padding is "same" or "valid"; got {padding!r}.')
        if padding == "same" and not all(side % 2 for side in sides):
            raise ValueError(
                f'A filter with an even side ({sides[0]} x {sides[1]}) cannot be padded "same" on '
                'all sides alike, which symmetry needs. Use odd sides or padding="valid".'
            )
        self.filters = filters
        self.kernel_size = sides
        self.padding = padding
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)

    @property
    @abstractmethod
    def quarter_turns(self) -> bool:
        """Whether filters are rotated by 90 degrees too, and not by 180 alone."""

    @abstractmethod
    def output_channels(self) -> int:
        """Channels of the output."""

    def check_centre(self) -> None:
        """Asks that the filter's centre stays on one grid when the filter is rotated.

        Raises:
            ValueError: one side is odd and the other even, and quarter turns exchange them.
        """
        height, width = self.kernel_size
        if self.quarter_turns and (height - width) % 2:
            raise ValueError(
                f"A filter of {height} x {width} pixels cannot be rotated by 90 degrees: its "
                "centre would move by half a pixel. Use two odd sides or two even ones."
            )

    def add_bias(self) -> Any:
        """Makes the bias's variable, one a filter, or None."""
        if not self.use_bias:
            return None
        return self.add_weight(
            name="bias",
            shape=(self.filters,),
            initializer=self.bias_initializer,
            regularizer=self.bias_regularizer,
        )

    def crop_pixels(self, kernel: Any) -> tuple[int, int]:
        """What a convolution with one orientation of the filter leaves out of the input.

        Args:
            kernel: shape (height, width, ...), of this orientation.

        Returns:
            rows at the top and at the bottom, columns on the left and on the right. Not zero only
            with `"valid"`, where another orientation needs those pixels.
        """
        if self.padding == "same" or not self.quarter_turns:
            return (0, 0)
        longer = max(self.kernel_size)
        return ((longer - kernel.shape[0]) // 2, (longer - kernel.shape[1]) // 2)

    def convolve(self, inputs: Any, kernel: Any) -> Any:
        """A plain convolution with one orientation of the filter, cast to the compute dtype."""
        rows, columns = self.crop_pixels(kernel)
        if rows:
            inputs = inputs[:, rows:-rows]
        if columns:
            inputs = inputs[:, :, columns:-columns]
        return ops.conv(
            inputs,
            ops.cast(kernel, self.compute_dtype),
            padding=self.padding,
            data_format="channels_last",
        )

    def fold_convolution(
        self, graph: FoldedGraph, inputs: Any, kernel: Any, bias: Any, name: str
    ) -> Any:
        """What `convolve` becomes when the layer is folded.

        Args:
            graph, inputs: as of `fold`.
            kernel, bias: of one orientation, as plain ones; the bias may be None.
            name: of the stock layer.
        """
        crop = self.crop_pixels(kernel)
        if any(crop):
            cropping = keras.layers.Cropping2D(
                crop, data_format="channels_last", dtype=self.dtype_policy, name=f"{name}.crop"
            )
            inputs = graph.add_channelwise(cropping, inputs)
        kernel, bias = to_numpy(kernel), to_numpy(bias)
        return plain_convolution(graph, self, inputs, kernel, bias, name, padding=self.padding)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sides, _ = input_shape
        if self.padding == "valid":
            extents = 2 * [max(self.kernel_size)] if self.quarter_turns else self.kernel_size
            sides = [
                None if side is None else side - extent + 1
                for side, extent in zip(sides, extents, strict=True)
            ]
        return (batch, *sides, self.output_channels())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "padding": self.padding,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }
