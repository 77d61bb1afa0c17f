"""Numbers that give the class away, against scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from lensnet.exploration.separation import follows_target, tells_apart


def test_two_classes_with_ties_against_scikit_learn():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 2, 200)
    values = np.round(rng.normal(size=200) - groups)
    area = roc_auc_score(groups, values)
    assert area < 0.5
    assert tells_apart(values, groups, 2) == pytest.approx(1 - area)


def test_of_several_classes_the_best_told_counts():
    groups = np.repeat([0, 1, 2], 50)
    values = np.random.default_rng(0).normal(size=150)
    values[groups == 1] += 100
    assert tells_apart(values, groups, 3) == 1


def test_unknown_numbers_are_left_out():
    values, groups = np.array([1.0, 2, np.nan, 4, np.inf]), np.array([0, 0, 1, 1, 0])
    assert tells_apart(values, groups, 2) == 1
    assert tells_apart(values[:3], groups[:3], 2) is None


def test_rank_correlation_against_scipy():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=100)
    values = np.round(-targets + rng.normal(size=100), 1)
    expected = abs(spearmanr(values, targets).statistic)
    assert follows_target(values, targets) == pytest.approx(expected)
    assert follows_target(np.ones(100), targets) is None
