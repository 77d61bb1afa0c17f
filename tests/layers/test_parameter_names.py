"""Dots in the names of layers, which PyTorch does not take in those of parameters."""

import keras

import lensnet.layers  # noqa: F401  # gives PyTorch's variables their paths
from lensnet.layers.parameter_names import without_dots


def test_a_layer_with_dots_in_its_name_is_built():
    layer = keras.layers.Dense(1, name="layer1.0.conv1")
    layer.build((None, 2))
    assert layer.name == "layer1.0.conv1"
    is_torch = keras.backend.backend() == "torch"
    assert layer.kernel.path == f"{without_dots(layer.name) if is_torch else layer.name}/kernel"


def test_a_name_without_dots():
    assert without_dots("layer1.0.conv1") == "layer1_0_conv1"
