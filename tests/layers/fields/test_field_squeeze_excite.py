"""FieldSqueezeExcite against its definition, written as loops over fields and group elements."""

import itertools
import zipfile

import keras
import numpy as np
import pytest

from lensnet.layers import FieldChannelAttention, FieldChannelGate, FieldGate, FieldSqueezeExcite
from lensnet.layers.field_layout import expand_pointwise
from lensnet.symmetry import Group
from lensnet.testing import randomize


def pointwise(fields, kernel, bias, group):
    """out[f, h] = b[f] + sum over (e, j) of in[e, j] w(h^-1 j)[e, f]."""
    batch, fields_in, order = fields.shape
    out = np.zeros((batch, kernel.shape[2], order)) + bias[:, None]
    for h, j in itertools.product(range(order), range(order)):
        weights = kernel[group.product(group.inverse(h), j)]
        out[:, :, h] += fields[:, :, j] @ weights
    return out


@pytest.mark.parametrize("name", ["c4", "d4", "c8", "d8", "c1"])
def test_definition(name):
    group = Group.parse(name)
    fields = 48 // group.order
    inputs = np.random.default_rng(0).standard_normal((2, 5, 4, 48)).astype("float32")
    layer = FieldSqueezeExcite(name, reduced_fields=3, gate_activation="hard_sigmoid")
    layer.build(inputs.shape)
    randomize(layer)
    reduce_kernel, reduce_bias, expand_kernel, expand_bias = (
        keras.ops.convert_to_numpy(weight).astype("float64") for weight in layer.weights
    )
    squeezed = inputs.astype("float64").mean(axis=(1, 2)).reshape(2, fields, group.order)
    hidden = np.maximum(pointwise(squeezed, reduce_kernel, reduce_bias, group), 0)
    gate = pointwise(hidden, expand_kernel, expand_bias, group)
    gate = np.clip(gate / 6 + 0.5, 0, 1).reshape(2, 1, 1, 48)  # the hard sigmoid of MobileNetV3
    assert 0.01 < np.ptp(gate), "the gate depends on something"
    actual = keras.ops.convert_to_numpy(layer(inputs))
    np.testing.assert_allclose(actual, inputs * gate, atol=2e-6)


def test_the_expanded_weights_are_two_dense_layers():
    inputs = np.random.default_rng(0).standard_normal((2, 5, 5, 16)).astype("float32")
    layer = FieldSqueezeExcite("d4", reduced_fields=3, activation="silu")
    layer.build(inputs.shape)
    randomize(layer)
    pairs = [[keras.ops.convert_to_numpy(w) for w in pair] for pair in layer.expanded_weights()]
    dense = [
        keras.layers.Dense(24, activation="silu"),
        keras.layers.Dense(16, activation="sigmoid"),
    ]
    gate = inputs.mean(axis=(1, 2))
    for one, pair in zip(dense, pairs, strict=True):
        one.build(gate.shape)
        one.set_weights(pair)
        gate = keras.ops.convert_to_numpy(one(gate))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(inputs)), inputs * gate[:, None, None], atol=1e-6
    )


def test_the_gate_sees_the_orientation():
    """It tells the channels of a field apart, which a gate of one number a field cannot."""
    layer = FieldSqueezeExcite("c4", reduced_fields=2)
    layer.build((None, 4, 4, 8))
    randomize(layer)
    inputs = np.tile(np.arange(8, dtype="float32"), (1, 4, 4, 1))
    gate = keras.ops.convert_to_numpy(layer(inputs))[0, 0, 0, 1:] / inputs[0, 0, 0, 1:]
    assert np.ptp(gate[:3]) > 1e-2 and np.ptp(gate[3:]) > 1e-2


def test_the_mean_of_a_large_map_in_half_precision():
    """A sum of 65,536 ones is no number of float16."""
    layer = FieldSqueezeExcite("c4", reduced_fields=1, dtype="mixed_float16")
    outputs = layer(np.ones((1, 300, 300, 4), "float16"))
    assert np.isfinite(keras.ops.convert_to_numpy(outputs)).all()


def test_both_maps_start_from_values_of_their_own():
    layer = FieldSqueezeExcite("c4", reduced_fields=3)
    layer.build((None, 4, 4, 12))
    one, other = (keras.ops.convert_to_numpy(w) for w in (layer.reduce_kernel, layer.expand_kernel))
    assert (one != other).any()


def test_options():
    layer = FieldSqueezeExcite(
        "c4", 2, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.5)
    )
    layer.build((None, 4, 4, 8))
    squares = sum((keras.ops.convert_to_numpy(w) ** 2).sum() for w in layer.weights)
    assert len(layer.weights) == 2
    np.testing.assert_allclose(float(sum(layer.losses)), 0.5 * squares, rtol=1e-5)
    again = FieldSqueezeExcite.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("reduced_fields", [0, 1.5])
def test_reduced_fields(reduced_fields):
    with pytest.raises(ValueError, match="reduced_fields is a positive integer"):
        FieldSqueezeExcite("c4", reduced_fields)


def test_a_pointwise_filter_of_the_plain_group_is_a_matrix():
    kernel = np.random.default_rng(0).standard_normal((1, 3, 5)).astype("float32")
    expanded = keras.ops.convert_to_numpy(expand_pointwise(kernel, Group(1)))
    np.testing.assert_array_equal(expanded, kernel[0])


def test_a_model_saved_under_the_old_name_loads(tmp_path):
    """Keras finds a layer's weights by the name of its class."""
    images = np.random.default_rng(0).standard_normal((2, 5, 5, 8)).astype("float32")
    image = keras.Input((5, 5, 8))
    model = keras.Model(image, FieldChannelGate("c4", 3)(FieldGate("c4", 2)(image)))
    randomize(model)
    model.save(tmp_path / "old.keras")
    names = zipfile.ZipFile(tmp_path / "old.keras").read("config.json").decode()
    assert "lensnet>FieldGate" in names and "lensnet>FieldChannelGate" in names
    loaded = keras.models.load_model(tmp_path / "old.keras")
    expected, actual = (keras.ops.convert_to_numpy(each(images)) for each in (model, loaded))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert isinstance(loaded.layers[1], FieldSqueezeExcite)
    assert isinstance(loaded.layers[2], FieldChannelAttention)
