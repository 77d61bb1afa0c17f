"""What a network sees does not depend on units, nor on how the image lies."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from astropy import visualization

from lensnet.config.normalization import SCALES, Normalization
from lensnet.data import Preprocessing
from lensnet.errors import DataError

RANDOM = np.random.default_rng(0)
# A faint galaxy on a bright sky in one band, a dark band, and one with a hot pixel.
IMAGES = RANDOM.normal(size=(4, 16, 16, 3)).astype(np.float32) + np.float32([1000, 0, 0])
IMAGES[:, 3, 4, 2] = 1e4
CHOICES = {
    **{scale: scale for scale in SCALES[1:]},
    "asinh": {"stretch": "asinh"},
    "clip": {"clip_percentiles": [2, 98], "scale": "per_image_standard"},
    "clip and log": {"clip_percentiles": [0.5, 99.5], "stretch": "log"},
    "sqrt, by the data set": {"stretch": "sqrt", "scale": "dataset_standard"},
    "all by the data set": {
        "clip_percentiles": [1, 99],
        "stretch": "asinh",
        "softening": 0.02,
        "scale": "dataset_min_max",
    },
    "limits of the data set": {"stretch": "log", "limits": "dataset", "scale": "none"},
}
EACH = pytest.mark.parametrize("normalization", list(CHOICES.values()), ids=list(CHOICES))


def made(normalization, images=IMAGES, size=None, crop=None):
    return Preprocessing.fit(
        images.shape[1:], size, normalization, lambda: [images[:3], images[3:]], crop=crop
    )


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
def test_a_keras_model_of_it_computes_the_same_and_can_be_saved(normalization):
    preprocessing = made(normalization, size=9)
    image = keras.Input(IMAGES.shape[1:])
    model = keras.Model(image, preprocessing.symbolic(image))
    read = keras.models.model_from_json(model.to_json())
    expected = preprocessing(IMAGES).numpy()
    np.testing.assert_allclose(read(IMAGES), expected, rtol=1e-6, atol=1e-6)


def test_a_keras_model_of_other_images_is_refused():
    with pytest.raises(ValueError, match="The images are"):
        made("per_image_standard").symbolic(keras.Input((16, 16, 1)))


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
    rotated = prepare(np.rot90(IMAGES, axes=(1, 2)).copy()).numpy()
    expected = np.rot90(prepare(IMAGES).numpy(), axes=(1, 2))
    # Rounding: the sums of resizing are taken in another order.
    np.testing.assert_allclose(rotated, expected, atol=2e-6 * abs(expected).max())


@EACH
def test_nothing_becomes_nan_or_too_large_for_half_precision(normalization):
    """Whatever training has seen, and whatever prediction then meets."""
    prepare = made(normalization)
    strange = np.zeros((8, 16, 16, 3), np.float32)
    strange[1] = -5
    strange[2, 3, 3] = 1e30
    strange[3, 3, 3] = -1e30
    strange[4] = 1e-12 * IMAGES[0]
    strange[5] = 1e-37 * IMAGES[0]
    strange[6] = 1e30 * IMAGES[0]
    strange[7, ::2] = 1
    assert np.isfinite(prepare(strange).numpy().astype(np.float16)).all()


@EACH
def test_fluxes_of_a_survey_survive_half_precision(normalization):
    """Pixels near 1e-12, of which a float16 holds nothing."""
    faint = (1e-12 * np.abs(IMAGES - np.float32([1000, 0, 0]))).astype(np.float32)
    result = made(normalization, faint)(faint).numpy().astype(np.float16)
    assert all(len(np.unique(result[..., band])) > 100 for band in range(2))


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


@pytest.mark.parametrize("shares", [(0.5, 99.5), (0, 100), (30, 55), (2, 97.3)])
def test_clipping_at_percentiles_of_each_band_of_each_image(shares):
    """NumPy's percentiles are the reference."""
    clip = {"clip_percentiles": shares, "scale": "none"}
    found = made(clip)(IMAGES).numpy()
    low, high = np.percentile(IMAGES.astype(np.float64), shares, axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found, np.clip(IMAGES, low, high), rtol=1e-6, atol=1e-6)


def test_clipping_at_percentiles_of_the_data_set():
    clip = {"clip_percentiles": [2, 97], "limits": "dataset", "scale": "none"}
    prepare = made(clip)
    low, high = np.percentile(IMAGES, [2, 97], axis=(0, 1, 2), method="inverted_cdf")
    assert prepare.low == tuple(low) and prepare.high == tuple(high)
    other = 3 * IMAGES - 5
    found = prepare(other).numpy()
    np.testing.assert_allclose(found, np.clip(other, low, high), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("normalization", "stretch"),
    [
        ({"stretch": "asinh"}, visualization.AsinhStretch(0.1)),
        ({"stretch": "asinh", "softening": 0.003}, visualization.AsinhStretch(0.003)),
        ({"stretch": "sqrt"}, visualization.SqrtStretch()),
        ({"stretch": "log"}, visualization.LogStretch(1000)),
        ({"stretch": "log", "softening": 0.05}, visualization.LogStretch(20)),
    ],
)
def test_stretches_are_astropy_s(normalization, stretch):
    low, high = np.percentile(IMAGES.astype(np.float64), [1, 99], axis=(1, 2), keepdims=True)
    expected = stretch(np.clip((IMAGES - low) / (high - low), 0, 1))
    for scale in ("none", "per_image_min_max"):
        clipped = {**normalization, "clip_percentiles": [1, 99], "scale": scale}
        found = made({**clipped, "limits": "per_image"})(IMAGES).numpy()
        # Single precision, at a thousand counts of sky.
        np.testing.assert_allclose(found, expected, atol=2e-4)
        np.testing.assert_allclose(found[..., 1:], expected[..., 1:], atol=2e-6)


@pytest.mark.parametrize("stretch", ["asinh", "sqrt", "log"])
def test_below_the_limits_of_the_data_set_a_stretch_is_its_mirror_image(stretch):
    training = np.linspace(2, 6, 16, dtype=np.float32).reshape(1, 4, 4, 1)
    how = {"stretch": stretch, "limits": "dataset", "scale": "none"}
    prepare = Preprocessing.fit((4, 4, 1), None, how, lambda: [training])
    above, below = prepare(training).numpy(), prepare(4 - training).numpy()
    np.testing.assert_allclose(below, -above, atol=1e-6)
    assert above.min() == 0 and abs(above.max() - 1) < 1e-6


def test_a_scale_of_the_data_set_is_of_the_stretched_images():
    how = {"stretch": "asinh", "scale": "dataset_standard"}
    result = made(how)(IMAGES).numpy().astype(np.float64)
    np.testing.assert_allclose(result.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_statistics_of_images_are_asked_for_only_where_needed():
    def refuse():
        raise AssertionError("no need to read all images")

    for how in ("none", "per_image_standard", {"clip_percentiles": [1, 99], "stretch": "log"}):
        Preprocessing.fit((16, 16, 3), None, how, refuse)


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


def test_a_single_band_is_repeated_if_asked():
    prepare = Preprocessing((16, 16, 1), 9, repeat_channels=3)
    found = prepare(IMAGES[..., :1]).numpy()
    assert prepare.image_shape == found.shape[1:] == (9, 9, 3)
    single = Preprocessing((16, 16, 1), 9)(IMAGES[..., :1]).numpy()
    np.testing.assert_array_equal(found, np.repeat(single, 3, axis=-1))
    with pytest.raises(DataError, match="these have 3 bands"):
        Preprocessing((16, 16, 3), repeat_channels=3)


def test_the_middle_is_cut_out():
    """Rows 5 to 10 and columns 3 to 8 of 16 x 12, in which lie the pixels (5, 3) to (10, 8)."""
    pixels = np.arange(16 * 12, dtype=np.float32).reshape(1, 16, 12, 1)
    prepare = Preprocessing((16, 12, 1), None, "none", crop=6)
    assert prepare.image_shape == (6, 6, 1)
    np.testing.assert_array_equal(prepare(pixels), pixels[:, 5:11, 3:9])
    smaller = Preprocessing((16, 12, 1), 3, "none", crop=6)(pixels)
    whole = Preprocessing((6, 6, 1), 3, "none")(pixels[:, 5:11, 3:9])
    np.testing.assert_array_equal(smaller, whole)
    with pytest.raises(DataError, match="16 x 12.*data.crop cuts squares"):
        Preprocessing((16, 12, 1), 3)


@EACH
def test_what_is_cut_off_has_no_part_in_the_rest(normalization):
    """Whatever lies there: statistics and limits are those of the middle, to the last bit."""
    middle = IMAGES[:, 4:12, 4:12]
    framed = IMAGES + np.float32(1e6)
    framed[:, 4:12, 4:12] = middle
    given = {"size": 5, "normalization": normalization}
    prepare = made(images=framed, crop=8, **given)
    alone = made(images=middle, **given)
    assert prepare == dataclasses.replace(alone, native_shape=(16, 16, 3), crop=8)
    np.testing.assert_array_equal(prepare(framed), alone(middle))
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, prepare.symbolic(image))
    read = keras.models.model_from_json(model.to_json())
    np.testing.assert_allclose(read(framed), alone(middle), rtol=1e-6, atol=1e-6)
    again = Preprocessing.from_dict(json.loads(json.dumps(prepare.to_dict())))
    assert again == prepare


@pytest.mark.parametrize(
    ("shape", "crop", "words"),
    [
        ((16, 12, 3), 14, "14 x 14 pixels out of images of 16 x 12: take 12 at most"),
        ((101, 101, 1), 64, "half a pixel off it.*Take 63 or 65"),
        ((16, 15, 1), 8, "No square is in the middle"),
    ],
)
def test_a_cut_that_has_no_place_in_the_middle(shape, crop, words):
    with pytest.raises(DataError, match=words):
        Preprocessing(shape, crop=crop)
    with pytest.raises(DataError, match=words):
        Preprocessing.fit(shape, None, "dataset_standard", list, crop=crop)


def test_runs_of_earlier_versions_are_read():
    """Which had no more than a scale."""
    described = {
        "native_shape": [16, 16, 1],
        "image_size": 8,
        "normalization": "dataset_standard",
        "offset": [1.0],
        "scale": [2.0],
    }
    prepare = Preprocessing.from_dict(described)
    assert prepare.normalization == Normalization(scale="dataset_standard", limits="dataset")
    assert prepare.image_shape == (8, 8, 1)


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
        {"normalization": {"stretch": "log", "limits": "dataset"}},
        {"normalization": {"stretch": "log"}, "low": (0.0,), "high": (1.0,)},
    ],
)
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError):
        Preprocessing((16, 16, 1), **arguments)
