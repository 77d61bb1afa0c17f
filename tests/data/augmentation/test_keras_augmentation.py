"""What the libraries' layers do to images and labels, as an experiment asks for it."""

import numpy as np
import pytest
import tensorflow as tf

from lensnet.config.augmentation import Augmentation
from lensnet.data.augmentation.augmenter import augmenter, stateless_random

COUNT, SIZE = 200, 10
SEEDS = stateless_random.mix(2, tf.range(COUNT))
IMAGES = np.random.default_rng(0).random((COUNT, SIZE, SIZE, 2), dtype=np.float32)
LABELS = np.eye(COUNT, dtype=np.float32)


def change(images, labels, item, count=COUNT):
    made = augmenter([Augmentation.model_validate(item)], images.shape[1:])
    images, labels = tf.function(made, autograph=False)(
        tf.constant(images), tf.constant(labels), SEEDS[:count]
    )
    return images.numpy(), labels.numpy()


def pairs(labels):
    """Of each row, its own weight, its partner, and the partner's weight."""
    own = np.diagonal(labels)
    others = labels - np.diag(own)
    return own, others.argmax(axis=1), others.max(axis=1)


def test_mixup_mixes_images_as_it_mixes_labels():
    images, labels = change(IMAGES, LABELS, {"mixup": {"alpha": 0.4}})
    own, partner, share = pairs(labels)
    expected = own[:, None, None, None] * IMAGES
    expected += share[:, None, None, None] * IMAGES[partner]
    np.testing.assert_allclose(images, expected, atol=1e-6)
    # Beta(0.4, 0.4) has mean 1/2 and variance 1 / (4 (2 alpha + 1)).
    assert abs(own.mean() - 0.5) < 5 * np.sqrt(1 / 7.2 / COUNT)
    assert abs(own.var() - 1 / 7.2) < 0.04
    assert len(set(partner)) > 0.9 * COUNT


def test_mixup_mixes_targets():
    targets = np.linspace(-3, 5, COUNT, dtype=np.float32)[:, np.newaxis]
    _, labels = change(IMAGES, LABELS, "mixup")
    _, mixed = change(IMAGES, targets, "mixup")
    np.testing.assert_allclose(mixed, labels @ targets, atol=1e-5)


@pytest.mark.parametrize("name", ["cutmix", "fourier_mix"])
def test_parts_of_other_images_count_in_the_label_by_their_area(name):
    images, labels = change(IMAGES, LABELS, name)
    own, partner, share = pairs(labels)
    same = np.all(images == IMAGES, axis=-1)
    theirs = np.all(images == IMAGES[partner], axis=-1)
    assert np.all(same | theirs)
    np.testing.assert_allclose(own, same.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(own + share, 1, atol=1e-6)
    assert abs(own.mean() - 0.5) < 0.1 and own.std() > 0.2


def test_the_part_of_cutmix_is_a_rectangle():
    images, labels = change(IMAGES, LABELS, "cutmix")
    theirs = ~np.all(images == IMAGES, axis=-1)
    for mask in theirs:
        rows, columns = mask.any(axis=1), mask.any(axis=0)
        assert np.array_equal(mask, np.outer(rows, columns))


@pytest.mark.parametrize("unit", [1, 1e-12])
@pytest.mark.parametrize("fill", ["lowest", "noise"])
def test_erasing(fill, unit):
    """A rectangle, as often as asked, filled within the image's range whatever its unit."""
    before = (unit * (IMAGES - 0.5)).astype(np.float32)
    item = {"random_erasing": {"probability": 0.7, "area": [0.1, 0.4], "fill": fill}}
    images, labels = change(before, LABELS, item)
    np.testing.assert_array_equal(labels, LABELS)
    erased = np.any(abs(images - before) > 1e-5 * unit, axis=-1)
    often = erased.any(axis=(1, 2)).mean()
    assert abs(often - 0.7) < 5 * np.sqrt(0.21 / COUNT)
    lowest, highest = before.min(axis=(1, 2, 3)), before.max(axis=(1, 2, 3))
    assert np.all(images.min(axis=(1, 2, 3)) >= lowest - 1e-6 * unit)
    assert np.all(images.max(axis=(1, 2, 3)) <= highest + 1e-6 * unit)
    if fill == "lowest":
        for image, mask, low in zip(images, erased, lowest, strict=True):
            np.testing.assert_allclose(image[mask], low, atol=1e-6 * unit)
            assert np.array_equal(mask, np.outer(mask.any(axis=1), mask.any(axis=0)))
        # Sides of sqrt(0.1) to sqrt(0.4) of ten pixels.
        sides = erased.any(axis=2).sum(axis=1)[erased.any(axis=(1, 2))]
        assert set(sides) <= {2, 3, 4, 5, 6, 7} and sides.max() >= 5


@pytest.mark.parametrize("unit", [1, 1e-12])
def test_a_grid_is_erased(unit):
    random = np.random.default_rng(0)
    before = (unit * random.random((40, 48, 48, 1))).astype(np.float32)
    images, _ = change(before, LABELS[:40], {"grid_mask": {"ratio": [0.3, 0.6]}}, count=40)
    lowest = before.min(axis=(1, 2, 3), keepdims=True)
    kept = abs(images - before) <= 1e-6 * unit
    assert np.all(kept | (abs(images - lowest) <= 1e-6 * unit))
    # Of the area, the ratio's square is erased, and the edges that turning has smeared.
    assert 0.15 < 1 - kept.mean() < 0.5
    assert len({image.tobytes() for image in kept}) > 30


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_rand_augment_takes_any_bands_and_units(channels):
    images = 1e-12 * np.random.default_rng(1).random((12, 16, 16, channels), dtype=np.float32)
    item = {"rand_augment": {"operations": 1, "magnitude": 0.5}}
    change = augmenter([Augmentation.model_validate(item)], images.shape[1:])
    found = change(images, LABELS[:12], SEEDS[:12])[0].numpy()
    assert np.isfinite(found).all() and found.shape == images.shape
    if channels == 1:
        graph = tf.function(change, autograph=False)(images, LABELS[:12], SEEDS[:12])[0]
        np.testing.assert_allclose(graph, found, rtol=1e-5)
    assert found.min() >= -1e-18 and found.max() <= 1.0001 * images.max()
    different = np.any(found != images, axis=(1, 2, 3))
    assert different.mean() > 0.5
    # Each image has changes of its own: of contrast, which keep the order of pixels, or of shape.
    order = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images, found, strict=True)]
    assert np.ptp(np.round(order, 2)) > 0.1
