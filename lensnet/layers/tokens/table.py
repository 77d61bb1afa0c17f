"""A learnt table of vectors as one of Keras's own layers, which no input selects from."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["is_table", "one", "table_layer"]

_EQUATION = "bi,itc->btc"


def table_layer(rows: int, channels: int, **options: Any) -> keras.layers.EinsumDense:
    """Returns a stock layer that answers the number 1 with the rows of a table.

    A plain network's position embedding is such a layer, so that its file needs no lensnet. It is
    dense, not an embedding that is looked up, whose gradient would be sparse.

    Args:
        rows: of the table.
        channels: of each row.
        **options: of `keras.layers.EinsumDense`, such as `kernel_initializer`.

    Returns:
        the layer, from what `one` gives to (1 or batch, rows, channels). Its kernel has the shape
        (1, rows, channels), as timm's parameters have it.
    """
    return keras.layers.EinsumDense(_EQUATION, output_shape=(rows, channels), **options)


def is_table(layer: Any) -> bool:
    """Whether a layer is one that `table_layer` makes."""
    return isinstance(layer, keras.layers.EinsumDense) and layer.equation == _EQUATION


def one(x: Any, *, each_example: bool = False) -> Any:
    """The number 1, for the whole batch or for each example.

    Args:
        x: the map that the batch is taken from, shape (batch, height, width, channels).
        each_example: whether to give it for each.

    Returns:
        tensor of shape (1, 1), or (batch, 1).
    """
    return ops.ones_like(x[:, 0, 0, :1] if each_example else x[:1, 0, 0, :1])
