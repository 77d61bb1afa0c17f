"""Expected calibration error by hand and by a plain loop over the bins of Guo et al. 2017."""

import numpy as np
import pytest

from lensnet.evaluation import expected_calibration_error
from lensnet.evaluation.calibration import calibration_bins

pytestmark = pytest.mark.filterwarnings("error")


def error_by_loop(labels, probabilities, bins):
    """Equation 3, with bin m holding confidences in ((m - 1) / M, m / M]."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    total = 0.0
    for m in range(1, bins + 1):
        members = [i for i, c in enumerate(confidence) if (m - 1) / bins < c <= m / bins]
        if members:
            accuracy = sum(right[i] for i in members) / len(members)
            mean = sum(confidence[i] for i in members) / len(members)
            total += len(members) / len(labels) * abs(accuracy - mean)
    return total


def test_by_hand():
    # Confidences 0.9, 0.9 (one right), 0.6 (right): |1/2 - 0.9| * 2/3 + |1 - 0.6| * 1/3
    error = expected_calibration_error([0, 1, 1], [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    assert error == pytest.approx(0.4)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_by_loop(bins):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    probabilities = rng.dirichlet(np.ones(4), 300)
    assert expected_calibration_error(labels, probabilities, bins) == pytest.approx(
        error_by_loop(labels, probabilities, bins)
    )


def test_binary_confidence_is_that_of_the_predicted_class():
    """p = 0.1 for a non-lens is a right answer at confidence 0.9."""
    assert expected_calibration_error([0], [0.1]) == pytest.approx(0.1)


def test_perfectly_calibrated_is_near_zero_and_overconfident_is_not():
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(size=40_000)
    labels = (rng.uniform(size=40_000) < probabilities).astype(int)
    # Sampling noise: 8 filled bins of about 5,000 examples, each off by some 0.005.
    assert expected_calibration_error(labels, probabilities) < 0.01
    assert expected_calibration_error(labels, np.round(probabilities)) > 0.2


def test_empty_bins_and_upper_edges():
    bins = calibration_bins([1, 1], [1.0, 0.75], bins=4)
    assert bins.counts.tolist() == [0, 0, 1, 1]
    assert np.isnan(bins.accuracy[:2]).all()


def test_no_examples_and_no_bins():
    assert expected_calibration_error(np.zeros(0, int), np.zeros(0)) is None
    with pytest.raises(ValueError, match="bins"):
        expected_calibration_error([0], [0.5], bins=0)
