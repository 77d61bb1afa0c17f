"""Classes are balanced exactly, and every example of a small class has its turn."""

import numpy as np
import tensorflow as tf

from lensnet.data.balance import Oversampling, class_weights

LABELS = np.array([0] * 10 + [1] * 4 + [2] * 7)
POSITIONS = tf.range(len(LABELS), dtype=tf.int64)


def epoch(number, positions=POSITIONS):
    index, copy = Oversampling.of(LABELS, 3).repeat(positions, tf.constant(number, tf.int64))
    return index.numpy(), copy.numpy()


def test_every_class_is_as_large_as_the_largest():
    for number in range(8):
        index, copy = epoch(number)
        np.testing.assert_array_equal(np.bincount(LABELS[index]), [10, 10, 10])
        assert len(index) == Oversampling.of(LABELS, 3).total
        # No example comes twice under the same number, so that no two copies are augmented alike.
        assert len(set(zip(index, copy, strict=True))) == len(index)
        assert set(range(len(LABELS))) == set(index)


def test_over_the_epochs_all_come_equally_often():
    # 10 = 2 * 4 + 2 and 10 = 7 + 3: after 14 epochs both cycles are complete.
    counts = sum(np.bincount(epoch(number)[0], minlength=len(LABELS)) for number in range(14))
    np.testing.assert_array_equal(counts[LABELS == 0], 14)
    np.testing.assert_array_equal(counts[LABELS == 1], 35)
    np.testing.assert_array_equal(counts[LABELS == 2], 20)


def test_parts_of_a_split_make_the_whole():
    """A streamed split is repeated window by window."""
    order = np.random.default_rng(0).permutation(len(LABELS))
    parts = [order[:9], order[9:]]
    seen = [part[epoch(3, tf.constant(part))[0]] for part in parts]
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.sort(epoch(3)[0]))


def test_class_weights_make_classes_count_alike():
    weights = class_weights(LABELS, 3)
    assert weights.dtype == np.float32
    totals = np.bincount(LABELS) * weights
    np.testing.assert_allclose(totals, totals[0], rtol=1e-6)
    np.testing.assert_allclose(weights[LABELS].mean(), 1, rtol=1e-6)
