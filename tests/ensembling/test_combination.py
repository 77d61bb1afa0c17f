"""How answers are combined, in NumPy and in Keras, against each paper's formula."""

import keras
import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from lensnet.ensembling.choosing import combine_models
from lensnet.ensembling.combination import (
    GaussianMixture,
    MeanOfLogits,
    MeanOfProbabilities,
    MeanOfTargets,
)
from lensnet.layers import GroupAveraged, fold

WEIGHTS = np.array([0.5, 0.3, 0.2])


def _images(count=6):
    return np.random.default_rng(0).standard_normal((count, 4, 4, 1)).astype("float32")


def _network(seed, outputs, activation):
    """A dense layer whose answers differ from seed to seed."""
    image = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(image)
    kernel = keras.initializers.RandomNormal(1.0, seed=seed)
    x = keras.layers.Dense(outputs, kernel_initializer=kernel)(x)
    if activation:
        x = keras.layers.Activation(activation, dtype="float32", name="probabilities")(x)
    return keras.Model(image, x)


def _combined(models, combination):
    parts = [
        keras.Model(model.input, combination.part(model), name=f"member_{number}")
        for number, model in enumerate(models)
    ]
    return combine_models(parts, WEIGHTS.tolist(), combination, name="ensemble")


def _answers(model, images):
    return keras.ops.convert_to_numpy(model(images)).astype(np.float64)


@pytest.mark.parametrize(("outputs", "activation"), [(1, "sigmoid"), (3, "softmax")])
def test_the_mean_of_probabilities_is_that_of_the_members(outputs, activation):
    models = [_network(seed, outputs, activation) for seed in range(3)]
    answers = np.stack([_answers(model, _images()) for model in models])
    whole = _combined(models, MeanOfProbabilities())
    expected = sum(w * a for w, a in zip(WEIGHTS, answers, strict=True))
    np.testing.assert_allclose(_answers(whole, _images()), expected, atol=1e-6)
    np.testing.assert_allclose(MeanOfProbabilities().combined(answers, WEIGHTS), expected)


@pytest.mark.parametrize(("outputs", "activation"), [(1, "sigmoid"), (3, "softmax")])
def test_the_mean_of_logits_is_taken_before_the_activation(outputs, activation):
    models = [_network(seed, outputs, activation) for seed in range(3)]
    logits = np.stack(
        [
            _answers(keras.Model(model.input, model.layers[-2].output), 30 * _images())
            for model in models
        ]
    )
    mean = np.tensordot(WEIGHTS, logits, axes=1)
    expected = expit(mean) if outputs == 1 else softmax(mean, axis=-1)
    # At 30 times the contrast most probabilities are 0 or 1 in float32: nothing could be got back
    # from their logarithms.
    whole = _combined(models, MeanOfLogits())
    np.testing.assert_allclose(_answers(whole, 30 * _images()), expected, atol=1e-6)
    np.testing.assert_allclose(MeanOfLogits().combined(logits, WEIGHTS), expected, atol=1e-12)


@pytest.mark.parametrize(("outputs", "activation"), [(1, "sigmoid"), (3, "softmax")])
def test_a_network_that_averages_probabilities_has_their_logits(outputs, activation):
    averaged = GroupAveraged(_network(0, outputs, activation), "c4")
    image = keras.Input((4, 4, 1))
    models = [
        keras.Model(image, averaged(image)),
        *(_network(s, outputs, activation) for s in (1, 2)),
    ]
    answers = np.stack([_answers(model, _images()) for model in models])
    logits = logit(answers) if outputs == 1 else np.log(answers)
    mean = np.tensordot(WEIGHTS, logits, axes=1)
    expected = expit(mean) if outputs == 1 else softmax(mean, axis=-1)
    whole = _combined(models, MeanOfLogits())
    for model in (whole, fold(whole)):
        np.testing.assert_allclose(_answers(model, _images()), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e13, 1e-23])
def test_the_mixture_of_gaussians_has_their_mean_and_spread(scale, tmp_path):
    """Also in units in which the square of a target is no float32."""
    images = _images()
    models = []
    for seed in range(3):
        image = keras.Input((4, 4, 1))
        features = keras.layers.Flatten()(image)
        kernel = keras.initializers.RandomNormal(1.0, seed=seed)
        mean = keras.layers.Dense(1, kernel_initializer=kernel)(features)
        sigma = keras.layers.Dense(1, "softplus", kernel_initializer=kernel)(features)
        both = keras.layers.Rescaling(scale)(keras.layers.Concatenate()([mean, sigma]))
        models.append(keras.Model(image, both))
    answers = np.stack([_answers(model, images) for model in models])
    whole = _combined(models, GaussianMixture())
    means, sigmas = answers[..., 0], answers[..., 1]
    mean = WEIGHTS @ means
    # The second moment of a mixture, less the square of the first.
    sigma = np.sqrt(WEIGHTS @ (sigmas**2 + means**2) - mean**2)
    whole.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for model in (whole, fold(whole), again):
        found = _answers(model, images)
        np.testing.assert_allclose(found, np.stack([mean, sigma], -1), rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(GaussianMixture().combined(answers, WEIGHTS)[:, 1], sigma, rtol=1e-6)


def test_an_ensemble_is_stock_and_folds_and_comes_back_from_its_file(tmp_path):
    models = [_network(seed, 1, None) for seed in range(3)]
    whole = _combined(models, MeanOfTargets())
    expected = np.tensordot(
        WEIGHTS, np.stack([_answers(model, _images()) for model in models]), axes=1
    )
    whole.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for model in (whole, again, fold(whole)):
        np.testing.assert_allclose(_answers(model, _images()), expected, atol=1e-6)
    assert all(type(layer).__module__.startswith("keras.") for layer in again.layers)


@pytest.mark.parametrize(
    ("combination", "columns"),
    [
        (MeanOfProbabilities(), 1),
        (MeanOfProbabilities(), 3),
        (MeanOfLogits(), 1),
        (MeanOfLogits(), 3),
        (MeanOfTargets(), 1),
        (GaussianMixture(), 2),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else str(value),
)
def test_the_gradient_of_each_loss_is_its_derivative(combination, columns):
    rng = np.random.default_rng(1)
    parts = rng.uniform(0.05, 0.95, (3, 20, columns))
    if isinstance(combination, MeanOfProbabilities) and columns > 1:
        parts /= parts.sum(axis=-1, keepdims=True)
    targets = isinstance(combination, MeanOfTargets | GaussianMixture)
    labels = rng.standard_normal(20) if targets else rng.integers(0, max(columns, 2), 20)
    _, gradient = combination.loss(parts, WEIGHTS, labels)
    step = 1e-6
    numeric = [
        (
            combination.loss(parts, WEIGHTS + step * one, labels)[0]
            - combination.loss(parts, WEIGHTS - step * one, labels)[0]
        )
        / (2 * step)
        for one in np.eye(3)
    ]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-8)
