"""What decays, in plain and symmetric networks alike."""

import keras
import numpy as np
import pytest
import short_networks
from backends import only_on_tensorflow
from short_networks import build_short

from lensnet import optimizers, registry
from lensnet.config.sections import AdamW
from lensnet.models.weight_decay import is_decayed, undecayed_variables


def decayed(model):
    """The names of the layers of which a variable decays."""
    return {
        layer.name
        for layer in model.layers
        for variable in layer.trainable_variables
        if is_decayed(layer, variable)
    }


def as_there(names, model):
    """Names of plain layers as the names of the symmetric layers that stand for them.

    Squeeze-and-excitation is one layer there, "layer1.0.se", and here several, "layer1.0.se.fc1".
    """
    theirs = {layer.name for layer in model.layers if layer.weights}
    return {name if name in theirs else name.rpartition(".")[0] for name in names}


def test_every_family_is_looped_over():
    families = {registry.backbones.get(name).family for name in registry.backbones.names()}
    ours = {registry.backbones.get(name).family for name in short_networks.ONE_OF_EACH_FAMILY}
    assert ours == families - {"tiny"}


@only_on_tensorflow("looks at names alone, the same on every backend")
@pytest.mark.parametrize(
    ("name", "symmetry"),
    [
        pytest.param(
            name,
            "rot4" if number % 2 else "c4",
            # Of the units of Inception-v3, and larger.
            marks=pytest.mark.slow if name in ("inception_v4", "inception_resnet_v2") else [],
        )
        for number, name in enumerate(short_networks.KINDS_OF_BLOCKS)
    ],
)
def test_the_same_layers_decay_with_and_without_a_symmetry(name, symmetry):
    model = build_short(name, symmetry)
    assert decayed(model) == as_there(decayed(build_short(name, "none")), model)


@pytest.mark.parametrize("symmetry", ["none", "c4"])
def test_kernels_decay_and_nothing_else(symmetry):
    """Of ConvNeXt, which has layer scale and layer normalisation."""
    model = build_short("convnext_atto", symmetry)
    kinds = {
        "decays": {"stem.0", "stages.0.blocks.0.conv_dw", "stages.0.blocks.0.mlp.fc1"},
        "does not": {"stem.1", "stages.0.blocks.0.gamma", "stages.0.blocks.0.norm", "head.norm"},
    }
    names = decayed(model)
    assert kinds["decays"] | {"head.logits"} <= names
    assert not kinds["does not"] & names
    biases = [layer.bias for layer in model.layers if getattr(layer, "bias", None) is not None]
    ids = {id(variable) for variable in undecayed_variables(model)}
    assert biases and {id(bias) for bias in biases} <= ids


def test_layers_within_layers_are_told_apart():
    """As in the backbones of other libraries: a bias of two axes, a model within a model."""
    inner = keras.Sequential([keras.Input((4, 8)), keras.layers.Dense(8, name="inner")])
    image = keras.Input((4, 8))
    attention = keras.layers.MultiHeadAttention(2, 4, name="attention")
    model = keras.Model(image, attention(inner(image), inner(image)))
    paths = {variable.path.rpartition("/")[2] for variable in undecayed_variables(model)}
    number = len(undecayed_variables(model))
    assert paths == {"bias"} and number == 1 + 4


def test_a_step_without_gradients_shrinks_the_kernels_alone():
    model = build_short("convnext_atto", "none")
    optimizer = optimizers.create(
        AdamW(weight_decay=0.5), 0.1, undecayed=undecayed_variables(model)
    )
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    variables = model.trainable_variables
    optimizer.apply([keras.ops.zeros(variable.shape) for variable in variables], variables)
    for layer in model.layers:
        for variable in layer.trainable_variables:
            expected = 0.95 if is_decayed(layer, variable) else 1.0
            values = keras.ops.convert_to_numpy(variable)
            np.testing.assert_allclose(values, expected, rtol=1e-6, err_msg=variable.path)
