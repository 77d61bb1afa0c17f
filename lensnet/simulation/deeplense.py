"""What the images of DeepLense Model I have in common, whatever lies in the main halo."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lensnet.simulation.compilation import compiled
from lensnet.simulation.cosmology import einstein_radius_arcsec
from lensnet.simulation.rendering import render
from lensnet.simulation.scene import (
    GaussianPsf,
    IsothermalLens,
    PixelGrid,
    PointMasses,
    Scene,
    SersicLight,
)
from lensnet.simulation.seeding import random_generators
from lensnet.simulation.simulator import SimulatedImage, label_of
from lensnet.simulation.validation import (
    check_integer,
    check_interval,
    check_number,
)

__all__ = ["DeepLenseSimulator", "DrawnMass"]

# Side of the pixels for which the background of the published images is given.
PUBLISHED_PIXEL_SCALE_ARCSEC = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnMass:
    """The masses of an image.

    Attributes:
        main_halo_solar: mass of the main halo in solar masses.
        substructure: what is in it.
        target: what a regression is to predict.
        metadata: what was drawn.
    """

    main_halo_solar: float
    substructure: PointMasses = field(default_factory=PointMasses)
    target: float | None = None
    metadata: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What was drawn for an image."""

    scene: Scene
    exposure_s: float
    label: int | None
    target: float | None
    metadata: dict[str, float]
    noise_random: np.random.Generator


@dataclass(frozen=True, kw_only=True)
class DeepLenseSimulator(abc.ABC):
    """Lenses of DeepLense Model I (Alexander et al. 2020, ApJ 893, 15), without their contents.

    An isothermal ellipsoid in an external shear, an exponential source behind it, no light of the
    lens's own, an almost perfect telescope, and noise as the published generator makes it. The
    defaults are that generator's. What is drawn for an image does not depend on `image_size`: the
    same index shows the same lens at every size.

    Args:
        image_size: pixels a side. The published images have 150.
        field_of_view_arcsec: side of the image on the sky, whatever its number of pixels.
        pixel_scale_arcsec: side of a pixel; if given, the field of view follows from it.
        supersampling: points a side at which each pixel samples the light. The published images
            sample it once.
        redshift_lens: redshift of the lens and of all substructure.
        redshift_source: redshift of the source.
        lens_e1: ellipticity of the main lens, along the axes.
        lens_e2: ellipticity of the main lens, along the diagonals.
        shear_gamma1: external shear, along the axes.
        shear_gamma2: external shear, along the diagonals.
        source_amplitude: surface brightness of the source at its half-light radius, counts per
            second and square arcsecond.
        source_radius_arcsec: half-light radius of the source.
        source_sersic_index: its Sersic index.
        source_e1: its ellipticity, along the axes.
        source_e2: its ellipticity, along the diagonals.
        source_offset_max_arcsec: its centre is uniform within this of the lens's, on each axis.
        psf_fwhm_arcsec: full width at half maximum of the Gaussian point spread function.
        psf_truncation_sigma: standard deviations at which it is cut off.
        log10_exposure_min: least log10 of the exposure in seconds; it is uniform in the logarithm.
        log10_exposure_max: greatest log10 of the exposure in seconds.
        background_rms: standard deviation of the background in a pixel of 0.05 arcsec, counts per
            second. In other pixels it grows with the side, as that of a sky does.

    Raises:
        ValueError: an option is out of its range.
    """

    image_size: int = 150
    field_of_view_arcsec: float = 7.5
    pixel_scale_arcsec: float | None = None
    supersampling: int = 1
    redshift_lens: float = 0.5
    redshift_source: float = 1.0
    lens_e1: float = 0.1
    lens_e2: float = 0.0
    shear_gamma1: float = 0.05
    shear_gamma2: float = 0.0
    source_amplitude: float = 20.0
    source_radius_arcsec: float = 0.25
    source_sersic_index: float = 1.0
    source_e1: float = -0.1
    source_e2: float = 0.1
    source_offset_max_arcsec: float = 0.35
    psf_fwhm_arcsec: float = 0.087
    psf_truncation_sigma: float = 3.0
    log10_exposure_min: float = 3.0
    log10_exposure_max: float = 3.5
    background_rms: float = 0.01

    def __post_init__(self) -> None:
        check_integer("image_size", self.image_size, minimum=2)
        check_number("field_of_view_arcsec", self.field_of_view_arcsec, above=0.0)
        if self.pixel_scale_arcsec is not None:
            check_number("pixel_scale_arcsec", self.pixel_scale_arcsec, above=0.0)
        check_integer("supersampling", self.supersampling, minimum=1)
        check_number("redshift_lens", self.redshift_lens, above=0.0)
        check_number("redshift_source", self.redshift_source, above=self.redshift_lens)
        for name in ("lens_e1", "lens_e2", "source_e1", "source_e2"):
            check_number(name, getattr(self, name), above=-0.7, below=0.7)
        for name in ("shear_gamma1", "shear_gamma2"):
            check_number(name, getattr(self, name), above=-0.7, below=0.7)
        check_number("source_amplitude", self.source_amplitude, above=0.0)
        check_number("source_radius_arcsec", self.source_radius_arcsec, above=0.0)
        check_number("source_sersic_index", self.source_sersic_index, minimum=0.3, maximum=10.0)
        check_number("source_offset_max_arcsec", self.source_offset_max_arcsec, minimum=0.0)
        check_number("psf_fwhm_arcsec", self.psf_fwhm_arcsec, above=0.0)
        check_number("psf_truncation_sigma", self.psf_truncation_sigma, minimum=1.0)
        check_interval(
            "log10_exposure_min",
            self.log10_exposure_min,
            "log10_exposure_max",
            self.log10_exposure_max,
            minimum=-12.0,
            maximum=12.0,
        )
        check_number("background_rms", self.background_rms, minimum=0.0)

    @property
    @abc.abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The class names in label order; empty for regression."""

    @property
    def grid(self) -> PixelGrid:
        """The pixels of the images."""
        scale = self.pixel_scale_arcsec or self.field_of_view_arcsec / self.image_size
        return PixelGrid(self.image_size, scale, self.supersampling)

    @abc.abstractmethod
    def _draw_mass(self, class_name: str | None, random: np.random.Generator) -> DrawnMass:
        """Draws the main halo and what is in it."""

    def simulate(self, class_name: str | None, index: int, seed: int) -> SimulatedImage:
        """Returns image number `index` of a class, with its noise, in counts.

        Args:
            class_name: one of `classes`, or None where there are none.
            index: number of the image within its class.
            seed: the seed of the whole set.

        Raises:
            ValueError: no such class, or a negative index or seed.
        """
        drawn = self._draw(class_name, index, seed)
        counts = self._expose(render(drawn.scene, self.grid), drawn.exposure_s, drawn.noise_random)
        return SimulatedImage(
            image=counts[..., np.newaxis],
            label=drawn.label,
            target=drawn.target,
            metadata=drawn.metadata,
        )

    def noise_free(self, class_name: str | None, index: int, seed: int) -> np.ndarray:
        """Returns the same image before noise, (image_size, image_size), counts per second."""
        return render(self.scene(class_name, index, seed), self.grid)

    def scene(self, class_name: str | None, index: int, seed: int) -> Scene:
        """Returns what the same image shows."""
        return self._draw(class_name, index, seed).scene

    def _draw(self, class_name: str | None, index: int, seed: int) -> _Drawn:
        if class_name is None and not self.classes:
            label, stream = None, "deeplense"
        else:
            label, stream = label_of(self.classes, class_name), f"deeplense/{class_name}"
        # Apart, so that neither the noise nor the source depends on how much is drawn for the mass.
        mass_random, source_random, noise_random = random_generators(stream, index, seed, count=3)
        mass = self._draw_mass(class_name, mass_random)
        offset = self.source_offset_max_arcsec
        source_x, source_y = source_random.uniform(-offset, offset, size=2).tolist()
        exposure_s = 10.0 ** source_random.uniform(self.log10_exposure_min, self.log10_exposure_max)
        radius = einstein_radius_arcsec(
            mass.main_halo_solar, self.redshift_lens, self.redshift_source
        )
        scene = Scene(
            psf=GaussianPsf(self.psf_fwhm_arcsec, self.psf_truncation_sigma),
            lens=IsothermalLens(
                einstein_radius_arcsec=radius,
                e1=self.lens_e1,
                e2=self.lens_e2,
                gamma1=self.shear_gamma1,
                gamma2=self.shear_gamma2,
            ),
            point_masses=mass.substructure,
            sources=(
                SersicLight(
                    amplitude=self.source_amplitude,
                    half_light_radius_arcsec=self.source_radius_arcsec,
                    sersic_index=self.source_sersic_index,
                    e1=self.source_e1,
                    e2=self.source_e2,
                    center_x_arcsec=source_x,
                    center_y_arcsec=source_y,
                ),
            ),
        )
        metadata = {
            "log10_main_halo_mass_solar": math.log10(mass.main_halo_solar),
            "einstein_radius_arcsec": radius,
            "source_x_arcsec": source_x,
            "source_y_arcsec": source_y,
            "exposure_s": exposure_s,
            **mass.metadata,
        }
        return _Drawn(scene, exposure_s, label, mass.target, metadata, noise_random)

    def _expose(
        self, counts_per_s: np.ndarray, exposure_s: float, random: np.random.Generator
    ) -> np.ndarray:
        """Adds noise as the published generator does; returns whole counts, float32.

        It adds a Gaussian stand-in for photon noise and a Gaussian background, and then draws from
        a Poisson distribution of that mean, clipped at zero: the photon noise comes in twice. We
        keep this, because images must match the published ones. The two Gaussians are drawn as
        one, of their summed variance, which is the same distribution.
        """
        background_rms = self.background_rms * self.grid.pixel_scale_arcsec
        background_rms /= PUBLISHED_PIXEL_SCALE_ARCSEC
        pixels, means = _positive_means(counts_per_s.ravel(), exposure_s, background_rms, random)
        counts = np.zeros(counts_per_s.size, np.float32)
        counts[pixels] = random.poisson(means)
        return counts.reshape(counts_per_s.shape)


@compiled
def _positive_means(
    counts_per_s: np.ndarray,
    exposure_s: float,
    background_rms: float,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where `t (m + N(0, sqrt(m / t + background^2)))` is positive, and its values there.

    Without the others, nearly half of the pixels, the Poisson draws take a fifth less time.
    """
    pixels = np.empty(counts_per_s.size, np.int64)
    means = np.empty(counts_per_s.size)
    found = 0
    for pixel in range(counts_per_s.size):
        mean = counts_per_s[pixel]
        sigma = math.sqrt(mean / exposure_s + background_rms**2)
        # Written always and kept if positive: a branch on a random sign is mispredicted half the
        # time.
        pixels[found] = pixel
        means[found] = exposure_s * (mean + sigma * random.standard_normal())
        found += means[found] > 0.0
    return pixels[:found], means[:found]
