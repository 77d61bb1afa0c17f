"""What the tests of folding share: models of one input, and the check of a folded one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lensnet.layers import GroupConv2D, fold
from lensnet.testing import randomize

__all__ = [
    "answers",
    "assert_folds",
    "batch_norm",
    "build",
    "chain",
    "images",
    "kinds",
    "lift",
    "relu",
]


def images(size: int = 9, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.standard_normal((3, size, size, channels)).astype("float32")


def build(body: Callable[[Any], Any], size: int = 9, channels: int = 2) -> keras.Model:
    """A model of square images."""
    image = keras.Input((size, size, channels))
    return keras.Model(image, body(image))


def chain(*layers: Any) -> Callable[[Any], Any]:
    """Layers one after the other."""

    def body(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return body


def answers(model: keras.Model, inputs: Any) -> list[np.ndarray]:
    """A model's outputs at inference, flattened to a list."""
    outputs = keras.tree.flatten(model(inputs, training=False))
    return [keras.ops.convert_to_numpy(output) for output in outputs]


def kinds(model: keras.Model) -> list[str]:
    """The classes of the layers and operations of a model, the input left out."""
    names = [type(operation).__name__ for operation in model.operations]
    return [name for name in names if name != "InputLayer"]


def assert_folds(
    model: keras.Model,
    inputs: np.ndarray | None = None,
    *,
    normalizations: int = 0,
    random: bool = True,
) -> keras.Model:
    """Folds a model, whose weights are randomised, and checks the result.

    It answers as the model does, to 1e-5 of the largest value, which is float32's rounding over
    the sums of a layer; it is of stock layers alone, and so many normalisations are left.
    """
    if random:
        randomize(model)
    inputs = images(*model.input_shape[2:]) if inputs is None else inputs
    folded = fold(model)
    for expected, actual in zip(answers(model, inputs), answers(folded, inputs), strict=True):
        assert actual.shape == expected.shape
        assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()
    for operation in folded.operations:
        assert type(operation).__module__.startswith("keras.")
    assert kinds(folded).count("BatchNormalization") == normalizations
    assert folded.name == model.name
    return folded


def lift(group: str, fields: int = 3) -> keras.Layer:
    """The first convolution of a network with a symmetry."""
    return GroupConv2D(fields, 3, group, lifting=True)


def relu() -> keras.Layer:
    return keras.layers.ReLU()


def batch_norm(**options: Any) -> keras.Layer:
    """Keras's, of new weights: a model has each layer once."""
    return keras.layers.BatchNormalization(**options)
