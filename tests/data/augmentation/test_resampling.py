"""Resampled images are SciPy's, and TensorFlow's where it has the same."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from lensnet.data.augmentation.resampling import resample

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(6, 17, 14, 3)).astype(np.float32)
# Turned, sheared, shrunk and moved, some of it far beyond the edge.
MAPS = RANDOM.normal(size=(6, 6)) * [1, 1, 8, 1, 1, 8]
SCIPY = {"reflect": "reflect", "edge": "nearest", "constant": "grid-constant"}


def mapped(image, affine, fill):
    """One band, by SciPy, whose axes are (row, column)."""
    xx, xy, x0, yx, yy, y0 = affine
    matrix, offset = [[yy, yx], [xy, xx]], [y0, x0]
    return ndimage.affine_transform(image, matrix, offset, order=1, mode=SCIPY[fill])


@pytest.mark.parametrize("fill", SCIPY)
def test_bilinear_is_scipy_s(fill):
    found = resample(IMAGES, MAPS, fill=fill, interpolation="bilinear")
    for image, affine, result in zip(IMAGES, MAPS, found, strict=True):
        for band in range(3):
            expected = mapped(image[..., band].astype(np.float64), affine, fill)
            np.testing.assert_allclose(result[..., band], expected, atol=2e-6)


@pytest.mark.parametrize("factor", [2, 3, 7])
def test_cubic_is_tensorflow_s(factor):
    """Which enlarges whole images only: a part of one, from the middle, is compared."""
    image = RANDOM.normal(size=(1, 14, 14, 2)).astype(np.float32)
    # Antialiasing changes nothing here; without it, TensorFlow rounds weights to a table's.
    whole = tf.image.resize(image, [14 * factor] * 2, method="bicubic", antialias=True).numpy()
    first = 5 * factor
    start = (first + 0.5) / factor - 0.5
    affine = np.array([[1 / factor, 0, start, 0, 1 / factor, start]])
    found = resample(image, affine, fill="reflect", interpolation="cubic")
    part = whole[:, first : first + 14, first : first + 14]
    size = min(14, 4 * factor)
    # TensorFlow's places are in single precision.
    np.testing.assert_allclose(found[:, :size, :size], part[:, :size, :size], atol=1e-5)


def test_cubic_follows_a_parabola():
    rows, columns = np.mgrid[:12, :12].astype(np.float64)

    def parabola(x, y):
        return 0.3 * x**2 - 0.2 * x * y + 0.1 * y**2 + x - 2

    image = parabola(columns, rows).astype(np.float32)[np.newaxis, ..., np.newaxis]
    shift = np.array([[1, 0, 0.37, 0, 1, -0.21]])
    found = resample(image, shift, fill="edge", interpolation="cubic")
    expected = parabola(columns + 0.37, rows - 0.21)
    np.testing.assert_allclose(found[0, 3:-3, 3:-3, 0], expected[3:-3, 3:-3], rtol=1e-5)


@pytest.mark.parametrize("interpolation", ["bilinear", "cubic"])
@pytest.mark.parametrize("fill", SCIPY)
def test_places_of_pixels_are_copied(fill, interpolation):
    height, width = IMAGES.shape[1:3]
    mirrored = np.tile([-1.0, 0, width - 1, 0, 1, 0], (6, 1))
    half = np.tile([-1.0, 0, width - 1, 0, -1, height - 1], (6, 1))
    how = {"fill": fill, "interpolation": interpolation}
    np.testing.assert_array_equal(resample(IMAGES, mirrored, **how), IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(resample(IMAGES, half, **how), IMAGES[:, ::-1, ::-1])


@pytest.mark.parametrize("interpolation", ["bilinear", "cubic"])
def test_beyond_the_edge(interpolation):
    """By whole pixels, so that what comes is told from how it is interpolated."""
    line = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 4, 1)
    shift = np.array([[1.0, 0, -3, 0, 1, 0]])
    expected = {"reflect": [3, 2, 1, 1], "edge": [1, 1, 1, 1], "constant": [0, 0, 0, 1]}
    for fill, values in expected.items():
        found = resample(line, shift, fill=fill, interpolation=interpolation)
        np.testing.assert_array_equal(found.ravel(), values)


@pytest.mark.parametrize(("interpolation", "kept"), [("bilinear", 0.667), ("cubic", 0.814)])
def test_how_much_of_the_noise_is_kept(interpolation, kept):
    """The root of the mean, over places between pixels, of the sum of squared weights."""
    noise = RANDOM.normal(size=(20, 64, 64, 1)).astype(np.float32)
    angles = RANDOM.uniform(0.1, 1.4, size=20)
    cosine, sine, centre = np.cos(angles), np.sin(angles), 31.5
    x, y = centre * (1 - cosine + sine), centre * (1 - sine - cosine)
    maps = np.stack([cosine, -sine, x, sine, cosine, y], axis=1)
    found = resample(noise, maps, fill="reflect", interpolation=interpolation)
    assert abs(found.std() / noise.std() - kept) < 0.01
