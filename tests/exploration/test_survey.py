"""The pass over the images, against NumPy on all of them at once."""

import numpy as np
import pytest

from lensnet.exploration.histograms import band_ranges, fill_histograms
from lensnet.exploration.survey import Batch, RadialRings, survey

SHAPE = (15, 12, 2)


def batches_of(images, size, training):
    for first in range(0, training, size):
        yield Batch(first, images[first : min(first + size, training)], True)
    for first in range(training, len(images), size):
        yield Batch(first, images[first : first + size], False)


@pytest.fixture(params=[1.0, 1e-12, -3e4], ids=["one", "faint", "large and negative"])
def images(request):
    drawn = np.random.default_rng(0).normal(1.0, 1.0, (40, *SHAPE))
    drawn[3, :4, :4, 0] = 0
    return (request.param * drawn).astype("float32")


GROUPS = np.arange(40) % 3


def surveyed(images, size=7):
    return survey(
        batches_of(images, size, 30),
        image_shape=SHAPE,
        groups=GROUPS,
        num_groups=3,
        ids=np.array([f"id{number}" for number in range(40)], object),
        shown=[[9, 0], [1], []],
    )


def test_numbers_of_each_image(images):
    found = surveyed(images)
    pixels = images.reshape(40, -1, 2).astype("float64")
    expected = {
        "lowest": pixels.min(axis=1),
        "highest": pixels.max(axis=1),
        "mean": pixels.mean(axis=1),
        "std": pixels.std(axis=1),
        "median": np.percentile(pixels, 50, axis=1, method="nearest"),
        "percentile_99": np.percentile(pixels, 99, axis=1, method="nearest"),
    }
    for name, values in expected.items():
        # float32 keeps seven digits.
        np.testing.assert_allclose(found.of(name), values, rtol=1e-6, err_msg=name)
    assert found.zeros[3, 0] == 16 and found.zeros.sum() == 16
    assert (found.highest == 1).all()


def test_training_images_alone_make_means_and_samples(images):
    found = surveyed(images)
    for group in range(3):
        training = images[:30][GROUPS[:30] == group].astype("float64")
        np.testing.assert_allclose(
            found.means[group], training.mean(axis=0), rtol=1e-6, atol=1e-6 * abs(training).max()
        )
        assert len(found.profiles[group]) == len(training)
    assert [[sample.id for sample in of_group] for of_group in found.samples] == [
        ["id9", "id0"], ["id1"], [],
    ]  # fmt: skip
    np.testing.assert_array_equal(found.samples[0][0].image, images[9])


def test_batches_do_not_matter(images):
    one, other = surveyed(images, 1), surveyed(images, 30)
    np.testing.assert_array_equal(one.numbers, other.numbers)
    np.testing.assert_array_equal(one.forms.hashes, other.forms.hashes)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-12)


def test_rings_of_an_image_that_is_a_function_of_radius():
    rows, columns = np.mgrid[:21, :21] - 10
    ring = np.rint(np.hypot(rows, columns))
    profile = RadialRings(21, 21).profiles(ring[np.newaxis, :, :, np.newaxis])
    np.testing.assert_allclose(profile[0, :, 0], np.arange(11))


def test_rings_do_not_change_when_the_image_turns():
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 1))
    rings = RadialRings(16, 16)
    np.testing.assert_allclose(
        rings.profiles(image), rings.profiles(np.rot90(image, axes=(1, 2))), rtol=1e-12
    )


def histograms_of(images):
    found = surveyed(images)
    training = np.arange(40) < 30
    made = fill_histograms(batches_of(images[:30], 8, 30), band_ranges(found, training), GROUPS, 3)
    return found, made


def test_every_training_pixel_is_counted_once(images):
    _, made = histograms_of(images)
    for band, histograms in enumerate(made):
        assert histograms.whole.sum() == 30 * 15 * 12 == histograms.pixels.sum()
        for group in range(3):
            pixels = images[:30][GROUPS[:30] == group][..., band].astype("float64")
            expected, _ = np.histogram(pixels, histograms.core_edges)
            np.testing.assert_array_equal(histograms.core[group], expected)


def test_one_hot_pixel_bends_the_axis_and_leaves_the_core_alone(images):
    hot = images.copy()
    _, before = histograms_of(images)
    hot[2, 5, 5, 1] = 1e5 * np.abs(images).max()
    _, made = histograms_of(hot)
    assert made[1].range.is_wide and not made[0].range.is_wide
    assert made[1].whole.sum() == 30 * 15 * 12
    # The sky still takes many bins of the whole range, and the core has not moved.
    assert np.count_nonzero(made[1].whole.sum(axis=0)) > 10
    np.testing.assert_allclose(made[1].core_edges, before[1].core_edges, rtol=0.05)


@pytest.mark.parametrize("top", [1, 5, 255, 60000])
def test_whole_numbers_stand_inside_bins(top):
    images = np.random.default_rng(0).integers(0, top + 1, (40, *SHAPE)).astype("float32")
    _, made = histograms_of(images)
    for histograms in made:
        assert histograms.range.is_whole
        for edges in (histograms.core_edges, histograms.whole_edges):
            assert (edges % 1 == 0.5).all()
        assert histograms.whole.sum() == 30 * 15 * 12
    if top == 255:
        # Bins of equal width hold as many whole numbers each: no comb.
        assert len(np.unique(np.diff(made[0].whole_edges))) == 1


def test_a_band_of_one_value():
    images = np.random.default_rng(0).normal(size=(40, *SHAPE)).astype("float32")
    images[..., 1] = 3
    _, made = histograms_of(images)
    assert made[1].whole.sum() == 30 * 15 * 12
    assert made[1].range.noise > 0 and made[1].range.brightness > 0
