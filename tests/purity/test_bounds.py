"""Bounds of rates and purity: by hand, by enumeration, and by simulation."""

import numpy as np
import pytest
from scipy.stats import binom

from lensnet.evaluation.bootstrap import exact_interval
from lensnet.purity.bounds import (
    Claim,
    Counts,
    count_above,
    failure_probability,
    lower_bound,
    negatives_needed,
    purity_of_rates,
    upper_bound,
)

pytestmark = pytest.mark.filterwarnings("error")


def test_bounds_are_those_of_clopper_and_pearson():
    for successes, trials in ((0, 40), (3, 40), (40, 40)):
        low, high = exact_interval(successes, trials)
        assert lower_bound(successes, trials, 0.025) == pytest.approx(low)
        assert upper_bound(successes, trials, 0.025) == pytest.approx(high)
    # At the bound itself so few successes come with just the risk.
    assert binom.cdf(3, 40, upper_bound(3, 40, 0.01)) == pytest.approx(0.01)


def test_purity_is_that_of_a_count():
    # Of a million objects 500 are lenses; 400 of these and 999.5 others pass.
    assert purity_of_rates(0.001, 0.8, 5e-4) == pytest.approx(400 / (400 + 999.5))
    assert purity_of_rates([0.0, 0.5], [0.0, 0.0], 0.1).tolist() == [0, 0]


def test_counting_takes_scores_at_the_threshold_in():
    counts = count_above(np.array([0.2, 0.9, 0.9]), np.array([0.5, 0.1]), np.array([0.9, 0.5]))
    assert counts.true.tolist() == [2, 2] and counts.false.tolist() == [0, 1]
    assert (counts.positives, counts.negatives) == (3, 2)


def test_negatives_needed_are_the_least_with_which_the_claim_holds():
    claim = Claim(5e-4, 0.5)
    needed = negatives_needed(0.4, claim)
    for number, holds in ((needed, True), (needed - 1, False)):
        rate = upper_bound(0, number, claim.risks[0])
        assert (purity_of_rates(rate, 0.4, 5e-4) >= 0.5) == holds
    assert negatives_needed(0.0, claim) is None


def test_failure_of_a_survey_is_the_share_of_surveys_that_fail():
    claim = Claim(1e-3, 0.6, 0.95, 20_000)
    rng = np.random.default_rng(0)
    true = rng.binomial(20_000, 1e-3 * 0.5, 200_000)
    false = rng.binomial(20_000, (1 - 1e-3) * 2.5e-4, 200_000)
    fails = np.mean(false > 0.4 * (true + false) + 1e-9)
    assert failure_probability(2.5e-4, 0.5, claim) == pytest.approx(fails, abs=0.005)
    assert failure_probability(0.0, 0.0, claim) == 0
    worse = failure_probability(3e-4, 0.5, claim), failure_probability(2.5e-4, 0.4, claim)
    assert min(worse) > failure_probability(2.5e-4, 0.5, claim)
    with pytest.raises(ValueError, match="without end"):
        failure_probability(0.1, 0.1, Claim(1e-3, 0.6))


def test_counts_give_the_purity_that_both_bounds_leave():
    claim = Claim(0.01, 0.5)
    counts = Counts(np.array([2]), np.array([30]), 1000, 50)
    of_false, of_true, of_survey = claim.risks
    assert of_false + of_true == pytest.approx(0.05) and of_survey == 0
    assert sum(Claim(0.01, 0.5, 0.95, 100).risks) == pytest.approx(0.05)
    most, least = upper_bound(2, 1000, of_false), lower_bound(30, 50, of_true)
    assert counts.purity_bounds(claim)[0] == pytest.approx(
        0.01 * least / (0.01 * least + 0.99 * most)
    )


@pytest.mark.parametrize("wrong", [(0, 0.5, 0.9), (0.1, 1, 0.9), (0.1, 0.5, 0), (0.1, 0.5, 0.9, 0)])
def test_claims_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match="must"):
        Claim(*wrong)
