"""RotationalConv2D against its two formulas, by SciPy's convolution and NumPy's rot90."""

import keras
import numpy as np
import pytest
from scipy import ndimage, signal

from lensnet.layers import RotationalConv2D
from lensnet.layers.convolution.filter_rotation import filter_rotations
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize


def plain(images, kernel):
    """A "same" convolution as networks define it (a correlation), by SciPy."""
    maps = [
        [
            sum(
                signal.correlate2d(image[..., c], kernel[..., c, f], mode="same")
                for c in range(image.shape[-1])
            )
            for f in range(kernel.shape[-1])
        ]
        for image in images
    ]
    return np.moveaxis(np.array(maps), 1, -1)


def turn_filter(kernel, k):
    return np.rot90(kernel, k, axes=(0, 1))


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((2, 9, 9, 3)).astype("float32")


def built(images, *arguments, **options):
    layer = RotationalConv2D(*arguments, **options)
    layer.build(images.shape)
    randomize(layer)
    kernel, *bias = (keras.ops.convert_to_numpy(weight) for weight in layer.weights)
    return layer, kernel.astype("float64"), bias[0].astype("float64")


def test_turned_filters(images):
    """max over k of conv(x, rotate(w, k)), plus b."""
    layer, kernel, bias = built(images, 4, 3)
    expected = max_of(plain(images, turn_filter(kernel, k)) for k in range(4)) + bias
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(images)), expected, atol=2e-6)


def test_turned_inputs_are_the_published_formula(images):
    """max over k of conv(rot90(x, k), w), plus b."""
    layer, kernel, bias = built(images, 4, 3, rotate="inputs")
    expected = max_of(plain(np.rot90(images, k, axes=(1, 2)), kernel) for k in range(4)) + bias
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(images)), expected, atol=2e-6)


def test_how_the_two_formulas_differ(images):
    """Turned filters turn their output with the input; turned inputs do not see the turn at all.

    The first is equivariant and not invariant: position is kept. The second is invariant pixel by
    pixel, because its maximum mixes each position with the three it would be turned to.
    """
    c4 = Group(4)
    by_filters, _, _ = built(images, 4, 3)
    by_inputs, _, _ = built(images, 4, 3, rotate="inputs")
    assert equivariance_error(by_filters, images, c4, outputs="scalar") <= 2e-6
    assert equivariance_error(by_filters, images, c4, outputs="invariant") > 0.1
    assert equivariance_error(by_inputs, images, c4, outputs="scalar") > 0.1
    assert equivariance_error(by_inputs, images, c4, outputs="invariant") <= 2e-6
    # A single bright pixel shows where the positions go.
    point = np.zeros((1, 9, 9, 3), "float32")
    point[0, 1, 1] = 1
    for layer, places in ((by_filters, 1), (by_inputs, 4)):
        response = keras.ops.convert_to_numpy(layer(point) - layer.bias)[0]
        labels, found = ndimage.label(np.abs(response).max(axis=-1) > 0)
        assert found == places


def max_of(arrays):
    return np.max(list(arrays), axis=0)


@pytest.mark.parametrize("rotations", [1, 2, 3, 4, 6, 8, 16])
@pytest.mark.parametrize("rotate", ["filters", "inputs"])
def test_any_number_of_rotations(images, rotations, rotate):
    """Exact under the quarter turns that are among the rotations; the control fails the others."""
    layer, _, _ = built(images, 4, 5, rotations=rotations, rotate=rotate)
    outputs = "scalar" if rotate == "filters" else "invariant"
    group = Group(int(np.gcd(rotations, 4)))
    assert equivariance_error(layer, images, group, outputs=outputs) <= 3e-6
    if rotations % 4:
        assert equivariance_error(layer, images, Group(4), outputs=outputs) > 1e-3


@pytest.mark.parametrize("rotations", [3, 8, 16])
def test_filters_are_turned_as_scipy_turns_images(rotations):
    """Inside, where SciPy's rule for the edge does not matter."""
    kernel = np.random.default_rng(0).standard_normal((9, 9))
    for k, matrix in enumerate(filter_rotations(9, rotations, masked=False)):
        turned = (matrix @ kernel.reshape(-1)).reshape(9, 9)
        expected = ndimage.rotate(kernel, 360 * k / rotations, reshape=False, order=1)
        np.testing.assert_allclose(turned[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-6)


def test_the_mask_keeps_the_circle(images):
    layer, kernel, _ = built(images, 2, 5, circular_mask=True)
    turned = keras.ops.convert_to_numpy(layer.rotated_kernels())
    corners = turned[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).all()
    np.testing.assert_array_equal(turned[0, 1:-1, 1:-1], kernel[1:-1, 1:-1].astype("float32"))


@pytest.mark.parametrize("rotate", ["filters", "inputs"])
@pytest.mark.parametrize("rotations", [4, 8])
def test_a_filter_that_covers_the_map(rotate, rotations):
    images = np.random.default_rng(0).standard_normal((2, 6, 6, 3)).astype("float32")
    layer, _, _ = built(images, 4, 6, rotate=rotate, rotations=rotations, padding="valid")
    assert tuple(layer(images).shape) == (2, 1, 1, 4)
    assert_equivariant(layer, images, "c4", outputs="scalar", tolerance=2e-6)
    if rotate == "filters":
        responses = [layer.convolve(images, kernel) for kernel in layer.rotated_kernels()]
        expected = max_of(map(keras.ops.convert_to_numpy, responses))
        expected = expected + keras.ops.convert_to_numpy(layer.bias)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(images)), expected, atol=3e-6)


def test_turned_inputs_need_square_images():
    with pytest.raises(ValueError, match="must be square; got 8 x 9"):
        RotationalConv2D(4, 3, rotate="inputs").build((None, 8, 9, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotations": 0}, "rotations is a positive integer"),
        ({"rotate": "outputs"}, 'rotate is "filters" or "inputs"'),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        RotationalConv2D(4, 3, **options)


def test_config_round_trip():
    layer = RotationalConv2D(3, 5, rotations=8, rotate="inputs", circular_mask=True, strides=2)
    assert RotationalConv2D.from_config(layer.get_config()).get_config() == layer.get_config()
