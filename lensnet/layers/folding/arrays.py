"""What folding does with a layer's values, as arrays, and with tensors, as operations."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["cast", "multiply", "to_numpy", "to_source"]


def to_numpy(values: Any) -> Any:
    """A tensor as an array; None stays."""
    return None if values is None else np.asarray(ops.convert_to_numpy(values))


def to_source(values: Any, permutation: np.ndarray | None, axis: int = -1) -> Any:
    """Values of a tensor's channels, in the order of the channels of its `FoldedGraph.source`.

    Args:
        values: an array; None stays.
        permutation: as `FoldedGraph.source` gives it.
        axis: that of the channels.
    """
    if values is None or permutation is None:
        return values
    return np.take(values, np.argsort(permutation), axis=axis)


def cast(layer: keras.Layer, inputs: Any) -> Any:
    """The input in a layer's own precision, for operations, which do not cast as layers do."""
    return inputs if inputs.dtype == layer.compute_dtype else ops.cast(inputs, layer.compute_dtype)


def multiply(graph: FoldedGraph, layer: keras.Layer, inputs: Any, factor: np.ndarray) -> Any:
    """The input times a constant of its channels, or of its pixels alone.

    As an operation: of Keras's layers, `Rescaling` needs TensorFlow on every backend.

    Args:
        graph, layer, inputs: as of a layer's `fold`.
        factor: shape (channels,) or (height, width, 1).
    """
    source, permutation = graph.source(inputs)
    if factor.ndim == 1:
        factor = to_source(factor, permutation)
    outputs = ops.multiply(cast(layer, source), ops.cast(factor, layer.compute_dtype))
    return graph.permute(outputs, permutation)
