"""Convolution that takes the maximum over the right-angle rotations of a rectangular filter."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.convolution.base_rectangular_conv import RectangularConv2D, rotated_taps
from lensnet.layers.field_layout import channels_of
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.plain_convolutions import maximum
from lensnet.symmetry import Group

__all__ = ["RotationalRectangularConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class RotationalRectangularConv2D(RectangularConv2D):
    """Convolves with every right-angle rotation of a rectangle, keeps the largest response.

    `out = max_k conv(x, rotate(w, k)) + b`, as `RotationalConv2D` with `rotate="filters"`: the
    counterpart, for scalar features, of convolutions of 1x7 and 7x1 pixels (Szegedy et al. 2016,
    arXiv:1512.00567, section 3.2). Rotating the input rotates the output, exactly. The weights are
    those of `keras.layers.Conv2D`.

    Args:
        filters: number of filters and of output channels.
        kernel_size: height and width, in pixels, of the filter before it is rotated.
        rotations: 1, 2 or 4: the filter is rotated by multiples of `360 / rotations` degrees.
        padding: `"same"` or `"valid"`, see `RectangularConv2D`.
        use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as
            in `keras.layers.Conv2D`.

    Input shape:
        (batch, height, width, channels).

    Output shape:
        (batch, new height, new width, filters).

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> import keras
    >>> images = keras.random.normal((2, 17, 17, 6))
    >>> tuple(RotationalRectangularConv2D(8, (1, 7))(images).shape)
    (2, 17, 17, 8)
    """

    def __init__(
        self, filters: int, kernel_size: tuple[int, int], rotations: int = 4, **kwargs: Any
    ):
        super().__init__(filters, kernel_size, **kwargs)
        if rotations not in (1, 2, 4):
            raise ValueError(
                "A rectangle of pixels can be rotated by right angles alone: rotations is 1, 2 or "
                f"4; got {rotations!r}. For others use a RotationalConv2D with a square filter."
            )
        self.rotations = rotations
        self.check_centre()

    @property
    def quarter_turns(self) -> bool:
        return self.rotations == 4

    def output_channels(self) -> int:
        return self.filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, channels_of(input_shape, self.name), self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_bias()

    def rotated_kernels(self) -> list[Any]:
        """The filter in each of its rotations.

        Returns:
            `rotations` tensors of shape (height, width, channels in, filters) and, of the odd
            quarter turns, (width, height, channels in, filters).
        """
        kernel = ops.convert_to_tensor(self.kernel)
        *_, channels, filters = kernel.shape
        rows = ops.reshape(kernel, (-1, channels * filters))
        group = Group(self.rotations)
        taps_by_rotation = [
            rotated_taps(group, k, *self.kernel_size) for k in range(self.rotations)
        ]
        return [
            ops.reshape(ops.take(rows, taps.reshape(-1), axis=0), (*taps.shape, channels, filters))
            for taps in taps_by_rotation
        ]

    def call(self, inputs: Any) -> Any:
        first, *others = (self.convolve(inputs, kernel) for kernel in self.rotated_kernels())
        outputs = first
        for response in others:
            outputs = ops.maximum(outputs, response)
        return outputs if self.bias is None else outputs + self.bias

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        responses = [
            self.fold_convolution(graph, inputs, kernel, self.bias, f"{self.name}.turned{k}")
            for k, kernel in enumerate(self.rotated_kernels())
        ]
        return maximum(graph, self, responses)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rotations": self.rotations}
