"""Group convolution: a filter for every element of the group, from one set of weights."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.block_convolution import block_convolution
from lensnet.layers.convolution.base_conv import SymmetricGroupedConv2D
from lensnet.layers.convolution.group_filters import GroupFilters
from lensnet.layers.field_layout import channels_of, to_channels
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.symmetry import Group

__all__ = ["GroupConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupConv2D(SymmetricGroupedConv2D):
    """Convolves over the plane and over a group of rotations and reflections.

    On an image set `lifting=True`. Without it the channels are read as regular fields of the group,
    |G| channels each, and nothing can tell that they are bands: four bands are one field of c4, and
    eight are two, without a word, and the layer is equivariant to what no image does.

    Each filter is applied in every orientation of the group and gives one regular field: |G|
    channels that permute when the image is rotated. `out[x, h] = b + sum_(y, j) in[y, j]
    w(h^-1 (y - x), h^-1 j)` (Cohen & Welling 2016, arXiv:1602.07576, equations 10 and 11).
    Transforming the input by g transforms the output by g: `out'[x, h] = out[g^-1 x, g^-1 h]`.

    Of c4, d4 and their subgroups the weights are the filter's taps, which rotate exactly. Of other
    groups, such as c8 and d16, the filter is a sum of circular harmonics that is sampled in every
    orientation (`lensnet.circular_harmonics`; Weiler & Cesa 2019, arXiv:1911.08251): rotations
    by 90 degrees are exact, those between approximate, and filters of 5x5 do what 3x3 do in a
    plain network. A pointwise filter (kernel_size 1) is exact for every group.

    Computed as one plain convolution whose kernel is the expanded filter. Where the filter covers
    the whole map, the map is rotated instead, which is the same sum without the large kernel.

    The symmetry is exact where every step of the stride fits: `(size + 2 padding - extent) %
    strides == 0` along both sides, with the padding of `"same"` `(extent - 1) / 2` on every side.

    Args:
        filters: number of filters, and so of output fields; the output has `filters * |G|`
            channels, `channel = field * |G| + element`.
        kernel_size: side of the square filters, in pixels.
        group: `"c4"`, `"d4"`, `"c8"`, `"d8"` and so on.
        lifting: whether the input is an image, whose channels do not change places when it is
            rotated; otherwise it is a stack of regular fields of `group`.
        groups: number of groups that the input's fields and the filters are cut into, each group
            of filters seeing its group of fields only. With `lifting`, of channels.
        strides: of the output, in pixels.
        padding: `"same"` (symmetric, see `SymmetricConv2D`) or `"valid"`.
        dilation_rate: spacing of the filter's taps.
        use_bias: adds one bias a field.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as in
            `keras.layers.Conv2D`; they see the filter's own weights, shape (kernel_size,
            kernel_size, elements in, fields in / groups, filters), or (basis functions, elements
            in, fields in / groups, filters).

    Input shape:
        (batch, height, width, channels); channels is fields * |G| unless `lifting`.

    Output shape:
        (batch, new height, new width, filters * |G|).

    Raises:
        ValueError: an argument is out of range, the input's channels are not whole fields, or
            fields or filters cannot be cut into `groups`.

    Example:

    >>> import keras
    >>> images = keras.random.normal((2, 65, 65, 1))
    >>> x = GroupConv2D(8, 5, "c8", lifting=True)(images)
    >>> tuple(GroupConv2D(16, 5, "c8", strides=2)(x).shape)
    (2, 33, 33, 128)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        group: str,
        lifting: bool = False,
        groups: int = 1,
        **kwargs: Any,
    ):
        super().__init__(filters, kernel_size, groups=groups, **kwargs)
        self.group = str(group)
        self.lifting = lifting
        self._group = Group.parse(self.group)
        self._filters = GroupFilters(self._group, kernel_size)

    def output_channels(self, input_channels: int | None) -> int | None:
        return self.filters * self._group.order

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = channels_of(input_shape, self.name)
        elements_in = 1 if self.lifting else self._group.order
        if channels % elements_in:
            raise ValueError(
                f"{self.name}: on an image set lifting=True; without it the channels are read as "
                f"regular fields of {self.group}, {elements_in} channels each (so that "
                f"{elements_in} bands would be one field, without a word). The input has "
                f"{channels} channels, which are not whole fields of {self.group}."
            )
        fields = channels // elements_in
        fields_in = self.cut_into_groups(fields, "fields")
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self._filters.shape(), elements_in, fields_in, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            # In half precision too the filter is rotated in full, and rounded once.
            autocast=False,
        )
        self.bias = self.add_bias(self.filters)

    def expanded_kernel(self) -> Any:
        """The kernel of the equal plain convolution.

        Returns:
            tensor of shape (kernel_size, kernel_size, channels in / groups, filters * |G|).
        """
        return self._filters.expand(self.kernel)

    def expanded_bias(self) -> Any:
        """The bias of the equal plain convolution, shape (filters * |G|,), or None."""
        return to_channels(self.bias, self._group)

    def call(self, inputs: Any) -> Any:
        if self.groups > 1:
            operation = functools.partial(block_convolution, groups=self.groups)
            outputs = self.convolve(inputs, self.expanded_kernel(), operation)
        elif self.is_full_map(inputs):
            outputs = self._filters.convolve_full_map(
                inputs, ops.cast(self.kernel, self.compute_dtype)
            )
        else:
            outputs = self.convolve(inputs, self.expanded_kernel())
        return outputs if self.bias is None else outputs + self.expanded_bias()

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        padded = self.fold_padding(graph, inputs)
        kernel, bias = self.expanded_kernel(), self.expanded_bias()
        return self.fold_convolution(graph, padded, kernel, bias, self.name, groups=self.groups)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "group": self.group,
            "lifting": self.lifting,
        }
