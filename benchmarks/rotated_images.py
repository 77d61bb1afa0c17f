"""Simulated lenses that can be rotated by any angle without error, for benchmarks/invariance.py.

Of every simulated image (`LensFindingSimulator`, KiDS-like, 101 x 101 pixels, half of them lenses)
the noise-compressing `asinh(flux / (3 sky noise))` is taken and low-passed: all up to 0.4 of the
Nyquist frequency is kept, nothing above 0.6, a raised cosine between. What is left is a finite sum
of plane waves, a function of the plane. It is evaluated at the rotated coordinates of the central
65 x 65 pixels, wave by wave. So nothing is interpolated: the rotated image is what a camera rotated
by that angle would have recorded of the same sky, noise included. (Drawing the rotated scene anew,
which the simulator could do, would give other noise, and its pixels' square sampling points would
not turn along.)
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from lensnet.simulation import KIDS_R_BAND, LensFindingSimulator

__all__ = ["PASSED", "SIZE", "STOPPED", "BandLimitedImages", "simulate", "rotation_error"]

SIZE = 65
"""Pixels along a side of the images that networks see."""

FIELD = 101
"""Pixels along a side of what is simulated: the corners of a rotated image lie within."""

PASSED, STOPPED = 0.4, 0.6
"""Where the low-pass begins and ends, in units of the Nyquist frequency."""

SKY_NOISES = 3.0
"""Flux at which the images' scale turns from linear to logarithmic, in standard deviations."""


@dataclass(frozen=True, eq=False)
class BandLimitedImages:
    """Images as sums of plane waves.

    Args:
        waves: complex amplitudes, shape (images, frequencies, frequencies).
        labels: 1 for a lens, shape (images,).
    """

    waves: np.ndarray
    labels: np.ndarray

    def rotated(self, angle_degrees: float, count: int | None = None) -> np.ndarray:
        """The images, rotated counter-clockwise about their centre.

        Args:
            angle_degrees: the angle. Quarter turns move pixels.
            count: how many of the images; default: all.

        Returns:
            float32 array of shape (images, SIZE, SIZE).
        """
        quarters, rest = divmod(angle_degrees, 90)
        images = np.stack([_at(one, rest, SIZE) for one in self.waves[:count]])
        return np.ascontiguousarray(np.rot90(images, quarters % 4, axes=(1, 2)), dtype="float32")


def simulate(count: int, seed: int) -> BandLimitedImages:
    """Simulates so many images, lenses and others in turn."""
    simulator = LensFindingSimulator(image_size=FIELD)
    scale = SKY_NOISES * float(KIDS_R_BAND.pixel_noise(0.0))
    waves, labels = [], []
    for number in range(count):
        class_name = simulator.classes[number % 2]
        simulated = simulator.simulate(class_name, number // 2, seed)
        waves.append(_waves(np.arcsinh(simulated.image[..., 0] / scale)))
        labels.append(simulated.label)
    return BandLimitedImages(np.stack(waves), np.array(labels))


def rotation_error(images: BandLimitedImages, angle_degrees: float) -> float:
    """Turns images and turns them back, from pixels to pixels; what that changes.

    The rotated picture is sampled on the whole field, faded out beyond the disk that networks see,
    and taken for a sum of plane waves again.

    Returns:
        the root mean square of the change within the inscribed disk of SIZE pixels, relative to
        the standard deviation of the images there.
    """
    offset = np.arange(FIELD) - (FIELD - 1) / 2
    radius = np.hypot(offset[:, None], offset[None, :])
    fade = _fall(radius, SIZE / 2 + 3, FIELD / 2)
    offset = np.arange(SIZE) - (SIZE - 1) / 2
    disk = np.hypot(offset[:, None], offset[None, :]) <= SIZE / 2
    changes, values = [], []
    for waves in images.waves:
        rotated = _at(waves, angle_degrees, FIELD) * fade
        back = _at(_waves(rotated, low_pass=False), -angle_degrees, SIZE)
        image = _at(waves, 0, SIZE)
        changes.append((back - image)[disk])
        values.append(image[disk])
    return float(np.sqrt(np.mean(np.square(changes))) / np.std(values))


def _waves(image: np.ndarray, low_pass: bool = True) -> np.ndarray:
    """The amplitudes of an image's plane waves, those of the highest frequencies left out."""
    kept = _frequencies(low_pass)
    radius = 2 * np.hypot(kept[:, None], kept[None, :])
    waves = np.fft.fft2(image) / image.size
    index = np.rint(kept * FIELD).astype(int)
    waves = waves[np.ix_(index, index)]
    return waves * _fall(radius, PASSED, STOPPED) if low_pass else waves


def _at(waves: np.ndarray, angle_degrees: float, size: int) -> np.ndarray:
    """The sum of plane waves at the rotated coordinates of the central pixels."""
    low_pass = len(waves) < FIELD
    rows, columns = _phases(angle_degrees, size, low_pass)
    if angle_degrees == 0:
        # A pixel's row does not depend on its column.
        return (rows[::size] @ waves @ columns[:size].T).real
    return np.einsum("pk,pk->p", rows @ waves, columns).real.reshape(size, size)


@functools.lru_cache(maxsize=4)
def _phases(angle_degrees: float, size: int, low_pass: bool) -> tuple[np.ndarray, np.ndarray]:
    """`exp(2 pi i f y)` and `exp(2 pi i f x)`, shape (pixels, frequencies) each."""
    angle, centre = np.radians(angle_degrees), (FIELD - 1) / 2
    offset = np.arange(size) - (size - 1) / 2
    down, right = (axis.reshape(-1) for axis in np.meshgrid(offset, offset, indexing="ij"))
    # A pixel of the rotated image looks back at where it came from; rows count downwards.
    row = centre + np.cos(angle) * down + np.sin(angle) * right
    column = centre + np.cos(angle) * right - np.sin(angle) * down
    frequencies = 2j * np.pi * _frequencies(low_pass)
    return np.exp(np.outer(row, frequencies)), np.exp(np.outer(column, frequencies))


def _frequencies(low_pass: bool) -> np.ndarray:
    """Those that the low-pass leaves, or all, in cycles per pixel."""
    frequencies = np.fft.fftfreq(FIELD)
    return frequencies[2 * np.abs(frequencies) < STOPPED] if low_pass else frequencies


def _fall(values: np.ndarray, begin: float, end: float) -> np.ndarray:
    """1 up to `begin`, 0 from `end` on, half a wave of a cosine between."""
    return (1 + np.cos(np.pi * np.clip((values - begin) / (end - begin), 0, 1))) / 2
