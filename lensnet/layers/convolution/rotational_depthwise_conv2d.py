"""Depthwise convolution that takes the maximum over the rotations of its filters."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.cpu_kernels import depthwise_convolution
from lensnet.layers.convolution.base_conv import SymmetricConv2D
from lensnet.layers.convolution.filter_rotation import filter_rotations
from lensnet.layers.field_layout import channels_of
from lensnet.layers.folding.arrays import to_numpy, to_source
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.plain_convolutions import maximum

__all__ = ["RotationalDepthwiseConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class RotationalDepthwiseConv2D(SymmetricConv2D):
    """Convolves each channel with every rotation of its filter and keeps the largest response.

    `out[c] = max_k conv(x[c], rotate(w[c], k)) + b[c]`: `RotationalConv2D` with `rotate="filters"`,
    channel by channel, as depthwise separable networks need it (Howard et al. 2017,
    arXiv:1704.04861, section 3.1, for the plain one). Rotating the input rotates the output, and
    the features stay scalar.

    How filters rotate, and how exactly, is said in `RotationalConv2D`. The weights are those of
    `keras.layers.DepthwiseConv2D`, without a depth multiplier.

    Args:
        kernel_size: side of the square filters, in pixels.
        rotations: number of rotations, 360 / rotations degrees apart.
        circular_mask: keep only the filters' taps within their inscribed circle. Default: where
            filters are interpolated.
        strides, padding, dilation_rate, use_bias, bias_initializer, bias_regularizer: as in
            `RotationalConv2D`.
        depthwise_initializer, depthwise_regularizer: as in `keras.layers.DepthwiseConv2D`.

    Input shape:
        (batch, height, width, channels).

    Output shape:
        (batch, new height, new width, channels).

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> import keras
    >>> images = keras.random.normal((2, 33, 33, 6))
    >>> tuple(RotationalDepthwiseConv2D(3, strides=2)(images).shape)
    (2, 17, 17, 6)
    """

    def __init__(
        self,
        kernel_size: int,
        rotations: int = 4,
        circular_mask: bool | None = None,
        depthwise_initializer: Any = "glorot_uniform",
        depthwise_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(kernel_size, **kwargs)
        if not isinstance(rotations, int) or rotations < 1:
            raise ValueError(f"rotations is a positive integer; got {rotations!r}.")
        self.rotations = rotations
        self.circular_mask = circular_mask
        self.depthwise_initializer = keras.initializers.get(depthwise_initializer)
        self.depthwise_regularizer = keras.regularizers.get(depthwise_regularizer)

    def output_channels(self, input_channels: int | None) -> int | None:
        return input_channels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = channels_of(input_shape, self.name)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, channels, 1),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
        )
        self.bias = self.add_bias(channels)

    def rotated_kernels(self) -> Any:
        """The filters in each of their rotations.

        Returns:
            tensor of shape (rotations, kernel_size, kernel_size, channels, 1).
        """
        size, channels = self.kernel_size, self.kernel.shape[2]
        masked = self.circular_mask
        if masked is None:
            masked = 4 % self.rotations != 0
        matrices = filter_rotations(size, self.rotations, masked)
        taps = ops.reshape(self.kernel, (size * size, channels))
        rotated = ops.matmul(ops.cast(matrices, self.compute_dtype), taps)
        return ops.reshape(rotated, (self.rotations, size, size, channels, 1))

    def call(self, inputs: Any) -> Any:
        first, *others = (
            self.convolve(inputs, kernel, depthwise_convolution)
            for kernel in ops.unstack(self.rotated_kernels(), self.rotations)
        )
        outputs = first
        for response in others:
            outputs = ops.maximum(outputs, response)
        return outputs if self.bias is None else outputs + self.bias

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        padded, padding = self.fold_padding(graph, inputs)
        source, permutation = graph.source(padded)
        bias = to_source(to_numpy(self.bias), permutation)
        responses = []
        for k, kernel in enumerate(ops.unstack(self.rotated_kernels(), self.rotations)):
            kernel = to_source(to_numpy(kernel), permutation, axis=2)
            name = f"{self.name}.turned{k}"
            responses.append(
                self.fold_depthwise_convolution(graph, (source, padding), kernel, bias, name)
            )
        return graph.permute(maximum(graph, self, responses), permutation)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rotations": self.rotations,
            "circular_mask": self.circular_mask,
            "depthwise_initializer": keras.initializers.serialize(self.depthwise_initializer),
            "depthwise_regularizer": keras.regularizers.serialize(self.depthwise_regularizer),
        }
