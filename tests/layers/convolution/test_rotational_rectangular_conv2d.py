"""RotationalRectangularConv2D against its formula, by SciPy's convolution and NumPy's rot90."""

import keras
import numpy as np
import pytest
from scipy import signal

from lensnet.layers import RotationalRectangularConv2D
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def images(height=9, width=9):
    return np.random.default_rng(0).standard_normal((2, height, width, 3))


def built(*arguments, **options):
    layer = RotationalRectangularConv2D(*arguments, **options)
    layer.build((None, 9, 9, 3))
    randomize(layer)
    return layer


def plain(maps, kernel):
    """A "same" convolution as networks define it (a correlation), by SciPy."""
    outputs = [
        [
            sum(
                signal.correlate2d(one[..., c], kernel[..., c, f], mode="same")
                for c in range(one.shape[-1])
            )
            for f in range(kernel.shape[-1])
        ]
        for one in maps
    ]
    return np.moveaxis(np.array(outputs), 1, -1)


def definition(maps, layer):
    """max over k of conv(x, rot90(w, k)), plus b."""
    kernel, bias = (numpy(weight).astype("float64") for weight in layer.weights)
    turns = range(0, 4, 4 // layer.rotations)
    return np.max([plain(maps, np.rot90(kernel, k)) for k in turns], axis=0) + bias


@pytest.mark.parametrize("rotations", [1, 2, 4])
@pytest.mark.parametrize("kernel_size", [(1, 7), (7, 1), (3, 5)])
def test_definition(rotations, kernel_size):
    maps = images(8, 9)
    layer = built(4, kernel_size, rotations, dtype="float64")
    expected = definition(maps, layer)
    actual = numpy(layer(maps))
    assert actual.shape == layer.compute_output_shape(maps.shape) == expected.shape
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize(("rotations", "rows", "columns"), [(1, 1, 2), (2, 1, 2), (4, 2, 2)])
def test_valid_is_the_inner_part_of_same(rotations, rows, columns):
    """Where the filter fits in every orientation."""
    maps = images(8, 9)
    layer = built(4, (3, 5), rotations, padding="valid", dtype="float64")
    expected = definition(maps, layer)[:, rows:-rows, columns:-columns]
    actual = numpy(layer(maps))
    assert actual.shape == layer.compute_output_shape(maps.shape) == expected.shape
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("options", [{}, {"padding": "valid"}, {"rotations": 2}])
def test_equivariance(options):
    layer = built(4, (1, 5), **options)
    group = "c4" if layer.rotations == 4 else "c2"
    assert_equivariant(layer, images().astype("float32"), group, outputs="scalar")


def test_filters_of_even_sides():
    layer = built(4, (2, 4), padding="valid")
    assert tuple(layer(images()).shape) == (2, 6, 6, 4)
    assert_equivariant(layer, images().astype("float32"), "c4", outputs="scalar")


def test_fewer_turns_fail_the_same_check():
    """The negative control."""
    maps = images().astype("float32")
    for rotations in (1, 2):
        layer = built(4, (1, 5), rotations)
        assert equivariance_error(layer, maps, Group(4), outputs="scalar") > 0.1


def test_images_of_any_size():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, RotationalRectangularConv2D(4, (1, 5), padding="valid")(image))
    assert model.output_shape == (None, None, None, 4)
    assert tuple(model(images(9, 7).astype("float32")).shape) == (2, 5, 3, 4)


def test_the_weights_are_those_of_a_plain_convolution():
    layer = built(4, (1, 7), rotations=1)
    stock = keras.layers.Conv2D(4, (1, 7), padding="same")
    maps = images().astype("float32")
    stock.build(maps.shape)
    stock.set_weights(layer.get_weights())
    np.testing.assert_allclose(numpy(layer(maps)), numpy(stock(maps)), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotations": 3}, "rotations is 1, 2 or 4; got 3"),
        ({"rotations": 8}, "rotations is 1, 2 or 4; got 8"),
        ({"kernel_size": 3}, "kernel_size as two positive integers"),
        ({"kernel_size": (1, 4)}, 'cannot be padded "same"'),
        ({"kernel_size": (1, 4), "padding": "valid"}, "cannot be rotated by 90 degrees"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        RotationalRectangularConv2D(**{"filters": 4, "kernel_size": (1, 3), **options})


def test_config_round_trip():
    layer = RotationalRectangularConv2D(
        3, (1, 7), rotations=2, padding="valid", bias_regularizer=keras.regularizers.L2(0.1)
    )
    again = RotationalRectangularConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.bias_regularizer is not None and again.rotations == 2
