"""Convolutions that see means of pixels, and how every symmetric convolution pads."""

import keras
import numpy as np
import pytest
from folded import assert_folds, build

from lensnet.layers import (
    GroupConv2D,
    GroupDepthwiseConv2D,
    GroupSeparableConv2D,
    RotationalConv2D,
    RotationalDepthwiseConv2D,
)
from lensnet.symmetry import Group
from lensnet.testing import equivariance_error, randomize

LAYERS = {
    "c4": lambda **options: GroupConv2D(3, group="c4", **options),
    "d4 lifting": lambda **options: GroupConv2D(2, group="d4", lifting=True, **options),
    "c4 groups": lambda **options: GroupConv2D(4, group="c4", groups=2, **options),
    "c8": lambda **options: GroupConv2D(2, group="c8", **options),
    "depthwise d4": lambda **options: GroupDepthwiseConv2D(group="d4", **options),
    "separable c4": lambda **options: GroupSeparableConv2D(3, group="c4", **options),
    "rotational": lambda **options: RotationalConv2D(3, **options),
    "rotational inputs": lambda **options: RotationalConv2D(3, rotate="inputs", **options),
    "rotational depthwise": lambda **options: RotationalDepthwiseConv2D(**options),
}


def images(size, channels=16):
    return np.random.default_rng(0).standard_normal((2, size, size, channels)).astype("float32")


def answer(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


def built(size, layer):
    model = build(layer, size, 16)
    randomize(model)
    return model


@pytest.mark.parametrize(
    ("size", "kernel_size", "strides", "prefilter_size", "padding"),
    [
        (8, 3, 2, 2, "same"),
        (9, 5, 2, 2, "same"),
        (9, 3, 3, 3, "same"),
        (12, 5, 4, 4, "same"),
        (7, 3, 1, 2, "same"),
        (8, 3, 2, 2, "valid"),
    ],
)
@pytest.mark.parametrize("name", LAYERS)
def test_a_mean_in_the_filter_is_one_before_it(
    name, size, kernel_size, strides, prefilter_size, padding
):
    options = {"kernel_size": kernel_size, "strides": strides}
    layer = LAYERS[name](**options, prefilter_size=prefilter_size, padding=padding)
    layer.build((None, size, size, 16))
    randomize(layer)
    pixels = (kernel_size - 1) // 2 if padding == "same" else 0
    before = keras.Sequential(
        [
            keras.layers.ZeroPadding2D(pixels),
            keras.layers.AveragePooling2D(prefilter_size, strides=1),
        ]
    )
    means = before(images(size))
    expected_layer = LAYERS[name](**options, padding="valid")
    expected_layer.build(means.shape)
    expected_layer.set_weights(layer.get_weights())
    expected = answer(expected_layer, means)
    actual = answer(layer, images(size))
    assert actual.shape == layer.compute_output_shape(images(size).shape) == expected.shape
    assert np.abs(actual - expected).max() <= 2e-6 * np.abs(expected).max()


@pytest.mark.parametrize("size", [6, 7, 8, 9, 10, 12, 13])
@pytest.mark.parametrize("strides", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["c4", "depthwise d4", "rotational"])
def test_every_side_is_padded_alike(name, strides, size):
    """Also where the plain convolution's own padding stands in: an image of ones tells."""
    layer = LAYERS[name](kernel_size=3, strides=strides)
    layer.build((None, size, size, 16))
    randomize(layer)
    ones = np.ones((1, size, size, 16), "float32")
    expected_layer = LAYERS[name](kernel_size=3, strides=strides, padding="valid")
    expected_layer.build((None, size, size, 16))
    expected_layer.set_weights(layer.get_weights())
    expected = answer(expected_layer, np.pad(ones, ((0, 0), (1, 1), (1, 1), (0, 0))))
    np.testing.assert_allclose(answer(layer, ones), expected, rtol=1e-5, atol=1e-6)


def test_a_map_of_unknown_size():
    layer = GroupConv2D(2, 3, "c4", strides=2)
    model = keras.Sequential([keras.Input((None, None, 8)), layer])
    randomize(model)
    known = keras.Sequential([keras.Input((9, 9, 8)), layer])
    inputs = images(9, 8)
    np.testing.assert_allclose(answer(model, inputs), answer(known, inputs), atol=1e-6)


@pytest.mark.parametrize("name", [name for name in LAYERS if "rotational" not in name])
def test_a_step_that_does_not_fit_is_symmetric_with_means(name):
    group = Group.parse("c8" if "c8" in name else "d4" if "d4" in name else "c4")
    quarter = {"c4": 1, "c8": 2, "d4": 1}[str(group)]
    model = built(8, LAYERS[name](kernel_size=3, strides=2, prefilter_size=2))
    without = built(8, LAYERS[name](kernel_size=3, strides=2))
    inputs = images(8)
    if "lifting" not in name:
        fields = inputs.reshape(*inputs.shape[:-1], -1, group.order)
        permutation = group.regular_permutation(quarter)
        turned = np.rot90(fields, axes=(1, 2))[..., permutation].reshape(inputs.shape)
    else:
        turned = np.rot90(inputs, axes=(1, 2))

    def change(model):
        outputs = answer(model, inputs)
        fields = outputs.reshape(*outputs.shape[:-1], -1, group.order)
        expected = np.rot90(fields, axes=(1, 2))[..., group.regular_permutation(quarter)]
        expected = expected.reshape(outputs.shape)
        return np.abs(answer(model, turned) - expected).max() / np.abs(expected).max()

    assert change(model) <= 1e-5
    assert change(without) > 0.05, "the test tells nothing"


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("rotational", "scalar"),
        ("rotational inputs", "invariant"),
        ("rotational depthwise", "scalar"),
    ],
)
def test_a_step_that_does_not_fit_is_symmetric_with_means_of_rotations(name, outputs):
    model = built(8, LAYERS[name](kernel_size=3, strides=2, prefilter_size=2))
    error = equivariance_error(model, images(8), Group.parse("c4"), outputs=outputs)
    assert error <= 1e-5


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("name", LAYERS)
def test_folds(name, size):
    prefilter_size = 2 - size % 2
    layer = LAYERS[name](kernel_size=3, strides=2, prefilter_size=prefilter_size)
    assert_folds(built(size, layer), images(size))


def test_a_layer_saved_before_there_were_means():
    config = GroupConv2D(2, 3, "c4").get_config()
    del config["prefilter_size"]
    assert GroupConv2D.from_config(config).prefilter_size == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefilter_size": 0}, "prefilter_size"),
        ({"prefilter_size": 1.5}, "prefilter_size"),
        ({"prefilter_size": 2, "dilation_rate": 2}, "prefilter_size or dilation_rate"),
    ],
)
def test_what_is_no_mean_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GroupConv2D(2, 3, "c4", **options)


def test_a_layer_of_an_earlier_configuration():
    """The argument was called mean_size."""
    config = GroupConv2D(4, 3, "d4", prefilter_size=2).get_config()
    config["mean_size"] = config.pop("prefilter_size")
    assert GroupConv2D.from_config(config).prefilter_size == 2
