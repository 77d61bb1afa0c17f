"""Augmentations move pixels and invent none, each as often as it should."""

import numpy as np
import pytest
import tensorflow as tf

from lensnet.data import draws
from lensnet.data.augmentation import augment, check_augmentations, names, register
from lensnet.errors import ConfigurationError, UnknownNameError

COUNT = 4000
IMAGE = np.arange(18, dtype=np.float32).reshape(3, 3, 2)
IMAGES = np.repeat(IMAGE[np.newaxis], COUNT, axis=0)
LABELS = np.ones((COUNT, 1), np.float32)
SEEDS = draws.mix(0, tf.range(COUNT))


def variants(chosen):
    images, labels = augment(tf.constant(IMAGES), tf.constant(LABELS), SEEDS, chosen)
    np.testing.assert_array_equal(labels, LABELS)
    found, counts = np.unique(images.numpy().reshape(COUNT, -1), axis=0, return_counts=True)
    return {row.tobytes(): count for row, count in zip(found, counts, strict=True)}


def test_each_turn_is_equally_frequent():
    counts = variants(["rotate90"])
    turns = {np.rot90(IMAGE, k).tobytes() for k in range(4)}
    assert set(counts) == turns
    assert all(abs(count - COUNT / 4) < 5 * (COUNT / 4) ** 0.5 for count in counts.values())


def test_each_mirror_is_equally_frequent():
    counts = variants(["flip"])
    assert set(counts) == {
        flipped.tobytes() for flipped in (IMAGE, IMAGE[::-1], IMAGE[:, ::-1], IMAGE[::-1, ::-1])
    }
    assert all(abs(count - COUNT / 4) < 5 * (COUNT / 4) ** 0.5 for count in counts.values())


def test_together_they_are_the_symmetries_of_the_square():
    counts = variants(["flip", "rotate90"])
    assert len(counts) == 8
    assert all(abs(count - COUNT / 8) < 5 * (COUNT / 8) ** 0.5 for count in counts.values())


def test_an_image_s_change_does_not_depend_on_its_batch():
    chosen = ["flip", "rotate90"]
    varied = tf.constant(np.random.default_rng(0).random((8, 5, 5, 1), dtype=np.float32))
    whole, _ = augment(varied, tf.zeros((8, 1)), SEEDS[:8], chosen)
    for at in range(8):
        alone, _ = augment(varied[at : at + 1], tf.zeros((1, 1)), SEEDS[at : at + 1], chosen)
        np.testing.assert_array_equal(alone[0], whole[at])


def test_no_augmentation_changes_nothing():
    images, _ = augment(tf.constant(IMAGES), tf.constant(LABELS), SEEDS, [])
    np.testing.assert_array_equal(images, IMAGES)


def test_checks():
    check_augmentations(names(), (5, 5, 1))
    check_augmentations(["flip"], (5, 7, 1))
    with pytest.raises(ConfigurationError, match="needs square images; these have 5 x 7"):
        check_augmentations(["rotate90"], (5, 7, 1))
    with pytest.raises(UnknownNameError, match='Did you mean "flip"'):
        check_augmentations(["flips"], (5, 5, 1))
    with pytest.raises(ValueError, match="registered twice"):
        register("flip")(lambda images, labels, seeds: (images, labels))
