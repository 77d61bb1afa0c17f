"""Group convolution: a filter for every element of the group, from one set of weights."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.block_convolution import block_convolution
from lensnet.layers.convolution.base_conv import SymmetricConv2D, channels_of
from lensnet.layers.convolution.group_filters import GroupFilters
from lensnet.symmetry import Group

__all__ = ["GroupConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupConv2D(SymmetricConv2D):
    """Convolves over the plane and over a group of rotations and mirrorings.

    Each filter is applied in every orientation of the group and gives one regular field: |G|
    channels that permute when the image is turned. `out[x, h] = b + sum_(y, j) in[y, j]
    w(h^-1 (y - x), h^-1 j)` (Cohen & Welling 2016, arXiv:1602.07576, equations 10 and 11).
    Transforming the input by g transforms the output by g: `out'[x, h] = out[g^-1 x, g^-1 h]`.

    Of c4, d4 and their subgroups the weights are the filter's taps, which turn exactly. Of other
    groups, such as c8 and d16, the filter is a sum of circular harmonics that is sampled in every
    orientation (`lensnet.circular_harmonics`; Weiler & Cesa 2019, arXiv:1911.08251): turns
    by 90 degrees are exact, those between approximate, and filters of 5x5 do what 3x3 do in a
    plain network. A pointwise filter (kernel_size 1) is exact for every group.

    Computed as one plain convolution whose kernel is the expanded filter. Where the filter covers
    the whole map, the map is turned instead, which is the same sum without the large kernel.

    The symmetry is exact where every step of the stride fits: `(size + 2 padding - extent) %
    strides == 0` along both sides, with the padding of `"same"` `(extent - 1) / 2` on every side.

    Args:
        filters: number of filters, and so of output fields; the output has `filters * |G|`
            channels, `channel = field * |G| + element`.
        kernel_size: side of the square filters, in pixels.
        group: `"c4"`, `"d4"`, `"c8"`, `"d8"` and so on.
        lifting: whether the input is an image, whose channels do not change places when it is
            turned; otherwise it is a stack of regular fields of `group`.
        groups: number of groups that the input's fields and the filters are cut into, each group
            of filters seeing its group of fields only. With `lifting`, of channels.
        strides: step of the output, in pixels.
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
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(kernel_size, **kwargs)
        self.check_positive(filters=filters, groups=groups)
        if filters % groups:
            raise ValueError(f"{filters} filters cannot be cut into {groups} groups.")
        self.filters = filters
        self.group = str(group)
        self.lifting = lifting
        self.groups = groups
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self._group = Group.parse(self.group)
        self._filters = GroupFilters(self._group, kernel_size)

    def output_channels(self, input_channels: int | None) -> int | None:
        return self.filters * self._group.order

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = channels_of(input_shape, self.name)
        elements_in = 1 if self.lifting else self._group.order
        if channels % elements_in:
            raise ValueError(
                f"{self.name}: the input has {channels} channels, which are not whole fields of "
                f"{self.group} ({elements_in} channels each). For an image, set lifting=True."
            )
        fields = channels // elements_in
        if fields % self.groups:
            raise ValueError(
                f"{self.name}: the input's {fields} fields cannot be cut into {self.groups} groups."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self._filters.shape(), elements_in, fields // self.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            # In half precision too the filter is turned in full, and rounded once.
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
        return None if self.bias is None else ops.repeat(self.bias, self._group.order)

    def call(self, inputs: Any) -> Any:
        if self.groups > 1:
            operation = functools.partial(block_convolution, groups=self.groups)
            outputs = self.convolve(inputs, self.expanded_kernel(), operation)
        elif self.covers(inputs):
            outputs = self._filters.cover(inputs, ops.cast(self.kernel, self.compute_dtype))
        else:
            outputs = self.convolve(inputs, self.expanded_kernel())
        return outputs if self.bias is None else outputs + self.expanded_bias()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "group": self.group,
            "lifting": self.lifting,
            "groups": self.groups,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
