"""What the layers on stacks of regular fields share: counts, and pointwise filters."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from keras import ops

from lensnet.symmetry import Group

__all__ = ["channels_of", "count_fields", "expand_pointwise", "pointwise_index", "to_channels"]


def channels_of(input_shape: tuple[int | None, ...], name: str) -> int:
    """The number of channels of a layer's input.

    Raises:
        ValueError: it is not known.
    """
    channels = input_shape[-1]
    if channels is None:
        raise ValueError(f"{name}: the number of input channels must be known; got {input_shape}.")
    return channels


def count_fields(input_shape: tuple[int | None, ...], group: Group, layer_name: str) -> int:
    """The number of regular fields in a layer's input.

    Raises:
        ValueError: the channels are not known, or are not whole fields.
    """
    channels = input_shape[-1]
    if channels is None or channels % group.order:
        raise ValueError(
            f"{layer_name}: {channels} channels are not whole fields of {group} "
            f"({group.order} channels each). The layer takes fields; of an image, "
            "GroupConv2D(..., lifting=True) makes them."
        )
    return channels // group.order


def to_channels(values: Any, group: Group) -> Any:
    """One value a field, shape (fields,), as one a channel, shape (fields * |G|,); None stays."""
    return None if values is None else ops.repeat(values, group.order)


@functools.cache
def pointwise_index(group: Group) -> np.ndarray:
    """Where each weight of an expanded pointwise filter comes from in the filter's own.

    A pointwise group convolution of regular fields is `out[h] = sum_j in[j] w(h^-1 j)`
    (Cohen & Welling 2016, arXiv:1602.07576, equation 11, at one position). No pixel moves, so
    that this holds for every group, whether it maps the grid onto itself or not.

    Returns:
        int32 array of shape (order, order): `index[j, h] = h^-1 j`.
    """
    index = np.stack([group.regular_permutation(h) for h in range(group.order)], axis=1)
    index = index.astype("int32")
    index.setflags(write=False)
    return index


def expand_pointwise(kernel: Any, group: Group) -> Any:
    """The matrix of a pointwise group convolution.

    Args:
        kernel: tensor of shape (order, fields in, fields out), the filter's own weights.
        group: the fields' group.

    Returns:
        tensor of shape (fields in * order, fields out * order), of the equal dense layer.
    """
    order, fields_in, fields_out = kernel.shape
    rows = ops.reshape(kernel, (order, fields_in * fields_out))
    expanded = ops.take(rows, pointwise_index(group).reshape(-1), axis=0)
    expanded = ops.reshape(expanded, (order, order, fields_in, fields_out))
    expanded = ops.transpose(expanded, (2, 0, 3, 1))
    return ops.reshape(expanded, (fields_in * order, fields_out * order))
