"""What a round has gained, on arrays."""

import numpy as np
import pytest

from lensnet.learning.gain import compare_outputs

RANDOM = np.random.default_rng(0)
LABELS = np.arange(200) % 2


def outputs(strength):
    return 1 / (1 + np.exp(-(strength * (2 * LABELS - 1) + RANDOM.normal(size=200))))[:, np.newaxis]


def test_a_better_network_gains_in_each_metric():
    before, after = outputs(0.3), outputs(2.0)
    found = {
        gain.metric: gain for gain in compare_outputs("held-out grades", LABELS, before, after)
    }
    assert found.keys() == {"roc_auc", "accuracy", "average_precision", "log_loss"}
    for name, gain in found.items():
        better = 1 if name != "log_loss" else -1
        value = gain.after - gain.before
        assert better * value > 0 and gain.low < value < gain.high
        assert better * min(gain.low, gain.high, key=abs) > 0, "more than chance"
        assert gain.examples == 200
    assert found["roc_auc"].p_value < 1e-3


def test_the_same_network_gains_nothing():
    same = outputs(1.0)
    for gain in compare_outputs("test", LABELS, same, same):
        assert gain.before == gain.after and gain.p_value is None


def test_one_class_alone_has_an_accuracy_and_no_ranking():
    ones = np.ones(20, int)
    found = compare_outputs("held-out grades", ones, np.full((20, 1), 0.4), np.full((20, 1), 0.6))
    assert "roc_auc" not in {gain.metric for gain in found}
    accuracy = next(gain for gain in found if gain.metric == "accuracy")
    assert (accuracy.before, accuracy.after) == (0, 1) and accuracy.p_value < 1e-4


def test_more_classes_than_two():
    labels = np.arange(90) % 3
    good = np.eye(3)[labels] * 0.6 + 0.4 / 3
    found = {g.metric: g for g in compare_outputs("test", labels, np.full((90, 3), 1 / 3), good)}
    assert found["accuracy"].after == 1 and found["roc_auc"].before == pytest.approx(0.5)
