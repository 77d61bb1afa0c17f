"""Classes are balanced exactly, and every example of a small class has its turn."""

import numpy as np
import tensorflow as tf

from lensnet.data.augmentation import stateless_random
from lensnet.data.pipeline.balance import Balancing, Oversampling

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


KEYS = stateless_random.mix(0, POSITIONS)


def balanced(number, labels=LABELS, seed=0):
    places, rounds = Balancing.of(labels, 3).draw(
        KEYS[: len(labels)], stateless_random.mix(seed), tf.constant(number, tf.int64)
    )
    return places.numpy(), rounds.numpy()


def test_each_batch_draws_from_all_classes_equally():
    for number in range(5):
        places, _ = balanced(number)
        assert len(places) == Balancing.of(LABELS, 3).total == len(LABELS)
        for size in (3, 4, 6, 21):
            for start in range(0, len(places), size):
                batch = np.bincount(LABELS[places[start : start + size]], minlength=3)
                assert np.ptp(batch) <= 1
    # A class without examples, of which there is none to draw, takes no place.
    places, _ = balanced(0, LABELS[LABELS != 1])
    np.testing.assert_array_equal(np.bincount(LABELS[LABELS != 1][places], minlength=3), [9, 0, 8])


def test_a_class_is_gone_through_again_and_again_across_epochs():
    seen = {label: [] for label in range(3)}
    for number in range(20):
        places, rounds = balanced(number)
        # No example comes twice under the same number, so that no two copies are augmented alike.
        assert len(set(zip(places, rounds, strict=True))) == len(places)
        for place in places:
            seen[LABELS[place]].append(place)
    for label, places in seen.items():
        size = np.count_nonzero(LABELS == label)
        whole = len(places) // size * size
        turns = np.reshape(places[:whole], (-1, size))
        members = np.tile(np.flatnonzero(LABELS == label), (len(turns), 1))
        np.testing.assert_array_equal(np.sort(turns, axis=1), members)
        assert len({tuple(turn) for turn in turns}) > 0.3 * len(turns)


def test_the_seed_of_balancing_changes_the_order():
    assert not np.array_equal(balanced(0)[0], balanced(0, seed=1)[0])
