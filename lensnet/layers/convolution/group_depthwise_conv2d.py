"""Depthwise group convolution: one filter a field, in every orientation of the group."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.cpu_kernels import depthwise_convolution
from lensnet.layers.convolution.base_conv import SymmetricConv2D
from lensnet.layers.convolution.group_filters import GroupFilters
from lensnet.layers.field_layout import count_fields
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.symmetry import Group

__all__ = ["GroupDepthwiseConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupDepthwiseConv2D(SymmetricConv2D):
    """Convolves each channel of a field with its own orientation of the field's filter.

    `out[x, h] = b + sum_y in[y, h] w(h^-1 (y - x))` for every field, with a w and b of its own:
    the group convolution (Cohen & Welling 2016, arXiv:1602.07576, equation 11) of a filter that
    is zero but at its own field and at the identity, as depthwise separable convolutions of
    groups use it (Lengyel & van Gemert 2021, "Exploiting Learned Symmetries in Group Equivariant
    Convolutions", arXiv:2106.04914). It has |G| times fewer weights than a plain depthwise
    convolution of as many channels.

    How filters rotate, and how exactly, is said in `GroupConv2D`. Deliberate deviations from
    `keras.layers.DepthwiseConv2D`: no depth multiplier; and an initializer sees the taps of one
    filter as its fan-in, not the taps of all channels, so that `he_normal` keeps the variance.

    Args:
        kernel_size: side of the square filters, in pixels.
        group: the fields' group, such as `"d4"` or `"c8"`.
        strides, padding, dilation_rate: as in `GroupConv2D`.
        use_bias: adds one bias a field.
        depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer: as in
            `keras.layers.DepthwiseConv2D`; they see the filters' own weights, shape (kernel_size,
            kernel_size, 1, fields), or (basis functions, 1, fields).

    Input shape:
        (batch, height, width, fields * |G|).

    Output shape:
        (batch, new height, new width, fields * |G|).

    Raises:
        ValueError: an argument is out of range, or the channels are not whole fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((2, 33, 33, 24))
    >>> tuple(GroupDepthwiseConv2D(7, "d4", strides=2)(x).shape)
    (2, 17, 17, 24)
    """

    def __init__(
        self,
        kernel_size: int,
        group: str,
        depthwise_initializer: Any = "glorot_uniform",
        depthwise_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(kernel_size, **kwargs)
        self.group = str(group)
        self.depthwise_initializer = keras.initializers.get(depthwise_initializer)
        self.depthwise_regularizer = keras.regularizers.get(depthwise_regularizer)
        self._group = Group.parse(self.group)
        self._filters = GroupFilters(self._group, kernel_size)

    def output_channels(self, input_channels: int | None) -> int | None:
        return input_channels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        fields = count_fields(input_shape, self._group, self.name)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self._filters.shape(), 1, fields),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            autocast=False,
        )
        self.bias = self.add_bias(fields)

    def expanded_kernel(self) -> Any:
        """The kernel of the equal plain depthwise convolution.

        Returns:
            tensor of shape (kernel_size, kernel_size, channels, 1).
        """
        return self._filters.expand_depthwise(self.kernel)

    def expanded_bias(self) -> Any:
        """The bias of the equal plain convolution, shape (channels,), or None."""
        return None if self.bias is None else ops.repeat(self.bias, self._group.order)

    def call(self, inputs: Any) -> Any:
        outputs = self.convolve(inputs, self.expanded_kernel(), depthwise_convolution)
        return outputs if self.bias is None else outputs + self.expanded_bias()

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        padded = self.fold_padding(graph, inputs)
        kernel, bias = self.expanded_kernel(), self.expanded_bias()
        return self.fold_depthwise_convolution(graph, padded, kernel, bias, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "group": self.group,
            "depthwise_initializer": keras.initializers.serialize(self.depthwise_initializer),
            "depthwise_regularizer": keras.regularizers.serialize(self.depthwise_regularizer),
        }
