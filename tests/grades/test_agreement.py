"""Kappas against published worked examples."""

import numpy as np
import pytest

from lensnet.grades.agreement import cohen_kappa, fleiss_kappa, measure_agreement

# Fourteen raters put ten subjects into five categories: the worked example of
# https://en.wikipedia.org/wiki/Fleiss%27_kappa, where P is 0.378, P_e 0.213 and kappa 0.210.
_EXAMPLE = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def test_fleiss_of_the_worked_example():
    assert fleiss_kappa(_EXAMPLE) == pytest.approx(0.210, abs=0.0005)


def test_fleiss_of_two_categories_by_hand():
    # Two of three agree on each of two candidates: P is 1/3; each category has half, P_e is 1/2.
    assert fleiss_kappa(np.array([[2, 1], [1, 2]])) == pytest.approx((1 / 3 - 1 / 2) / (1 - 1 / 2))
    assert fleiss_kappa(np.array([[3, 0], [0, 3]])) == pytest.approx(1)


def test_fleiss_of_unequal_numbers_by_hand():
    # P: 1 of one pair, 1/3 of three pairs. Shares: 1 and 2/3, 0 and 1/3.
    shares = np.array([5 / 6, 1 / 6])
    by_chance = (shares**2).sum()
    expected = ((1 + 1 / 3) / 2 - by_chance) / (1 - by_chance)
    assert fleiss_kappa(np.array([[2, 0], [2, 1]])) == pytest.approx(expected)


def test_kappas_that_are_not_defined():
    assert fleiss_kappa(np.array([[3, 0], [3, 0]])) is None
    assert cohen_kappa("AAA", "AAA") is None
    with pytest.raises(ValueError, match="two grades or more"):
        fleiss_kappa(np.array([[1, 0]]))


def test_cohen_of_the_worked_example():
    # 50 proposals: both yes 20, both no 15, one yes 5, the other yes 10; kappa is 0.4
    # (https://en.wikipedia.org/wiki/Cohen%27s_kappa).
    first = "A" * 20 + "A" * 5 + "X" * 10 + "X" * 15
    second = "A" * 20 + "X" * 5 + "A" * 10 + "X" * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_pairs_are_of_what_both_have_graded():
    found = measure_agreement(
        {
            "1": {"ann": "A", "bob": "A"},
            "2": {"ann": "X", "bob": "C"},
            "3": {"ann": "X"},
            "4": {"cat": "X", "ann": "X"},
        }
    )
    assert found.candidates == 3
    assert found.observed == pytest.approx(2 / 3)
    assert [(pair.graders, pair.common, pair.observed) for pair in found.pairs] == [
        (("ann", "bob"), 2, 0.5),
        (("ann", "cat"), 1, 1.0),
    ]
    # Chance: ann A and X, bob A and C, so 1/4; observed 1/2.
    assert found.pairs[0].kappa == pytest.approx(1 / 3)
    assert found.fleiss is not None
    assert measure_agreement({"1": {"ann": "A"}}).observed is None
