"""A regression's finished model gives targets, and their sigma, in the target's own unit."""

import keras
import numpy as np
import pytest

from lensnet.config.target_transform import TargetTransform
from lensnet.layers import fold
from lensnet.metrics import TargetMAE
from lensnet.training.target_output import in_own_unit

TARGETS = 10.0 ** np.random.default_rng(0).normal(12, 0.3, 200)
NAMES = ["standardised", "log10", "none"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_learned_and_back(name):
    transform = TargetTransform.fit(name, TARGETS)
    learned = transform.learned(TARGETS)
    if name != "none":
        assert (learned.mean(), learned.std()) == pytest.approx((0, 1), abs=1e-9)
    assert transform.is_logarithmic is (name == "log10")
    np.testing.assert_allclose(transform.in_own_unit(learned), TARGETS, rtol=1e-12)


def test_targets_that_are_all_equal_are_not_divided_by_zero():
    assert TargetTransform.fit("standardised", np.full(3, 5.0)) == TargetTransform(mean=5.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("has_sigma", [False, True], ids=["alone", "with sigma"])
def test_the_last_layers(name, has_sigma, tmp_path):
    """In the target's unit; sigma follows the slope of the way back, by finite differences."""
    transform = TargetTransform.fit(name, TARGETS)
    learned = np.array([[-1.0, -3.0], [0.5, 0.2], [2.0, -1.0]], "float32")
    columns = 2 if has_sigma else 1
    image = keras.Input((columns,))
    model = keras.Model(image, in_own_unit(image, transform))
    model.save(tmp_path / "model.keras")
    wide = learned.astype(float)
    expected = transform.in_own_unit(wide[:, :1])
    if has_sigma:
        step = 1e-6
        slope = (transform.in_own_unit(wide[:, :1] + step) - expected) / step
        expected = np.concatenate([expected, slope * np.exp(wide[:, 1:] / 2)], axis=1)
    for each in (model, keras.models.load_model(tmp_path / "model.keras"), fold(model)):
        outputs = keras.ops.convert_to_numpy(each(learned[:, :columns]))
        # Single precision: a logarithm of 27 is rounded by 2e-6.
        np.testing.assert_allclose(outputs, expected, rtol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_error_in_training_is_in_the_targets_unit(name):
    transform = TargetTransform.fit(name, TARGETS)
    metric = TargetMAE(transform.is_logarithmic, transform.mean, transform.std)
    metric = TargetMAE.from_config(metric.get_config())
    guess = TARGETS[::-1]
    sigma = np.ones_like(guess)
    outputs = np.stack([transform.learned(guess), sigma], axis=1).astype("float32")
    metric.update_state(transform.learned(TARGETS)[:, None].astype("float32"), outputs)
    expected = np.abs(guess - TARGETS).mean()
    assert float(metric.result()) == pytest.approx(expected, rel=1e-4)
