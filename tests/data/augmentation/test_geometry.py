"""A spot of light goes where turns, shifts and zooms say."""

import math

import numpy as np
import pytest
import tensorflow as tf

from lensnet.config.augmentation import Augmentation
from lensnet.data.augmentation.augmenter import augmenter, stateless_random

COUNT, SIZE = 1000, 41
CENTRE = (SIZE - 1) / 2
SEEDS = stateless_random.mix(3, tf.range(COUNT))
Y, X = np.mgrid[:SIZE, :SIZE] - CENTRE


def spot(x, y, width=2.0):
    """A round Gaussian at pixels from the centre, x to the right and y down."""
    return np.exp(-0.5 * ((X - x) ** 2 + (Y - y) ** 2) / width**2).astype(np.float32)


def changed(image, *items):
    """Many versions of an image; (COUNT, SIZE, SIZE)."""
    images = np.repeat(image[np.newaxis, ..., np.newaxis], COUNT, axis=0)
    chosen = [Augmentation.model_validate(item) for item in items]
    result, _ = augmenter(chosen, images.shape[1:])(images, np.zeros((COUNT, 1)), SEEDS)
    return result.numpy()[..., 0]


def centroids(images):
    total = images.sum(axis=(1, 2))
    return (images * X).sum(axis=(1, 2)) / total, (images * Y).sum(axis=(1, 2)) / total


def assert_uniform(values, low, high):
    """Mean and variance, within five standard errors, and the range."""
    span = high - low
    assert abs(np.mean(values) - (low + high) / 2) < 5 * span / math.sqrt(12 * COUNT)
    assert abs(np.var(values) / (span**2 / 12) - 1) < 5 * math.sqrt(0.8 / COUNT)
    assert low - 1e-3 * span < np.min(values) < low + 0.03 * span
    assert high - 0.03 * span < np.max(values) < high + 1e-3 * span


@pytest.mark.parametrize("interpolation", ["cubic", "bilinear"])
@pytest.mark.parametrize("degrees", [15, 180])
def test_turns_are_uniform_and_about_the_centre(degrees, interpolation):
    # What is mirrored at the edge would be seen in the corners.
    options = {"degrees": degrees, "interpolation": interpolation, "fill": "constant"}
    x, y = centroids(changed(spot(8, 0), {"rotate": options}))
    np.testing.assert_allclose(np.hypot(x, y), 8, atol=0.01)
    # Counter-clockwise as one sees it.
    assert_uniform(np.degrees(np.arctan2(-y, x)), -degrees, degrees)


def test_a_turn_is_counter_clockwise_as_rotate90_is():
    """By the map itself: a quarter turn of either is NumPy's."""
    image = spot(8, 3)
    versions = {version.tobytes() for version in changed(image, "rotate90")}
    assert np.ascontiguousarray(np.rot90(image)).tobytes() in versions
    rotated = changed(image, {"rotate": {"degrees": 180, "fill": "constant"}})
    x, y = centroids(rotated)
    quarter = np.argmin(np.hypot(x - 3, y + 8))
    np.testing.assert_allclose(rotated[quarter], np.rot90(image), atol=0.05)


def test_shifts_are_uniform_along_both_axes():
    x, y = centroids(changed(spot(0, 0), {"shift": {"pixels": 2.5}}))
    assert_uniform(x, -2.5, 2.5)
    assert_uniform(y, -2.5, 2.5)
    assert abs(np.corrcoef(x, y)[0, 1]) < 5 / math.sqrt(COUNT)


def test_zooms_are_uniform_in_their_logarithm():
    images = changed(spot(0, 0, width=3), {"zoom": {"range": [0.7, 1.4]}})
    total = images.sum(axis=(1, 2))
    widths = np.sqrt((images * (X**2 + Y**2)).sum(axis=(1, 2)) / total / 2)
    assert_uniform(np.log(widths / 3), math.log(0.7), math.log(1.4))
    # Surface brightness is kept, as a lens keeps it.
    np.testing.assert_allclose(images.max(axis=(1, 2)), 1, atol=1e-3)


def test_one_map_is_one_change_after_the_other():
    """Of an image so smooth that being interpolated again does not matter."""
    image = spot(4, 2, width=3)
    dark = {"fill": "constant"}
    items = ["flip", {"rotate": {"degrees": 90, **dark}}, "rotate90"]
    items += [{"shift": {"pixels": 3, **dark}}, {"zoom": dark}]
    together = changed(image, *items)
    one_by_one = np.repeat(image[np.newaxis, ..., np.newaxis], COUNT, axis=0)
    for item in items:
        change = augmenter([Augmentation.model_validate(item)], one_by_one.shape[1:])
        one_by_one, _ = change(one_by_one, np.zeros((COUNT, 1)), SEEDS)
    np.testing.assert_allclose(together, one_by_one[..., 0], atol=0.01)
    assert np.abs(together - image).mean() > 0.02


@pytest.mark.parametrize(("fill", "outside"), [("reflect", 1), ("edge", 1), ("constant", 0)])
def test_what_lies_beyond_the_edge(fill, outside):
    bright = np.ones((SIZE, SIZE), np.float32)
    images = changed(bright, {"shift": {"pixels": 4, "fill": fill}})
    np.testing.assert_allclose(images[:, 5:-5, 5:-5], 1, rtol=1e-6)
    assert abs(images.min() - outside) < 0.1
