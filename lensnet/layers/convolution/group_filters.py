"""From the weights of a group's filters to the kernel of a plain convolution, and back."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from lensnet.circular_harmonics import circular_harmonics
from lensnet.layers.convolution.filter_rotation import expansion_index
from lensnet.symmetry import Group

__all__ = ["GroupFilters"]


@dataclass(frozen=True)
class GroupFilters:
    """The filters of a group convolution: `K[p, j, h] = w(h^-1 p, h^-1 j)`.

    Here p is a position in the filter, j an element of the input's fields and h one of the
    output's. Where every element of the group maps the pixels of the filter onto pixels (c4, d4,
    and every group at 1x1), the weights are the filter's taps and rotating moves them. Otherwise
    the filter is `w(p, j) = sum_b B_b(p) W[b, j]` in the basis B of circular harmonics, and
    `K[p, j, h] = sum_b B_b(h^-1 p) W[b, h^-1 j]` (Weiler & Cesa 2019, arXiv:1911.08251, section
    2.8).

    Args:
        group: any group.
        kernel_size: side of the square filters, in pixels.

    Example:

    >>> GroupFilters(Group(4), 3).shape(), GroupFilters(Group(8), 3).shape()
    ((3, 3), (6,))
    """

    group: Group
    kernel_size: int

    @property
    def on_pixels(self) -> bool:
        """Whether the weights are taps, and not coefficients of circular harmonics."""
        return self.group.exact_on_grid or self.kernel_size == 1

    def shape(self) -> tuple[int, ...]:
        """The first axes of the weights: the filter's taps, or its basis functions."""
        if self.on_pixels:
            return (self.kernel_size, self.kernel_size)
        return (circular_harmonics(self.group, self.kernel_size).shape[-1],)

    def expand(self, weights: Any) -> Any:
        """The kernel of the equal plain convolution.

        Args:
            weights: shape (*shape(), elements in, fields in, filters); elements in is 1 where the
                input is an image.

        Returns:
            tensor of shape (kernel_size, kernel_size, fields in * elements in, filters * |G|).
        """
        *_, elements_in, fields_in, filters = weights.shape
        size, order = self.kernel_size, self.group.order
        kernel = self._rotated(weights)
        kernel = ops.reshape(kernel, (size * size, elements_in, order, fields_in, filters))
        kernel = ops.transpose(kernel, (0, 3, 1, 4, 2))
        return ops.reshape(kernel, (size, size, fields_in * elements_in, filters * order))

    def expand_depthwise(self, weights: Any) -> Any:
        """The kernel of the equal plain depthwise convolution.

        Args:
            weights: shape (*shape(), 1, fields).

        Returns:
            tensor of shape (kernel_size, kernel_size, fields * |G|, 1).
        """
        size, order, fields = self.kernel_size, self.group.order, weights.shape[-1]
        kernel = ops.reshape(self._rotated(weights), (size, size, order, fields))
        return ops.reshape(ops.transpose(kernel, (0, 1, 3, 2)), (size, size, fields * order, 1))

    def convolve_full_map(self, inputs: Any, weights: Any) -> Any:
        """The convolution whose filter covers the whole map, without its large kernel.

        One output pixel is left, so the map is rotated back instead of the filter.

        Args:
            inputs: shape (batch, kernel_size, kernel_size, fields in * elements in).
            weights: as for `expand`.

        Returns:
            tensor of shape (batch, 1, 1, filters * |G|).
        """
        *_, elements_in, fields_in, filters = weights.shape
        order, taps = self.group.order, self.kernel_size**2
        maps = ops.reshape(inputs, (-1, taps, fields_in, elements_in))
        if self.on_pixels:
            rows = ops.transpose(maps, (0, 1, 3, 2))
            index = expansion_index(self.group, self.kernel_size, elements_in == 1)
            # The filter's row i stands at tap index^-1[i] of orientation h and meets that input.
            back = np.argsort(index.reshape(-1, order), axis=0).T.reshape(-1)
        else:
            basis = circular_harmonics(self.group, self.kernel_size)
            basis = ops.cast(np.moveaxis(basis, 1, 0), maps.dtype)
            # (batch, fields, elements, order, functions): what each rotated function sees.
            rows = ops.transpose(ops.tensordot(maps, basis, axes=((1,), (0,))), (0, 3, 4, 2, 1))
            back = _seen_elements(self.group, basis.shape[-1], elements_in)
        rows = ops.reshape(rows, (-1, rows.shape[1] * _product(rows.shape[2:-1]), fields_in))
        columns = len(back) // order * fields_in
        rows = ops.reshape(ops.take(rows, back, axis=1), (-1, columns))
        outputs = ops.matmul(rows, ops.reshape(weights, (columns, filters)))
        outputs = ops.transpose(ops.reshape(outputs, (-1, order, filters)), (0, 2, 1))
        return ops.reshape(outputs, (-1, 1, 1, filters * order))

    def _rotated(self, weights: Any) -> Any:
        """`K[p, j, h]` as rows of whatever the weights' last axes hold.

        Moving whole rows costs less than a stack of one transposed filter an orientation. One
        multiplication by a constant matrix is as quick for few channels, but that matrix holds
        1.5 million numbers for c16 at 5x5, which every saved network would carry.
        """
        first = len(self.shape())
        elements_in, columns = weights.shape[first], _product(weights.shape[first + 1 :])
        lifting = elements_in == 1
        if self.on_pixels:
            rows = ops.reshape(weights, (-1, columns))
            index = expansion_index(self.group, self.kernel_size, lifting)
        else:
            basis = circular_harmonics(self.group, self.kernel_size)
            basis = ops.cast(basis.reshape(-1, basis.shape[-1]), weights.dtype)
            rows = ops.matmul(basis, ops.reshape(weights, (-1, elements_in * columns)))
            rows = ops.reshape(rows, (-1, columns))
            index = _rotated_elements(self.group, self.kernel_size**2, elements_in)
        return ops.take(rows, index.reshape(-1), axis=0)


def _product(sides: tuple[int, ...]) -> int:
    return int(np.prod(sides, dtype=int))


@functools.cache
def _rotated_elements(group: Group, taps: int, elements_in: int) -> np.ndarray:
    """`index[p, j, h]`: the row of (h, p, h^-1 j) among rotated filters (h, p, j)."""
    index = np.empty((taps, elements_in, group.order), dtype="int32")
    for h in range(group.order):
        element = np.zeros(1, dtype=int) if elements_in == 1 else group.regular_permutation(h)
        index[:, :, h] = (h * taps + np.arange(taps)[:, None]) * elements_in + element
    index.setflags(write=False)
    return index


@functools.cache
def _seen_elements(group: Group, functions: int, elements_in: int) -> np.ndarray:
    """For (h, b, j), flattened: the row of (h, b, h j) among what rotated functions see."""
    index = np.empty((group.order, functions, elements_in), dtype="int32")
    for h in range(group.order):
        element = np.zeros(1, dtype=int) if elements_in == 1 else group.product_table()[h]
        index[h] = (h * functions + np.arange(functions)[:, None]) * elements_in + element
    flat = index.reshape(-1)
    flat.setflags(write=False)
    return flat
