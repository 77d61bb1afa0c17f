"""Ranger against the algorithms of its papers, in NumPy and double precision."""

import keras
import numpy as np
import pytest

from lensnet.optimizers import Ranger


def rectified_adam(weights, gradients, rate, beta_1, beta_2, epsilon):
    """Liu et al. 2020 (arXiv:1908.03265), algorithm 2; yields the weights after each step."""
    m, v = np.zeros_like(weights), np.zeros_like(weights)
    rho_infinity = 2 / (1 - beta_2) - 1
    for t, gradient in enumerate(gradients, start=1):
        v = beta_2 * v + (1 - beta_2) * gradient**2
        m = beta_1 * m + (1 - beta_1) * gradient
        m_hat = m / (1 - beta_1**t)
        rho = rho_infinity - 2 * t * beta_2**t / (1 - beta_2**t)
        if rho > 4:
            root = np.sqrt(v / (1 - beta_2**t)) + epsilon
            r = np.sqrt(
                ((rho - 4) * (rho - 2) * rho_infinity)
                / ((rho_infinity - 4) * (rho_infinity - 2) * rho)
            )
            weights = weights - rate * r * m_hat / root
        else:
            weights = weights - rate * m_hat
        replaced = yield weights
        weights = weights if replaced is None else replaced


def ranger(weights, gradients, period, share, **options):
    """Zhang et al. 2019 (arXiv:1907.08610), algorithm 1, around the above."""
    inner = rectified_adam(weights, gradients, **options)
    slow, fast = weights, next(inner)
    for step in range(1, len(gradients) + 1):
        if step % period == 0:
            slow = slow + share * (fast - slow)
            fast = slow
        yield fast
        if step < len(gradients):
            fast = inner.send(fast)


@pytest.mark.parametrize("beta_2", [0.999, 0.9, 0.99])
@pytest.mark.parametrize(("period", "share"), [(6, 0.5), (1, 0.3), (7, 1.0)])
def test_the_published_update(beta_2, period, share):
    """Over the steps before and after the fifth, where the variance becomes tractable."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 4))
    gradients = rng.normal(1.0, 1.0, size=(40, 3, 4))
    options = {"rate": 0.02, "beta_1": 0.9, "beta_2": beta_2, "epsilon": 1e-7}
    expected = list(ranger(start, gradients, period, share, **options))
    variable = keras.Variable(start, dtype="float32", name="kernel")
    optimizer = Ranger(0.02, beta_2=beta_2, sync_period=period, slow_step_size=share)
    optimizer.build([variable])
    for gradient, weights in zip(gradients, expected, strict=True):
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
        now = keras.ops.convert_to_numpy(variable)
        # Single precision, whose rounding adds up over the steps.
        np.testing.assert_allclose(now, weights, rtol=0, atol=5e-6)


@pytest.mark.parametrize("step", [10**3, 10**5, 10**7])
def test_the_rectification_goes_to_one(step):
    """After many steps Ranger's step is Adam's: a constant gradient moves by the learning rate."""
    variable = keras.Variable(np.zeros(2), dtype="float32", name="kernel")
    optimizer = Ranger(0.01, sync_period=10**9)
    optimizer.build([variable])
    state = dict(zip(("iteration", "rate", "m", "v", "slow"), optimizer.variables, strict=True))
    state["iteration"].assign(step - 1)
    share = 1 - 0.999**step
    state["m"].assign(np.ones(2))
    state["v"].assign(np.full(2, 1 - 0.999 ** (step - 1)))
    optimizer.apply([keras.ops.ones(2)], [variable])
    rho_infinity = 1999
    rho = rho_infinity - 2 * step * 0.999**step / share
    expected = np.sqrt(
        (rho - 4) * (rho - 2) * rho_infinity / ((rho_infinity - 4) * (rho_infinity - 2) * rho)
    )
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), -0.01 * expected, rtol=1e-4)


@pytest.mark.parametrize("options", [{"beta_2": 1.0}, {"sync_period": 0}, {"slow_step_size": 0}])
def test_what_is_refused(options):
    with pytest.raises(ValueError, match="got"):
        Ranger(**options)
