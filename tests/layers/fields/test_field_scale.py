"""FieldScale against its definition."""

import keras
import numpy as np
import pytest

from lensnet.layers import FieldScale
from lensnet.symmetry import Group
from lensnet.testing import randomize


def built(name, channels, **options):
    layer = FieldScale(name, **options)
    layer.build((None, 5, 4, channels))
    randomize(layer)
    return layer


@pytest.mark.parametrize("name", ["c4", "d4", "c8", "c1"])
def test_definition(name):
    inputs = np.random.default_rng(0).standard_normal((2, 5, 4, 24))
    layer = built(name, 24, dtype="float64")
    (gamma,) = (keras.ops.convert_to_numpy(weight) for weight in layer.weights)
    order = Group.parse(name).order
    expected = np.stack([inputs[..., c] * gamma[c // order] for c in range(24)], axis=-1)
    assert np.ptp(gamma) > 0.1
    actual = keras.ops.convert_to_numpy(layer(inputs))
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("shape", [(2, 12), (2, 7, 12), (2, 3, 4, 5, 12)])
def test_inputs_of_any_rank(shape):
    inputs = np.random.default_rng(0).standard_normal(shape).astype("float32")
    layer = FieldScale("c4", keras.initializers.Constant(0.5))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(inputs)), 0.5 * inputs)


def test_a_small_start_in_half_precision():
    """1e-6 is a number of float16, below those of full precision."""
    layer = FieldScale("c4", keras.initializers.Constant(1e-6), dtype="mixed_float16")
    outputs = keras.ops.convert_to_numpy(layer(1000 * np.ones((1, 2, 2, 4), "float16")))
    np.testing.assert_allclose(outputs, 1e-3, rtol=0.05)


def test_images_of_any_size():
    image = keras.Input((None, None, 8))
    model = keras.Model(image, FieldScale("c4")(image))
    assert model.output_shape == (None, None, None, 8)
    inputs = np.ones((1, 3, 2, 8), "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(inputs)), inputs)


def test_it_starts_as_the_identity():
    layer = FieldScale("d4")
    layer.build((None, 5, 5, 16))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.expanded_scale()), np.ones(16))
