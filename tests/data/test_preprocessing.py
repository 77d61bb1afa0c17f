"""What a network sees does not depend on units, nor on how the image lies."""

import json

import numpy as np
import pytest
import tensorflow as tf

from lensnet.data import Preprocessing
from lensnet.data.preprocessing import NORMALIZATIONS
from lensnet.errors import DataError

RANDOM = np.random.default_rng(0)
# A faint galaxy on a bright sky in one band, a dark band, and one with a hot pixel.
IMAGES = RANDOM.normal(size=(4, 16, 16, 3)).astype(np.float32) + np.float32([1000, 0, 0])
IMAGES[:, 3, 4, 2] = 1e4
EACH = pytest.mark.parametrize("normalization", NORMALIZATIONS[1:])


def made(normalization, images=IMAGES, size=None):
    return Preprocessing.fit(images.shape[1:], size, normalization, [images[:3], images[3:]])


@EACH
@pytest.mark.parametrize("scale", [1e-12, 1e-30, 1e30])
@pytest.mark.parametrize("size", [None, 9])
def test_units_do_not_matter(normalization, scale, size):
    # Powers of two, so that scaling itself rounds nothing.
    scale = np.float32(2.0 ** round(np.log2(scale)))
    expected = made(normalization, size=size)(IMAGES).numpy()
    found = made(normalization, IMAGES * scale, size)(IMAGES * scale).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert np.ptp(found) > 0.5


@EACH
def test_a_constant_channel_becomes_zeros(normalization):
    images = IMAGES.copy()
    images[..., 1] = 1e-12
    result = made(normalization, images)(images).numpy()
    assert not result[..., 1].any() and np.isfinite(result).all()
    assert result[..., 0].any()


@EACH
@pytest.mark.parametrize("size", [None, 9, 10, 33])
def test_turning_commutes(normalization, size):
    prepare = made(normalization, size=size)
    turned = prepare(np.rot90(IMAGES, axes=(1, 2)).copy()).numpy()
    expected = np.rot90(prepare(IMAGES).numpy(), axes=(1, 2))
    np.testing.assert_allclose(turned, expected, atol=1e-6 * abs(expected).max())


def test_per_image_results():
    zeros_to_ones = made("per_image_min_max")(IMAGES).numpy()
    np.testing.assert_array_equal(zeros_to_ones.min(axis=(1, 2)), 0)
    np.testing.assert_array_equal(zeros_to_ones.max(axis=(1, 2)), 1)
    standard = made("per_image_standard")(IMAGES).numpy().astype(np.float64)
    np.testing.assert_allclose(standard.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(standard.std(axis=(1, 2)), 1, atol=1e-5)


def test_dataset_results_are_of_the_whole_training_split():
    pixels = IMAGES.astype(np.float64)
    standard = made("dataset_standard")
    np.testing.assert_allclose(standard.offset, pixels.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(standard.scale, pixels.std(axis=(0, 1, 2)))
    np.testing.assert_allclose(
        standard(IMAGES), (pixels - standard.offset) / standard.scale, atol=1e-4
    )
    min_max = made("dataset_min_max")
    np.testing.assert_allclose(min_max.offset, pixels.min(axis=(0, 1, 2)))
    result = min_max(IMAGES).numpy()
    assert result.min() == 0 and abs(result.max() - 1) < 1e-6


def test_statistics_are_of_the_resized_images():
    resized = Preprocessing((16, 16, 3), 8, "none")(IMAGES).numpy().astype(np.float64)
    np.testing.assert_allclose(
        made("dataset_standard", size=8).scale, resized.std(axis=(0, 1, 2)), rtol=1e-6
    )


def test_none_changes_nothing():
    np.testing.assert_array_equal(Preprocessing((16, 16, 3), None, "none")(IMAGES), IMAGES)


def test_shapes():
    prepare = Preprocessing((16, 16, 3), 9)
    assert prepare.image_shape == (9, 9, 3) and prepare(IMAGES).shape == (4, 9, 9, 3)
    assert Preprocessing((16, 12, 3)).image_shape == (16, 12, 3)
    with pytest.raises(DataError, match="16 x 12"):
        Preprocessing((16, 12, 3), 9)


def test_resizing_is_antialiased():
    """Every second pixel bright: half size must be grey, not black or white."""
    stripes = np.zeros((1, 16, 16, 1), np.float32)
    stripes[:, ::2] = 1
    small = Preprocessing((16, 16, 1), 8, "none")(stripes).numpy()
    np.testing.assert_allclose(small[:, 1:-1], 0.5, atol=0.02)


@EACH
def test_survives_json(normalization):
    prepare = made(normalization, size=9)
    again = Preprocessing.from_dict(json.loads(json.dumps(prepare.to_dict())))
    assert again == prepare
    np.testing.assert_array_equal(again(IMAGES), prepare(IMAGES))


@EACH
def test_works_in_a_saved_model(normalization, tmp_path):
    prepare = made(normalization, size=9)
    module = tf.Module()
    module.prepare = tf.function(
        prepare, input_signature=[tf.TensorSpec((None, 16, 16, 3), tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(loaded.prepare(IMAGES), prepare(IMAGES), atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"normalization": "per_image"},
        {"normalization": "dataset_standard"},
        {"normalization": "none", "offset": (0.0,), "scale": (1.0,)},
        {"normalization": "dataset_standard", "offset": (0.0, 1.0), "scale": (1.0,)},
    ],
)
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError):
        Preprocessing((16, 16, 1), **arguments)
