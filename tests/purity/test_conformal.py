"""Conformal p-values and selection, by definition and by simulation."""

import numpy as np
import pytest
from score_surveys import ScoreSurvey

from lensnet.purity.conformal import conformal_p_values, select_by_conformal

pytestmark = pytest.mark.filterwarnings("error")


def test_selection_is_that_of_benjamini_and_hochberg():
    rng = np.random.default_rng(0)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        negatives = rng.normal(size=400).round(1)
        survey = np.concatenate([rng.normal(size=300), rng.normal(3, 1, 30)]).round(1)
        p_values = np.sort(conformal_p_values(survey, negatives))
        below = np.flatnonzero(p_values <= 0.2 * np.arange(1, 331) / 330)
        found = select_by_conformal(survey, negatives, 0.2)
        assert found.number == (below[-1] + 1 if len(below) else 0)
        if found.number:
            assert np.sum(survey >= found.threshold) == found.number


def test_p_values_of_a_negative_are_uniform_over_its_ranks():
    # Each of twenty values is as likely to be the object and the others what is known.
    values = np.random.default_rng(0).normal(size=20)
    found = [
        float(conformal_p_values(values[at : at + 1], np.delete(values, at))[0]) for at in range(20)
    ]
    assert np.sort(found) == pytest.approx(np.arange(1, 21) / 20)
    # Equal ones have the larger p-value: never too small.
    assert conformal_p_values(np.ones(1), np.ones(9)).tolist() == [1.0]


def test_the_share_of_false_ones_is_kept_on_average():
    rng, model, shares = np.random.default_rng(0), ScoreSurvey(), []
    for _ in range(200):
        known = model.sample(rng, 0, 3000).negatives
        lenses, others = model.sample(rng, 40, 4000).positives, model.sample(rng, 0, 4000).negatives
        found = select_by_conformal(np.concatenate([lenses, others]), known, 0.3)
        false = np.sum(others >= found.threshold) if found.number else 0
        shares.append(false / max(found.number, 1))
    assert 0.15 < np.mean(shares) < 0.3 + 3 * np.std(shares) / np.sqrt(200)


def test_nothing_to_select():
    assert select_by_conformal(np.zeros(5), np.ones(9), 0.1).threshold is None
