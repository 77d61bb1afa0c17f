"""Noise has its size, seeing its width, and a band is there or is not."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from lensnet.config.augmentation import BandDropout, Blur, Noise
from lensnet.data.augmentation import stateless_random
from lensnet.data.augmentation.pixel_changes import blur, drop_bands, noise

COUNT = 500
SEEDS = stateless_random.mix(1, tf.range(COUNT))


def test_noise_is_gaussian_and_independent():
    images = np.full((COUNT, 8, 8, 2), 3, np.float32)
    added = noise(images, SEEDS, Noise(sigma=0.2)).numpy() - 3
    assert abs(added.mean()) < 5 * 0.2 / math.sqrt(added.size)
    assert abs(added.std() / 0.2 - 1) < 5 / math.sqrt(2 * added.size)
    assert abs((added**4).mean() / 0.2**4 - 3) < 5 * math.sqrt(96 / added.size)
    flat = added.reshape(COUNT, -1)
    # Between neighbouring pixels, and between images.
    for one, other in ((flat[:, :-1], flat[:, 1:]), (flat[:-1], flat[1:])):
        assert abs(np.mean(one * other)) / 0.2**2 < 5 / math.sqrt(one.size)


@pytest.mark.parametrize("largest", [0.5, 1.7])
def test_a_blurred_image_is_scipy_s(largest):
    """Of the width that the image drew, told by the variance of a point's light."""
    random = np.random.default_rng(0)
    point = np.zeros((COUNT, 25, 25, 1), np.float32)
    point[:, 12, 12] = 1
    images = np.concatenate([point, random.random((COUNT, 25, 25, 1), np.float32)], axis=-1)
    found = blur(images, SEEDS, Blur(sigma_pixels=largest)).numpy()
    np.testing.assert_allclose(found[..., 0].sum(axis=(1, 2)), 1, rtol=1e-5)
    row = found[:, :, :, 0].sum(axis=1)
    reach = math.ceil(3 * largest)
    # A sampled Gaussian's neighbours tell its width: their ratio is exp(-1 / (2 sigma^2)).
    ratio = np.maximum(row[:, 13] / row[:, 12], 1e-38)
    sigma = np.sqrt(-0.5 / np.log(ratio))
    assert sigma.max() <= largest * 1.0001 and sigma.max() > 0.98 * largest
    if largest > 1:
        # Below a third of a pixel the neighbours are too faint to tell.
        assert abs(np.mean(sigma > largest / 2) - 0.5) < 5 * 0.5 / math.sqrt(COUNT)
    for image, blurred, width in zip(images[:20], found[:20], sigma[:20], strict=True):
        expected = ndimage.gaussian_filter(
            image[..., 1].astype(np.float64), width, mode="reflect", radius=reach
        )
        np.testing.assert_allclose(blurred[..., 1], expected, atol=2e-5)


def test_images_smaller_than_the_gaussian():
    flat = np.full((3, 4, 5, 1), 2, np.float32)
    result = blur(flat, SEEDS[:3], Blur(sigma_pixels=6))
    np.testing.assert_allclose(result, flat, rtol=1e-5)


@pytest.mark.parametrize("probability", [0.1, 0.6, 1])
def test_bands_are_lost_but_never_all(probability):
    images = np.ones((COUNT, 4, 4, 3), np.float32)
    found = drop_bands(images, SEEDS, BandDropout(probability=probability)).numpy()
    stays = found.reshape(COUNT, -1, 3)
    assert np.all(stays == stays[:, :1]) and set(np.unique(stays)) == {0, 1}
    stays = stays[:, 0]
    assert stays.any(axis=1).all()
    # All three lost is one lost fewer.
    lost = 3 * probability - probability**3
    spread = math.sqrt(3 * probability * (1 - probability) / COUNT)
    assert abs((1 - stays).sum(axis=1).mean() - lost) < 5 * spread + 1e-9
    assert np.all(np.abs(stays.mean(axis=0) - stays.mean()) < 5 * math.sqrt(0.25 / COUNT))
