"""Group convolution: a filter for every element of the group, from one set of weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.filter_geometry import expansion_index
from lensnet.layers.symmetric_conv import SymmetricConv2D, channels_of
from lensnet.symmetry import Group

__all__ = ["GroupConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupConv2D(SymmetricConv2D):
    """Convolves over the plane and over a group of rotations and mirrorings.

    Each filter is applied in every orientation of the group and gives one regular field: |G|
    channels that permute when the image is turned. `out[x, h] = b + sum_(y, j) in[y, j]
    w(h^-1 (y - x), h^-1 j)` (Cohen & Welling 2016, arXiv:1602.07576, equations 10 and 11).
    Transforming the input by g transforms the output by g: `out'[x, h] = out[g^-1 x, g^-1 h]`.

    Computed as one plain convolution whose kernel is the expanded filter. Where the filter covers
    the whole map, the map is turned instead, which is the same sum without the large kernel.

    The symmetry is exact where every step of the stride fits: `(size + 2 padding - extent) %
    strides == 0` along both sides, with the padding of `"same"` `(extent - 1) / 2` on every side.

    Args:
        filters: number of filters, and so of output fields; the output has `filters * |G|`
            channels, `channel = field * |G| + element`.
        kernel_size: side of the square filters, in pixels.
        group: `"c4"`, `"d4"` or `"c2"`, `"d2"`, `"d1"`: groups that map the pixel grid onto
            itself.
        lifting: whether the input is an image, whose channels do not change places when it is
            turned; otherwise it is a stack of regular fields of `group`.
        strides: step of the output, in pixels.
        padding: `"same"` (symmetric, see `SymmetricConv2D`) or `"valid"`.
        dilation_rate: spacing of the filter's taps.
        use_bias: adds one bias a field.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as in
            `keras.layers.Conv2D`; they see the filter's own weights, shape (kernel_size,
            kernel_size, elements in, fields in, filters).

    Input shape:
        (batch, height, width, channels); channels is fields * |G| unless `lifting`.

    Output shape:
        (batch, new height, new width, filters * |G|).

    Raises:
        ValueError: the group does not map the grid onto itself, an argument is out of range, or
            the input's channels are not whole fields.

    Example:

    >>> import keras
    >>> images = keras.random.normal((2, 65, 65, 1))
    >>> x = GroupConv2D(8, 3, "c4", lifting=True)(images)
    >>> tuple(GroupConv2D(16, 3, "c4", strides=2)(x).shape)
    (2, 33, 33, 64)
    """

    def __init__(
        self, filters: int, kernel_size: int, group: str, lifting: bool = False, **kwargs: Any
    ):
        super().__init__(filters, kernel_size, **kwargs)
        self.group = str(group)
        self.lifting = lifting
        self._group = Group.parse(self.group)
        if not self._group.exact_on_grid:
            raise ValueError(
                f"GroupConv2D turns filters by multiples of 90 degrees; {self.group} turns by "
                f"{360 / self._group.rotations:g}. Use c4 or d4."
            )

    @property
    def output_channels(self) -> int:
        return self.filters * self._group.order

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = channels_of(input_shape, self.name)
        order = 1 if self.lifting else self._group.order
        if channels % order:
            raise ValueError(
                f"{self.name}: the input has {channels} channels, which are not whole fields of "
                f"{self.group} ({order} channels each). For an image, set lifting=True."
            )
        self._fields_in = channels // order
        self.kernel = self.add_kernel(
            (self.kernel_size, self.kernel_size, order, self._fields_in, self.filters)
        )
        self.bias = self.add_bias()

    def expanded_kernel(self) -> Any:
        """The kernel of the equal plain convolution.

        Returns:
            tensor of shape (kernel_size, kernel_size, channels in, filters * |G|).
        """
        size, order = self.kernel_size, self._group.order
        index = expansion_index(self._group, size, self.lifting)
        taps, elements_in, _ = index.shape
        rows = ops.reshape(self.kernel, (taps * elements_in, self._fields_in * self.filters))
        kernel = ops.take(rows, index.reshape(-1), axis=0)
        kernel = ops.reshape(kernel, (taps, elements_in, order, self._fields_in, self.filters))
        kernel = ops.transpose(kernel, (0, 3, 1, 4, 2))
        return ops.reshape(kernel, (size, size, -1, self.filters * order))

    def expanded_bias(self) -> Any:
        """The bias of the equal plain convolution, shape (filters * |G|,), or None."""
        return None if self.bias is None else ops.repeat(self.bias, self._group.order)

    def call(self, inputs: Any) -> Any:
        if self.covers(inputs):
            outputs = self._cover(inputs)
        else:
            outputs = self.convolve(inputs, self.expanded_kernel())
        return outputs if self.bias is None else outputs + self.expanded_bias()

    def _cover(self, inputs: Any) -> Any:
        """One output pixel: the map, turned back by every element, times the filter."""
        order = self._group.order
        index = expansion_index(self._group, self.kernel_size, self.lifting)
        taps, elements_in, _ = index.shape
        rows = ops.reshape(inputs, (-1, taps, self._fields_in, elements_in))
        rows = ops.transpose(rows, (0, 1, 3, 2))
        rows = ops.reshape(rows, (-1, taps * elements_in, self._fields_in))
        # The filter's row i stands at tap index^-1[i] of orientation h, so it meets that input.
        back = np.argsort(index.reshape(-1, order), axis=0).T.reshape(-1)
        rows = ops.reshape(ops.take(rows, back, axis=1), (-1, taps * elements_in * self._fields_in))
        kernel = ops.reshape(self.kernel, (-1, self.filters))
        outputs = ops.reshape(ops.matmul(rows, kernel), (-1, order, self.filters))
        return ops.reshape(ops.transpose(outputs, (0, 2, 1)), (-1, 1, 1, self.filters * order))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group, "lifting": self.lifting}
