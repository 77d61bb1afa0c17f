"""GroupSeparableConv2D against its definition: depthwise, then pointwise."""

import keras
import numpy as np
import pytest
from group_convolution import depthwise_convolution, filter_function, group_convolution

from lensnet.layers import GroupConv2D, GroupSeparableConv2D
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, randomize


@pytest.mark.parametrize(
    ("kernel_size", "size", "options"),
    [
        (3, 7, {}),
        (5, 9, {"strides": 2}),
        (3, 9, {"dilation_rate": 2}),
        (3, 8, {"padding": "valid"}),
    ],
)
@pytest.mark.parametrize("name", ["c4", "d4", "c8", "d8"])
def test_definition(name, kernel_size, size, options):
    group = Group.parse(name)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2, size, size, 2 * group.order)).astype("float32")
    layer = GroupSeparableConv2D(3, kernel_size, name, **options)
    layer.build(images.shape)
    randomize(layer)
    extent = layer.dilation_rate * (kernel_size - 1)
    depthwise, pointwise, bias = (
        keras.ops.convert_to_numpy(weight).astype("float64")
        for weight in (layer.depthwise_kernel, layer.pointwise_kernel, layer.bias)
    )
    maps = depthwise_convolution(
        images.astype("float64"),
        filter_function(depthwise, kernel_size, on_pixels=name in ("c4", "d4")),
        np.zeros(2),
        group,
        kernel_size,
        strides=layer.strides,
        pad=extent // 2 if layer.padding == "same" else 0,
        dilation=layer.dilation_rate,
    )
    expected = group_convolution(
        maps, filter_function(pointwise, 1, on_pixels=True), bias, group, 1
    )
    actual = keras.ops.convert_to_numpy(layer(images))
    assert actual.shape == layer.compute_output_shape(images.shape) == expected.shape
    # Single precision sums of a few hundred terms of order one.
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["c4", "d4"])
def test_equivariance(name):
    model = keras.Sequential(
        [
            keras.Input((9, 9, 2)),
            GroupConv2D(3, 3, name, lifting=True),
            GroupSeparableConv2D(4, 3, name, strides=2),
        ]
    )
    randomize(model)
    images = np.random.default_rng(0).standard_normal((2, 9, 9, 2)).astype("float32")
    assert_equivariant(model, images, name, outputs="regular", tolerance=3e-6)


def test_it_has_few_weights():
    layer = GroupSeparableConv2D(32, 3, "c4", use_bias=False)
    layer.build((None, 8, 8, 64))
    assert layer.count_params() == 3 * 3 * 16 + 4 * 16 * 32


def test_channels_that_are_not_whole_fields():
    with pytest.raises(ValueError, match="6 channels are not whole fields of c4"):
        GroupSeparableConv2D(4, 3, "c4").build((None, 8, 8, 6))


def test_config_round_trip():
    layer = GroupSeparableConv2D(
        4,
        5,
        "c8",
        strides=2,
        padding="valid",
        use_bias=False,
        depthwise_initializer="he_normal",
        pointwise_initializer="he_uniform",
        depthwise_regularizer=keras.regularizers.L2(0.1),
        pointwise_regularizer=keras.regularizers.L1(0.2),
    )
    again = GroupSeparableConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.pointwise_regularizer is not None and again.strides == 2
