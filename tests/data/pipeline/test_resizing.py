"""Resizing gives TensorFlow's result, and turns with the image."""

import numpy as np
import pytest
import tensorflow as tf

from lensnet.data.pipeline.resizing import resize, resizing_weights

SIZES = [(150, 64), (64, 150), (101, 65), (7, 7), (16, 3), (3, 16), (65, 64)]


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_equals_tensorflow(before, after):
    images = np.random.default_rng(0).random((2, before, before, 3), dtype=np.float32)
    expected = tf.image.resize(images, (after, after), method="bilinear", antialias=True)
    # TensorFlow's weights are of single precision: 2e-6 at these sizes.
    np.testing.assert_allclose(resize(tf.constant(images), after), expected, atol=5e-6)


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_weights(before, after):
    weights = resizing_weights(before, after)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_array_equal(weights, weights[::-1, ::-1])
    if before == after:
        np.testing.assert_array_equal(weights, np.eye(before))
