"""Folding: an equal model of stock Keras layers alone, for inference.

A group convolution becomes the plain convolution with its expanded kernel; a normalisation is
absorbed by the convolution before it; fields become ordinary channels. What is left needs no
lensnet to be loaded, and costs what a plain network of as many channels costs.
"""

from __future__ import annotations

import keras

from lensnet.layers.folding.graph import fold_model
from lensnet.layers.folding.stock_rules import STOCK_RULES

__all__ = ["fold"]


def fold(model: keras.Model) -> keras.Model:
    """Returns an equal model made of stock Keras layers alone, for inference.

    Equal means to rounding: outputs differ by less than 1e-5 of their largest value in float32.
    The weights are copies; the model given is not changed. Layers that act in training alone, such
    as dropout, are left out, and normalisations keep the statistics they have.

    A normalisation or a scale is absorbed by what is linear before it, if nothing else sees that:
    a convolution (all of its parts, where it is computed in several) or a dense layer; of a
    rotational convolution, if no scale is negative. A reordering of channels moves on to the next
    convolution, through whatever treats channels alike.

    A layer of your own is folded if it has a method `fold(graph, inputs)` beside its `call`, which
    applies stock layers with `graph.add_layer` and returns the output; see
    `lensnet.layers.folding.graph.FoldedGraph`.

    Args:
        model: a functional or sequential model, built, of our layers and stock ones, or a
            `GroupAveraged` of such a model. Models within it stay models, folded.

    Returns:
        a functional `keras.Model` with the same inputs, outputs and name, not compiled. Its layers
        have their names with "_" for each dot, which PyTorch does not take in names.

    Raises:
        ValueError: a layer of the model is neither stock nor has a method `fold`, or it is called
            with `training=True`; it is named.

    Example:

    >>> from lensnet.models import create
    >>> model = create("resnet18", input_shape=(64, 64, 1), num_outputs=2, symmetry="c4")
    >>> {type(layer).__module__.split(".")[0] for layer in fold(model).layers}
    {'keras'}
    """
    return fold_model(model, STOCK_RULES)
