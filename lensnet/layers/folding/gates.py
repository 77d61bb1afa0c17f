"""What the gates over a map's channels share: means before them, a product after them."""

from __future__ import annotations

from typing import Any

import keras

from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["multiply_by_gate", "spatial_means"]


def spatial_means(graph: FoldedGraph, layer: keras.Layer, inputs: Any) -> Any:
    """The mean of each channel over all axes between, shape (batch, channels)."""
    rank = len(inputs.shape)
    if rank == 2:
        return inputs
    kind = {
        3: keras.layers.GlobalAveragePooling1D,
        4: keras.layers.GlobalAveragePooling2D,
        5: keras.layers.GlobalAveragePooling3D,
    }[rank]
    pool = kind(data_format="channels_last", dtype=layer.dtype_policy, name=f"{layer.name}.mean")
    return graph.add_layer(pool, inputs)[1]


def multiply_by_gate(graph: FoldedGraph, layer: keras.Layer, inputs: Any, gate: Any) -> Any:
    """A tensor times its channels' gates, which come in any shape of as many values."""
    rank = len(inputs.shape)
    shape = (*(1 for _ in range(rank - 2)), inputs.shape[-1])
    if gate.shape[1:] != shape:
        reshape = keras.layers.Reshape(shape, dtype=layer.dtype_policy, name=f"{layer.name}.shape")
        gate = graph.add_layer(reshape, gate)[1]
    product = keras.layers.Multiply(dtype=layer.dtype_policy, name=layer.name)
    return graph.add_layer(product, [inputs, gate])[1]
