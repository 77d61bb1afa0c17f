"""Galaxies that a lens finder takes for lenses: rings, spirals and mergers with tidal tails."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from lensnet.simulation.deflection import axis_coordinates
from lensnet.simulation.galaxies import draw_log_uniform
from lensnet.simulation.lens_finding import LensFindingSimulator
from lensnet.simulation.patterned_light import PatternedLight, pattern_brightness
from lensnet.simulation.psf import blur
from lensnet.simulation.rendering import render_unblurred
from lensnet.simulation.scene import PixelGrid, Scene, SersicLight
from lensnet.simulation.seeding import random_generators
from lensnet.simulation.simulator import SimulatedImage, label_of
from lensnet.simulation.validation import check_instance, check_range

__all__ = ["LookAlikeSimulator"]


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What was drawn for an image: a scene, what no Sersic profile describes, and the noise's."""

    scene: Scene
    patterns: tuple[PatternedLight, ...]
    magnitude: float
    noise_random: np.random.Generator


@final
@dataclass(frozen=True, kw_only=True)
class LookAlikeSimulator:
    """What visual inspection of lens candidates throws out, in the survey of the lens finder.

    Face-on spirals, ring galaxies and mergers are what searches by networks are contaminated by
    most (Rojas et al. 2022, A&A 668, A73, section 5; Petrillo et al. 2019, MNRAS 484, 3879). As
    around a lens, light of the brightness of a lensed source stands at an Einstein radius from the
    galaxy's centre; what gives it away is its form:

    - `ring`: a closed ring, inclined like a disc, twice as thick as an arc, with lumps;
    - `spiral`: two to four arms that wind outwards from the centre;
    - `merger`: a second galaxy beside the first and a tail of either, each at its own centre.

    Observation, galaxies, field and noise are those of `survey`. Only the training of a
    `LensFindingSimulator` knows nothing of them: its `nonlens` has companions alone.

    Args:
        survey: the lens finder whose survey it is.
        ring_width_range: least and greatest width of rings, in units of their radius, uniform.
        axis_ratio_range: least and greatest axis ratio of rings and spirals, uniform.

    Raises:
        ValueError: an option is out of its range.

    >>> image = LookAlikeSimulator().simulate("ring", index=0, seed=0)
    >>> image.image.shape, image.label
    ((101, 101, 1), 0)
    """

    survey: LensFindingSimulator = LensFindingSimulator()
    ring_width_range: tuple[float, float] = (0.12, 0.25)
    axis_ratio_range: tuple[float, float] = (0.5, 0.95)

    CLASSES: ClassVar[tuple[str, ...]] = ("ring", "spiral", "merger")

    def __post_init__(self) -> None:
        check_instance("survey", self.survey, LensFindingSimulator)
        check_range("ring_width_range", self.ring_width_range, above=0.0, maximum=1.0)
        check_range("axis_ratio_range", self.axis_ratio_range, minimum=0.2, maximum=1.0)

    @property
    def classes(self) -> tuple[str, ...]:
        """`("ring", "spiral", "merger")`."""
        return self.CLASSES

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        return self.survey.image_size

    def simulate(self, class_name: str | None, index: int, seed: int) -> SimulatedImage:
        """Returns image number `index` of a class, sky subtracted, in electrons per second.

        Its metadata: `look_alike_magnitude`, of the ring, the arms or the other galaxy and tails,
        and `psf_fwhm_arcsec`.

        Args:
            class_name: "ring", "spiral" or "merger".
            index: number of the image within its class.
            seed: the seed of the whole set.

        Raises:
            ValueError: no such class, or a negative index or seed.
        """
        drawn = self._draw(class_name, index, seed)
        model = self._rendered(drawn)
        noise = self.survey.observation.pixel_noise(model)
        image = model + noise * drawn.noise_random.standard_normal(model.shape)
        return SimulatedImage(
            image=image.astype(np.float32)[..., np.newaxis],
            label=label_of(self.CLASSES, class_name),
            target=None,
            metadata={
                "look_alike_magnitude": drawn.magnitude,
                "psf_fwhm_arcsec": drawn.scene.psf.fwhm_arcsec,
            },
        )

    def noise_free(self, class_name: str | None, index: int, seed: int) -> np.ndarray:
        """Returns the same image before noise, (image_size, image_size), electrons per second."""
        return self._rendered(self._draw(class_name, index, seed))

    def _rendered(self, drawn: _Drawn) -> np.ndarray:
        grid = self.survey.grid
        image = render_unblurred(drawn.scene, grid)
        for pattern in drawn.patterns:
            image += _pattern(pattern, grid)
        return blur(image, drawn.scene.psf, grid)

    def _draw(self, class_name: str | None, index: int, seed: int) -> _Drawn:
        label_of(self.CLASSES, class_name)
        scene_random, random, noise_random = random_generators(
            f"look_alike/{class_name}", index, seed, count=3
        )
        survey = self.survey
        # A galaxy, its field and its seeing, from the survey's own population.
        scene = survey.unlensed_scene(scene_random)
        magnitude = random.uniform(*survey.source_magnitude_range)
        flux = survey.observation.flux(magnitude)
        radius = draw_log_uniform(random, *survey.einstein_radius_range_arcsec)
        galaxy = scene.foreground[0]
        if class_name == "merger":
            other, patterns = self._merger(random, galaxy, flux, radius)
            scene = replace(scene, foreground=(*scene.foreground, other))
        elif class_name == "ring":
            patterns = (self._ring(random, galaxy, flux, radius),)
        else:
            patterns = (self._spiral(random, galaxy, flux, radius),)
        return _Drawn(scene, patterns, magnitude, noise_random)

    def _ring(
        self, random: np.random.Generator, galaxy: SersicLight, flux: float, radius: float
    ) -> PatternedLight:
        return PatternedLight(
            flux=flux,
            ring_radius_arcsec=radius,
            width_arcsec=radius * random.uniform(*self.ring_width_range),
            axis_ratio=random.uniform(*self.axis_ratio_range),
            angle_radian=random.uniform(0.0, math.pi),
            # Lumps of star formation.
            arms=int(random.integers(2, 7)),
            contrast=random.uniform(0.0, 0.6),
            phase_radian=random.uniform(0.0, 2.0 * math.pi),
            center_x_arcsec=galaxy.center_x_arcsec,
            center_y_arcsec=galaxy.center_y_arcsec,
        )

    def _spiral(
        self, random: np.random.Generator, galaxy: SersicLight, flux: float, radius: float
    ) -> PatternedLight:
        return PatternedLight(
            flux=flux,
            ring_radius_arcsec=radius,
            width_arcsec=radius * random.uniform(0.3, 0.5),
            axis_ratio=random.uniform(*self.axis_ratio_range),
            angle_radian=random.uniform(0.0, math.pi),
            arms=int(random.choice((2, 2, 2, 3, 4))),
            # Pitch angles of spirals (Kennicutt 1981, AJ 86, 1847), wound either way.
            pitch_radian=math.radians(random.uniform(10.0, 30.0)) * (1 - 2 * random.integers(2)),
            contrast=random.uniform(1.0, 2.5),
            phase_radian=random.uniform(0.0, 2.0 * math.pi),
            center_x_arcsec=galaxy.center_x_arcsec,
            center_y_arcsec=galaxy.center_y_arcsec,
        )

    def _merger(
        self, random: np.random.Generator, galaxy: SersicLight, flux: float, radius: float
    ) -> tuple[SersicLight, tuple[PatternedLight, ...]]:
        """Draws the other galaxy, and a tail of each that has half of the light with it."""
        direction = random.uniform(0.0, 2.0 * math.pi)
        x = galaxy.center_x_arcsec + radius * math.cos(direction)
        y = galaxy.center_y_arcsec + radius * math.sin(direction)
        other = self.survey.field_galaxies.draw(random, 0.5 * flux, x, y)
        tails = tuple(
            PatternedLight(
                flux=0.25 * flux,
                ring_radius_arcsec=radius * random.uniform(0.6, 1.0),
                width_arcsec=radius * random.uniform(0.15, 0.3),
                axis_ratio=random.uniform(*self.axis_ratio_range),
                angle_radian=random.uniform(0.0, math.pi),
                arms=1,
                pitch_radian=math.radians(random.uniform(20.0, 45.0))
                * (1 - 2 * random.integers(2)),
                contrast=random.uniform(1.5, 3.0),
                phase_radian=random.uniform(0.0, 2.0 * math.pi),
                center_x_arcsec=center_x,
                center_y_arcsec=center_y,
            )
            for center_x, center_y in (
                (galaxy.center_x_arcsec, galaxy.center_y_arcsec),
                (x, y),
            )
        )
        return other, tails


def _pattern(light: PatternedLight, grid: PixelGrid) -> np.ndarray:
    """Returns a ring or arms before the point spread function, in flux per pixel.

    Its flux is that within reach of the ring, on points of its own, so that what lies beyond the
    image is not made up for.
    """
    reach = light.ring_radius_arcsec + 4.0 * light.width_arcsec
    step = grid.pixel_scale_arcsec / grid.supersampling
    points = np.arange(-reach, reach + step, step)
    stamp = pattern_brightness(
        replace(light, center_x_arcsec=0.0, center_y_arcsec=0.0), *np.meshgrid(points, points)
    )
    axis = axis_coordinates(grid)
    samples = pattern_brightness(light, *np.meshgrid(axis, axis))
    blocks = grid.size, grid.supersampling, grid.size, grid.supersampling
    found: np.ndarray = np.einsum("iajb->ij", samples.reshape(blocks))
    return found * (light.flux / float(stamp.sum()))
