"""Statistics of many images at once, without holding them, are NumPy's of all of them."""

import numpy as np
import pytest

from lensnet.data.pipeline.statistics import extent, moments, percentiles

RANDOM = np.random.default_rng(0)
# Of units as different as a survey's fluxes, counts on a bright sky, and both signs with outliers.
IMAGES = np.stack(
    [
        1e-12 * RANDOM.lognormal(size=(30, 8, 8)),
        1000 + RANDOM.normal(size=(30, 8, 8)),
        RANDOM.standard_cauchy(size=(30, 8, 8)),
        RANDOM.integers(-3, 3, size=(30, 8, 8)),
    ],
    axis=-1,
).astype(np.float32)


def batches():
    """Of unequal size, given anew at each call."""
    return iter(np.split(IMAGES, [3, 10, 11]))


def test_extent():
    lowest, highest = extent(batches)
    np.testing.assert_array_equal(lowest, IMAGES.min(axis=(0, 1, 2)))
    np.testing.assert_array_equal(highest, IMAGES.max(axis=(0, 1, 2)))


def test_moments():
    mean, deviation = moments(batches)
    pixels = IMAGES.astype(np.float64)
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(deviation, pixels.std(axis=(0, 1, 2)), rtol=1e-12)


def test_percentiles_are_exact():
    shares = [0, 0.01, 0.5, 25, 50, 99.5, 100]
    expected = np.percentile(IMAGES, shares, axis=(0, 1, 2), method="inverted_cdf")
    np.testing.assert_array_equal(percentiles(batches, shares), expected)


def test_percentiles_of_no_images():
    with pytest.raises(ValueError, match="no images"):
        percentiles(lambda: [], [50])
