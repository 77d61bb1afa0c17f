"""Augmentations follow from their seeds alone, and together make what they make one by one."""

import numpy as np
import pytest
import tensorflow as tf

from lensnet.config.augmentation import Augmentation
from lensnet.data.augmentation.augmenter import augmenter, check_augmentations, stateless_random
from lensnet.errors import ConfigurationError

COUNT = 4000
IMAGE = np.arange(18, dtype=np.float32).reshape(3, 3, 2)
IMAGES = np.repeat(IMAGE[np.newaxis], COUNT, axis=0)
LABELS = np.ones((COUNT, 1), np.float32)
SEEDS = stateless_random.mix(0, tf.range(COUNT))
NAMES = list(Augmentation.model_fields)
MIXING = ("mixup", "cutmix", "fourier_mix")
# So often that six images suffice to see it.
ITEMS = {name: name for name in NAMES} | {"band_dropout": {"band_dropout": {"probability": 0.6}}}


def chosen(*items):
    return [Augmentation.model_validate(item) for item in items]


def augment(images, labels, seeds, *items):
    change = augmenter(chosen(*items), tuple(images.shape[1:]))
    return change(tf.constant(images), tf.constant(labels), seeds)


def variants(*items):
    images, labels = augment(IMAGES, LABELS, SEEDS, *items)
    np.testing.assert_array_equal(labels, LABELS)
    found, counts = np.unique(images.numpy().reshape(COUNT, -1), axis=0, return_counts=True)
    return {row.tobytes(): count for row, count in zip(found, counts, strict=True)}


def test_each_turn_is_equally_frequent():
    counts = variants("rotate90")
    turns = {np.rot90(IMAGE, k).tobytes() for k in range(4)}
    assert set(counts) == turns
    assert all(abs(count - COUNT / 4) < 5 * (COUNT / 4) ** 0.5 for count in counts.values())


def test_each_mirror_is_equally_frequent():
    counts = variants("flip")
    assert set(counts) == {
        flipped.tobytes() for flipped in (IMAGE, IMAGE[::-1], IMAGE[:, ::-1], IMAGE[::-1, ::-1])
    }
    assert all(abs(count - COUNT / 4) < 5 * (COUNT / 4) ** 0.5 for count in counts.values())


def test_together_they_are_the_symmetries_of_the_square():
    counts = variants("flip", "rotate90")
    assert len(counts) == 8
    assert all(abs(count - COUNT / 8) < 5 * (COUNT / 8) ** 0.5 for count in counts.values())


def test_no_augmentation_changes_nothing():
    images, labels = augment(IMAGES, LABELS, SEEDS)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize("name", NAMES)
def test_an_augmentation_follows_from_its_seeds(name):
    """Not from what was drawn before, nor from TensorFlow's or Keras's own seeds."""
    shape = (9, 9 if name == "rotate90" else 11, 2)
    images = np.random.default_rng(0).random((6, *shape), dtype=np.float32)
    labels = np.eye(6, dtype=np.float32)
    change = augmenter(chosen(ITEMS[name]), shape)
    tf.random.set_seed(1)
    one, mixed = change(tf.constant(images), tf.constant(labels), SEEDS[:6])
    change(tf.constant(images), tf.constant(labels), SEEDS[6:12])
    tf.random.set_seed(2)
    other, same = change(tf.constant(images), tf.constant(labels), SEEDS[:6])
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(mixed, same)
    again, _ = augmenter(chosen(ITEMS[name]), shape)(images, labels, SEEDS[:6])
    np.testing.assert_array_equal(one, again)
    different, _ = change(tf.constant(images), tf.constant(labels), SEEDS[6:12])
    assert not np.array_equal(one, different)
    assert one.dtype == tf.float32 and one.shape == images.shape
    assert np.isfinite(one).all() and not np.array_equal(one, images)
    np.testing.assert_allclose(np.sum(mixed, axis=1), 1, rtol=1e-6)
    assert np.array_equal(mixed, labels) == (name not in MIXING)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in MIXING])
def test_an_image_s_change_does_not_depend_on_its_batch(name):
    varied = np.random.default_rng(0).random((5, 8, 8, 2), dtype=np.float32)
    whole, _ = augment(varied, LABELS[:5], SEEDS[:5], ITEMS[name])
    for at in (0, 3):
        one = slice(at, at + 1)
        alone, _ = augment(varied[one], LABELS[one], SEEDS[one], ITEMS[name])
        # TensorFlow's exponential rounds by the place in the batch; all else is exact.
        np.testing.assert_allclose(alone[0], whole[at], rtol=0, atol=2e-7 * (name == "blur"))


def test_two_augmentations_draw_independently():
    flipped, _ = augment(IMAGES, LABELS, SEEDS, "flip")
    rotated, _ = augment(IMAGES, LABELS, SEEDS, "rotate90")
    same = [np.all(images == IMAGES, axis=(1, 2, 3)) for images in (flipped, rotated)]
    assert abs(np.mean(same[0] & same[1]) - 1 / 16) < 5 * (1 / 16 / COUNT) ** 0.5


def test_geometric_changes_are_one_map_where_they_interpolate_alike():
    images = np.random.default_rng(0).random((8, 16, 16, 1), dtype=np.float32)
    one_by_one = images
    for name in ("flip", "rotate90"):
        one_by_one, _ = augment(one_by_one, LABELS[:8], SEEDS[:8], name)
    # A shift by next to nothing makes one map of them, and moves the same pixels.
    nothing = {"shift": {"pixels": 1e-9}}
    together, _ = augment(images, LABELS[:8], SEEDS[:8], "flip", "rotate90", nothing)
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
    noisy = [
        {"rotate": {"degrees": 180}},
        {"zoom": {"range": [0.8, 1.3]}},
        {"shift": {"pixels": 3}},
    ]
    once, _ = augment(images, LABELS[:8], SEEDS[:8], *noisy)
    thrice = images
    for item in noisy:
        thrice, _ = augment(thrice, LABELS[:8], SEEDS[:8], item)
    # Pixels that are interpolated three times lose more of their contrast.
    assert np.std(thrice) < 0.9 * np.std(once)
    bilinear = [{"rotate": {"interpolation": "bilinear"}}, "zoom"]
    apart, _ = augment(images, LABELS[:8], SEEDS[:8], *bilinear)
    first, _ = augment(images, LABELS[:8], SEEDS[:8], bilinear[0])
    second, _ = augment(first, LABELS[:8], SEEDS[:8], bilinear[1])
    np.testing.assert_array_equal(apart, second)


def test_checks():
    everything = chosen(*NAMES)
    check_augmentations(everything, (5, 5, 3))
    check_augmentations(chosen("flip"), (5, 7, 1))
    with pytest.raises(ConfigurationError, match="needs square images; these have 5 x 7"):
        check_augmentations(chosen("rotate90"), (5, 7, 1))
    with pytest.raises(ConfigurationError, match="band_dropout needs several bands"):
        check_augmentations(chosen("flip", "band_dropout"), (5, 5, 1))
    with pytest.raises(ConfigurationError, match="shift by 5 pixels"):
        check_augmentations(chosen({"shift": {"pixels": 5}}), (7, 5, 1))
