"""Random numbers follow from their seeds alone, the same in NumPy and in TensorFlow."""

import numpy as np
import tensorflow as tf

from lensnet.data import hashing
from lensnet.data.augmentation import stateless_random

SEEDS = tf.constant(np.arange(20000), tf.uint64)


def test_numpy_and_tensorflow_agree():
    numbers = np.array([0, 1, 2**63, 2**64 - 1, hashing.stable_hash("lens/7")], dtype=np.uint64)
    expected = hashing.mix(3, numbers, 5)
    np.testing.assert_array_equal(
        stateless_random.mix(3, tf.constant(numbers), 5).numpy(), expected
    )


def test_mixing_is_splitmix64():
    """The first outputs of SplitMix64 seeded with 0, as its authors' C program prints them."""
    state, outputs = 0, []
    for _ in range(3):
        outputs.append(int(hashing.mix(state)))
        state = (state + hashing.GOLDEN) % 2**64
    assert outputs == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_hashes_are_those_of_every_version():
    """Changing them would move examples between the splits of users' data."""
    assert hashing.stable_hash("lens/7") == EXPECTED


EXPECTED = 0xB314FFF736E76AEF


def test_uniform_numbers_are_uniform_and_uncorrelated():
    drawn = stateless_random.uniform(SEEDS, 3).numpy()
    assert drawn.shape == (20000, 3) and drawn.min() >= 0 and drawn.max() < 1
    # Five standard errors.
    assert np.all(abs(drawn.mean(axis=0) - 0.5) < 5 * (1 / 12 / 20000) ** 0.5)
    correlation = np.corrcoef(drawn.T) - np.eye(3)
    assert abs(correlation).max() < 5 / 20000**0.5


def test_gaussian_numbers_follow_from_their_own_seed():
    drawn = tf.function(stateless_random.normal)(SEEDS[:2000], (3, 2)).numpy()
    assert drawn.shape == (2000, 3, 2)
    np.testing.assert_array_equal(stateless_random.normal(SEEDS[7:8], (3, 2))[0], drawn[7])
    # Five standard errors.
    assert abs(drawn.mean()) < 5 / 12000**0.5 and abs(drawn.std() - 1) < 5 / 24000**0.5
    correlation = np.corrcoef(drawn.reshape(2000, -1).T) - np.eye(6)
    assert abs(correlation).max() < 5 / 2000**0.5


def test_integers_are_uniform():
    counts = np.bincount(stateless_random.integers(SEEDS, 3).numpy(), minlength=8)
    assert len(counts) == 8 and abs(counts - 2500).max() < 5 * 2500**0.5


def test_streams_are_independent():
    flips, turns = (
        stateless_random.integers(stateless_random.stream(SEEDS, name), 1)
        for name in ("flip", "turn")
    )
    agreement = np.mean(flips.numpy() == turns.numpy())
    assert abs(agreement - 0.5) < 5 * 0.5 / 20000**0.5
