"""Separable group convolution: depthwise over the plane, then pointwise over fields and group."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.cpu_kernels import depthwise_convolution
from lensnet.layers.convolution.base_conv import SymmetricConv2D
from lensnet.layers.convolution.group_filters import GroupFilters
from lensnet.layers.field_layout import count_fields
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.plain_convolutions import plain_convolution
from lensnet.symmetry import Group

__all__ = ["GroupSeparableConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupSeparableConv2D(SymmetricConv2D):
    """Convolves each field over the plane, then mixes fields and orientations in every pixel.

    A `GroupDepthwiseConv2D` without bias followed by a pointwise `GroupConv2D`, as one layer with
    two kernels: `out[x, h] = b + sum_(i, j) v_i(h^-1 j) sum_y in_i[y, j] w_i(j^-1 (y - x))`, with
    i the input's fields. The filter of a `GroupConv2D` is here a product of one in the plane and
    one on the group (Lengyel & van Gemert 2021, "Exploiting Learned Symmetries in Group
    Equivariant Convolutions", arXiv:2106.04914, section 3.2; plain: Chollet 2017,
    arXiv:1610.02357). It takes about kernel_size^2 times fewer multiplications, where channels
    are many.

    How filters rotate, and how exactly, is said in `GroupConv2D`. The pointwise step is exact for
    every group. Deviations from `keras.layers.SeparableConv2D`: no depth multiplier, and those
    of `GroupDepthwiseConv2D`.

    Args:
        filters: number of filters, and so of output fields.
        kernel_size: side of the square filters in the plane, in pixels.
        group: the fields' group, such as `"d4"` or `"c8"`.
        strides, padding, dilation_rate: of the depthwise step, as in `GroupConv2D`.
        use_bias: adds one bias an output field.
        depthwise_initializer, pointwise_initializer, bias_initializer, depthwise_regularizer,
            pointwise_regularizer, bias_regularizer: as in `keras.layers.SeparableConv2D`; they see
            `depthwise_kernel`, shape (kernel_size, kernel_size, 1, fields in) or (basis functions,
            1, fields in), and `pointwise_kernel`, shape (1, 1, |G|, fields in, filters).

    Input shape:
        (batch, height, width, fields * |G|).

    Output shape:
        (batch, new height, new width, filters * |G|).

    Raises:
        ValueError: an argument is out of range, or the channels are not whole fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((2, 33, 33, 24))
    >>> tuple(GroupSeparableConv2D(16, 5, "c8", strides=2)(x).shape)
    (2, 17, 17, 128)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        group: str,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(kernel_size, **kwargs)
        self.check_positive(filters=filters)
        self.filters = filters
        self.group = str(group)
        self.depthwise_initializer = keras.initializers.get(depthwise_initializer)
        self.pointwise_initializer = keras.initializers.get(pointwise_initializer)
        self.depthwise_regularizer = keras.regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = keras.regularizers.get(pointwise_regularizer)
        self._group = Group.parse(self.group)
        self._depthwise_filters = GroupFilters(self._group, kernel_size)
        self._pointwise_filters = GroupFilters(self._group, 1)

    def output_channels(self, input_channels: int | None) -> int | None:
        return self.filters * self._group.order

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        fields = count_fields(input_shape, self._group, self.name)
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(*self._depthwise_filters.shape(), 1, fields),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            autocast=False,
        )
        self.pointwise_kernel = self.add_weight(
            name="pointwise_kernel",
            shape=(1, 1, self._group.order, fields, self.filters),
            initializer=self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            autocast=False,
        )
        self.bias = self.add_bias(self.filters)

    def expanded_depthwise_kernel(self) -> Any:
        """The first kernel of the equal plain layer, (kernel_size, kernel_size, channels in, 1)."""
        return self._depthwise_filters.expand_depthwise(self.depthwise_kernel)

    def expanded_pointwise_kernel(self) -> Any:
        """The second kernel of the equal plain layer, (1, 1, channels in, filters * |G|)."""
        return self._pointwise_filters.expand(self.pointwise_kernel)

    def expanded_bias(self) -> Any:
        """The bias of the equal plain layer, shape (filters * |G|,), or None."""
        return None if self.bias is None else ops.repeat(self.bias, self._group.order)

    def call(self, inputs: Any) -> Any:
        x = self.convolve(inputs, self.expanded_depthwise_kernel(), depthwise_convolution)
        kernel = ops.cast(self.expanded_pointwise_kernel(), self.compute_dtype)
        outputs = ops.conv(x, kernel, padding="valid", data_format="channels_last")
        return outputs if self.bias is None else outputs + self.expanded_bias()

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        # As quick as one SeparableConv2D, which does the same two steps.
        kernel, name = self.expanded_depthwise_kernel(), f"{self.name}.depthwise"
        padded = self.fold_padding(graph, inputs)
        x = self.fold_depthwise_convolution(graph, padded, kernel, None, name, is_last=False)
        kernel, bias = to_numpy(self.expanded_pointwise_kernel()), to_numpy(self.expanded_bias())
        return plain_convolution(graph, self, x, kernel, bias, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "group": self.group,
            "depthwise_initializer": keras.initializers.serialize(self.depthwise_initializer),
            "pointwise_initializer": keras.initializers.serialize(self.pointwise_initializer),
            "depthwise_regularizer": keras.regularizers.serialize(self.depthwise_regularizer),
            "pointwise_regularizer": keras.regularizers.serialize(self.pointwise_regularizer),
        }
