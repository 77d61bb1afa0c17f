"""Instruments: every number with its unit and its source."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lensnet.simulation.scene import GaussianPsf
from lensnet.simulation.validation import check_integer, check_number, check_range

__all__ = ["KIDS_R_BAND", "OBSERVATIONS", "PS1_R_BAND", "ObservationConfig"]


@dataclass(frozen=True, kw_only=True)
class ObservationConfig:
    """A camera, a sky and a stack of exposures, in one band.

    Args:
        name: survey and band, for people.
        pixel_scale_arcsec: side of a pixel of the stacked image.
        zero_point_magnitude: AB magnitude of a source that gives one electron per second.
        sky_brightness_magnitude: AB magnitude of a square arcsecond of sky.
        exposure_s: duration of one exposure.
        num_exposures: how many are stacked.
        read_noise_electrons: standard deviation of the read-out, per pixel and exposure.
        psf_fwhm_mean_arcsec: mean over the survey of the full width at half maximum of the point
            spread function.
        psf_fwhm_sd_arcsec: its standard deviation over the survey.
        psf_fwhm_range_arcsec: least and greatest; what lies beyond was not observed, or not kept.
        psf_truncation_sigma: where the Gaussian point spread function is cut off.

    Raises:
        ValueError: a number is out of its range.
    """

    name: str
    pixel_scale_arcsec: float
    zero_point_magnitude: float
    sky_brightness_magnitude: float
    exposure_s: float
    num_exposures: int
    read_noise_electrons: float
    psf_fwhm_mean_arcsec: float
    psf_fwhm_sd_arcsec: float
    psf_fwhm_range_arcsec: tuple[float, float]
    psf_truncation_sigma: float = 4.0

    def __post_init__(self) -> None:
        check_number("pixel_scale_arcsec", self.pixel_scale_arcsec, above=0.0)
        check_number("zero_point_magnitude", self.zero_point_magnitude)
        check_number("sky_brightness_magnitude", self.sky_brightness_magnitude)
        check_number("exposure_s", self.exposure_s, above=0.0)
        check_integer("num_exposures", self.num_exposures, minimum=1)
        check_number("read_noise_electrons", self.read_noise_electrons, minimum=0.0)
        check_number("psf_fwhm_sd_arcsec", self.psf_fwhm_sd_arcsec, minimum=0.0)
        check_range("psf_fwhm_range_arcsec", self.psf_fwhm_range_arcsec, above=0.0)
        low, high = self.psf_fwhm_range_arcsec
        check_number("psf_fwhm_mean_arcsec", self.psf_fwhm_mean_arcsec, minimum=low, maximum=high)
        check_number("psf_truncation_sigma", self.psf_truncation_sigma, minimum=1.0)

    @property
    def total_exposure_s(self) -> float:
        """Duration of all exposures together."""
        return self.exposure_s * self.num_exposures

    def flux(self, magnitude: float) -> float:
        """Returns the electrons per second of a source of an AB magnitude."""
        return 10.0 ** (-0.4 * (magnitude - self.zero_point_magnitude))

    def magnitude(self, flux: float) -> float:
        """Returns the AB magnitude of a source that gives so many electrons per second."""
        return self.zero_point_magnitude - 2.5 * math.log10(flux)

    def pixel_noise(self, flux: np.ndarray | float) -> np.ndarray | float:
        """Returns the standard deviation of pixels of a mean flux, electrons per second.

        Photons of source and sky, and the read-out. A pixel gathers thousands of photons from the
        sky alone, so that Poisson's distribution is Gauss's to better than a part in a hundred.
        """
        sky = self.flux(self.sky_brightness_magnitude) * self.pixel_scale_arcsec**2
        variance = (flux + sky) * self.total_exposure_s
        variance = variance + self.num_exposures * self.read_noise_electrons**2
        return np.sqrt(variance) / self.total_exposure_s

    def limiting_magnitude(self, aperture_arcsec: float = 2.0, num_sigma: float = 5.0) -> float:
        """Returns the magnitude of flux equal to so many sigma of the sky in a round aperture.

        >>> round(KIDS_R_BAND.limiting_magnitude(), 1)  # Kuijken et al. 2019 give 25.02
        25.0
        """
        pixels = math.pi * (aperture_arcsec / 2.0) ** 2 / self.pixel_scale_arcsec**2
        return self.magnitude(num_sigma * math.sqrt(pixels) * float(self.pixel_noise(0.0)))

    def draw_psf(self, random: np.random.Generator) -> GaussianPsf:
        """Draws the point spread function of a field: Gaussian in width, within the range."""
        low, high = self.psf_fwhm_range_arcsec
        while True:
            fwhm = random.normal(self.psf_fwhm_mean_arcsec, self.psf_fwhm_sd_arcsec)
            if low <= fwhm <= high:
                return GaussianPsf(float(fwhm), self.psf_truncation_sigma)


# The Kilo-Degree Survey in the band in which it is deepest and sharpest, OmegaCAM on the VST; the
# survey in which the ground-based half of the Bologna lens-finding challenge is set.
KIDS_R_BAND = ObservationConfig(
    name="KiDS r",
    # Stacked images are resampled to this (KiDS DR2, astrometric calibration).
    pixel_scale_arcsec=0.2,
    # Not published in electrons. 25.6 is what the limiting magnitude of DR4 asks for: 25.02 at
    # 5 sigma in an aperture of 2 arcsec (Kuijken et al. 2019, A&A 625, A2), given the sky.
    zero_point_magnitude=25.6,
    # Dark sky of Paranal, R = 20.87 (Vega) (Patat 2003, A&A 400, 1183), plus 0.21 to AB.
    sky_brightness_magnitude=21.08,
    # 1800 s in five dithered exposures (de Jong et al. 2015, A&A 582, A62).
    exposure_s=360.0,
    num_exposures=5,
    # OmegaCAM's theoretical signal-to-noise plots (Astro-WISE, preparing observations).
    read_noise_electrons=5.0,
    # Mean seeing 0.70 arcsec (Kuijken et al. 2019). Tiles spread by about 0.1 arcsec around it,
    # and r-band observations wait for better than 0.8 (de Jong et al. 2015).
    psf_fwhm_mean_arcsec=0.70,
    psf_fwhm_sd_arcsec=0.09,
    psf_fwhm_range_arcsec=(0.5, 0.95),
)

# The 3 pi survey of Pan-STARRS1 in r, as its stacks are (Chambers et al. 2016, arXiv:1612.05560).
PS1_R_BAND = ObservationConfig(
    name="Pan-STARRS1 r",
    # Stacks are resampled to this.
    pixel_scale_arcsec=0.25,
    # As for KiDS, what the depth asks for: 23.2 at 5 sigma for a point source (their abstract), in
    # an aperture of two FWHM, which holds 94 % of its light, given sky and exposures.
    zero_point_magnitude=24.7,
    # Of a dark sky, as for KiDS. Only what it makes of the depth, with the zero point, counts.
    sky_brightness_magnitude=21.08,
    # A dozen exposures of 40 s at a typical place.
    exposure_s=40.0,
    num_exposures=12,
    # Ours; the sky's noise is far above any read-out's.
    read_noise_electrons=9.0,
    # The survey's median in r; the spread is ours.
    psf_fwhm_mean_arcsec=1.19,
    psf_fwhm_sd_arcsec=0.15,
    psf_fwhm_range_arcsec=(0.8, 1.7),
)

OBSERVATIONS = {"kids_r": KIDS_R_BAND, "ps1_r": PS1_R_BAND}
"""By the names that `data.options.survey` takes."""
