"""What a search yields: by hand, by brute force, and by simulation."""

import numpy as np
import pytest

from lensnet.evaluation.bootstrap import exact_interval
from lensnet.evaluation.search_yield import describe_search, found_among_top, purity_curve

pytestmark = pytest.mark.filterwarnings("error")


def scores_of(number=400, lenses=40, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.zeros(number, int)
    labels[:lenses] = 1
    return labels, np.round(rng.normal(size=number) + 2 * labels, 1)


def test_counts_among_the_first_are_the_mean_over_the_orders_of_equal_scores():
    labels, scores = scores_of(60, 20)
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(3000):
        order = np.lexsort((rng.uniform(size=60), -scores))
        drawn.append(np.cumsum(labels[order]))
    _, found = found_among_top(labels, scores)
    assert found[-1] == 20
    np.testing.assert_allclose(found, np.mean(drawn, axis=0), atol=0.1)


def test_purity_at_a_prevalence_is_that_of_a_survey_of_it():
    labels, scores = scores_of()
    curve = purity_curve(labels, scores, 0.01)
    for share in (0.25, 0.5, 0.9):
        at = curve.at(share)
        threshold = np.unique(scores[labels == 1])[::-1][at]
        found = np.mean(scores[labels == 1] >= threshold)
        false = np.mean(scores[labels == 0] >= threshold)
        assert curve.completeness[at] == found >= share
        # Of a million objects ten thousand are lenses.
        assert curve.purity[at] == pytest.approx(1e4 * found / (1e4 * found + 99e4 * false))
        least, most = exact_interval(int(round(false * 360)), 360)
        assert curve.low[at] == pytest.approx(1e4 * found / (1e4 * found + 99e4 * most))
        assert curve.high[at] == pytest.approx(1e4 * found / (1e4 * found + 99e4 * least))
    # At the sample's own prevalence it is the precision.
    own = purity_curve(labels, scores, 0.1)
    at = own.at(0.5)
    threshold = np.unique(scores[labels == 1])[::-1][at]
    assert own.purity[at] == pytest.approx(labels[scores >= threshold].mean())


def test_described():
    labels, scores = scores_of()
    found = describe_search(labels, scores, 0.01)
    assert [row["top"] for row in found["top"]] == [1, 3, 10, 30, 100]
    assert found["inspected_per_found"][2]["inspected"] >= 1
    at = found["at_prevalence"][2]
    assert at["inspected"] == pytest.approx(1 / at["purity"])
    assert at["interval"][0] <= at["purity"] <= at["interval"][1]
    assert "prevalence" not in describe_search(labels, scores)


def test_one_class_one_lens_and_one_example():
    assert describe_search([1, 1], [0.2, 0.4], 0.1) == {}
    assert describe_search([0], [0.2], 0.1) == {}
    one = describe_search([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.4], 0.1)
    assert {row["inspected"] for row in one["inspected_per_found"]} == {2.0}
