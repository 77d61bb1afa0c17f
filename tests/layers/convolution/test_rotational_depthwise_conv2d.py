"""RotationalDepthwiseConv2D against its formula, by SciPy, channel by channel."""

import keras
import numpy as np
import pytest
from scipy import ndimage, signal

from lensnet.layers import RotationalDepthwiseConv2D
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((2, 9, 9, 3))


def built(*arguments, **options):
    layer = RotationalDepthwiseConv2D(*arguments, **options)
    layer.build((None, 9, 9, 3))
    randomize(layer)
    return layer


def turned(tap_values, degrees, masked):
    """A filter turned about its centre, counter-clockwise, by SciPy; around it are zeros."""
    size = len(tap_values)
    if degrees % 90 == 0:
        result = np.rot90(tap_values, round(degrees / 90))
    else:
        result = ndimage.rotate(np.pad(tap_values, 2), degrees, reshape=False, order=1)[2:-2, 2:-2]
    offsets = np.arange(size) - (size - 1) / 2
    within = np.hypot(*np.meshgrid(offsets, offsets)) <= size / 2
    return np.where(within, result, 0) if masked else result


def definition(maps, layer, masked):
    """max over k of conv(x, turn(w, k)), plus b, at every pixel, for each channel by itself."""
    kernel, bias = (numpy(weight).astype("float64") for weight in layer.weights)
    size = layer.kernel_size
    dilated = np.zeros(2 * [layer.dilation_rate * (size - 1) + 1])
    outputs = np.full(maps.shape, -np.inf)
    for k in range(layer.rotations):
        for c in range(maps.shape[-1]):
            taps = np.where(1, kernel[..., c, 0], 0)
            if masked:
                taps = turned(taps, 0, masked)
            taps = turned(taps, 360 * k / layer.rotations, masked)
            dilated[:: layer.dilation_rate, :: layer.dilation_rate] = taps
            for one, out in zip(maps, outputs, strict=True):
                response = signal.correlate2d(one[..., c], dilated, mode="same")
                out[..., c] = np.maximum(out[..., c], response)
    return outputs + bias


@pytest.mark.parametrize(
    ("kernel_size", "rotations", "masked"),
    [(3, 1, False), (3, 2, False), (3, 4, False), (5, 4, True), (5, 8, True), (5, 3, True)],
)
def test_definition(images, kernel_size, rotations, masked):
    circular_mask = True if rotations == 4 and masked else None
    layer = built(kernel_size, rotations, circular_mask, dtype="float64")
    expected = definition(images, layer, masked)
    actual = numpy(layer(images))
    assert actual.shape == layer.compute_output_shape(images.shape) == expected.shape
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2},
        {"dilation_rate": 2},
        {"strides": 2, "dilation_rate": 2},
        {"padding": "valid"},
    ],
)
def test_options(images, options):
    layer = built(3, dtype="float64", **options)
    expected = definition(images, layer, masked=False)
    if layer.padding == "valid":
        expected = expected[:, 1:-1, 1:-1]
    expected = expected[:, :: layer.strides, :: layer.strides]
    actual = numpy(layer(images))
    assert actual.shape == layer.compute_output_shape(images.shape) == expected.shape
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("rotations", [2, 3, 4, 6, 8])
def test_equivariance(images, rotations):
    """Under the quarter turns that are among the rotations; the others are the control."""
    images = images.astype("float32")
    layer = built(5, rotations, strides=2)
    group = Group(int(np.gcd(rotations, 4)))
    assert_equivariant(layer, images, str(group), outputs="scalar")
    if rotations % 4:
        assert equivariance_error(layer, images, Group(4), outputs="scalar") > 1e-3


def test_a_plain_depthwise_convolution_fails_the_same_check(images):
    """The negative control, of the same weights."""
    layer, stock = built(3), keras.layers.DepthwiseConv2D(3, padding="same")
    stock.build(images.shape)
    stock.set_weights(layer.get_weights())
    images = images.astype("float32")
    assert equivariance_error(stock, images, Group(4), outputs="scalar") > 0.1
    unturned = built(3, rotations=1)
    np.testing.assert_allclose(numpy(unturned(images)), numpy(stock(images)), atol=1e-6)


def test_rotated_kernels(images):
    layer = built(5, 8)
    kernels = numpy(layer.rotated_kernels())
    assert kernels.shape == (8, 5, 5, 3, 1)
    assert (kernels[:, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()
    # Turning by 45 degrees and then by 90 is turning by 135.
    np.testing.assert_allclose(np.rot90(kernels[1]), kernels[3], atol=1e-6)


def test_images_of_any_size():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, RotationalDepthwiseConv2D(3, strides=2)(image))
    assert model.output_shape == (None, None, None, 3)
    assert tuple(model(np.zeros((1, 9, 7, 3), "float32")).shape) == (1, 5, 4, 3)


@pytest.mark.parametrize("rotations", [0, 2.0])
def test_wrong_rotations(rotations):
    with pytest.raises(ValueError, match="rotations is a positive integer"):
        RotationalDepthwiseConv2D(3, rotations)


def test_config_round_trip():
    layer = RotationalDepthwiseConv2D(
        5,
        rotations=8,
        circular_mask=False,
        strides=2,
        depthwise_initializer="he_normal",
        depthwise_regularizer=keras.regularizers.L2(0.1),
    )
    again = RotationalDepthwiseConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.circular_mask is False and again.depthwise_regularizer is not None
