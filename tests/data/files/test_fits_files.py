"""The image of a FITS file, by whichever of two ways, is the one that astropy gives."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lensnet.data import BadFileError, read_bands, read_image
from lensnet.data.files.fits_files import _plain_primary_image, decode_fits

PAN_STARRS = Path(__file__).parent / "pan_starrs"
PIXELS = np.random.default_rng(0).normal(size=(5, 7))


def write(path, *hdus):
    fits.HDUList(list(hdus)).writeto(path)
    return path.read_bytes()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4", "u1", "i8", "u2"])
@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7)])
def test_any_type_of_pixel(tmp_path, dtype, shape):
    pixels = (100 + 20 * np.resize(PIXELS, shape)).astype(dtype)
    data = write(tmp_path / "a.fits", fits.PrimaryHDU(pixels))
    np.testing.assert_array_equal(decode_fits(data), pixels)
    # u2 is stored scaled; floats alone take the short way.
    assert (_plain_primary_image(data) is not None) == (dtype in ("f4", "f8"))


def test_real_survey_images_take_the_short_way():
    for band in "gri":
        path = PAN_STARRS / f"SDSSJ1206+5142_{band}.fits"
        short = _plain_primary_image(path.read_bytes())
        assert short is not None
        np.testing.assert_array_equal(short, fits.getdata(path))


def test_real_bands():
    paths = [PAN_STARRS / f"SDSSJ1206+5142_{band}.fits" for band in "gri"]
    image = read_bands(paths)
    assert image.shape == (40, 40, 3)
    # The arc east of the galaxy is bluer than the galaxy: brighter in g, against i.
    ratio = image[..., 0] / image[..., 2]
    assert ratio[19:22, 27:30].mean() > ratio[19:22, 19:22].mean()


@pytest.mark.parametrize(
    "cards",
    [
        {"BSCALE": 2.0},
        {"BZERO": 2.0},
        # astropy believes the last of two, and knows keywords in lower case.
        {"BSCALE": 2.0, "BSCALE ": 2.0},
        {"BSCALE": 3.0, "BSCALE ": 2.0},
        {"bscale": 2.0},
    ],
    ids=str,
)
def test_scaled_floats_are_scaled(tmp_path, cards):
    hdu = fits.PrimaryHDU(PIXELS.astype(np.float32))
    hdu.writeto(tmp_path / "a.fits")
    data = (tmp_path / "a.fits").read_bytes()
    added = "".join(f"{f'{key:<8}= {value:>20}':<80}" for key, value in cards.items()).encode()
    end = data.index(b"END" + 77 * b" ")
    data = data[:end] + added + b"END".ljust(80) + data[end + len(added) + 80 :]
    (tmp_path / "a.fits").write_bytes(data)
    expected = PIXELS.astype(np.float32)
    expected = 2 + expected if "BZERO" in cards else 2 * expected
    np.testing.assert_allclose(fits.getdata(tmp_path / "a.fits"), expected, rtol=1e-6)
    np.testing.assert_allclose(decode_fits(data), expected, rtol=1e-6)


def test_unsigned_integers_keep_every_digit(tmp_path):
    """64 bits are more than a float holds."""
    pixels = np.array([[0, 1, 2**63], [2**53 + 1, 2**64 - 1, 7]], np.uint64)
    data = write(tmp_path / "a.fits", fits.PrimaryHDU(pixels))
    found = decode_fits(data)
    assert found.dtype == np.uint64
    np.testing.assert_array_equal(found, pixels)


def test_scaled_integers_and_blanks(tmp_path):
    hdu = fits.PrimaryHDU(np.arange(12, dtype=np.int16).reshape(3, 4))
    hdu.header["BLANK"] = 5
    hdu.writeto(tmp_path / "a.fits")
    data = (tmp_path / "a.fits").read_bytes()
    blank = decode_fits(data)
    assert np.isnan(blank[1, 1]) and np.count_nonzero(np.isnan(blank)) == 1


def test_the_first_image_or_the_one_named(tmp_path):
    first, second = PIXELS.astype(np.float32), -PIXELS.astype(np.float32)
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.arange(3.0))])
    data = write(
        tmp_path / "a.fits",
        fits.PrimaryHDU(),
        table,
        fits.ImageHDU(first, name="SCI"),
        fits.ImageHDU(second, name="ERR"),
    )
    np.testing.assert_array_equal(decode_fits(data), first)
    np.testing.assert_array_equal(decode_fits(data, 2), first)
    np.testing.assert_array_equal(decode_fits(data, "ERR"), second)
    for hdu, reason in (("WHT", "it has no HDU 'WHT'"), (9, "it has no HDU 9")):
        with pytest.raises(ValueError, match=reason):
            decode_fits(data, hdu)
    for hdu in (0, 1):
        with pytest.raises(ValueError, match=f"HDU {hdu} holds no image"):
            decode_fits(data, hdu)


def test_no_image_at_all(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "a.fits")
    with pytest.raises(BadFileError, match="no HDU holds an image"):
        read_image(tmp_path / "a.fits")


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1"])
def test_compressed_tiles(tmp_path, compression):
    pixels = np.arange(64 * 64, dtype=np.int32).reshape(64, 64)
    fits.CompImageHDU(pixels, compression_type=compression).writeto(tmp_path / "a.fits.fz")
    np.testing.assert_array_equal(read_image(tmp_path / "a.fits.fz")[..., 0], pixels)


def test_gzip_under_any_name(tmp_path):
    fits.PrimaryHDU(PIXELS).writeto(tmp_path / "a.fits.gz")
    (tmp_path / "a.fits.gz").rename(tmp_path / "a.fits")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.fits")[..., 0], PIXELS.astype(np.float32)
    )


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_changed_bytes_are_read_or_refused(tmp_path):
    """Random bytes of the header changed: an array, or ValueError."""
    data = write(tmp_path / "a.fits", fits.PrimaryHDU(PIXELS.astype(np.float32)))
    random = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(200):
        changed = bytearray(data)
        for position in random.integers(0, 500, size=3):
            changed[position] = random.integers(0, 256)
        try:
            decode_fits(bytes(changed))
            outcomes["read"] += 1
        except ValueError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0
