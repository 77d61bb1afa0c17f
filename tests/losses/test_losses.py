"""Losses against NumPy and scikit-learn; they take logits."""

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

from lensnet import losses
from lensnet.config.sections import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
)

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 20)
LOGITS = RNG.normal(0, 3, (20, 3)).astype("float32")
# Single precision has seven digits, and the loss is a sum of some of its terms.
TOLERANCE = 1e-5


def value(section, truth, outputs):
    return float(keras.ops.convert_to_numpy(losses.create(section)(truth, outputs)))


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_categorical_crossentropy():
    one_hot = np.eye(3, dtype="float32")[LABELS]
    expected = log_loss(LABELS, softmax(LOGITS.astype(float)))
    found = value(CategoricalCrossentropy(), one_hot, LOGITS)
    assert found == pytest.approx(expected, rel=TOLERANCE)


def test_binary_crossentropy():
    truth = (LABELS > 0).astype("float32")[:, None]
    expected = log_loss(truth[:, 0], 1 / (1 + np.exp(-LOGITS[:, 0].astype(float))))
    assert value(BinaryCrossentropy(), truth, LOGITS[:, :1]) == pytest.approx(
        expected, rel=TOLERANCE
    )


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_label_smoothing_moves_a_share_of_the_label_to_all_classes(smoothing):
    """Szegedy et al. 2016 (arXiv:1512.00567, section 7): (1 - s) y + s / K."""
    logs = np.log(softmax(LOGITS.astype(float)))
    smoothed = (1 - smoothing) * np.eye(3)[LABELS] + smoothing / 3
    expected = -(smoothed * logs).sum(axis=1).mean()
    section = CategoricalCrossentropy(label_smoothing=smoothing)
    found = value(section, np.eye(3, dtype="float32")[LABELS], LOGITS)
    assert found == pytest.approx(expected, rel=TOLERANCE)

    truth = (LABELS > 0).astype(float)
    probability = 1 / (1 + np.exp(-LOGITS[:, 0].astype(float)))
    soft = (1 - smoothing) * truth + smoothing / 2
    expected = -(soft * np.log(probability) + (1 - soft) * np.log(1 - probability)).mean()
    section = BinaryCrossentropy(label_smoothing=smoothing)
    found = value(section, truth[:, None].astype("float32"), LOGITS[:, :1])
    assert found == pytest.approx(expected, rel=TOLERANCE)


def test_a_logit_that_is_sure_and_wrong_has_a_finite_loss():
    """Its probability is 0 in single precision; from logits the loss is the logit itself."""
    assert value(BinaryCrossentropy(), np.ones((1, 1)), np.full((1, 1), -500.0)) == 500.0
    logits = np.array([[0.0, 500.0]], "float32")
    one_hot = np.array([[1.0, 0.0]], "float32")
    assert value(CategoricalCrossentropy(), one_hot, logits) == 500.0


def test_mean_squared_error():
    targets = RNG.normal(0, 1, (20, 1)).astype("float32")
    expected = np.mean((targets - LOGITS[:, :1]) ** 2)
    assert value(MeanSquaredError(), targets, LOGITS[:, :1]) == pytest.approx(
        expected, rel=TOLERANCE
    )
