"""Normalisations and scales of channels: absorbed by what is before them, or made stock layers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from lensnet.layers.folding.arrays import multiply, to_source
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["normalize", "scale"]


def normalize(
    graph: FoldedGraph, layer: Any, inputs: Any, gamma: Any, beta: Any, mean: Any, variance: Any
) -> Any:
    """Lets the layers before absorb a normalisation of channels, or makes a stock one.

    Args:
        graph, layer, inputs: as of a layer's `fold`; the layer has an `epsilon`.
        gamma, beta, mean, variance: arrays of shape (channels,); gamma and beta may be None.
    """
    factor = 1 / np.sqrt(variance.astype("float64") + layer.epsilon)
    factor = factor if gamma is None else gamma * factor
    offset = -mean * factor if beta is None else beta - mean * factor
    if graph.absorb(layer, inputs, factor, offset):
        return inputs
    source, permutation = graph.source(inputs)
    stock = keras.layers.BatchNormalization(
        axis=-1,
        epsilon=layer.epsilon,
        center=beta is not None,
        scale=gamma is not None,
        dtype=layer.dtype_policy,
        name=layer.name,
    )
    values = [values for values in (gamma, beta, mean, variance) if values is not None]
    weights = [to_source(values, permutation) for values in values]
    return graph.permute(graph.add_layer(stock, source, weights=weights)[1], permutation)


def scale(graph: FoldedGraph, layer: Any, inputs: Any, factor: np.ndarray) -> Any:
    """Lets the layers before absorb a scale of channels, or multiplies by it."""
    if graph.absorb(layer, inputs, factor, np.zeros(len(factor))):
        return inputs
    return multiply(graph, layer, inputs, factor)
