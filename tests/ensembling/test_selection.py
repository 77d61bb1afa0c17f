"""Greedy selection and fitted weights, against brute force on small sets."""

import itertools

import numpy as np
import pytest

from lensnet import registry
from lensnet.ensembling.combination import MeanOfProbabilities, MeanOfTargets
from lensnet.ensembling.criteria import criterion_of
from lensnet.ensembling.selection import fit_weights, select
from lensnet.errors import ConfigurationError
from lensnet.evaluation.metrics import binary_metrics, regression_metrics

BINARY = registry.tasks.get("binary")


def _finders(count=5, images=80, seed=0):
    """Scores of finders that each see something of the truth, with errors of their own."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, images)
    noise = rng.standard_normal((count, images, 1))
    signal = rng.uniform(0.3, 1.5, (count, 1, 1)) * (2 * labels - 1)[:, None]
    return labels, 1 / (1 + np.exp(-signal - noise))


@pytest.mark.parametrize(
    ("metric", "replacement"), [("log_loss", False), ("tpr@0.05", True), ("tpr@0.05", False)]
)
def test_each_step_takes_the_best_candidate(metric, replacement):
    """Brute force: no other candidate added to the same bag would have scored higher."""
    labels, parts = _finders()
    criterion = criterion_of(metric, BINARY)
    found = select(parts, labels, MeanOfProbabilities(), criterion, replacement=replacement)
    bag: list[int] = []
    for taken, score in zip(found.path, found.scores, strict=True):
        allowed = [n for n in range(5) if replacement or n not in bag]
        scores = {n: criterion.score(labels, parts[[*bag, n]].mean(axis=0)) for n in allowed}
        assert score == pytest.approx(max(scores.values()), abs=1e-12)
        assert scores[taken] == pytest.approx(score, abs=1e-12)
        bag.append(taken)
    assert found.counts.tolist() == np.bincount(found.path, minlength=5).tolist()
    assert found.scores[-1] == max(found.scores), "the shortest of the best is kept"
    assert replacement or found.counts.max() == 1


def test_selection_finds_the_best_of_all_subsets_here():
    labels, parts = _finders(count=4)
    criterion = criterion_of("log_loss", BINARY)
    found = select(parts, labels, MeanOfProbabilities(), criterion, replacement=False)
    subsets = [
        list(subset) for size in range(1, 5) for subset in itertools.combinations(range(4), size)
    ]
    losses = [binary_metrics(labels, parts[subset].mean(axis=0))["log_loss"] for subset in subsets]
    assert sorted(found.path) == subsets[int(np.argmin(losses))]


def test_of_equal_candidates_the_smaller_loss_and_then_the_first_is_taken():
    labels = np.array([0, 0, 1, 1])
    ranked = np.array([0.4, 0.45, 0.55, 0.6])[:, None]  # AUC 1
    surer = np.array([0.1, 0.2, 0.8, 0.9])[:, None]  # AUC 1, smaller loss
    criterion = criterion_of("roc_auc", BINARY)

    def chosen(*parts):
        stack = np.stack(parts)
        return select(stack, labels, MeanOfProbabilities(), criterion, replacement=True).path

    assert chosen(ranked, surer, ranked) == [1]
    assert chosen(surer, ranked, surer) == [0]
    assert chosen(ranked) == [0], "one candidate is its own ensemble"


def test_false_positives_that_differ_outrank_better_ones_that_agree():
    """What lens hunters gain from: two finders, each wrong about another galaxy."""
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    one = np.array([0.95, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9])[:, None]
    alike = np.array([0.95, 0.1, 0.1, 0.1, 0.94, 0.9, 0.9, 0.9])[:, None]
    other = np.array([0.1, 0.1, 0.1, 0.95, 0.8, 0.8, 0.8, 0.8])[:, None]
    parts = np.stack([one, alike, other])
    criterion = criterion_of("tpr0", BINARY)
    found = select(parts, labels, MeanOfProbabilities(), criterion, replacement=True)
    assert found.scores[0] == 0 and found.scores[-1] == 1
    assert 2 in found.path and len(found.path) == 2


def test_fitted_weights_are_the_best_on_the_simplex():
    labels, parts = _finders(count=3)
    weights = fit_weights(parts, labels, MeanOfProbabilities())
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
    best = MeanOfProbabilities().loss(parts, weights, labels)[0]
    steps = np.linspace(0, 1, 41)
    grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-9]
    losses = [MeanOfProbabilities().loss(parts, np.array(point), labels)[0] for point in grid]
    assert best <= min(losses) + 1e-9


def test_fitted_weights_of_a_regression_leave_out_what_only_harms():
    rng = np.random.default_rng(0)
    targets = 1e13 * rng.uniform(1, 2, 50)
    good = targets + 1e11 * rng.standard_normal(50)
    bad = np.full(50, 9e13)
    weights = fit_weights(np.stack([good, bad])[..., None], targets, MeanOfTargets())
    assert weights[1] < 1e-3
    mixed = MeanOfTargets().combined(np.stack([good, bad])[..., None], weights)
    equal = MeanOfTargets().combined(np.stack([good, bad])[..., None], np.array([0.5, 0.5]))
    assert regression_metrics(targets, mixed)["mse"] < regression_metrics(targets, equal)["mse"]


def test_members_that_answer_alike_share_their_weight():
    labels, parts = _finders(count=2)
    weights = fit_weights(parts[[0, 0, 1]], labels, MeanOfProbabilities())
    assert weights[0] == pytest.approx(weights[1], abs=1e-6)
    assert fit_weights(parts[:1], labels, MeanOfProbabilities()).tolist() == [1]


def test_the_rate_of_true_positives_at_a_rate_of_false_ones():
    labels = np.array([0] * 100 + [1] * 4)
    scores = np.concatenate([np.arange(100) / 100, [0.995, 0.985, 0.975, 0.5]])[:, None]
    rates = {
        name: criterion_of(name, BINARY).measure(labels, scores)
        for name in ("tpr@0", "tpr@1e-3", "tpr@0.01", "tpr@0.29", "tpr0")
    }
    assert rates == {
        "tpr@0": 0.25,
        "tpr@1e-3": 0.25,
        "tpr@0.01": 0.5,
        "tpr@0.29": 0.75,
        "tpr0": 0.25,
    }
    assert "selected by TPR0" in criterion_of("tpr@1e-3", BINARY).remark(labels)
    assert criterion_of("tpr@0.01", BINARY).remark(labels) is None


def test_less_of_a_loss_is_better():
    criterion = criterion_of("mae", registry.tasks.get("regression"))
    targets = np.array([1.0, 2.0])
    assert criterion.score(targets, np.array([[1.0], [2.1]])) > criterion.score(
        targets, np.array([[1.0], [3.0]])
    )
    assert criterion_of("default", BINARY).name == "roc_auc"


@pytest.mark.parametrize("name", ["auc", "examples", "tpr@1.5", "runs/b"])
def test_a_metric_that_cannot_be_is_refused(name):
    with pytest.raises(ConfigurationError, match="roc_auc|from 0 to below 1"):
        criterion_of(name, BINARY)


def test_rates_are_of_two_classes_alone():
    with pytest.raises(ConfigurationError, match="There is no metric"):
        criterion_of("tpr@1e-3", registry.tasks.get("classification"))
