"""The statistics of normalisations, taken anew for weights that no step has ended with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

__all__ = ["batch_statistics", "normalizations_of"]


def normalizations_of(model: keras.Model) -> list[Any]:
    """Returns the layers of a model, and of models in it, that follow batches' statistics."""
    return [
        layer
        for layer in model._flatten_layers()
        if layer.trainable and hasattr(layer, "moving_mean") and hasattr(layer, "momentum")
    ]


def batch_statistics(model: keras.Model, batches: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Returns the mean over batches of what each normalisation sees of them in training.

    The model is left as it was: weights, statistics, and the seeds of what drops.

    Args:
        model: with the weights in question.
        batches: of images.

    Returns:
        for each of `normalizations_of(model)`, mean and variance.
    """
    import tensorflow as tf

    layers = normalizations_of(model)
    moving = [weight for layer in layers for weight in (layer.moving_mean, layer.moving_variance)]
    changing = [*moving, *_seeds(model)]
    before = [tf.identity(variable.value) for variable in changing]
    momenta = [layer.momentum for layer in layers]
    totals = [keras.ops.zeros_like(weight) for weight in moving]
    count = 0

    @tf.function
    def forward(images: Any) -> Any:
        model(images, training=True)
        return [tf.identity(weight.value) for weight in moving]

    try:
        for layer in layers:
            # What a moving average without memory holds is the batch's own.
            layer.momentum = 0.0
        for images in batches:
            totals = [total + now for total, now in zip(totals, forward(images), strict=True)]
            count += 1
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for variable, value in zip(changing, before, strict=True):
            variable.assign(value)
    means = [total / count for total in totals]
    return list(zip(means[::2], means[1::2], strict=True))


def _seeds(model: keras.Model) -> list[Any]:
    """The states of random generators, which are variables of a model and not its weights."""
    weights = {id(weight) for weight in model.weights}
    own = {id(v) for v in getattr(model, "metrics_variables", [])}
    return [
        variable
        for variable in model.non_trainable_variables
        if id(variable) not in weights and id(variable) not in own
    ]
