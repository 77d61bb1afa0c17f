"""Which variables of a network decay: its kernels.

Decaying a bias, or what a normalisation or a layer scale multiplies by, pulls a network towards one
that scales differently, not a simpler one. What a variable is cannot be told by its name: a plain
network's layer scale is a pointwise depthwise convolution, whose variable is called `kernel`.
"""

from __future__ import annotations

from typing import Any

import keras

from lensnet.layers import FieldPositionBias, FieldPositionEmbedding, FieldTokens
from lensnet.layers.tokens.table import is_table

__all__ = ["is_decayed", "undecayed_variables"]

_NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)

_LEARNED_INPUTS = (FieldPositionBias, FieldPositionEmbedding, FieldTokens)


def is_decayed(layer: keras.Layer, variable: Any) -> bool:
    """Whether a variable is a kernel, by which a layer sums over its inputs.

    Not a bias, nor a number a channel: a normalisation's, or a scale's (a field's is one number, a
    plain channel's a depthwise filter of one tap), nor a token or a position, which are inputs that
    are learnt.

    Args:
        layer: whose variable it is.
        variable: one of its trainable ones.

    Example:

    >>> dense = keras.layers.Dense(3)
    >>> dense.build((None, 2))
    >>> is_decayed(dense, dense.kernel), is_decayed(dense, dense.bias)
    (True, False)
    """
    if len(variable.shape) < 2 or variable is getattr(layer, "bias", None):
        return False
    if isinstance(layer, keras.layers.DepthwiseConv2D) and tuple(layer.kernel_size) == (1, 1):
        return False
    return not (isinstance(layer, (*_NORMALIZATIONS, *_LEARNED_INPUTS)) or is_table(layer))


def undecayed_variables(model: keras.Model) -> list[Any]:
    """The trainable variables of a model, and of all models and layers in it, that do not decay."""
    owners: dict[int, tuple[keras.Layer, Any]] = {}
    # A layer's own layers come after it, and are the owners of what it has of them. (Of a layer
    # that is not a model Keras tells them in no public way.)
    for layer in model._flatten_layers():
        for variable in layer.trainable_variables:
            owners[id(variable)] = (layer, variable)
    return [variable for layer, variable in owners.values() if not is_decayed(layer, variable)]
