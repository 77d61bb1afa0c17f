"""Group convolution with a rectangular filter, such as Inception's lines of 1x7 and 7x1 pixels."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.convolution.base_rectangular_conv import RectangularConv2D, rotated_taps
from lensnet.layers.field_layout import count_fields
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.plain_convolutions import concatenate
from lensnet.symmetry import Group

__all__ = ["GroupRectangularConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupRectangularConv2D(RectangularConv2D):
    """Convolves regular fields with a rectangular filter in every orientation of the group.

    The symmetric counterpart of convolutions of 1x7 and 7x1 (Szegedy et al. 2016,
    arXiv:1512.00567, section 3.2): `out[x, h] = b + sum_(y, j) in[y, j] w(h^-1 (y - x), h^-1 j)`
    (Cohen & Welling 2016, arXiv:1602.07576, equation 11), where w has taps on kernel_size pixels.
    At an element that rotates by 90 or 270 degrees the filter lies across: 1x7 becomes 7x1. A layer
    of 1x7 followed by one of 7x1 is, at each element, that pair or its rotated twin.

    Computed as two plain convolutions, one for the elements with an even number of quarter turns
    and one for the others, each of half the channels: together they multiply as often as the
    plain convolution of one shape. Groups without quarter turns (c1, d1, c2, d2) need one.

    Args:
        filters: number of filters, and so of output fields; the output has `filters * |G|`
            channels, `channel = field * |G| + element`.
        kernel_size: height and width, in pixels, of the filter at the identity.
        group: `"c4"`, `"d4"` or a subgroup, the group of the input's fields too.
        padding: `"same"` or `"valid"`, see `RectangularConv2D`.
        use_bias: adds one bias a field.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as in
            `keras.layers.Conv2D`; they see the filter's own weights, shape (height, width, |G|,
            fields in, filters).

    Input shape:
        (batch, height, width, fields * |G|).

    Output shape:
        (batch, new height, new width, filters * |G|).

    Raises:
        ValueError: an argument is out of range, the group rotates by angles other than right ones,
            or the input's channels are not whole fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((2, 17, 17, 24))
    >>> x = GroupRectangularConv2D(4, (1, 7), "d4")(x)
    >>> tuple(GroupRectangularConv2D(6, (7, 1), "d4")(x).shape)
    (2, 17, 17, 48)
    """

    def __init__(self, filters: int, kernel_size: tuple[int, int], group: str, **kwargs: Any):
        super().__init__(filters, kernel_size, **kwargs)
        self.group = str(group)
        self._group = Group.parse(self.group)
        if not self._group.exact_on_grid:
            raise ValueError(
                f"{self.group} rotates by {self._group.angle(1):g} degrees, by which a line of "
                "pixels cannot be rotated on the grid. Use a GroupConv2D with a square filter."
            )
        self.check_centre()

    @property
    def quarter_turns(self) -> bool:
        return self._group.rotations == 4

    def output_channels(self) -> int:
        return self.filters * self._group.order

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        fields = count_fields(input_shape, self._group, self.name)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, self._group.order, fields, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            # In half precision too the filter is rotated in full, and rounded once.
            autocast=False,
        )
        self.bias = self.add_bias()

    def expanded_kernels(self) -> list[Any]:
        """The kernels of the plain convolutions that the layer consists of.

        Returns:
            for groups with quarter turns two tensors, of the elements of even and of odd number,
            shapes (height, width, fields * |G|, filters * |G| / 2) and (width, height, ...); their
            outputs interleave: the even one's come first. Else one, of all elements.
        """
        order = self._group.order
        fields, filters = self.kernel.shape[-2:]
        rows = ops.reshape(self.kernel, (-1, fields * filters))
        kernels = []
        for elements in self._elements():
            index = _expansion_index(self._group, elements, *self.kernel_size)
            height, width = index.shape[:2]
            kernel = ops.take(rows, index.reshape(-1), axis=0)
            kernel = ops.reshape(kernel, (height, width, order, len(elements), fields, filters))
            kernel = ops.transpose(kernel, (0, 1, 4, 2, 5, 3))
            kernels.append(
                ops.reshape(kernel, (height, width, fields * order, filters * len(elements)))
            )
        return kernels

    def expanded_bias(self) -> Any:
        """The bias of the interleaved output, shape (filters * |G|,), or None."""
        return None if self.bias is None else ops.repeat(self.bias, self._group.order)

    def _elements(self) -> list[tuple[int, ...]]:
        """The elements of each plain convolution. Element `m * 4 + k` rotates k times."""
        step = 2 if self.quarter_turns else 1
        return [tuple(range(first, self._group.order, step)) for first in range(step)]

    def call(self, inputs: Any) -> Any:
        outputs = [self.convolve(inputs, kernel) for kernel in self.expanded_kernels()]
        if len(outputs) == 1:
            interleaved = outputs[0]
        else:
            # Odd and even elements alternate, within a field and from one to the next.
            height, width = outputs[0].shape[1:3]
            if height is None or width is None:
                height, width = ops.shape(outputs[0])[1:3]
            interleaved = ops.reshape(
                ops.stack(outputs, axis=-1), (-1, height, width, self.output_channels())
            )
        return interleaved if self.bias is None else interleaved + self.expanded_bias()

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        kernels, bias = self.expanded_kernels(), to_numpy(self.expanded_bias())
        if len(kernels) == 1:
            return self.fold_convolution(graph, inputs, kernels[0], bias, self.name)
        biases = [None, None] if bias is None else [bias[::2], bias[1::2]]
        halves = [
            self.fold_convolution(graph, inputs, kernel, half, f"{self.name}.elements{first}")
            for first, (kernel, half) in enumerate(zip(kernels, biases, strict=True))
        ]
        outputs = concatenate(graph, self, halves)
        # The channels of even and odd elements alternate, and came one half after the other.
        return graph.permute(outputs, np.arange(outputs.shape[-1]).reshape(2, -1).T.reshape(-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group}


@functools.cache
def _expansion_index(
    group: Group, elements: tuple[int, ...], height: int, width: int
) -> np.ndarray:
    """`index[y, x, j, h]`: the row of (h^-1 (y, x), h^-1 j) among the filter's taps and elements.

    The elements h are all with an even number of quarter turns or all with an odd one.
    """
    index = np.stack(
        [
            rotated_taps(group, h, height, width)[:, :, None] * group.order
            + group.regular_permutation(h).astype("int32")
            for h in elements
        ],
        axis=-1,
    )
    index.setflags(write=False)
    return index
