"""Keras's own layers, computed faster on a CPU while they stay Keras's own."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import keras

from lensnet.layers.accelerated.activation import activate
from lensnet.layers.accelerated.batch_normalization import normalize
from lensnet.layers.accelerated.depthwise_conv2d import convolve
from lensnet.layers.accelerated.devices import on_cpus_alone
from lensnet.layers.accelerated.grouped_conv2d import convolve_in_groups
from lensnet.layers.accelerated.layer_normalization import normalize_positions

__all__ = ["accelerate"]


def accelerate(model: keras.Model) -> keras.Model:
    """Has a model's stock layers compute as lensnet's accelerated ones do.

    These are `Activation`, `BatchNormalization`, `LayerNormalization`, `DepthwiseConv2D` and
    `Conv2D` with groups, in the model and in models within it. Training on a CPU gets faster, and
    with convolutions in groups inference, too. Answers and gradients are the same but for rounding.

    Nothing else of the model changes: its layers keep their class, configuration, name and
    variables, so that it is saved, exported, counted and folded as a stock model, and what is
    loaded from its file, or cloned, is not accelerated. Where a device is not a CPU, nothing
    changes at all. `lensnet fit` calls this by itself. In a training loop of your own, call it
    before the first step, which compiles what the layers do.

    Args:
        model: of any kind; layers inside layers that are not models are left as they are.

    Returns:
        the model given.

    Example:

    >>> model = keras.Sequential([keras.Input((64, 64, 8)), keras.layers.Activation("silu")])
    >>> accelerate(model) is model
    True
    """
    if on_cpus_alone():
        for layer in _layers_within(model):
            if type(layer) in _FASTER:
                method, function = _FASTER[type(layer)]
                # Of the object alone: a subclass would be what is saved.
                setattr(layer, method, types.MethodType(function, layer))
    return model


def _layers_within(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_within(layer)
        else:
            yield layer


def _in_training(layer: keras.Layer) -> bool:
    """Whether the call that a layer is in is one of training.

    Keras tells that to layers whose stock `call` asks for it, and keeps it for layers within them.
    """
    return bool(layer._get_call_context().get_value("training"))


def _activate(layer: keras.layers.Activation, inputs: Any) -> Any:
    return activate(layer, inputs, _in_training(layer))


def _convolve(layer: keras.layers.DepthwiseConv2D, inputs: Any) -> Any:
    return convolve(layer, inputs, _in_training(layer))


def _normalize_positions(layer: keras.layers.LayerNormalization, inputs: Any) -> Any:
    return normalize_positions(layer, inputs, _in_training(layer))


_FASTER: dict[type[keras.Layer], tuple[str, Callable[..., Any]]] = {
    keras.layers.Activation: ("call", _activate),
    keras.layers.BatchNormalization: ("call", normalize),
    keras.layers.Conv2D: ("convolution_op", convolve_in_groups),
    keras.layers.DepthwiseConv2D: ("call", _convolve),
    keras.layers.LayerNormalization: ("call", _normalize_positions),
}
"""The method that a function takes the place of, by the class of the layer."""
