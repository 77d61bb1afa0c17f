"""An arc in a real image: blurred by its point spread function, with the noise of its own light."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import signal

from lensnet.errors import ConfigurationError, DataError
from lensnet.selection.arcs import Arc, ArcRanges, draw_arc, lensed_flux
from lensnet.selection.galaxies import background_noise, measure_shape
from lensnet.simulation.scene import IsothermalLens, SersicLight
from lensnet.simulation.seeding import random_generators

__all__ = ["Painted", "Photometry", "paint_arc"]


@dataclass(frozen=True, eq=False)
class Photometry:
    """What the numbers in the images mean.

    Args:
        pixel_scale_arcsec: side of a pixel.
        zero_points: of each band, AB magnitude of a source whose pixels add up to 1.
        gains: of each band, electrons that stand for 1 in a pixel; infinite for no noise of the
            arcs' own.
        kernels: of each band, the point spread function on the pixels of the images.

    Raises:
        ConfigurationError: something is not positive, or the bands differ in number.
    """

    pixel_scale_arcsec: float
    zero_points: tuple[float, ...]
    gains: tuple[float, ...]
    kernels: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        if not self.pixel_scale_arcsec > 0 or not min(self.gains) > 0:
            raise ConfigurationError("--pixel-scale and --gain must be above 0.")
        if not len(self.zero_points) == len(self.gains) == len(self.kernels):
            raise ConfigurationError(
                "There must be one zero point, one gain and one point spread function for all "
                "bands, or one of each for each band."
            )

    @classmethod
    def of_bands(
        cls,
        bands: int,
        pixel_scale_arcsec: float,
        zero_points: tuple[float, ...],
        gains: tuple[float, ...],
        kernels: tuple[np.ndarray, ...],
    ) -> Photometry:
        """Returns the photometry of so many bands; what is given once is that of all."""

        def of_each(values: tuple[float, ...]) -> tuple[float, ...]:
            return values * bands if len(values) == 1 else values

        found = cls(pixel_scale_arcsec, of_each(zero_points), of_each(gains), kernels)
        if len(found.kernels) != bands:
            raise ConfigurationError(
                f"The images have {bands} bands, and {len(found.kernels)} are described."
            )
        return found


@dataclass(frozen=True, eq=False)
class Painted:
    """A galaxy's image with an arc.

    Attributes:
        image: (H, W, C) float32.
        truth: what was painted, by a name that carries the unit.
    """

    image: np.ndarray
    truth: Mapping[str, float]


def paint_arc(
    image: np.ndarray,
    photometry: Photometry,
    ranges: ArcRanges,
    name: str,
    number: int,
    seed: int,
) -> Painted:
    """Paints an arc into the image of a galaxy in its middle.

    The image stays as it is, with its own noise; the arc brings the Poisson noise of its own
    electrons. Its signal to noise is the square root of the sum over pixels and bands of
    (arc / noise)^2, the noise being that of the sky and of the light of galaxy and arc. What is
    drawn depends on name, number and seed alone.

    Args:
        image: (H, W, C), raw.
        photometry: what its numbers mean.
        ranges: which arcs.
        name: of the galaxy.
        number: of the arc.
        seed: of the whole set.

    Raises:
        DataError: the image's sky has no noise, and the signal to noise is to be drawn.
    """
    lens_random, noise_random = random_generators(f"selection/{name}", number, seed, count=2)
    sky, sky_noise = background_noise(image)
    bare = image.astype(np.float64) - sky
    scale = photometry.pixel_scale_arcsec
    weights = 1 / np.square(np.where(sky_noise > 0, sky_noise, 1.0))
    window = ranges.einstein_radius_arcsec[0] / scale
    shape = measure_shape(bare @ (weights / weights.sum()), max(window, 2.0))
    arc = draw_arc(lens_random, ranges, number, shape, scale)
    unit = _blurred(arc, image.shape, photometry, _fluxes(photometry, ranges))
    variance = np.square(sky_noise) + np.maximum(bare, 0) / np.array(photometry.gains)
    if ranges.signal_to_noise is None:
        low, high = ranges.source_magnitude
        flux = 10 ** (-0.4 * (low + (high - low) * arc.brightness))
    else:
        low, high = ranges.signal_to_noise
        flux = _flux_of(low * (high / low) ** arc.brightness, unit, variance, photometry)
    light = unit * flux
    painted = image + _with_photon_noise(light, photometry, noise_random)
    magnitude = -2.5 * math.log10(flux)
    truth = {
        "einstein_radius_arcsec": arc.lens.einstein_radius_arcsec,
        "source_magnitude": magnitude,
        "arc_magnitude": magnitude - 2.5 * math.log10(arc.magnification),
        "signal_to_noise": _signal_to_noise(light, variance, photometry),
        "magnification": arc.magnification,
        "source_radius_arcsec": arc.source.half_light_radius_arcsec,
    }
    return Painted(painted.astype(np.float32), truth)


def _fluxes(photometry: Photometry, ranges: ArcRanges) -> np.ndarray:
    """What a source of magnitude 0 in the first band adds up to in each, (C,)."""
    bands = len(photometry.zero_points)
    colors = (0.0, *ranges.colors) if ranges.colors else (0.0,) * bands
    if len(colors) != bands:
        raise ConfigurationError(
            f"--color is given for each band but the first, {bands - 1} here; got "
            f"{len(ranges.colors)}."
        )
    return np.asarray(10 ** (0.4 * (np.array(photometry.zero_points) - colors)))


def _blurred(
    arc: Arc, shape: tuple[int, ...], photometry: Photometry, fluxes: np.ndarray
) -> np.ndarray:
    """The arc of a source of magnitude 0 as the telescope sees it, (H, W, C)."""
    height, width, _ = shape
    reach = max(max(kernel.shape) for kernel in photometry.kernels) // 2
    # A margin, so that light from beyond the edges is blurred into the image; of the parity of
    # both sides, the same pixels lie in the middle.
    size = max(height, width) + 2 * reach
    rows, columns = (size - height) / 2, (size - width) / 2
    moved = _moved(arc, rows % 1, columns % 1, photometry.pixel_scale_arcsec)
    plane = lensed_flux(moved, size, photometry.pixel_scale_arcsec)
    planes = []
    for kernel, flux in zip(photometry.kernels, fluxes, strict=True):
        full = signal.fftconvolve(plane * flux, kernel, mode="same")
        planes.append(full[int(rows) : int(rows) + height, int(columns) : int(columns) + width])
    # The Fourier transform leaves rounding below zero, where there is no light.
    return np.maximum(np.stack(planes, axis=2), 0)


def _moved(arc: Arc, rows: float, columns: float, scale: float) -> Arc:
    """An arc moved by parts of a pixel, with which a side of another parity is cut out."""
    dx, dy = -columns * scale, -rows * scale

    def place(part: IsothermalLens | SersicLight) -> dict[str, float]:
        return {
            "center_x_arcsec": part.center_x_arcsec + dx,
            "center_y_arcsec": part.center_y_arcsec + dy,
        }

    lens = replace(arc.lens, **place(arc.lens))
    return replace(arc, lens=lens, source=replace(arc.source, **place(arc.source)))


def _with_photon_noise(
    light: np.ndarray, photometry: Photometry, random: np.random.Generator
) -> np.ndarray:
    gains = np.array(photometry.gains)
    counted = np.isfinite(gains)
    noisy = light.copy()
    noisy[..., counted] = random.poisson(light[..., counted] * gains[counted]) / gains[counted]
    return noisy


def _signal_to_noise(light: np.ndarray, variance: np.ndarray, photometry: Photometry) -> float:
    total = variance + light / np.array(photometry.gains)
    ratio = np.divide(light**2, total, out=np.zeros_like(light), where=total > 0)
    return math.sqrt(float(ratio.sum()))


def _flux_of(
    wanted: float, unit: np.ndarray, variance: np.ndarray, photometry: Photometry
) -> float:
    """The flux with which an arc has a signal to noise, which grows with it."""
    if not variance.min() > 0:
        raise DataError(
            "The sky of an image has no noise, and no signal to noise can be reached. Draw arcs by "
            "--source-magnitude."
        )
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        reached = _signal_to_noise(unit * 10**middle, variance, photometry)
        low, high = (middle, high) if reached < wanted else (low, middle)
    return float(10**high)
