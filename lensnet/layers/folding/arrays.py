"""What stock forms share: classes, arrays of a layer's values, and operations on tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.accelerated.activation import Activation
from lensnet.layers.accelerated.depthwise_conv2d import DepthwiseConv2D
from lensnet.layers.accelerated.grouped_conv2d import GroupedConv2D

if TYPE_CHECKING:
    from lensnet.layers.folding.graph import Folding

__all__ = ["cast", "multiply", "stock_kind", "to_numpy", "to_source", "turn"]


def stock_kind(layer: Any) -> Any:
    """The class of a stock layer or operation, or that which a subclass only computes faster."""
    return _COMPUTED_FASTER.get(type(layer), type(layer))


_COMPUTED_FASTER: dict[type, type[keras.Layer]] = {
    Activation: keras.layers.Activation,
    DepthwiseConv2D: keras.layers.DepthwiseConv2D,
    GroupedConv2D: keras.layers.Conv2D,
}


def to_numpy(values: Any) -> Any:
    """A tensor as an array; None stays."""
    return None if values is None else np.asarray(ops.convert_to_numpy(values))


def to_source(values: Any, permutation: np.ndarray | None, axis: int = -1) -> Any:
    """Values of a tensor's channels, in the order of the channels of its `Folding.source`.

    Args:
        values: an array; None stays.
        permutation: as `Folding.source` gives it.
        axis: that of the channels.
    """
    if values is None or permutation is None:
        return values
    return np.take(values, np.argsort(permutation), axis=axis)


def cast(layer: keras.Layer, inputs: Any) -> Any:
    """The input in a layer's own precision, for operations, which do not cast as layers do."""
    return inputs if inputs.dtype == layer.compute_dtype else ops.cast(inputs, layer.compute_dtype)


def multiply(folding: Folding, layer: keras.Layer, inputs: Any, factor: np.ndarray) -> Any:
    """The input times a constant of its channels, or of its pixels alone.

    As an operation: of Keras's layers, `Rescaling` needs TensorFlow on every backend.

    Args:
        folding, layer, inputs: as everywhere in stock forms.
        factor: shape (channels,) or (height, width, 1).
    """
    source, permutation = folding.source(inputs)
    if factor.ndim == 1:
        factor = to_source(factor, permutation)
    outputs = ops.multiply(cast(layer, source), ops.cast(factor, layer.compute_dtype))
    return folding.permute(outputs, permutation)


def turn(images: Any, quarter_turns: int, mirror: bool = False) -> Any:
    """Images as `Group.transform` turns them: mirrored, then turned counter-clockwise.

    By reversals and a transposition: Keras's `rot90`, read from a file, fails on JAX (3.15.1).

    Args:
        images: shape (batch, height, width, channels).
        quarter_turns: 0 to 3.
        mirror: whether columns are reversed first.
    """
    reversed_axes = (set[int](), {2}, {1, 2}, {1})[quarter_turns] ^ ({2} if mirror else set())
    if reversed_axes:
        images = ops.flip(images, axis=tuple(sorted(reversed_axes)))
    return ops.transpose(images, (0, 2, 1, 3)) if quarter_turns % 2 else images
