"""The point spread function of a user's images: a width, a picture, or the stars of a folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.stats import mad_std
from scipy import ndimage

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.decoding import read_image
from lensnet.data.sources.folder_listing import walk_images
from lensnet.errors import ConfigurationError, DataError

__all__ = ["gaussian_kernel", "read_kernels", "stack_stars"]

# Beyond so many standard deviations a Gaussian has nothing left.
_REACH_SIGMA = 4.5
_LARGEST_FWHM_PIXELS = 50
_CENTERINGS = 10


def read_kernels(
    given: Sequence[str], pixel_scale_arcsec: float, bands: int
) -> tuple[np.ndarray, ...]:
    """Returns the kernel of each band, whose pixels add up to 1.

    Args:
        given: for all bands or for each: the full width at half maximum of a Gaussian in
            arcseconds; an image of the point spread function, with the pixels of the images; or a
            folder of images of stars, which are stacked.
        pixel_scale_arcsec: of the images.
        bands: how many.

    Raises:
        ConfigurationError: there is neither one for all nor one for each band, or a width cannot
            be that of a point spread function.
        DataError: a file or folder cannot serve.
    """
    if len(given) not in (1, bands):
        raise ConfigurationError(
            f"The images have {bands} bands, and {len(given)} point spread functions are given. "
            "Give one for all with --psf, or one for each."
        )
    kernels = [
        _kernel(text, pixel_scale_arcsec, band if len(given) == bands and bands > 1 else None)
        for band, text in enumerate(given)
    ]
    return tuple(kernels * bands) if len(kernels) == 1 else tuple(kernels)


def gaussian_kernel(fwhm_pixels: float) -> np.ndarray:
    """Returns a round Gaussian at the centres of pixels, of an odd number of pixels a side.

    Example:

    >>> kernel = gaussian_kernel(2.0)
    >>> kernel.shape, round(float(kernel.sum()), 12)
    ((9, 9), 1.0)
    """
    sigma = fwhm_pixels / math.sqrt(8 * math.log(2))
    reach = max(1, math.ceil(_REACH_SIGMA * sigma))
    profile = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma))
    kernel = np.outer(profile, profile)
    return np.asarray(kernel / kernel.sum())


def stack_stars(stars: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the median of images of stars, each centred and brought to the same flux.

    Args:
        stars: (H, W) each, all of one shape, the star near the middle and nothing brighter.

    Raises:
        ValueError: not one of them holds a star.
    """
    centred = [found for star in stars if (found := _centred(star)) is not None]
    if not centred:
        raise ValueError("none of the images holds a star that stands out")
    return _normalised(np.median(centred, axis=0))


def _kernel(text: str, pixel_scale_arcsec: float, band: int | None) -> np.ndarray:
    try:
        fwhm = float(text)
    except ValueError:
        return _picture(Path(text).expanduser(), band)
    if not 0 < fwhm / pixel_scale_arcsec < _LARGEST_FWHM_PIXELS:
        raise ConfigurationError(
            f"--psf {text}: a full width at half maximum is given in arcseconds, and this one is "
            f"{fwhm / pixel_scale_arcsec:.3g} pixels."
        )
    return gaussian_kernel(fwhm / pixel_scale_arcsec)


def _picture(path: Path, band: int | None) -> np.ndarray:
    if not path.exists():
        raise DataError(
            f"--psf {path}: there is no such file or folder, and it is not a width in arcseconds."
        )
    try:
        if not path.is_dir():
            return _normalised(_plane(read_image(path), band, path))
        stars = [_plane(read_image(path / name), band, path) for name in walk_images(path)]
        shapes = {star.shape for star in stars}
        if len(shapes) != 1:
            raise ValueError(
                "it holds no image" if not shapes else f"its images differ in shape: {shapes}"
            )
        return stack_stars(stars)
    except BadFileError as error:
        raise DataError(f"The point spread function cannot be read: {error}") from None
    except ValueError as error:
        raise DataError(f"--psf {path} cannot serve as a point spread function: {error}.") from None


def _plane(image: np.ndarray, band: int | None, path: Path) -> np.ndarray:
    """One band of a picture; it may have one for all."""
    if image.shape[2] == 1:
        return image[:, :, 0]
    if band is None or band >= image.shape[2]:
        raise ValueError(f"{path.name} has {image.shape[2]} bands")
    return image[:, :, band]


def _normalised(picture: np.ndarray) -> np.ndarray:
    """A picture of a point as a kernel: odd sides, the centroid in the middle, a sum of 1."""
    if min(picture.shape) < 3:
        raise ValueError(f"{picture.shape} pixels are too few")
    values = np.maximum(picture.astype(np.float64), 0)
    if not values.sum() > 0:
        raise ValueError("it holds no light")
    rows, columns = (side - 1 + side % 2 for side in picture.shape)
    center = ndimage.center_of_mass(values)
    moved = ndimage.shift(
        values, [(side - 1) / 2 - at for side, at in zip((rows, columns), center, strict=True)]
    )
    kernel = np.maximum(moved[:rows, :columns], 0)
    return np.asarray(kernel / kernel.sum())


def _centred(star: np.ndarray) -> np.ndarray | None:
    """A star without its sky, in the middle of the image, of unit flux; None where there is none.

    The centre is that of the light in a window that is moved along with it.
    """
    values = star.astype(np.float64) - np.median(_border(star))
    noise = float(mad_std(_border(star)))
    middle = np.array([(side - 1) / 2 for side in star.shape])
    rows, columns = np.indices(star.shape)
    center = middle
    width = min(star.shape) / 6
    for _ in range(_CENTERINGS):
        distance = np.hypot(rows - center[0], columns - center[1])
        light = values * np.exp(-0.5 * np.square(distance / width))
        total = light.sum()
        if not total > 0:
            return None
        # Half of the way would be the centroid of the product, not of the star.
        step = np.array([(light * (rows - center[0])).sum(), (light * (columns - center[1])).sum()])
        center = center + 2 * step / total
        if np.abs(center - middle).max() > min(star.shape) / 4:
            return None
    if values.max() < 10 * noise:
        return None
    moved = ndimage.shift(values, middle - center, order=3)
    flux = moved.sum()
    return np.asarray(moved / flux) if flux > 0 else None


def _border(image: np.ndarray) -> np.ndarray:
    inner = np.zeros(image.shape, bool)
    width = max(1, min(image.shape) // 10)
    inner[width:-width, width:-width] = True
    return image[~inner]
