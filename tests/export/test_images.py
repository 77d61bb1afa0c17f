"""Which images an export is calibrated by and checked with."""

import numpy as np
import pytest

from lensnet.data import Preprocessing
from lensnet.errors import DataError
from lensnet.export.images import calibration_images, calibration_positions, made_up


def test_calibration_takes_of_each_class_alike_and_of_none_twice():
    labels = np.repeat([0, 1, 2], [5000, 300, 20])
    positions = calibration_positions(labels, ["a", "b", "c"], count=150)
    assert np.bincount(labels[positions]).tolist() == [50, 50, 20]
    assert len(set(positions)) == len(positions)
    assert np.array_equal(positions, calibration_positions(labels, ["a", "b", "c"], count=150))


def test_calibration_of_targets_takes_any():
    positions = calibration_positions(np.linspace(12, 14, 1000), (), count=100)
    assert len(set(positions)) == 100 and positions.max() > 900 and positions.min() < 100


def test_calibration_by_one_class_is_refused():
    with pytest.raises(DataError, match='all of the class "lens".*float16'):
        calibration_positions(np.ones(10, int), ["galaxy", "lens"])


def test_calibration_without_records_is_refused():
    with pytest.raises(DataError, match="prepared records are gone.*float16"):
        calibration_images(None)


def test_made_up_images_are_in_the_units_of_the_data():
    rng = np.random.default_rng(0)
    training = (1000 + 20 * rng.standard_normal((8, 16, 16, 2))).astype("float32")
    for scale in ("dataset_standard", "dataset_min_max"):
        preprocessing = Preprocessing.fit((16, 16, 2), None, scale, lambda: [training])
        images = made_up(preprocessing, 3)
        assert images.shape == (3, 16, 16, 2) and images.dtype == np.float32
        assert 800 < images.min() and images.max() < 1300
