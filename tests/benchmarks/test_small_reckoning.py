"""What the small studies reckon, against numbers worked out by hand."""

import numpy as np
import pytest
from small_reckoning import (
    committee_sums,
    images_to_reach,
    missing_ratio,
    paired_difference,
    share_above,
    spread,
)

CURVE = [(2400, 20.0, 0.70), (4800, 41.0, 0.91), (7200, 60.0, 0.88), (9600, 82.0, 0.94)]


def test_spread_is_that_of_a_sample():
    # Deviations -2, 0, 2: (4 + 0 + 4) / 2 = 4.
    found = spread([1.0, 3.0, 5.0])
    assert (found.mean, found.deviation, found.count) == (3.0, 2.0, 3)
    assert spread([0.5]).deviation is None
    assert spread([]) is None


@pytest.mark.parametrize(
    ("level", "reached"),
    [(0.70, (2400, 20.0)), (0.9, (4800, 41.0)), (0.92, (9600, 82.0)), (0.95, None)],
)
def test_images_count_to_the_end_of_the_first_epoch_that_reaches_the_level(level, reached):
    assert images_to_reach(CURVE, level) == reached


def test_ratio_is_of_the_means_of_what_is_missing():
    # (1 - 0.97) / (1 - 0.94), though the ratios by seed are 1 / 3 and 2 / 3.
    assert missing_ratio([0.98, 0.96], [0.94, 0.94]) == pytest.approx(0.5)
    assert missing_ratio([0.98], []) is None
    assert missing_ratio([0.98], [1.0]) is None


def test_paired_difference_is_over_common_seeds():
    # Differences 0.01, 0.02, 0.03: mean 0.02, deviation 0.01; t(0.975, 2) = 4.302653 of tables,
    # over the root of 3: 0.0248414.
    found = paired_difference({0: 0.91, 1: 0.92, 2: 0.93, 7: 0.1}, {0: 0.9, 1: 0.9, 2: 0.9})
    assert found == pytest.approx((0.02, 0.02 - 0.0248414, 0.02 + 0.0248414), abs=1e-7)
    assert paired_difference({0: 0.9}, {0: 0.8, 1: 0.8}) is None


def test_committees_are_all_that_there_are():
    kinds = {"plain": [f"p{n}" for n in range(5)], "c4": [f"c{n}" for n in range(5)]}
    found = committee_sums(kinds, 3)
    # 5 over 3 of each kind, and 10 over 3 = 120 in all.
    assert {kind: len(committees) for kind, committees in found.items()} == {
        "plain": 10,
        "c4": 10,
        "mixed": 100,
    }


def test_share_above_lets_through_no_more_than_the_rate():
    others = np.arange(1000) / 1000
    # One in a hundred: the ten from 0.990 on; what ties with 0.989 is not above.
    assert share_above([0.995, 0.99, 0.989, 0.1], others, 0.01) == 0.5
    assert share_above([0.9], others[:99], 0.01) is None
    assert share_above([], others, 0.01) is None
