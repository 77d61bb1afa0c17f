"""The point spread function, from a width, a picture and stars."""

import numpy as np
import pytest
from scipy import ndimage

from lensnet.errors import ConfigurationError, DataError
from lensnet.selection.point_spread import gaussian_kernel, read_kernels, stack_stars

pytestmark = pytest.mark.filterwarnings("error")


def star(offset, flux, rng, size=31, fwhm=4.0, noise=0.01):
    """A Gaussian star somewhere near the middle, over sky."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    sigma = fwhm / np.sqrt(8 * np.log(2))
    light = np.exp(-((rows - offset[0]) ** 2 + (columns - offset[1]) ** 2) / (2 * sigma**2))
    return 7 + flux * light / (2 * np.pi * sigma**2) + rng.normal(0, noise, (size, size))


def test_stars_are_centred_and_stacked():
    rng = np.random.default_rng(0)
    stars = [
        star(rng.uniform(-1.5, 1.5, 2), flux, rng) for flux in (40.0, 100.0, 200.0, 300.0, 80.0)
    ]
    kernel = stack_stars(stars)
    assert kernel.shape == (31, 31) and kernel.sum() == pytest.approx(1)
    rows, columns = np.indices(kernel.shape) - 15
    inner = np.hypot(rows, columns) < 8
    assert (kernel * rows)[inner].sum() == pytest.approx(0, abs=0.05)
    expected = np.pad(gaussian_kernel(4.0), (31 - gaussian_kernel(4.0).shape[0]) // 2)
    np.testing.assert_allclose(kernel, expected, atol=0.04 * expected.max())
    with pytest.raises(ValueError, match="stands out"):
        stack_stars([rng.normal(0, 1, (31, 31))])


def test_a_picture_is_normalised_and_centred(tmp_path):
    picture = 5 * ndimage.shift(np.pad(gaussian_kernel(3.0), 5), (0.3, -0.6), order=3)
    np.save(tmp_path / "psf.npy", picture.astype(np.float32))
    [kernel] = read_kernels([str(tmp_path / "psf.npy")], 0.2, 1)
    expected = np.pad(gaussian_kernel(3.0), 5)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, expected, atol=0.03 * expected.max())


def test_a_width_serves_all_bands_and_a_folder_its_own(tmp_path):
    kernels = read_kernels(["0.8"], 0.2, 3)
    assert len(kernels) == 3 and kernels[0] is kernels[2]
    rows = np.indices(kernels[0].shape)[0] - kernels[0].shape[0] // 2
    assert np.sqrt((kernels[0] * rows**2).sum()) == pytest.approx(4 / 2.3548, rel=0.01)
    rng = np.random.default_rng(0)
    (tmp_path / "stars").mkdir()
    for number in range(4):
        np.save(tmp_path / "stars" / f"{number}.npy", star((0.2, -0.4), 90.0, rng))
    two = read_kernels([str(tmp_path / "stars"), "0.8"], 0.2, 2)
    assert two[0].shape == (31, 31) and two[1].shape == kernels[0].shape


def test_what_cannot_be_one(tmp_path):
    with pytest.raises(ConfigurationError, match="2 bands, and 3"):
        read_kernels(["1", "1", "1"], 0.2, 2)
    with pytest.raises(ConfigurationError, match="arcseconds"):
        read_kernels(["80"], 0.2, 1)
    with pytest.raises(DataError, match="no such file"):
        read_kernels([str(tmp_path / "nothing.fits")], 0.2, 1)
    np.save(tmp_path / "dark.npy", -np.ones((9, 9)) + np.eye(9) * 0.1)
    with pytest.raises(DataError, match="no light"):
        read_kernels([str(tmp_path / "dark.npy")], 0.2, 1)
