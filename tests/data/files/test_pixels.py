"""Pixels become single precision after what they have in common has been taken off, not before."""

import numpy as np
import pytest

from lensnet.data import BadFileError, Preprocessing, read_bands, read_image
from lensnet.data.files.pixels import to_float32, validate_and_fill

NOISE = np.random.default_rng(0).normal(size=(24, 24))


@pytest.mark.parametrize("offset", [1e5, 1e9, -1e9, 1e12])
@pytest.mark.parametrize("star", [0.0, 1e3])
def test_noise_on_a_large_offset_is_kept(tmp_path, offset, star):
    pixels = offset + NOISE
    # One bright pixel makes the range large, and the rest no less worth keeping.
    pixels[3, 4] += star
    np.save(tmp_path / "a.npy", pixels)
    image = read_image(tmp_path / "a.npy")[..., 0]
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, pixels - pixels.min(), rtol=1e-6, atol=1e-6)
    assert np.median(np.abs(image - np.median(image))) == pytest.approx(0.67, abs=0.05)


def test_other_pixels_keep_their_values(tmp_path):
    for number, pixels in enumerate(
        (
            1000 + 10 * NOISE,
            1e-12 * NOISE,
            (16_000_000 + 3 * NOISE).astype(np.int64),
            (1e9 + 1e9 * NOISE),
            np.where(NOISE > 2, 5.0, 1.1),
        )
    ):
        np.save(tmp_path / f"{number}.npy", pixels)
        image = read_image(tmp_path / f"{number}.npy")[..., 0]
        np.testing.assert_array_equal(image, pixels.astype(np.float32))


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<i8", ">i4"])
def test_each_band_by_itself(tmp_path, dtype):
    pixels = np.stack([1_000_000_000 + np.rint(9 * NOISE), np.rint(9 * NOISE)], axis=-1)
    np.save(tmp_path / "a.npy", pixels.astype(dtype))
    image = read_image(tmp_path / "a.npy")
    np.testing.assert_array_equal(image[..., 0], pixels[..., 0] - pixels[..., 0].min())
    np.testing.assert_array_equal(image[..., 1], pixels[..., 1])
    np.save(tmp_path / "b.npy", pixels[..., 1].astype("f4"))
    np.save(tmp_path / "c.npy", pixels[..., 0].astype(dtype))
    np.testing.assert_array_equal(read_bands([tmp_path / "c.npy", tmp_path / "b.npy"]), image)


def test_gaps_and_masks_on_a_large_offset():
    pixels = 1e9 + NOISE[..., np.newaxis]
    pixels[0, 0], pixels[1, 1], pixels[2, 2] = np.nan, 1e300, 1e9
    image, filled = validate_and_fill(pixels, 0.05, mask_value=1e9)
    known = np.isfinite(pixels) & (np.abs(pixels) < 1e38) & (pixels != 1e9)
    assert filled == 3 and np.count_nonzero(known) == 24 * 24 - 3
    lowest = pixels[known].min()
    np.testing.assert_allclose(image[known], pixels[known] - lowest, rtol=1e-6, atol=1e-6)
    for gap in ((0, 0), (1, 1), (2, 2)):
        assert image[gap] == pytest.approx(np.median(pixels[known]) - lowest, rel=1e-6)


def test_a_mask_that_was_written_in_single_precision():
    """0.1 as float32 in a file of doubles is not 0.1."""
    pixels = NOISE[..., np.newaxis].copy()
    pixels[5, 5], pixels[6, 6] = np.float32(0.1), 0.1
    assert validate_and_fill(pixels, 0.05, mask_value=0.1)[1] == 2


@pytest.mark.parametrize("value", [1e9 + 0.3, 1e9, 0.1])
def test_round_off_is_not_structure(tmp_path, value):
    pixels = np.full((24, 24), value)
    pixels[::2] += np.spacing(value)
    np.save(tmp_path / "a.npy", pixels)
    with pytest.raises(BadFileError, match="all pixels have one value"):
        read_image(tmp_path / "a.npy")


def test_what_is_too_small_for_single_precision_says_so(tmp_path):
    np.save(tmp_path / "a.npy", 1e-60 * NOISE)
    with pytest.raises(BadFileError, match="all pixels are below 1e-38: give them in another unit"):
        read_image(tmp_path / "a.npy")


def test_arrays_given_to_the_network_are_as_files():
    batch = np.stack([NOISE, NOISE[::-1]])[..., np.newaxis]
    prepare = Preprocessing((24, 24, 1), normalization="per_image_min_max")
    np.testing.assert_allclose(prepare(1e9 + batch), prepare(batch), atol=1e-6)
    images = to_float32(1e9 + batch)
    assert images.shape == batch.shape
    np.testing.assert_array_equal(images[1], to_float32(1e9 + batch[1]))
