"""Losses against NumPy and scikit-learn; they take logits."""

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

from lensnet import losses
from lensnet.config.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    GaussianNLL,
    Huber,
    MeanAbsoluteError,
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


ONE_HOT = np.eye(3, dtype="float32")[LABELS]
# As after MixUp: half of each label is another image's.
MIXED = (ONE_HOT + ONE_HOT[::-1]) / 2
PROBABILITIES = softmax(LOGITS.astype(float))
BINARY = (LABELS > 0).astype("float32")[:, None]
POSITIVE = 1 / (1 + np.exp(-LOGITS[:, :1].astype(float)))


@pytest.mark.parametrize("labels", [ONE_HOT, MIXED], ids=["hard", "mixed"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_categorical_focal_loss(labels, gamma):
    """Lin et al. 2017 (arXiv:1708.02002, equation 4), over the classes of a label."""
    focus = (1 - PROBABILITIES) ** gamma
    expected = -(labels * focus * np.log(PROBABILITIES)).sum(axis=1).mean()
    found = value(CategoricalFocalCrossentropy(gamma=gamma), labels, LOGITS)
    assert found == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_binary_focal_loss(gamma, alpha):
    """Equation 5: p_t and alpha_t are those of the true class."""
    true = np.where(BINARY == 1, POSITIVE, 1 - POSITIVE)
    weight = 1.0 if alpha is None else np.where(BINARY == 1, alpha, 1 - alpha)
    expected = (-weight * (1 - true) ** gamma * np.log(true)).mean()
    section = BinaryFocalCrossentropy(gamma=gamma, alpha=alpha)
    assert value(section, BINARY, LOGITS[:, :1]) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_focal_loss_at_gamma_0_is_the_cross_entropy(smoothing):
    """Also where a probability is 0 in single precision, with smoothed and with mixed labels."""
    sure = np.array([[0.0, 500.0, -30.0]], "float32")
    options = {"label_smoothing": smoothing}
    for labels, logits in ((MIXED, LOGITS), (np.eye(3, dtype="float32")[:1], sure)):
        pairs = [
            (CategoricalFocalCrossentropy, CategoricalCrossentropy, labels, logits),
            (BinaryFocalCrossentropy, BinaryCrossentropy, labels[:, :1], logits[:, 1:2]),
        ]
        for focal, crossentropy, truth, outputs in pairs:
            found = value(focal(gamma=0, **options), truth, outputs)
            assert found == pytest.approx(value(crossentropy(**options), truth, outputs), rel=1e-6)


def test_what_is_sure_and_wrong_has_a_gradient():
    """Where Keras's focal losses, of clipped probabilities, have none."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Takes the gradient by TensorFlow's tape; the loss itself is tested on all.")
    import tensorflow as tf

    for section in (BinaryFocalCrossentropy(), CategoricalFocalCrossentropy(gamma=0.5)):
        logits = tf.Variable([[40.0, -40.0]] if section.name.startswith("cat") else [[-40.0]])
        with tf.GradientTape() as tape:
            loss = losses.create(section)(tf.constant([[0.0, 1.0]])[:, -logits.shape[1] :], logits)
        np.testing.assert_allclose(tape.gradient(loss, logits)[0, -1], -1.0, rtol=1e-5)


def test_losses_of_a_quantity():
    targets = RNG.normal(0, 2, (20, 1)).astype("float32")
    errors = np.abs(targets - LOGITS[:, :1]).astype(float)
    found = value(MeanAbsoluteError(), targets, LOGITS[:, :1])
    assert found == pytest.approx(errors.mean(), rel=TOLERANCE)
    # Huber 1964: half the square up to delta, a line of slope delta beyond.
    expected = np.where(errors <= 1.5, errors**2 / 2, 1.5 * (errors - 0.75)).mean()
    found = value(Huber(delta=1.5), targets, LOGITS[:, :1])
    assert found == pytest.approx(expected, rel=TOLERANCE)


def test_gaussian_negative_log_likelihood():
    """Against SciPy's density; the second output is the logarithm of the variance."""
    from scipy.stats import norm

    targets = RNG.normal(0, 1, (20, 1)).astype("float32")
    outputs = RNG.normal(0, 1, (20, 2)).astype("float32")
    wide = outputs.astype(float)
    density = norm.logpdf(targets[:, 0], wide[:, 0], np.exp(wide[:, 1] / 2))
    assert value(GaussianNLL(), targets, outputs) == pytest.approx(-density.mean(), rel=TOLERANCE)


@pytest.mark.parametrize(
    "section",
    [BinaryFocalCrossentropy(alpha=0.3), CategoricalFocalCrossentropy(gamma=1), GaussianNLL()],
    ids=lambda section: section.name,
)
def test_a_loss_of_ours_is_saved_and_loaded(section):
    made = losses.create(section)
    again = keras.losses.deserialize(keras.losses.serialize(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()
