"""Schedule-free AdamW against the paper's algorithm, in NumPy and double precision."""

import keras
import numpy as np
import pytest

from lensnet.optimizers import ScheduleFreeAdamW

START = np.random.default_rng(0).normal(size=(3, 2))
GRADIENTS = np.random.default_rng(1).normal(1.0, 1.0, size=(30, 3, 2))


def published(decay, rate=0.02, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Defazio et al. 2024 (arXiv:2405.15682), algorithm 1, at a constant rate: each step's y."""
    z, x, v, y = START, START, np.zeros_like(START), START
    for t, gradient in enumerate(GRADIENTS, start=1):
        v = beta_2 * v + (1 - beta_2) * gradient**2
        z = z - rate * (gradient / (np.sqrt(v / (1 - beta_2**t)) + epsilon) + decay * y)
        x = (1 - 1 / t) * x + z / t
        y = (1 - beta_1) * z + beta_1 * x
        yield y


def trained(kind, decay):
    variable = keras.Variable(START, dtype="float32", name="kernel")
    optimizer = kind(0.02, weight_decay=decay or None)
    optimizer.build([variable])
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
        yield keras.ops.convert_to_numpy(variable)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_the_published_update(decay):
    for found, expected in zip(trained(ScheduleFreeAdamW, decay), published(decay), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="on other backends Keras follows the right mean"
)
def test_keras_still_follows_another_mean():
    """If this fails, Keras's own class may serve (but for where it decays)."""
    last = [
        list(each)[-1]
        for each in (trained(keras.optimizers.ScheduleFreeAdamW, 0.0), published(0.0))
    ]
    assert np.abs(last[0] - last[1]).max() > 1e-3
