"""Lens finding in a ground-based survey: galaxies with lensed sources, and with companions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from lensnet.simulation.galaxies import GalaxyPopulation, draw_log_uniform, draw_magnitudes
from lensnet.simulation.lens_drawing import draw_lens, draw_source_position
from lensnet.simulation.lensed_light import (
    LensedLight,
    draw_companions,
    measure_lensed_light,
)
from lensnet.simulation.observation import KIDS_R_BAND, ObservationConfig
from lensnet.simulation.psf import blur
from lensnet.simulation.rendering import render, render_unblurred
from lensnet.simulation.scene import (
    GaussianPsf,
    IsothermalLens,
    PixelGrid,
    Scene,
    SersicLight,
)
from lensnet.simulation.seeding import random_generators
from lensnet.simulation.simulator import SimulatedImage, label_of
from lensnet.simulation.validation import (
    check_instance,
    check_integer,
    check_number,
    check_range,
)

__all__ = ["LensFindingSimulator"]

# Companions' shares of the light are Dirichlet-distributed with this parameter: of two, the
# brighter has on average about twice the light of the fainter, as of the two images of a source.
SHARE_CONCENTRATION = 3.0

# An exponential disc has 0.1 % of its light beyond this many half-light radii.
SOURCE_REACH = 5.5


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What was drawn for an image; `added` is the source and its lens, or the companions."""

    label: int
    rest: Scene
    added: Scene
    metadata: dict[str, float]
    noise_random: np.random.Generator


@final
@dataclass(frozen=True, kw_only=True)
class LensFindingSimulator:
    """Galaxies that lens what lies behind them, and galaxies that do not, in one band.

    Every image has a massive early-type galaxy near its centre and field galaxies around it. A
    `lens` also has the images of a source behind the galaxy, which is an isothermal ellipsoid in
    an external shear. A `nonlens` has companions instead: galaxies of the source's kind beside the
    galaxy, whose light nothing deflects.

    Nothing but lensing tells the classes apart. A `nonlens` begins with the same draw of lens and
    source; the lensed image is worked out, and its light is handed to one to four companions: the
    same total flux, spread over the same area of the blurred image, at distances from the galaxy
    drawn from the radial distribution of the lensed light
    (:func:`lensnet.simulation.lensed_light.draw_companions`). What is gone is the shape: arcs
    around the galaxy, images opposite each other, rings. Galaxy light, field, point spread
    function and noise have the same distributions in both classes.

    The ranges are close to those of the lenses simulated for the KiDS lens finders (Petrillo et
    al. 2017, MNRAS 472, 1129), with Einstein radii from 1.7 times the seeing and sources bright
    enough to be seen.

    Args:
        image_size: pixels a side. The pixels stay the survey's: a smaller image is a smaller field.
            From 48 pixels on it holds the largest ring.
        observation: camera, sky and exposures.
        supersampling: points a side at which each pixel samples the light.
        galaxy_magnitude_range: least and greatest AB magnitude of the central galaxy, uniform.
        galaxies: shapes of central galaxies.
        galaxy_offset_max_arcsec: the galaxy's centre is uniform within this of the image's, on
            each axis.
        einstein_radius_range_arcsec: least and greatest, uniform in the logarithm.
        mass_axis_ratio_scatter: standard deviation of the mass's axis ratio around the light's.
        mass_angle_scatter_radian: standard deviation of the mass's angle around the light's.
        shear_max: the external shear is uniform in strength up to this, in a random direction.
        source_magnitude_range: least and greatest AB magnitude of the lensed image, or of the
            companions all together, uniform.
        sources: shapes of sources, before lensing.
        source_offset_max: the source is uniform in a disc around the lens of this radius, in
            Einstein radii. Within about 1 it has several images.
        num_companions_probabilities: probabilities of 1, 2, 3, ... companions of a `nonlens`.
        companion_axis_ratio_range: least and greatest axis ratio of companions, uniform.
        field_density_per_arcmin2: field galaxies per square arcminute, in the magnitude range.
        field_magnitude_range: least and greatest AB magnitude of field galaxies.
        field_count_slope: their number grows as 10^(slope * magnitude).
        field_galaxies: shapes of field galaxies.

    Raises:
        ValueError: an option is out of its range.

    >>> simulator = LensFindingSimulator(image_size=64)
    >>> simulator.classes
    ('nonlens', 'lens')
    >>> image = simulator.simulate("lens", index=0, seed=0)
    >>> image.image.shape, image.label
    ((64, 64, 1), 1)
    """

    image_size: int = 101
    observation: ObservationConfig = KIDS_R_BAND
    supersampling: int = 2
    galaxy_magnitude_range: tuple[float, float] = (18.7, 20.4)
    galaxies: GalaxyPopulation = GalaxyPopulation(
        radius_range_arcsec=(0.7, 1.8),
        sersic_index_range=(3.0, 5.0),
        axis_ratio_range=(0.55, 0.95),
    )
    galaxy_offset_max_arcsec: float = 0.3
    einstein_radius_range_arcsec: tuple[float, float] = (1.2, 2.6)
    mass_axis_ratio_scatter: float = 0.05
    mass_angle_scatter_radian: float = 0.1
    shear_max: float = 0.05
    source_magnitude_range: tuple[float, float] = (20.0, 21.4)
    sources: GalaxyPopulation = GalaxyPopulation(
        radius_range_arcsec=(0.1, 0.25),
        sersic_index_range=(0.7, 1.8),
        axis_ratio_range=(0.4, 1.0),
    )
    source_offset_max: float = 0.45
    num_companions_probabilities: tuple[float, ...] = (0.05, 0.25, 0.35, 0.35)
    companion_axis_ratio_range: tuple[float, float] = (0.25, 0.8)
    field_density_per_arcmin2: float = 30.0
    field_magnitude_range: tuple[float, float] = (20.0, 24.5)
    field_count_slope: float = 0.35
    field_galaxies: GalaxyPopulation = GalaxyPopulation(
        radius_range_arcsec=(0.2, 0.6),
        sersic_index_range=(0.7, 2.5),
        axis_ratio_range=(0.3, 1.0),
    )

    CLASSES: ClassVar[tuple[str, ...]] = ("nonlens", "lens")

    def __post_init__(self) -> None:
        check_integer("image_size", self.image_size, minimum=2)
        check_instance("observation", self.observation, ObservationConfig)
        check_integer("supersampling", self.supersampling, minimum=1)
        for name in ("galaxies", "sources", "field_galaxies"):
            check_instance(name, getattr(self, name), GalaxyPopulation)
        for name in ("galaxy_magnitude_range", "source_magnitude_range", "field_magnitude_range"):
            check_range(name, getattr(self, name))
        check_number("galaxy_offset_max_arcsec", self.galaxy_offset_max_arcsec, minimum=0.0)
        check_range("einstein_radius_range_arcsec", self.einstein_radius_range_arcsec, above=0.0)
        check_number("mass_axis_ratio_scatter", self.mass_axis_ratio_scatter, minimum=0.0)
        check_number("mass_angle_scatter_radian", self.mass_angle_scatter_radian, minimum=0.0)
        check_number("shear_max", self.shear_max, minimum=0.0, maximum=0.3)
        check_number("source_offset_max", self.source_offset_max, minimum=0.0, maximum=1.0)
        check_range(
            "companion_axis_ratio_range",
            self.companion_axis_ratio_range,
            minimum=0.05,
            maximum=1.0,
        )
        check_number("field_density_per_arcmin2", self.field_density_per_arcmin2, minimum=0.0)
        check_number("field_count_slope", self.field_count_slope, minimum=0.0)
        probabilities = self.num_companions_probabilities
        for number, probability in enumerate(probabilities):
            check_number(f"num_companions_probabilities[{number}]", probability, minimum=0.0)
        if not math.isclose(sum(probabilities), 1.0, abs_tol=1e-9):
            raise ValueError(
                f"num_companions_probabilities must add up to 1; got {probabilities!r}."
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """`("nonlens", "lens")`: label 1 is a lens."""
        return self.CLASSES

    @property
    def grid(self) -> PixelGrid:
        """The pixels of the images."""
        return PixelGrid(self.image_size, self.observation.pixel_scale_arcsec, self.supersampling)

    def simulate(self, class_name: str | None, index: int, seed: int) -> SimulatedImage:
        """Returns image number `index` of a class, sky subtracted, in electrons per second.

        Its metadata: `galaxy_magnitude`; `source_magnitude`, of the lensed image or the companions
        all together; `source_signal_to_noise`, of the same, over all pixels; `psf_fwhm_arcsec`;
        `num_companions`; `einstein_radius_arcsec` and `magnification`, nan without a lens.

        Args:
            class_name: "nonlens" or "lens".
            index: number of the image within its class.
            seed: the seed of the whole set.

        Raises:
            ValueError: no such class, or a negative index or seed.
        """
        drawn = self._draw(class_name, index, seed)
        grid = self.grid
        rest = render_unblurred(drawn.rest, grid)
        added = render(drawn.added, grid)
        model = added + blur(rest, drawn.rest.psf, grid)
        noise = self.observation.pixel_noise(model)
        image = model + noise * drawn.noise_random.standard_normal(model.shape)
        signal_to_noise = math.sqrt(float(np.sum(np.square(added / noise))))
        return SimulatedImage(
            image=image.astype(np.float32)[..., np.newaxis],
            label=drawn.label,
            target=None,
            metadata={**drawn.metadata, "source_signal_to_noise": signal_to_noise},
        )

    def noise_free(self, class_name: str | None, index: int, seed: int) -> np.ndarray:
        """Returns the same image before noise, (image_size, image_size), electrons per second."""
        return render(self.scene(class_name, index, seed), self.grid)

    def scene(self, class_name: str | None, index: int, seed: int) -> Scene:
        """Returns what the same image shows."""
        drawn = self._draw(class_name, index, seed)
        return replace(drawn.added, foreground=drawn.rest.foreground + drawn.added.foreground)

    def _draw(self, class_name: str | None, index: int, seed: int) -> _Drawn:
        label = label_of(self.CLASSES, class_name)
        galaxy_random, lens_random, companion_random, field_random, noise_random = (
            random_generators(f"lens_finding/{class_name}", index, seed, count=5)
        )
        observation = self.observation
        psf, galaxy, galaxy_magnitude = self._draw_galaxy(galaxy_random)
        lens, source = self._draw_lens(galaxy, lens_random)
        magnitude = lens_random.uniform(*self.source_magnitude_range)
        light = measure_lensed_light(lens, source, observation.flux(magnitude), psf, self._stamp())
        metadata = {
            "galaxy_magnitude": galaxy_magnitude,
            "source_magnitude": magnitude,
            "psf_fwhm_arcsec": psf.fwhm_arcsec,
            "num_companions": 0.0,
            "einstein_radius_arcsec": math.nan,
            "magnification": math.nan,
        }
        if class_name == "lens":
            added = Scene(psf, lens=lens, sources=(light.source,))
            metadata["einstein_radius_arcsec"] = lens.einstein_radius_arcsec
            metadata["magnification"] = light.magnification
        else:
            companions = self._draw_companions(galaxy, light, psf, companion_random)
            added = Scene(psf, foreground=companions)
            metadata["num_companions"] = float(len(companions))
        rest = Scene(psf, foreground=(galaxy, *self._draw_field(field_random)))
        return _Drawn(label, rest, added, metadata, noise_random)

    def unlensed_scene(self, random: np.random.Generator) -> Scene:
        """Draws a galaxy of the survey, the first of the foreground, and the field around it.

        It has neither a source nor companions: what other simulators add theirs to.
        """
        psf, galaxy, _ = self._draw_galaxy(random)
        return Scene(psf, foreground=(galaxy, *self._draw_field(random)))

    def _draw_galaxy(self, random: np.random.Generator) -> tuple[GaussianPsf, SersicLight, float]:
        """Draws the seeing, the central galaxy and its magnitude."""
        psf = self.observation.draw_psf(random)
        offset = self.galaxy_offset_max_arcsec
        magnitude = random.uniform(*self.galaxy_magnitude_range)
        galaxy = self.galaxies.draw(
            random,
            self.observation.flux(magnitude),
            *random.uniform(-offset, offset, size=2).tolist(),
        )
        return psf, galaxy, magnitude

    def _stamp(self) -> PixelGrid:
        """Returns pixels around a lens that hold any lensed image, whatever the image size.

        On these the image is measured, so that what is drawn does not depend on the image size.
        """
        reach = self.einstein_radius_range_arcsec[1] * (1.0 + self.source_offset_max)
        reach += SOURCE_REACH * self.sources.radius_range_arcsec[1]
        scale = self.observation.pixel_scale_arcsec
        return PixelGrid(math.ceil(2.0 * reach / scale), scale, self.supersampling)

    def _draw_lens(
        self, galaxy: SersicLight, random: np.random.Generator
    ) -> tuple[IsothermalLens, SersicLight]:
        """Draws the mass of a galaxy and a source behind it, of no particular brightness."""
        radius = draw_log_uniform(random, *self.einstein_radius_range_arcsec)
        modulus = math.hypot(galaxy.e1, galaxy.e2)
        lens = draw_lens(
            random,
            radius,
            ((1.0 - modulus) / (1.0 + modulus), 0.5 * math.atan2(galaxy.e2, galaxy.e1)),
            (galaxy.center_x_arcsec, galaxy.center_y_arcsec),
            axis_ratio_scatter=self.mass_axis_ratio_scatter,
            angle_scatter_radian=self.mass_angle_scatter_radian,
            shear_max=self.shear_max,
        )
        place = draw_source_position(random, lens, self.source_offset_max)
        source = self.sources.draw(random, 1.0, *place)
        return lens, source

    def _draw_companions(
        self,
        galaxy: SersicLight,
        light: LensedLight,
        psf: GaussianPsf,
        random: np.random.Generator,
    ) -> tuple[SersicLight, ...]:
        probabilities = self.num_companions_probabilities
        count = 1 + int(random.choice(len(probabilities), p=probabilities))
        return draw_companions(
            random,
            light,
            random.dirichlet(np.full(count, SHARE_CONCENTRATION)),
            psf,
            self.companion_axis_ratio_range,
            (galaxy.center_x_arcsec, galaxy.center_y_arcsec),
        )

    def _draw_field(self, random: np.random.Generator) -> tuple[SersicLight, ...]:
        side = self.image_size * self.observation.pixel_scale_arcsec
        count = random.poisson(self.field_density_per_arcmin2 * (side / 60.0) ** 2)
        magnitudes = draw_magnitudes(
            random, self.field_count_slope, *self.field_magnitude_range, count
        )
        places = random.uniform(-side / 2.0, side / 2.0, size=(count, 2))
        return tuple(
            self.field_galaxies.draw(random, self.observation.flux(magnitude), *place)
            for magnitude, place in zip(magnitudes.tolist(), places.tolist(), strict=True)
        )
