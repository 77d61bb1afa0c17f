"""SymmetricDownsample2D against its definition, written as sums over a map's pixels."""

import itertools
import math

import keras
import numpy as np
import pytest
from scipy import signal

from lensnet.layers import SymmetricDownsample2D
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error


def definition(size, strides, window):
    """The matrix from a side's pixels to its output's: binomial weights at their distances."""
    outputs = math.ceil(size / strides)
    matrix = np.zeros((outputs, size))
    for i in range(outputs):
        place = (size - 1) / 2 + strides * (i - (outputs - 1) / 2)
        # An odd number of taps stands on pixels, an even one between them.
        taps = window if (place == int(place)) == (window % 2 == 1) else window + 1
        for tap in range(taps):
            pixel = place + tap - (taps - 1) / 2
            assert pixel == int(pixel)
            if 0 <= pixel < size:
                matrix[i, int(pixel)] = math.comb(taps - 1, tap)
    return matrix / matrix.sum(axis=1, keepdims=True)


CASES = [
    # strides, window_size, the window where it is not given
    (2, None, 3),
    (2, 2, 2),
    (2, 5, 5),
    (1, 3, 3),
    (3, None, 5),
    (4, None, 7),
    (4, 1, 1),
]


@pytest.mark.parametrize(("strides", "window_size", "window"), CASES)
@pytest.mark.parametrize("shape", [(8, 8), (7, 10), (5, 5), (2, 1)])
def test_definition(strides, window_size, window, shape):
    inputs = np.random.default_rng(0).standard_normal((2, *shape, 3)).astype("float32")
    layer = SymmetricDownsample2D(strides, window_size)
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    rows, columns = (definition(side, strides, window) for side in shape)
    expected = np.einsum("ir,jc,nrcf->nijf", rows, columns, inputs)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert outputs.shape == layer.compute_output_shape(inputs.shape)
    assert outputs.shape[1:3] == tuple(math.ceil(side / strides) for side in shape)


@pytest.mark.parametrize(
    ("strides", "window_size", "size"),
    [(2, None, size) for size in (64, 65, 101, 150)]
    + [(*case, size) for case in ((2, 2), (3, None), (4, None)) for size in (5, 6, 7, 8)],
)
def test_it_turns_with_the_map_at_every_size(size, strides, window_size):
    images = np.random.default_rng(0).standard_normal((1, size, size, 2)).astype("float32")
    layer = SymmetricDownsample2D(strides, window_size)
    assert_equivariant(layer, images, "d4", outputs="scalar", tolerance=1e-6)


@pytest.mark.parametrize(("size", "pool"), [(64, 3), (65, 2)])
def test_stock_pooling_fails_the_same_check_at_the_other_parity(size, pool):
    images = np.random.default_rng(0).standard_normal((1, size, size, 2)).astype("float32")
    stock = keras.layers.AveragePooling2D(pool, strides=2, padding="same")
    assert equivariance_error(stock, images, Group(4), outputs="scalar") > 1e-2


def test_odd_windows_are_the_papers_filters():
    """Tri-3 and Bin-5, away from the edge (Zhang 2019, section 3.2)."""
    image = np.random.default_rng(0).standard_normal((17, 17)).astype("float32")
    for taps in ([1, 2, 1], [1, 4, 6, 4, 1]):
        blurred = signal.correlate2d(image, np.outer(taps, taps) / sum(taps) ** 2, mode="same")
        layer = SymmetricDownsample2D(2, window_size=len(taps))
        outputs = keras.ops.convert_to_numpy(layer(image[None, ..., None]))[0, ..., 0]
        np.testing.assert_allclose(outputs[1:-1, 1:-1], blurred[2:-2:2, 2:-2:2], atol=1e-6)


def test_it_takes_out_what_the_coarser_grid_cannot_hold():
    """A wave of two pixels would come out as a constant, its alias."""
    rows = np.arange(32)
    wave = np.cos(np.pi * rows)[None, :, None, None] * np.ones((1, 32, 32, 1))
    outputs = keras.ops.convert_to_numpy(SymmetricDownsample2D()(wave.astype("float32")))
    assert np.abs(outputs[:, 1:-1]).max() < 1e-6
    assert np.abs(wave[:, ::2, ::2]).max() == 1


def test_a_constant_map_stays_constant():
    for size, strides in itertools.product((5, 8, 9), (1, 2, 3)):
        outputs = SymmetricDownsample2D(strides, 5)(np.full((1, size, size, 1), 3.0, "float32"))
        np.testing.assert_allclose(keras.ops.convert_to_numpy(outputs), 3.0, rtol=1e-6)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="strides is a positive number"):
        SymmetricDownsample2D(0)
    with pytest.raises(ValueError, match="window_size is a positive number"):
        SymmetricDownsample2D(2, window_size=2.5)
    with pytest.raises(ValueError, match="must be known"):
        SymmetricDownsample2D().build((None, None, None, 4))
