"""Whether a survey is what the calibration was: alarms where it is not, and few where it is."""

import numpy as np
import pytest
from score_surveys import ScoreSurvey

from lensnet.purity.feature_shift import compare_features
from lensnet.purity.score_mixture import Histograms, compare_scores, histogram_edges

pytestmark = pytest.mark.filterwarnings("error")


def compare(survey_of, prevalence, seed, stated=5e-3, objects=8000, drawings=59):
    rng = np.random.default_rng(seed)
    first, second = (ScoreSurvey().sample(rng, 300, 3000) for _ in range(2))
    survey = survey_of.survey(rng, objects, prevalence)
    edges = histogram_edges(first)
    return compare_scores(second, survey, edges, stated, drawings=drawings, seed=seed)


def test_p_values_are_near_uniform_where_nothing_has_moved():
    found = [compare(ScoreSurvey(), 5e-3, seed) for seed in range(40)]
    for p_values in ([of.fit_p_value for of in found], [of.prevalence_p_value for of in found]):
        # Binomial with a mean of 4 of 40: more than 10 have a probability below 0.002.
        assert sum(p <= 0.1 for p in p_values) <= 10
        assert 0.36 < np.mean(p_values) < 0.64
    covered = [of.interval[0] <= 5e-3 <= of.interval[1] for of in found]
    assert sum(covered) >= 34


def test_a_prevalence_that_has_moved_is_seen_and_estimated():
    found = [compare(ScoreSurvey(), 0.03, seed) for seed in range(10)]
    assert all(of.prevalence_p_value <= 0.025 for of in found)
    assert np.mean([of.prevalence for of in found]) == pytest.approx(0.03, rel=0.1)
    # It is the prevalence that has moved, not the data.
    assert sum(of.fit_p_value <= 0.025 for of in found) <= 2


def test_data_that_have_moved_are_seen():
    found = [compare(ScoreSurvey(shift=0.6), 5e-3, seed) for seed in range(10)]
    assert sum(of.fit_p_value <= 0.025 for of in found) >= 9
    assert min(of.distance for of in found) > 0.05


def test_bins_that_hold_none_of_a_kind_do_no_harm():
    sample = ScoreSurvey().sample(np.random.default_rng(0), 5, 50)
    edges = np.array([-1.0, 0.01, 0.5, 2.0])
    found = compare_scores(sample, np.array([0.7] * 9), edges, 0.5, drawings=59)
    assert 0 < found.prevalence <= 1 and 0 < found.fit_p_value <= 1
    counted = Histograms.of(sample, np.array([0.7]), edges)
    assert counted.survey.tolist() == [[0, 0, 0, 1, 0]]


def test_features_that_have_moved_are_told_apart_and_others_are_not():
    rng = np.random.default_rng(0)
    is_positive = np.arange(1200) < 400
    calibration = rng.normal(size=(1200, 20)) + 2.0 * is_positive[:, None]
    alike = [
        compare_features(calibration, is_positive, rng.normal(size=(600, 20)), 1e-3, seed=seed)
        for seed in range(5)
    ]
    # The positives of the calibration, a third of it, are no difference of the data.
    assert sum(found.p_value <= 0.05 for found in alike) <= 2
    moved = compare_features(calibration, is_positive, rng.normal(0.2, 1, (600, 20)), 1e-3)
    assert moved.p_value < 1e-4 and moved.separation > 0.6


def test_features_that_cannot_be_compared():
    with pytest.raises(ValueError, match="too few"):
        compare_features(np.ones((9, 2)), np.zeros(9, bool), np.ones((99, 2)), 0.01)
    with pytest.raises(ValueError, match="not of one network"):
        compare_features(np.ones((9, 2)), np.zeros(9, bool), np.ones((99, 3)), 0.01)
