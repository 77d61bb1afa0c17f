"""Confidence intervals: every metric on drawings as on the drawn examples, and their coverage."""

import logging

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from lensnet.evaluation.bootstrap import confidence_intervals, exact_interval, resamples
from lensnet.evaluation.metrics import (
    binary_metrics,
    classification_metrics,
    regression_metrics_with_sigma,
)
from lensnet.evaluation.resampled_metrics import (
    resampled_classes,
    resampled_means,
    resampled_targets,
)

pytestmark = pytest.mark.filterwarnings("error")


def binary(number=700, lenses=60, seed=0, digits=2):
    """Scores with many ties."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(number, int)
    labels[:lenses] = 1
    scores = 1 / (1 + np.exp(-rng.normal(labels * 2.0 - 1)))
    return labels, np.round(scores, digits)


def several(number=150, classes=4):
    rng = np.random.default_rng(1)
    labels = np.arange(number) % classes
    logits = rng.normal(size=(number, classes)) + 1.5 * np.eye(classes)[labels]
    logits = np.round(logits)  # ties
    return labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def regression(number=200):
    rng = np.random.default_rng(2)
    targets = rng.normal(12, 0.4, number)
    sigma = rng.uniform(0.1, 0.3, number)
    return targets, np.stack([targets + sigma * rng.normal(size=number), sigma], axis=1)


@pytest.mark.parametrize(
    ("examples", "metrics", "resampled"),
    [
        (binary(), binary_metrics, resampled_classes),
        (several(), classification_metrics, resampled_classes),
        (regression(), regression_metrics_with_sigma, resampled_targets),
    ],
)
def test_drawings_are_measured_as_the_examples_that_they_hold(examples, metrics, resampled):
    labels, outputs = examples
    strata = labels if labels.dtype.kind == "i" else np.zeros(len(labels), int)
    [counts] = resamples(strata, 5, seed=3)
    assert counts.max() > 2
    counts = np.concatenate([np.ones((1, len(labels))), counts])
    found = resampled(labels, outputs)(counts)
    for row, drawn in enumerate(counts.astype(int)):
        chosen = np.repeat(np.arange(len(labels)), drawn)
        expected = metrics(labels[chosen], outputs[chosen])
        known = {name for name, value in expected.items() if value is not None} - {"examples"}
        assert known == set(found)
        for name in known:
            assert found[name][row] == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name


def test_drawings_keep_the_size_of_each_class_and_follow_the_seed():
    strata = np.array([0] * 30 + [2] * 5)
    counts = np.concatenate(list(resamples(strata, 2000, seed=1)))
    assert (counts[:, :30].sum(1) == 30).all() and (counts[:, 30:].sum(1) == 5).all()
    # Each example is expected once, with the variance of a multinomial distribution.
    assert np.abs(counts.mean(0) - 1).max() < 0.1
    assert counts[:, :30].var() == pytest.approx(1 - 1 / 30, rel=0.03)
    again = np.concatenate(list(resamples(strata, 2000, seed=1)))
    assert (again == counts).all()


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(5, 2, 400)
    measure = resampled_means({"mean": values})
    low, high = confidence_intervals(measure, np.zeros(400, int), 2000)["mean"]
    error = values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_what_drawings_cannot_tell_has_no_interval():
    """All right, one class only, one example, none."""
    labels = np.array([0] * 20 + [1] * 20)
    perfect = confidence_intervals(resampled_classes(labels, labels * 0.9), labels, 200)
    assert perfect["accuracy"] is None and perfect["roc_auc"] is None
    alone = np.ones(8, int)
    found = confidence_intervals(resampled_classes(alone, np.linspace(0, 1, 8)), alone, 200)
    assert "roc_auc" not in found and found["accuracy"] is not None
    one = confidence_intervals(resampled_classes([1], np.array([0.7])), np.array([1]), 200)
    assert set(one.values()) == {None}
    assert confidence_intervals(resampled_means({"a": np.zeros(0)}), np.zeros(0), 200) == {}


@pytest.mark.parametrize(("hits", "trials"), [(0, 30), (30, 30), (7, 30)])
def test_exact_interval_against_scipy(hits, trials):
    expected = binomtest(hits, trials).proportion_ci(0.95, "exact")
    assert exact_interval(hits, trials) == pytest.approx((expected.low, expected.high))


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """In 93 to 97 % of 1,000 simulated samples, for each metric whose truth is known.

    Scores are Gaussian, of class 1 shifted by 1.5: AUC = Phi(1.5 / sqrt 2), accuracy Phi(0.75).
    """
    lenses, others, simulated, shift = 150, 250, 1000, 1.5
    labels = np.array([1] * lenses + [0] * others)
    big = np.random.default_rng(99)
    many = np.array([1] * 150_000 + [0] * 250_000)

    def probabilities(labels, rng):
        """The posterior of equal priors."""
        evidence = rng.normal(size=len(labels)) + shift * labels - shift / 2
        return 1 / (1 + np.exp(-shift * evidence))

    truth = binary_metrics(many, probabilities(many, big))
    truth["accuracy"], truth["roc_auc"] = norm.cdf(shift / 2), norm.cdf(shift / np.sqrt(2))
    names = ("accuracy", "roc_auc", "average_precision", "log_loss", "f1")
    covered = dict.fromkeys((*names, "rmse", "mae", "r2"), 0)
    for seed in range(simulated):
        rng = np.random.default_rng(seed)
        scores = probabilities(labels, rng)
        found = confidence_intervals(resampled_classes(labels, scores), labels, 1000, seed)
        targets = rng.normal(0, 1, 300)
        guess = targets[:, None] + rng.normal(0, 0.5, (300, 1))
        of_targets = resampled_targets(targets, guess)
        found |= confidence_intervals(of_targets, np.zeros(300, int), 1000, seed)
        expected = truth | {"rmse": 0.5, "mae": 0.5 * np.sqrt(2 / np.pi), "r2": 0.75}
        for name in covered:
            low, high = found[name]
            covered[name] += low <= expected[name] <= high
    shares = {name: count / simulated for name, count in covered.items()}
    logging.getLogger(__name__).info("%s", shares)
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares
