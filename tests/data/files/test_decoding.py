"""Files of every kind are read as (H, W, C) float32, or refused with one short reason."""

import gzip
import os
import pickle
import socket

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from lensnet.data import BadFileError, read_bands, read_example, read_image
from lensnet.data.files import decoding
from lensnet.data.files.decoding import decode, decode_bands, image_ending
from lensnet.errors import DataError

# What is wrong with a file is said by the exception; astropy says it by warnings too.
pytestmark = pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")

PIXELS = np.arange(48, dtype=np.float32).reshape(6, 8)


def reason_of(path, **options):
    with pytest.raises(BadFileError) as caught:
        read_image(path, **options)
    error = caught.value
    assert isinstance(error, DataError) and error.exit_code == 3
    assert error.path == os.fspath(path)
    assert str(error) == f"{path}: {error.reason}."
    assert "\n" not in error.reason and len(error.reason) < 200
    return error.reason


def save(path, pixels, **options):
    if path.name.endswith(".npy"):
        np.save(path, pixels, **options)
    elif path.name.endswith(".png"):
        Image.fromarray(pixels).save(path)
    else:
        fits.PrimaryHDU(pixels).writeto(path)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.fits", "a.FIT", "a.fits.gz", "a.png"])
def test_reads_each_kind(tmp_path, name):
    image = read_image(save(tmp_path / name, PIXELS.astype(np.uint8)))
    assert image.shape == (6, 8, 1) and image.dtype == np.float32 and image.flags.c_contiguous
    np.testing.assert_array_equal(image[..., 0], PIXELS)


@pytest.mark.parametrize(
    ("shape", "channels_last"),
    [
        ((6, 8), (6, 8, 1)),
        ((1, 6, 8), (6, 8, 1)),
        ((3, 6, 8), (6, 8, 3)),
        ((6, 8, 3), (6, 8, 3)),
        ((5, 6, 6), (6, 6, 5)),
    ],
)
def test_channels_are_the_shortest_axis(tmp_path, shape, channels_last):
    pixels = np.random.default_rng(0).random(shape)
    image = read_image(save(tmp_path / "a.npy", pixels))
    assert image.shape == channels_last
    if shape[0] == channels_last[2] and len(shape) == 3:
        np.testing.assert_array_equal(image[..., 0], pixels[0].astype(np.float32))


@pytest.mark.parametrize("shape", [(6, 3, 8), (5, 5, 5), (3, 3, 8), (8,), (1, 1, 6, 8), (0, 4), ()])
def test_refuses_a_shape_that_does_not_tell(tmp_path, shape):
    reason = reason_of(save(tmp_path / "a.npy", np.ones(shape)))
    assert "shape" in reason or "dimensions" in reason


@pytest.mark.parametrize("dtype", [">f4", ">f8", "<i8", ">i2", "u2", "f2", "?"])
def test_any_numbers_of_any_byte_order(tmp_path, dtype):
    pixels = (PIXELS % 2).astype(dtype)
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.npy", pixels))[..., 0], PIXELS % 2)


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_does_not_matter(tmp_path, order):
    image = read_image(save(tmp_path / "a.npy", np.asarray(PIXELS, order=order)))
    np.testing.assert_array_equal(image[..., 0], PIXELS)


@pytest.mark.parametrize("scale", [1e-12, 1e-30, 1e30])
def test_small_fluxes_keep_their_digits(tmp_path, scale):
    pixels = PIXELS.astype(np.float64) * scale
    image = read_image(save(tmp_path / "a.npy", pixels))
    np.testing.assert_allclose(image[..., 0], pixels, rtol=1e-7)


def test_numbers_beside_an_image(tmp_path):
    array = np.empty(2, dtype=object)
    array[:] = [PIXELS[np.newaxis].astype(np.int64), 3.2e-23]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    image, extras = read_example(tmp_path / "a.npy")
    assert image.shape == (6, 8, 1) and extras == (3.2e-23,)


# --- gaps -----------------------------------------------------------------------------------------


def test_few_gaps_are_filled_with_the_median_of_the_band(tmp_path):
    pixels = np.stack([PIXELS, 100 + PIXELS])
    pixels[0, 0, 0], pixels[1, 2, 3] = np.nan, np.inf
    image = read_image(save(tmp_path / "a.npy", pixels), max_nonfinite=0.05)
    assert image[0, 0, 0] == np.median(PIXELS.ravel()[1:])
    assert image[2, 3, 1] == np.median(np.delete(100 + PIXELS.ravel(), 2 * 8 + 3))
    untouched = np.isfinite(np.moveaxis(pixels, 0, -1))
    np.testing.assert_array_equal(image[untouched], np.moveaxis(pixels, 0, -1)[untouched])


def test_many_gaps_are_bad(tmp_path):
    pixels = PIXELS.copy()
    pixels[0, :3] = np.nan
    path = save(tmp_path / "a.npy", pixels)
    assert reason_of(path, max_nonfinite=0.05) == "6.25 % of its pixels are not finite; 5 % may be"
    assert read_image(path, max_nonfinite=0.0625).shape == (6, 8, 1)


def test_a_band_without_any_finite_pixel_is_bad(tmp_path):
    path = save(tmp_path / "a.npy", np.stack([PIXELS, np.full_like(PIXELS, np.nan)]))
    assert reason_of(path, max_nonfinite=0.9) == "channel 1 has no finite pixel"


def test_too_large_for_float32_is_a_gap(tmp_path):
    pixels = PIXELS.astype(np.float64)
    pixels[0, 0] = 1e300
    image = read_image(save(tmp_path / "a.npy", pixels), max_nonfinite=0.05)
    assert np.isfinite(image).all()


# --- bad files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 7.5, np.nan])
def test_one_value_all_over(tmp_path, value):
    reason = reason_of(save(tmp_path / "a.npy", np.full((6, 8), value)))
    assert reason == "all pixels have one value" or "not finite" in reason


@pytest.mark.parametrize("name", ["a.npy", "a.fits", "a.png", "a.fits.gz"])
def test_empty_and_foreign_bytes(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    assert reason_of(path) == "the file is empty"
    path.write_bytes(b"<html>not found</html>" * 20)
    assert "first bytes" in reason_of(path)


@pytest.mark.parametrize("name", ["a.npy", "a.fits", "a.png", "a.fits.gz"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.75])
def test_cut_off(tmp_path, name, share):
    path = save(tmp_path / name, (np.random.default_rng(0).random((64, 64)) * 255).astype(np.uint8))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert reason_of(path)


@pytest.mark.parametrize("dtype", [">f4", ">i4"])
def test_a_fits_file_cut_in_half(tmp_path, dtype):
    path = save(tmp_path / "a.fits", np.arange(10000).reshape(100, 100).astype(dtype))
    path.write_bytes(path.read_bytes()[:20000])
    assert "truncated" in reason_of(path)


def test_more_bytes_than_an_array_has(tmp_path):
    path = save(tmp_path / "a.npy", PIXELS)
    path.write_bytes(path.read_bytes() + b"more")
    assert reason_of(path) == "4 bytes too many"


def test_a_header_that_announces_terabytes_takes_no_memory(tmp_path):
    np.lib.format.write_array_header_1_0(
        open(tmp_path / "a.npy", "wb"),
        {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)},
    )
    assert reason_of(tmp_path / "a.npy").startswith("truncated")


@pytest.mark.parametrize(
    "array", [np.array(["a", "b"]), np.ones((4, 4), complex), np.zeros(3, "f4,i4")]
)
def test_other_things_than_numbers(tmp_path, array):
    reason_of(save(tmp_path / "a.npy", array))


def test_a_pickle_that_is_no_array(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array({"a": 1}), allow_pickle=True)
    assert "pickle" in reason_of(path)
    path.write_bytes(pickle.dumps(PIXELS))
    assert "first bytes" in reason_of(path)


def test_a_pickle_that_calls_a_function(tmp_path):
    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    array = np.empty(2, dtype=object)
    array[:] = [PIXELS, Malicious()]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    assert "pickle" in reason_of(tmp_path / "a.npy")
    assert not (tmp_path / "ran").exists()


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "link.npy").symlink_to(tmp_path / "gone.npy")
    os.mkfifo(tmp_path / "pipe.npy")
    assert reason_of(tmp_path / "folder.npy") == "a directory, not a file"
    assert reason_of(tmp_path / "link.npy") == "a broken link"
    assert reason_of(tmp_path / "pipe.npy") == "not a regular file"
    assert reason_of(tmp_path / "gone.npy") == "there is no such file"
    assert "known kinds" in reason_of(tmp_path / "a.gif")


def test_a_socket_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.npy")
        assert reason_of("s.npy") == "not a regular file"


def test_no_permission(tmp_path, monkeypatch):
    path = save(tmp_path / "a.npy", PIXELS)

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    # The superuser may read anything, so the refusal is made here.
    monkeypatch.setattr(decoding, "open", refuse, raising=False)
    assert reason_of(path) == "no permission to read it"


def test_a_file_larger_than_any_cutout(tmp_path):
    with open(tmp_path / "a.npy", "wb") as file:
        file.truncate(2**40)  # sparse
    assert "too large" in reason_of(tmp_path / "a.npy")


# --- png ------------------------------------------------------------------------------------------


def test_png_depths_and_modes(tmp_path):
    deep = (PIXELS * 1000).astype(np.uint16)
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", deep))[..., 0], deep)
    colour = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(save(tmp_path / "b.png", colour)), colour)
    opaque = np.concatenate([colour, np.full((6, 8, 1), 255, np.uint8)], axis=2)
    np.testing.assert_array_equal(read_image(save(tmp_path / "c.png", opaque)), colour)
    Image.fromarray(colour).quantize(256).save(tmp_path / "d.png")
    assert read_image(tmp_path / "d.png").shape == (6, 8, 3)


def test_png_of_16_bits_a_colour_is_refused_not_cut(tmp_path):
    import zlib

    def chunk(kind, data):
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = (8).to_bytes(4, "big") + (6).to_bytes(4, "big") + bytes([16, 2, 0, 0, 0])
    rows = b"".join(b"\0" + bytes(range(48)) for _ in range(6))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    (tmp_path / "a.png").write_bytes(data + chunk(b"IEND", b""))
    assert "16-bit colour" in reason_of(tmp_path / "a.png")


# --- jpeg -----------------------------------------------------------------------------------------

# Slow waves, which JPEG keeps nearly as they are, each colour with its own.
ROWS, COLUMNS = np.mgrid[:48, :40]
COLOUR = np.stack(
    [128 + 100 * np.sin(ROWS / 9), 128 + 100 * np.cos(COLUMNS / 8), 3.0 * ROWS + COLUMNS], axis=-1
).astype(np.uint8)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("name", ["grey.jpg", "colour.JPEG"])
def test_jpeg_is_read(tmp_path, name, progressive):
    pixels = COLOUR[..., 0] if name == "grey.jpg" else COLOUR
    options = {"quality": 100, "subsampling": 0, "progressive": progressive}
    Image.fromarray(pixels).save(tmp_path / name, "jpeg", **options)
    assert (b"\xff\xc2" in (tmp_path / name).read_bytes()) == progressive
    image = read_image(tmp_path / name)
    assert image.shape == (48, 40, 1 if name == "grey.jpg" else 3) and image.dtype == np.float32
    # What rounding a coefficient of the transform to a whole number can change.
    assert np.abs(image - pixels.reshape(image.shape)).max() <= 4


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_the_orientation_tag_turns_nothing(tmp_path, name):
    """Rows and columns are those of the file, and what the tag said is known of the image."""
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees to show it"
    Image.fromarray(COLOUR).save(tmp_path / name, exif=exif, quality=100)
    decoded = decode(tmp_path / name)
    assert decoded.orientation == 6 and decoded.image.shape == (48, 40, 3)
    assert np.abs(decoded.image - COLOUR).mean() < 2
    grey = Image.fromarray(COLOUR[..., 0])
    grey.save(tmp_path / name)
    assert decode(tmp_path / name).orientation == 1
    grey.save(tmp_path / f"r{name}", exif=exif)
    assert decode_bands([tmp_path / name, tmp_path / f"r{name}"]).orientation == 6


def test_jpegs_that_cannot_serve(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(COLOUR).convert("CMYK").save(path)
    assert reason_of(path) == "a JPEG of CMYK colours, where grey or red, green and blue are read"
    Image.fromarray(COLOUR).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    assert reason_of(path).startswith("damaged JPEG (image file is truncated")
    path.write_bytes(b"GIF89a")
    assert reason_of(path) == "not a JPEG file: its first bytes are others"


# --- npz ------------------------------------------------------------------------------------------


def test_npz_of_one_array(tmp_path):
    path = tmp_path / "a.npz"
    for save_as in (np.savez, np.savez_compressed):
        save_as(path, image=PIXELS)
        np.testing.assert_array_equal(read_image(path)[..., 0], PIXELS)
    np.savez(path, image=PIXELS, mask=PIXELS > 3)
    assert reason_of(path) == "holds 2 arrays (image, mask), where an image is one"
    path.write_bytes(path.read_bytes()[:300])
    assert reason_of(path).startswith("damaged .npz file")
    save(tmp_path / "b.npy", PIXELS).rename(path)
    assert reason_of(path) == "not an .npz file: its first bytes are others"


# --- bands ----------------------------------------------------------------------------------------


def test_bands_become_channels(tmp_path):
    paths = [save(tmp_path / f"a_{band}.fits", PIXELS + band) for band in range(3)]
    image = read_bands(paths)
    assert image.shape == (6, 8, 3)
    for band in range(3):
        np.testing.assert_array_equal(image[..., band], PIXELS + band)


def test_bands_of_different_shape_name_the_file(tmp_path):
    paths = [save(tmp_path / "a_g.fits", PIXELS), save(tmp_path / "a_r.fits", PIXELS[:-1])]
    with pytest.raises(BadFileError, match=r"a_r.fits: shape \(5, 8\), but a_g.fits has \(6, 8\)"):
        read_bands(paths)
    with pytest.raises(BadFileError, match="holds 3 channels, where a band has one"):
        read_bands([paths[0], save(tmp_path / "a_i.npy", np.ones((3, 6, 8)))])


def test_gaps_are_counted_over_all_bands(tmp_path):
    holed = PIXELS.copy()
    holed[0, :4] = np.nan  # 8.3 % of one band, 4.2 % of two
    paths = [save(tmp_path / "a_g.fits", holed), save(tmp_path / "a_r.fits", PIXELS)]
    assert read_bands(paths, max_nonfinite=0.05).shape == (6, 8, 2)
    reason_of(paths[0], max_nonfinite=0.05)


def test_image_ending():
    assert image_ending("J0029.FITS.GZ") == ".FITS.GZ"
    assert image_ending("a.b.npy") == ".npy"
    assert image_ending(".npy") is None and image_ending("a.gz") is None


def test_gzip_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lensnet.data.files.fits_files.MAX_BYTES", 10_000)
    path = save(tmp_path / "a.fits.gz", np.zeros((100, 100), np.float32))
    assert len(gzip.decompress(path.read_bytes())) > 40_000
    assert reason_of(path) == "unpacks to more than 10000 bytes"
