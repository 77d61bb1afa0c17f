"""The choice of a threshold: what is claimed of it is true as often as stated."""

import numpy as np
import pytest
from score_surveys import ScoreSurvey

from lensnet.purity.bounds import Claim, purity_of_rates
from lensnet.purity.choosing import ScoreSample, choose_threshold

pytestmark = pytest.mark.filterwarnings("error")


def chosen_in(surveys, claim, sizes, seed=0):
    """The true rates above each chosen threshold; None where there is none."""
    rng, model = np.random.default_rng(seed), ScoreSurvey()
    for _ in range(surveys):
        first, second = (model.sample(rng, *sizes) for _ in range(2))
        found = choose_threshold(first, second, claim)
        yield None if found.threshold is None else model.rates(found.threshold)


def test_the_purity_of_a_survey_without_end_fails_no_more_often_than_stated():
    claim = Claim(5e-3, 0.6, confidence=0.8)
    rates = [found for found in chosen_in(120, claim, (300, 4000)) if found]
    fails = sum(purity_of_rates(*found, claim.prevalence) < claim.purity for found in rates)
    # One in five may fail, and by chance a few more.
    assert fails <= 0.2 * len(rates) + 2.4 * np.sqrt(0.16 * len(rates))
    # Neither is it for nothing: most are answered, and find most of the lenses.
    assert len(rates) > 60
    assert np.mean([true for _, true in rates]) > 0.5


def test_the_purity_of_a_survey_that_ends_fails_no_more_often_than_stated():
    claim = Claim(5e-3, 0.6, confidence=0.8, objects=20_000)
    rng, fails, given = np.random.default_rng(1), 0, 0
    for found in chosen_in(80, claim, (300, 6000), seed=2):
        if found is None:
            continue
        given += 1
        lenses = rng.binomial(claim.objects, claim.prevalence)
        false = rng.binomial(claim.objects - lenses, found[0])
        true = rng.binomial(lenses, found[1])
        fails += true < claim.purity * (true + false)
    assert given > 25
    assert fails <= 0.2 * given + 2.4 * np.sqrt(0.16 * given)


def test_too_few_negatives_are_refused_with_the_number_that_it_takes():
    rng, model, claim = np.random.default_rng(0), ScoreSurvey(), Claim(5e-4, 0.5)
    few = choose_threshold(model.sample(rng, 500, 500), model.sample(rng, 500, 500), claim)
    assert few.threshold is None and few.needed > 6000
    assert 0 < few.purity_bound < 0.5
    # With some more than that, of which none passes, the claim can be made.
    quiet = ScoreSample(few.at + np.zeros(500), np.linspace(0, few.at * 0.9, 2 * few.needed))
    assert choose_threshold(quiet, quiet, claim).threshold is not None
    # A network that cannot tell is refused for that, however many there are.
    noise = ScoreSample(rng.uniform(size=200), rng.uniform(size=20_000))
    blind = choose_threshold(noise, noise, Claim(5e-3, 0.9))
    assert blind.threshold is None and blind.purity_bound < 0.5


def test_thresholds_lie_between_scores_and_equal_scores_stay_together():
    first = ScoreSample(np.array([0.9, 0.9, 0.7]), np.linspace(0, 0.5, 100))
    found = choose_threshold(first, first, Claim(0.3, 0.5))
    assert found.threshold == pytest.approx(0.6)
    assert found.counts.true.tolist() == [3]
    share, low, high = found.completeness(0.95)
    assert share == 1 and high == 1 and low == pytest.approx(0.0125 ** (1 / 3))


def test_samples_of_one_kind_are_refused():
    half = ScoreSample(np.empty(0), np.ones(3))
    with pytest.raises(ValueError, match="both samples"):
        choose_threshold(half, half, Claim(0.1, 0.5))
