"""Which arc is painted into a galaxy: its lens, its source, and how bright it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lensnet.errors import ConfigurationError
from lensnet.selection.galaxies import GalaxyShape
from lensnet.simulation.galaxies import GalaxyPopulation
from lensnet.simulation.lens_drawing import draw_lens, draw_source_position
from lensnet.simulation.rendering import render_unblurred
from lensnet.simulation.scene import GaussianPsf, IsothermalLens, PixelGrid, Scene, SersicLight
from lensnet.simulation.sersic import total_flux

__all__ = ["Arc", "ArcRanges", "draw_arc", "lensed_flux"]

# Of sources in deep ground-based surveys, as LensFindingSimulator has them; a disc has 0.1 % of its
# light beyond 5.5 half-light radii.
_SOURCES = GalaxyPopulation(
    radius_range_arcsec=(0.1, 0.35), sersic_index_range=(0.7, 1.8), axis_ratio_range=(0.4, 1.0)
)
_SOURCE_REACH = 5.5
_SCATTER = {"axis_ratio_scatter": 0.05, "angle_scatter_radian": 0.1, "shear_max": 0.05}
_SUPERSAMPLING = 4


@dataclass(frozen=True)
class ArcRanges:
    """Which arcs are painted.

    Args:
        einstein_radius_arcsec: least and greatest, uniform in the logarithm.
        source_magnitude: least and greatest AB magnitude of the source without lensing, in the
            first band, uniform.
        signal_to_noise: least and greatest, uniform in the logarithm, to which the source is made
            bright in place of `source_magnitude`; None for by magnitude.
        source_offset_max: the source is uniform in a disc of this radius, in Einstein radii.
        colors: magnitudes in each further band less that in the first; () for all alike.
        cells: of a grid over both, along each; None for random draws.

    Raises:
        ConfigurationError: a range is reversed or beyond what there is.
    """

    einstein_radius_arcsec: tuple[float, float] = (0.7, 2.5)
    source_magnitude: tuple[float, float] = (22.0, 26.0)
    signal_to_noise: tuple[float, float] | None = None
    source_offset_max: float = 0.45
    colors: tuple[float, ...] = ()
    cells: int | None = None

    def __post_init__(self) -> None:
        ranges = {"einstein-radius": self.einstein_radius_arcsec}
        if self.signal_to_noise is not None:
            ranges["signal-to-noise"] = self.signal_to_noise
        for name, (low, high) in ranges.items():
            if not 0 < low <= high:
                raise ConfigurationError(
                    f"--{name} takes the least and the greatest value, both above 0; got {low:g} "
                    f"and {high:g}."
                )
        if not self.source_magnitude[0] <= self.source_magnitude[1]:
            raise ConfigurationError(
                "--source-magnitude takes the brightest and the faintest, which is the larger "
                "number; got {:g} and {:g}.".format(*self.source_magnitude)
            )

    def place(self, number: int, random: np.random.Generator) -> tuple[float, float]:
        """Returns where in both ranges arc number `number` lies, two numbers from 0 to 1."""
        if self.cells is None:
            return float(random.uniform()), float(random.uniform())
        row, column = divmod(number % self.cells**2, self.cells)
        return (row + 0.5) / self.cells, (column + 0.5) / self.cells

    @property
    def reach_arcsec(self) -> float:
        """How far from the galaxy light of the largest arc may come."""
        return self.einstein_radius_arcsec[1] * (1 + self.source_offset_max)


@dataclass(frozen=True, eq=False)
class Arc:
    """A lens and its source.

    Attributes:
        lens: the mass.
        source: the source, of unit flux without lensing.
        magnification: flux of its image over its own.
        brightness: where it lies in the range of magnitudes, or of signal to noise, from 0 to 1.
    """

    lens: IsothermalLens
    source: SersicLight
    magnification: float
    brightness: float


def draw_arc(
    random: np.random.Generator,
    ranges: ArcRanges,
    number: int,
    shape: GalaxyShape,
    pixel_scale_arcsec: float,
) -> Arc:
    """Draws the arc of a galaxy; its mass has the shape of its light but for a scatter.

    Args:
        random: the generator to draw from.
        ranges: which arcs.
        number: of the arc, by which a grid is gone through.
        shape: of the galaxy.
        pixel_scale_arcsec: of its image.
    """
    of_radius, brightness = ranges.place(number, random)
    low, high = ranges.einstein_radius_arcsec
    radius = low * (high / low) ** of_radius
    row, column = shape.center_pixels
    lens = draw_lens(
        random,
        radius,
        (shape.axis_ratio, shape.angle_radian),
        (column * pixel_scale_arcsec, row * pixel_scale_arcsec),
        **_SCATTER,
    )
    place = draw_source_position(random, lens, ranges.source_offset_max)
    source = _SOURCES.draw(random, 1.0, *place)
    return Arc(lens, source, _magnification(lens, source), brightness)


def lensed_flux(arc: Arc, size: int, pixel_scale_arcsec: float) -> np.ndarray:
    """Returns the arc before blurring, (size, size), in the flux that its source has unlensed.

    Args:
        arc: what to draw.
        size: pixels a side, the middle of the image at the origin.
        pixel_scale_arcsec: of them.
    """
    grid = PixelGrid(size, pixel_scale_arcsec, _SUPERSAMPLING)
    return render_unblurred(_scene(arc.lens, arc.source), grid)


def _magnification(lens: IsothermalLens, source: SersicLight) -> float:
    """Flux of the whole image over that of the source, to 0.3 %."""
    reach = lens.einstein_radius_arcsec * 2.2 + _SOURCE_REACH * source.half_light_radius_arcsec
    reach += math.hypot(lens.center_x_arcsec, lens.center_y_arcsec)
    step = source.half_light_radius_arcsec / 2
    image = render_unblurred(_scene(lens, source), PixelGrid(math.ceil(2 * reach / step), step, 2))
    flux = source.amplitude * total_flux(source.half_light_radius_arcsec, source.sersic_index)
    return float(image.sum()) / flux


def _scene(lens: IsothermalLens, source: SersicLight) -> Scene:
    # Blurring is left to the kernel of the user's images.
    return Scene(GaussianPsf(1.0, 3.0), lens=lens, sources=(source,))
