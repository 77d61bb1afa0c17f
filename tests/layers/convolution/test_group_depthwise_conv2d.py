"""GroupDepthwiseConv2D against its definition, field by field."""

import keras
import numpy as np
import pytest
from group_convolution import depthwise_convolution, filter_function

from lensnet.layers import GroupDepthwiseConv2D
from lensnet.symmetry import Group
from lensnet.testing import randomize


def built(images, *arguments, **options):
    layer = GroupDepthwiseConv2D(*arguments, **options)
    layer.build(images.shape)
    randomize(layer)
    return layer


def inputs(name, size, fields=3):
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, size, size, fields * Group.parse(name).order)).astype("float32")


@pytest.mark.parametrize(
    ("kernel_size", "size", "options"),
    [
        (3, 7, {}),
        (5, 9, {"strides": 2}),
        (3, 9, {"dilation_rate": 2}),
        (3, 9, {"strides": 2, "dilation_rate": 2}),
        (5, 5, {"padding": "valid"}),
        (2, 6, {"strides": 2, "padding": "valid"}),
        (1, 5, {}),
    ],
)
@pytest.mark.parametrize("name", ["c4", "d4", "c8", "d8", "c16"])
def test_definition(name, kernel_size, size, options):
    group = Group.parse(name)
    images = inputs(name, size)
    layer = built(images, kernel_size, name, **options)
    weights, bias = (keras.ops.convert_to_numpy(w).astype("float64") for w in layer.weights)
    extent = layer.dilation_rate * (kernel_size - 1)
    expected = depthwise_convolution(
        images.astype("float64"),
        filter_function(weights, kernel_size, on_pixels=name in ("c4", "d4") or kernel_size == 1),
        bias,
        group,
        kernel_size,
        strides=layer.strides,
        pad=extent // 2 if layer.padding == "same" else 0,
        dilation=layer.dilation_rate,
    )
    actual = keras.ops.convert_to_numpy(layer(images))
    assert actual.shape == layer.compute_output_shape(images.shape) == expected.shape
    # Single precision sums of at most 25 terms of order one.
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["c4", "d4"])
def test_equivariance(name):
    images = inputs(name, 9)
    layer = built(images, 3, name, strides=2)
    group = Group.parse(name)
    reference = keras.ops.convert_to_numpy(layer(images))
    for element in range(group.order):
        actual = keras.ops.convert_to_numpy(layer(acted(images, group, element)))
        np.testing.assert_allclose(actual, acted(reference, group, element), atol=3e-6)


def acted(maps, group, element):
    """A stack of fields, turned: its pixels move and the channels of its fields permute."""
    fields = group.transform(maps, element)
    fields = fields.reshape(*fields.shape[:-1], -1, group.order)
    return fields[..., group.regular_permutation(element)].reshape(maps.shape)


def test_a_plain_depthwise_convolution_fails():
    """The negative control."""
    images = inputs("c4", 9)
    layer = keras.layers.DepthwiseConv2D(3, padding="same")
    layer.build(images.shape)
    randomize(layer)
    group = Group(4)
    reference = keras.ops.convert_to_numpy(layer(images))
    actual = keras.ops.convert_to_numpy(layer(acted(images, group, 1)))
    assert np.abs(actual - acted(reference, group, 1)).max() > 0.1


@pytest.mark.parametrize("name", ["d4", "c8"])
def test_he_normal_keeps_the_variance(name):
    images = inputs(name, 16, fields=64)
    layer = GroupDepthwiseConv2D(
        5,
        name,
        padding="valid",
        depthwise_initializer=keras.initializers.HeNormal(seed=0),
    )
    outputs = keras.ops.convert_to_numpy(layer(images))
    # he_normal doubles it, for the half that a ReLU takes; 64 filters scatter by some per cent.
    assert abs(np.var(outputs) / 2 - 1) < 0.2


def test_channels_that_are_not_whole_fields():
    with pytest.raises(ValueError, match="6 channels are not whole fields of c4"):
        GroupDepthwiseConv2D(3, "c4").build((None, 8, 8, 6))


def test_config_round_trip():
    layer = GroupDepthwiseConv2D(
        5,
        "d8",
        strides=2,
        padding="valid",
        use_bias=False,
        depthwise_initializer="he_normal",
        depthwise_regularizer=keras.regularizers.L2(0.1),
    )
    again = GroupDepthwiseConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.depthwise_regularizer is not None and not again.use_bias
