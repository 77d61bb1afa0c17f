"""Draws a scene: surface brightness at the sampling points, binned to pixels, blurred."""

from __future__ import annotations

import numpy as np

from lensnet.simulation.deflection import axis_coordinates, source_plane_positions
from lensnet.simulation.psf import blur
from lensnet.simulation.scene import PixelGrid, Scene, SersicLight
from lensnet.simulation.sersic import reach_arcsec, surface_brightness

__all__ = ["render", "render_unblurred"]

# Foreground light fainter than this, in units of its amplitude, is left out: it could not be seen,
# and with it a small galaxy would cost as much as a large one.
FAINTEST = 1e-12


def render(scene: Scene, grid: PixelGrid) -> np.ndarray:
    """Returns the scene as a noiseless camera sees it, in flux per pixel.

    The same picture as :func:`lensnet.simulation.render_with_lenstronomy` draws, to rounding.

    Args:
        scene: what to draw.
        grid: the pixels to draw it on.

    Returns:
        Shape (size, size), float64; the first axis is y.

    >>> from lensnet.simulation.scene import GaussianPsf
    >>> light = SersicLight(amplitude=1.0, half_light_radius_arcsec=0.5, sersic_index=1.0)
    >>> scene = Scene(GaussianPsf(0.7, truncation_sigma=3.0), foreground=(light,))
    >>> render(scene, PixelGrid(size=32, pixel_scale_arcsec=0.2)).shape
    (32, 32)
    """
    return blur(render_unblurred(scene, grid), scene.psf, grid)


def render_unblurred(scene: Scene, grid: PixelGrid) -> np.ndarray:
    """Returns the scene before the point spread function, in flux per pixel."""
    axis = axis_coordinates(grid)
    if scene.sources:
        if scene.lens is None:
            raise ValueError("A scene with sources needs a lens; unlensed light is foreground.")
        x, y = source_plane_positions(grid, scene.lens, scene.point_masses)
        samples = surface_brightness(scene.sources[0], x, y)
        for light in scene.sources[1:]:
            samples += surface_brightness(light, x, y)
    else:
        samples = np.zeros((axis.size, axis.size))
    for light in scene.foreground:
        _add_foreground(samples, axis, light)
    if grid.supersampling > 1:
        blocks = grid.size, grid.supersampling, grid.size, grid.supersampling
        samples = np.einsum("iajb->ij", samples.reshape(blocks))
    samples *= (grid.pixel_scale_arcsec / grid.supersampling) ** 2
    return samples


def _add_foreground(samples: np.ndarray, axis: np.ndarray, light: SersicLight) -> None:
    reach = reach_arcsec(light, FAINTEST)
    x, y = light.center_x_arcsec, light.center_y_arcsec
    columns = slice(*np.searchsorted(axis, (x - reach, x + reach)))
    rows = slice(*np.searchsorted(axis, (y - reach, y + reach)))
    points_x, points_y = np.meshgrid(axis[columns], axis[rows])
    samples[rows, columns] += surface_brightness(light, points_x, points_y)
