"""The check of equivariance itself: what it must let pass and what it must not."""

import keras
import numpy as np
import pytest

from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

IMAGES = np.random.default_rng(0).standard_normal((2, 6, 6, 1))
GROUP = Group.parse("c4")


def directions(images):
    """Four channels, one a direction: a regular field of c4, by the definition of one."""
    return np.concatenate([group_image(images, g) for g in range(4)], axis=-1)


def group_image(images, element):
    """The step to the next row, rotated: what an upward difference sees in another orientation."""
    back = GROUP.transform(images, GROUP.inverse(element))
    return GROUP.transform(back - np.roll(back, 1, axis=1), element)


@pytest.mark.parametrize(
    ("function", "outputs"),
    [
        (lambda x: x.mean(axis=(1, 2)), "invariant"),
        (lambda x: x**2, "scalar"),
        (directions, "regular"),
    ],
)
def test_what_transforms_as_said_passes(function, outputs):
    assert_equivariant(function, IMAGES, "c4", outputs=outputs, tolerance=1e-12)


@pytest.mark.parametrize(
    ("function", "outputs"),
    [
        (lambda x: x[:, 0, 0], "invariant"),
        (lambda x: x - np.roll(x, 1, axis=1), "scalar"),
        (lambda x: directions(x)[..., ::-1], "regular"),
        (directions, "scalar"),
    ],
)
def test_what_does_not_fails(function, outputs):
    assert equivariance_error(function, IMAGES, GROUP, outputs=outputs) > 0.1
    with pytest.raises(AssertionError, match="Under c4 the output changes by"):
        assert_equivariant(function, IMAGES, "c4", outputs=outputs)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_output_that_says_nothing_is_refused(value):
    with pytest.raises(AssertionError, match="nothing is tested"):
        assert_equivariant(lambda x: np.full_like(x, value), IMAGES, "c4")


def test_every_weight_but_seeds_is_random():
    layers = [
        keras.layers.Conv2D(3, 3),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5, seed=7),
    ]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers])
    seed = keras.ops.convert_to_numpy(layers[2].variables[0]).copy()
    randomize(model)
    for variable in (layers[0].bias, layers[1].gamma, layers[1].beta, layers[1].moving_mean):
        assert np.std(keras.ops.convert_to_numpy(variable)) > 0
    assert keras.ops.convert_to_numpy(layers[1].moving_variance).min() > 0
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layers[2].variables[0]), seed)
    first = keras.ops.convert_to_numpy(layers[0].kernel).copy()
    randomize(model, gain=2.0)
    second = keras.ops.convert_to_numpy(layers[0].kernel)
    np.testing.assert_allclose(second, 2 * first, rtol=1e-6)
