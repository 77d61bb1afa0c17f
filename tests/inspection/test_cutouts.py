"""Bytes that stand for pixels, and files that a table names."""

import base64
import zlib

import numpy as np
import pytest

from lensnet.data import BadFileError, FileReader
from lensnet.inspection.cutouts import central, encode, quantise
from lensnet.inspection.image_reader import ImageReader


@pytest.mark.parametrize("brightest", [0.0, 30.0, 1e3, 1e5])
def test_a_byte_keeps_what_the_noise_leaves(brightest):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:60, :60]
    star = brightest * np.exp(-((rows - 30) ** 2 + (columns - 30) ** 2) / 20)
    image = 500 + 2 * (rng.normal(size=(60, 60)) + star)
    pixels, scale = quantise(image)
    error = np.abs(scale.values(pixels) - image)
    # An eighth of the noise at the sky; up to a fifth of sigma and 6 % of the pixel elsewhere.
    near_sky = np.abs(image - 500) < 4
    assert error[near_sky].max() < 2 / 8 * 1.6
    assert (error <= 2 / 5 + 0.06 * np.abs(image - 500)).all()
    assert scale.values(pixels).max() == pytest.approx(image.max(), rel=0.03)


def test_images_without_noise():
    pixels, scale = quantise(np.full((4, 4), 7.5))
    np.testing.assert_array_equal(scale.values(pixels), 7.5)
    ramp = np.linspace(0, 1, 64).reshape(8, 8)
    pixels, scale = quantise(ramp)
    np.testing.assert_allclose(scale.values(pixels), ramp, atol=0.01)
    source = np.zeros((9, 9))
    source[4, 4] = 1e-20
    pixels, scale = quantise(source)
    np.testing.assert_allclose(scale.values(pixels), source, atol=1e-22)


def test_what_a_page_holds():
    image = np.random.default_rng(1).normal(size=(6, 8, 3))
    cutout = encode(image)
    content = cutout.content
    assert (content["width"], content["height"], len(content["bands"])) == (8, 6, 3)
    stored = np.frombuffer(zlib.decompress(base64.b64decode(content["data"])), np.uint8)
    sky, softening, start, step = content["bands"][2]
    values = sky + softening * np.sinh(start + step * stored.reshape(3, 6, 8)[2].astype(float))
    np.testing.assert_allclose(values, image[..., 2], atol=0.2)


def test_centre_and_large_images():
    image = np.arange(7 * 9, dtype=float).reshape(7, 9, 1)
    np.testing.assert_array_equal(central(image, 3), image[2:5, 3:6])
    assert central(image, 8).shape == (7, 8, 1)
    assert central(image, None).shape == (7, 9, 1)
    large = np.ones((600, 1000, 2))
    large[:4, :4] = 3
    small = central(large, None, most=256)
    assert small.shape == (150, 250, 2)
    assert small[0, 0, 0] == 3 and small[1, 1, 0] == 1
    assert central(np.ones((1, 1000, 1)), None, most=256).shape == (1, 250, 1)


def test_files_are_found_below_the_roots(images, tmp_path):
    reader = ImageReader((tmp_path, images))
    image = reader.read("1_g.npy;1_r.npy;1_i.npy")
    assert image.shape == (12, 16, 3)
    np.testing.assert_array_equal(image[..., 1], np.load(images / "1_r.npy"))
    np.testing.assert_array_equal(reader.read("1_i.npy")[..., 0], np.load(images / "1_i.npy"))
    for cell, reason in [
        ("", "names no file"),
        ("missing.npy", "there is no such file"),
        ("1_g.npy;gone.npy", "there is no such file"),
        ("a\x00b.npy", "cannot be read"),
    ]:
        with pytest.raises(BadFileError, match=reason):
            reader.read(cell)


def test_a_name_with_a_semicolon_is_one_file(images, tmp_path):
    (tmp_path / "a;b.npy").write_bytes((images / "1_g.npy").read_bytes())
    assert ImageReader((tmp_path,)).read("a;b.npy").shape == (12, 16, 1)


def test_images_of_a_stack(tmp_path):
    import h5py
    import pyarrow as pa
    import pyarrow.parquet as pq

    stack = np.random.default_rng(0).normal(size=(5, 8, 8)).astype(np.float32)
    np.save(tmp_path / "stack.npy", stack)
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["images"] = stack
    (tmp_path / "parts").mkdir()
    for name in ("stack.parquet", "parts/0.parquet"):
        pq.write_table(pa.table({"image": stack.tolist()}), tmp_path / name, row_group_size=2)
    reader = ImageReader((tmp_path,))
    for name in ("stack.npy", "stack.h5", "stack.parquet", "parts"):
        np.testing.assert_array_equal(reader.read(f"{name}[3]")[..., 0], stack[3])
        with pytest.raises(BadFileError, match="has 5 images, and no image 9"):
            reader.read(f"{name}[9]")


def test_extensions_of_a_fits_file(tmp_path):
    from astropy.io import fits

    planes = [np.arange(value, value + 16, dtype=np.float32).reshape(4, 4) for value in (1, 2)]
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(plane) for plane in planes)]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    reader = ImageReader((tmp_path,), FileReader(hdu=2))
    assert reader.read("a.fits")[0, 0] == [2]
    assert reader.read("a.fits[1]")[0, 0] == [1]
    assert reader.read("a.fits[2];a.fits[1]")[0, 0].tolist() == [2, 1]
    assert ImageReader((tmp_path,), FileReader(hdu=(1, 2))).read("a.fits")[0, 0].tolist() == [1, 2]


def test_names_of_bands(images):
    reader = ImageReader((images,))
    cells = ["x.npy", "1_g.npy;1_r.npy;1_i.npy"]
    assert reader.names_of_bands(cells, 3) == ("g", "r", "i")
    assert reader.names_of_bands(["a_1.npy;a_2.npy"], 2) == ("channel 0", "channel 1")
    assert ImageReader((images,), bands=("VIS",)).names_of_bands(cells, 1) == ("VIS",)
