"""Weights of images in the loss: a mean of 1, classes that count alike, and what is refused."""

import numpy as np
import pytest

from lensnet.data.pipeline.example_weights import class_weights, loss_weights, named_weights
from lensnet.errors import ConfigurationError

LABELS = np.array([0] * 10 + [1] * 4 + [2] * 7)
VALUES = np.random.default_rng(0).uniform(0.1, 5, len(LABELS))


@pytest.mark.parametrize("values", [None, VALUES])
def test_class_weights_make_classes_count_alike(values):
    weights = class_weights(LABELS, 3, values)
    assert weights.dtype == np.float32
    each = weights[LABELS] * (1 if values is None else values)
    totals = np.bincount(LABELS, each)
    np.testing.assert_allclose(totals, totals[0], rtol=1e-6)
    np.testing.assert_allclose(each.mean(), 1 if values is None else values.mean(), rtol=1e-6)


def test_weights_keep_their_ratios_within_a_class_and_have_a_mean_of_one():
    plain, balanced = (loss_weights(LABELS, count, 100 * VALUES) for count in (0, 3))
    for weights in (plain, balanced):
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights.mean(), 1, rtol=1e-6)
        for label in range(3):
            ratio = weights[LABELS == label] / VALUES[LABELS == label]
            np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    np.testing.assert_allclose(plain / VALUES, plain[0] / VALUES[0], rtol=1e-6)
    totals = np.bincount(LABELS, balanced)
    np.testing.assert_allclose(totals, totals[0], rtol=1e-6)
    assert loss_weights(LABELS, 0, None) is None


def test_a_class_without_weight_stays_without():
    weights = loss_weights(np.array([0, 0, 1]), 2, np.array([1.0, 3.0, 0.0]))
    np.testing.assert_allclose(weights, [0.75, 2.25, 0.0])


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "None is known of any number"),
        ({"weigt": np.ones(3)}, 'Did you mean "weigt"'),
        ({"weight": np.array([1, np.nan, 1])}, '1 of 3 training images lack it, such as "b"'),
        ({"weight": np.array([1, 1, -1.0])}, 'below 0 or not finite, such as "c"'),
        ({"weight": np.array([np.inf, 1, 1])}, 'not finite, such as "a"'),
        ({"weight": np.zeros(3)}, "is 0 of all training images"),
    ],
)
def test_what_is_no_weight_is_refused_by_its_key(metadata, words):
    with pytest.raises(ConfigurationError, match="data.example_weights") as caught:
        named_weights(metadata, "weight", ["a", "b", "c"])
    assert words in str(caught.value) and caught.value.key == "data.example_weights"
    assert "\n" not in str(caught.value)
