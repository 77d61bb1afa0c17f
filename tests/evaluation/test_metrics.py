"""Metrics against scikit-learn's own multi-class functions, brute force and hand computation."""

import json
import math

import numpy as np
import pytest
import sklearn.metrics

from lensnet.evaluation import (
    binary_metrics,
    classification_metrics,
    regression_metrics,
    regression_metrics_with_sigma,
    true_positive_rate_at,
    true_positive_rate_at_fpr,
)
from lensnet.evaluation.caveats import why_undefined

pytestmark = pytest.mark.filterwarnings("error")


def random_classes(num_classes, number=400, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, number)
    labels[:num_classes] = np.arange(num_classes)
    logits = rng.normal(size=(number, num_classes))
    logits[np.arange(number), labels] += 1.0
    exponentials = np.exp(logits)
    return labels, (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(dtype)


@pytest.mark.parametrize("num_classes", [3, 5, 20])
def test_classification_agrees_with_scikit_learn(num_classes):
    labels, probabilities = random_classes(num_classes)
    metrics = classification_metrics(labels, probabilities)
    reference = {
        "accuracy": sklearn.metrics.accuracy_score(labels, probabilities.argmax(1)),
        "roc_auc": sklearn.metrics.roc_auc_score(labels, probabilities, multi_class="ovr"),
        "roc_auc_ovo": sklearn.metrics.roc_auc_score(labels, probabilities, multi_class="ovo"),
        "f1": sklearn.metrics.f1_score(labels, probabilities.argmax(1), average="macro"),
        "log_loss": sklearn.metrics.log_loss(labels, probabilities),
    }
    for name, value in reference.items():
        assert metrics[name] == pytest.approx(value, abs=1e-12), name
    assert metrics["examples"] == 400


def test_binary_agrees_with_scikit_learn():
    labels, probabilities = random_classes(2)
    positive = probabilities[:, 1]
    metrics = binary_metrics(labels, positive)
    reference = {
        "accuracy": sklearn.metrics.accuracy_score(labels, positive > 0.5),
        "roc_auc": sklearn.metrics.roc_auc_score(labels, positive),
        "f1": sklearn.metrics.f1_score(labels, positive > 0.5),
        "log_loss": sklearn.metrics.log_loss(labels, positive),
        "average_precision": sklearn.metrics.average_precision_score(labels, positive),
    }
    for name, value in reference.items():
        assert metrics[name] == pytest.approx(value, abs=1e-12), name


def test_two_classes_give_the_binary_figures():
    labels, probabilities = random_classes(2)
    two = classification_metrics(labels, probabilities)
    one = binary_metrics(labels, probabilities[:, 1])
    for name in ("accuracy", "roc_auc", "log_loss", "ece"):
        assert two[name] == pytest.approx(one[name], abs=1e-12), name


def test_column_of_probabilities_and_float_labels_are_taken():
    labels, probabilities = random_classes(2)
    column = binary_metrics(labels.astype(np.float32)[:, None], probabilities[:, 1:])
    assert column == binary_metrics(labels, probabilities[:, 1])


def test_regression_by_hand():
    metrics = regression_metrics([1.0, 2.0, 4.0], [1.5, 2.0, 3.0])
    assert metrics["mse"] == pytest.approx((0.25 + 0 + 1) / 3)
    assert metrics["mae"] == pytest.approx(0.5)
    assert metrics["rmse"] == pytest.approx(math.sqrt(1.25 / 3))
    # Total sum of squares about the mean 7/3: 16/9 + 1/9 + 25/9 = 42/9.
    assert metrics["r2"] == pytest.approx(1 - 1.25 / (42 / 9))
    assert metrics["examples"] == 3


def test_regression_of_several_targets():
    rng = np.random.default_rng(0)
    targets, predictions = rng.normal(size=(2, 50, 3))
    metrics = regression_metrics(targets, predictions)
    assert metrics["mse"] == pytest.approx(np.mean((targets - predictions) ** 2))
    each = [
        1 - np.sum((t - p) ** 2) / np.sum((t - t.mean()) ** 2)
        for t, p in zip(targets.T, predictions.T, strict=True)
    ]
    assert metrics["r2"] == pytest.approx(np.mean(each))


def test_regression_never_broadcasts():
    """(N,) minus (N, 1) is (N, N) in NumPy: a wrong error without a complaint."""
    targets = np.arange(5.0)
    assert regression_metrics(targets, targets[:, None])["mse"] == 0
    with pytest.raises(ValueError, match="same number"):
        regression_metrics(np.zeros((5, 2)), np.zeros(5))


# --- undefined values -----------------------------------------------------------------------------


def test_absent_class_gives_none_where_classes_are_compared():
    metrics = classification_metrics([0, 1, 1], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]])
    assert [metrics[name] for name in ("roc_auc", "roc_auc_ovo", "f1")] == [None] * 3
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["log_loss"] is not None and metrics["ece"] is not None


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_gives_none(label):
    metrics = binary_metrics([label] * 4, [0.1, 0.4, 0.6, 0.9])
    for name in ("roc_auc", "f1", "tpr0", "tpr10", "tpr_at_fpr_1e-2", "average_precision"):
        assert metrics[name] is None, name
    assert metrics["accuracy"] == 0.5


def test_no_examples_give_none_and_a_count_of_zero():
    for metrics in (
        classification_metrics(np.zeros(0, int), np.zeros((0, 3))),
        binary_metrics(np.zeros(0, int), np.zeros(0)),
        regression_metrics(np.zeros(0), np.zeros(0)),
    ):
        assert metrics.pop("examples") == 0
        assert set(metrics.values()) == {None}


@pytest.mark.parametrize("targets", [[3.0], [3.0, 3.0, 3.0]])
def test_r2_needs_variance(targets):
    metrics = regression_metrics(targets, [2.0] * len(targets))
    assert metrics["r2"] is None
    assert metrics["rmse"] == 1.0


def test_values_are_json_without_nan():
    labels, probabilities = random_classes(3)
    for metrics in (
        classification_metrics(labels, probabilities),
        classification_metrics([0], [[0.5, 0.5]]),
        binary_metrics([1], [0.3]),
        regression_metrics([1.0], [2.0]),
    ):
        assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_saturated_mistake_has_a_finite_log_loss_whatever_the_dtype():
    for dtype in (np.float32, np.float64):
        metrics = binary_metrics([1, 0], np.array([0.0, 0.0], dtype))
        # -ln(1e-7) / 2; the other example adds 5e-8.
        assert metrics["log_loss"] == pytest.approx(-math.log(1e-7) / 2, abs=1e-6)


def test_half_precision_rows_are_taken():
    """Their sums miss one by more than scikit-learn allows."""
    labels, probabilities = random_classes(20, dtype=np.float16)
    assert np.abs(probabilities.astype(float).sum(1) - 1).max() > 1e-5
    exact = classification_metrics(*random_classes(20))
    rounded = classification_metrics(labels, probabilities)
    # float16 keeps three digits.
    assert rounded["roc_auc_ovo"] == pytest.approx(exact["roc_auc_ovo"], abs=2e-3)


# --- lenses above the first false positive --------------------------------------------------------


def brute_force_rate(labels, scores, false_positives):
    """Lower a threshold over every score; keep the best rate with few enough false positives."""
    allowed = max(false_positives, 1) - 1
    lenses, others = scores[labels == 1], scores[labels == 0]
    best = 0.0
    for threshold in np.unique(scores):
        if np.sum(others >= threshold) <= allowed:
            best = max(best, np.mean(lenses >= threshold))
    return best


@pytest.mark.parametrize("false_positives", [0, 1, 3, 10])
@pytest.mark.parametrize("digits", [1, 6])  # with one digit nearly all scores are tied
def test_true_positive_rate_by_brute_force(false_positives, digits):
    rng = np.random.default_rng(false_positives)
    labels = rng.integers(0, 2, 200)
    scores = np.round(rng.normal(size=200) + labels, digits)
    assert (labels == 0).sum() > 10
    rate = true_positive_rate_at(labels, scores, false_positives)
    assert rate == pytest.approx(brute_force_rate(labels, scores, false_positives))


def test_rates_by_brute_force_on_a_thousand_rankings():
    """TPR0, TPR10 and TPR at FPR, with ties, one lens, and every share of lenses."""
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        number = int(rng.integers(30, 350))
        labels = (rng.uniform(size=number) < rng.uniform(0.01, 0.6)).astype(int)
        labels[:2] = 0, 1
        scores = np.round(rng.uniform(size=number) * 0.7 + 0.3 * labels, int(rng.integers(1, 5)))
        above = scores[:, None] >= np.unique(scores)
        false, true = above[labels == 0].sum(0), above[labels == 1].mean(0)
        others = int((labels == 0).sum())
        for rank in (1, 10):
            expected = true[false < rank].max(initial=0) if others >= rank else None
            assert true_positive_rate_at(labels, scores, rank) == pytest.approx(expected), seed
        for one_in in (20, 100):
            expected = true[false / others <= 1 / one_in].max(initial=0)
            found = true_positive_rate_at_fpr(labels, scores, one_in)
            assert found == (pytest.approx(expected) if others >= one_in else None), seed


def test_rates_need_their_negatives():
    labels = np.array([1] * 5 + [0] * 9_999)
    scores = np.linspace(1, 0, len(labels))
    metrics = binary_metrics(labels, scores)
    assert metrics["tpr_at_fpr_1e-3"] == 1 and metrics["tpr_at_fpr_1e-4"] is None
    reasons = why_undefined(metrics, labels, ["galaxy", "lens"])
    assert reasons["tpr_at_fpr_1e-4"] == ('it needs 10,000 images of "galaxy", and there are 9,999')


def test_tied_lens_does_not_count():
    assert true_positive_rate_at([1, 0, 1], [0.9, 0.5, 0.5], 0) == 0.5


def test_what_can_only_be_100_percent_is_not_said():
    """With six non-lenses there is no tenth false positive above which a lens could fail to be."""
    labels = [1, 0, 1, 0, 1, 0, 1]
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert true_positive_rate_at(labels, scores, 10) is None
    assert true_positive_rate_at(labels, scores, 3) == 0.75
    assert true_positive_rate_at(labels, scores, 0) == 0.25
    six = np.array([0] * 6 + [1] * 6)
    assert binary_metrics(six, np.linspace(1, 0, 12))["tpr10"] is None
    ten = np.array([0] * 10 + [1] * 6)
    assert binary_metrics(ten, np.linspace(1, 0, 16))["tpr10"] == 0


def test_scores_of_any_range_are_ranked():
    assert true_positive_rate_at([0, 1], [-30.0, 12.0], 0) == 1.0
    assert true_positive_rate_at([1, 1], [0.1, 0.2], 0) is None
    assert true_positive_rate_at([0, 0], [0.1, 0.2], 0) is None


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "1 of 4 values"),
        ([0, 1, 1], [[0.5, 0.5], [0.5, 0.5]], r"\(3, K\).*\(2, 2\)"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], r"0\.\.1.*0\.\.2"),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], r"-1\.\.0"),
        ([0, 1], [[0.5, 0.6], [0.5, 0.5]], "row 0 sums to 1.1"),
        ([0, 1], [[3.0, -2.0], [0.5, 0.5]], r"\[-2, 3\].*softmax"),
        ([[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], "one-hot"),
        (["a", "b"], [[0.5, 0.5], [0.5, 0.5]], "class indices"),
        ([0.5, 1], [[0.5, 0.5], [0.5, 0.5]], "whole"),
        ([0, 1], [0.2, 0.8], "at least 2 classes"),
    ],
)
def test_bad_classification_input(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        classification_metrics(labels, probabilities)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [0.5, np.inf], "finite"),
        ([0, 2], [0.5, 0.5], r"\[2\]"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]], r"\(2,\)"),
        ([0, 1], [-4.0, 2.0], "sigmoid"),
        ([0, 1], [0.5], r"\(1,\)"),
    ],
)
def test_bad_binary_input(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        binary_metrics(labels, probabilities)


def test_bad_regression_input():
    with pytest.raises(ValueError, match="targets must be finite"):
        regression_metrics([np.nan], [1.0])
    with pytest.raises(ValueError, match="predictions must have shape"):
        regression_metrics([1.0], np.zeros((1, 1, 1)))


def test_negative_count_of_false_positives():
    with pytest.raises(ValueError, match="-1"):
        true_positive_rate_at([0, 1], [0.1, 0.2], -1)


class TestRegressionWithSigma:
    TARGETS = np.random.default_rng(1).normal(12, 0.5, 4000)

    def outputs(self, scale):
        """Predictions with Gaussian errors of 0.1, and the sigma that they claim."""
        errors = np.random.default_rng(2).normal(0, 0.1, len(self.TARGETS))
        return np.stack([self.TARGETS + errors, np.full(len(errors), 0.1 * scale)], axis=1)

    def test_against_scipy(self):
        from scipy.stats import norm

        outputs = self.outputs(1.0)
        metrics = regression_metrics_with_sigma(self.TARGETS, outputs)
        expected = -norm.logpdf(self.TARGETS, outputs[:, 0], outputs[:, 1]).mean()
        assert metrics["nll"] == pytest.approx(expected, rel=1e-9)
        # Three standard errors of a share of 0.683 among 4000.
        assert metrics["coverage_68"] == pytest.approx(0.6827, abs=0.022)
        assert metrics["rmse"] == pytest.approx(0.1, rel=0.05)

    def test_too_narrow_and_too_wide(self):
        right, narrow, wide = (
            regression_metrics_with_sigma(self.TARGETS, self.outputs(scale))
            for scale in (1.0, 0.3, 3.0)
        )
        assert narrow["coverage_68"] < 0.3 and wide["coverage_68"] > 0.99
        assert right["nll"] < min(narrow["nll"], wide["nll"])

    def test_what_is_refused_and_undefined(self):
        with pytest.raises(ValueError, match=r"shape \(N, 2\)"):
            regression_metrics_with_sigma([1.0], [[1.0]])
        with pytest.raises(ValueError, match="0 or more"):
            regression_metrics_with_sigma([1.0], [[1.0, -1.0]])
        assert regression_metrics_with_sigma([], np.empty((0, 2)))["nll"] is None


@pytest.mark.parametrize(
    "measure",
    [
        lambda **only: binary_metrics([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], **only),
        lambda **only: classification_metrics([0, 1, 1], np.eye(3)[:2][[0, 1, 0]], **only),
        lambda **only: regression_metrics_with_sigma([1.0, 2.0], [[1.0, 1.0], [4.0, 1.0]], **only),
    ],
)
def test_one_figure_alone_is_as_among_all(measure):
    found = measure()
    assert {name: measure(only=(name,)) for name in found} == {n: {n: v} for n, v in found.items()}
