"""DeLong and McNemar: against each other's textbook, the bootstrap, and values by hand."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from lensnet.evaluation.bootstrap import resamples
from lensnet.evaluation.paired_tests import (
    accuracy_difference,
    auc_difference,
    auc_standard_error,
    error_difference,
)
from lensnet.evaluation.resampled_metrics import resampled_classes

pytestmark = pytest.mark.filterwarnings("error")


def two_models(number=300, seed=0):
    """Labels, and the correlated scores of two models, the second better."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(number) % 3 == 0).astype(int)
    common = rng.normal(size=number)
    logits = [labels * gain + common + 0.7 * rng.normal(size=number) for gain in (1.0, 1.4)]
    return labels, *(1 / (1 + np.exp(-z)) for z in logits)


def delong_by_loops(labels, first, second):
    """Equations 4 to 6 of DeLong et al. 1988, written as they stand."""
    pairs = []
    for scores in (first, second):
        x, y = scores[labels == 1], scores[labels == 0]
        psi = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x])
        pairs.append((psi.mean(), psi.mean(axis=1), psi.mean(axis=0)))
    m, n = (labels == 1).sum(), (labels == 0).sum()
    s10 = np.cov(pairs[0][1], pairs[1][1])
    s01 = np.cov(pairs[0][2], pairs[1][2])
    s = s10 / m + s01 / n
    z = (pairs[1][0] - pairs[0][0]) / math.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])
    return pairs[1][0] - pairs[0][0], 2 * stats.norm.sf(abs(z)), math.sqrt(s[0, 0])


def test_delong_by_its_equations():
    labels, first, second = two_models(120)
    first, second = np.round(first, 2), np.round(second, 2)
    value, p_value, error = delong_by_loops(labels, first, second)
    found = auc_difference(labels, first, second)
    assert found.value == pytest.approx(value) and found.p_value == pytest.approx(p_value)
    assert auc_standard_error(labels, first) == pytest.approx((roc_auc_score(labels, first), error))


@pytest.mark.parametrize("classes", [2, 3])
def test_delong_against_the_bootstrap(classes):
    rng = np.random.default_rng(4)
    labels = np.arange(360) % classes
    common = rng.normal(size=(360, classes))
    outputs = []
    for gain in (1.0, 1.3):
        logits = gain * np.eye(classes)[labels] + common + rng.normal(0, 0.7, (360, classes))
        outputs.append(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    found = auc_difference(labels, *outputs)
    counts = np.concatenate(list(resamples(labels, 400, seed=5)))
    areas = [resampled_classes(labels, o)(counts)["roc_auc"] for o in outputs]
    drawn = areas[1] - areas[0]
    # A standard deviation of 400 draws is good to 1 / sqrt(800) = 3.5 %.
    assert (found.high - found.low) / 3.92 == pytest.approx(np.std(drawn), rel=0.12)
    assert found.value == pytest.approx(np.mean(drawn), abs=0.25 * np.std(drawn))


def test_mcnemar_against_scipy():
    labels, first, second = two_models()
    found = accuracy_difference(labels, first, second)
    rights = [(scores > 0.5) == labels for scores in (first, second)]
    gained, lost = (~rights[0] & rights[1]).sum(), (rights[0] & ~rights[1]).sum()
    assert found.p_value == pytest.approx(stats.binomtest(int(gained), int(gained + lost)).pvalue)
    assert found.value == pytest.approx(rights[1].mean() - rights[0].mean())


def test_errors_against_scipy():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=80)
    first, second = (targets + rng.normal(0, width, 80) for width in (0.5, 0.4))
    found = error_difference(targets, first, second[:, None])
    expected = stats.ttest_rel(abs(second - targets), abs(first - targets))
    assert found.p_value == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_a_model_does_not_differ_from_itself():
    labels, scores, _ = two_models(30)
    for test in (auc_difference, accuracy_difference):
        found = test(labels, scores, scores)
        assert found.value == 0 and found.p_value is None
    assert error_difference(labels, scores, scores).p_value is None


def test_too_few_to_compare():
    assert auc_difference([0, 0, 1], np.array([0.1, 0.2, 0.9]), np.array([0.2, 0.1, 0.8])) is None
    assert error_difference([1.0], [1.0], [2.0]) is None


@pytest.mark.slow
def test_p_values_are_uniform_where_nothing_differs():
    """Of 1,000 pairs of equally good models, one in twenty has a p-value below 0.05."""
    labels = np.arange(200) % 2
    small = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        common = labels + rng.normal(size=200)
        pair = [1 / (1 + np.exp(-(common + rng.normal(size=200)))) for _ in range(2)]
        small += auc_difference(labels, *pair).p_value < 0.05
    # Three standard errors of a share of 0.05 among 1,000.
    assert small / 1000 == pytest.approx(0.05, abs=0.021)
