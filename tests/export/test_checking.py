"""What is let pass as an export, and what is not."""

import numpy as np
import pytest

from lensnet.errors import LensnetError
from lensnet.export.checking import compare
from lensnet.export.images import CheckImages

LABELS = np.arange(200) % 2
PROBABILITIES = np.where(LABELS, 0.9, 0.2)[:, np.newaxis]
MASSES = np.linspace(12, 14, 200)


def images(labels):
    return CheckImages("the images", 200, list, labels)


def changed(outputs, by, count=1):
    return outputs + np.where(np.arange(len(outputs)) < count, by, 0.0)[:, np.newaxis]


@pytest.mark.parametrize(("quantize", "largest"), [(None, 1e-5), ("float16", 1e-2)])
def test_one_probability_that_is_off_is_enough(quantize, largest):
    near, far = (changed(PROBABILITIES, factor * largest) for factor in (0.9, 1.1))
    check = compare(PROBABILITIES, near, images(LABELS), quantize, has_classes=True)
    assert check.largest_difference == pytest.approx(0.9 * largest)
    assert check.export == check.run == 1.0
    with pytest.raises(LensnetError, match="differs from the run's model .* it was not kept"):
        compare(PROBABILITIES, far, images(LABELS), quantize, has_classes=True)


def test_targets_may_differ_by_a_part_of_the_largest():
    masses = MASSES[:, np.newaxis]
    near, far = (changed(masses, factor * 14e-5) for factor in (0.9, 1.1))
    check = compare(masses, near, images(MASSES), None, has_classes=False)
    assert check.metric == "mae" and check.run == 0
    with pytest.raises(LensnetError, match="not kept"):
        compare(masses, far, images(MASSES), None, has_classes=False)


def test_int8_may_lose_one_point_of_accuracy():
    # Two wrong of 200 are one point, three are more; probabilities may change as they like.
    point, more = (changed(PROBABILITIES, 0.4, count) for count in (4, 6))
    check = compare(PROBABILITIES, point, images(LABELS), "int8", has_classes=True)
    assert (check.run, check.export, check.allowed) == (1.0, 0.99, None)
    with pytest.raises(LensnetError, match="accuracy goes from 1 to 0.985.*use --quantize float16"):
        compare(PROBABILITIES, more, images(LABELS), "int8", has_classes=True)


def test_int8_may_lose_one_image_of_few():
    few = CheckImages("the images", 10, list, LABELS[:10])
    lost = changed(PROBABILITIES[:10], 0.4)
    assert compare(PROBABILITIES[:10], lost, few, "int8", has_classes=True).export == 0.9


def test_int8_may_lose_a_part_of_the_spread_of_targets():
    masses = MASSES[:, np.newaxis]
    spread = np.std(MASSES)
    compare(masses, masses + 0.04 * spread, images(MASSES), "int8", has_classes=False)
    with pytest.raises(LensnetError, match="By int8 the mae goes from 0 to"):
        compare(masses, masses + 0.06 * spread, images(MASSES), "int8", has_classes=False)


@pytest.mark.parametrize(
    "outputs", [changed(PROBABILITIES, np.nan), PROBABILITIES[:, [0, 0]], PROBABILITIES[:100]]
)
def test_outputs_that_are_not_numbers_or_not_as_many(outputs):
    with pytest.raises(LensnetError, match="not kept"):
        compare(PROBABILITIES, outputs, images(LABELS), "int8", has_classes=True)


def test_without_labels_the_difference_alone_is_checked():
    check = compare(PROBABILITIES, PROBABILITIES, images(None), None, has_classes=True)
    assert check.to_dict() == {
        "images": "the images",
        "largest_difference": 0.0,
        "largest_difference_allowed": 1e-5,
        "accuracy": None,
        "accuracy_of_the_run": None,
    }
