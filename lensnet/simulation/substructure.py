"""DeepLense Model I: lenses without substructure, with cold subhalos, with an axion vortex."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lensnet.simulation.cosmology import einstein_radius_arcsec
from lensnet.simulation.dark_matter import draw_power_law, vortex_masses
from lensnet.simulation.deeplense import DeepLenseSimulator, DrawnMass
from lensnet.simulation.scene import PointMasses
from lensnet.simulation.validation import check_integer, check_interval, check_number

__all__ = ["SubstructureSimulator"]


@final
@dataclass(frozen=True, kw_only=True)
class SubstructureSimulator(DeepLenseSimulator):
    """The three classes of DeepLense Model I (Alexander et al. 2020, ApJ 893, 15).

    `no_sub` has the main halo alone; `cdm` adds point masses as cold dark matter makes subhalos;
    `axion` adds a vortex as a condensate of light axions makes it. The defaults are those of the
    published generator, mwt5345/DeepLenseSim, and images made with them match its images in
    distribution. That holds for the slope of the subhalo masses too: the generator's comments give
    -1.9 for it, but its formula draws from a density ~ M^-0.9.

    All options of :class:`lensnet.simulation.deeplense.DeepLenseSimulator`, and:

    Args:
        main_halo_mass_solar: mass of the main halo, solar masses.
        num_subhalos: number of subhalos of a `cdm` image.
        subhalo_mass_slope: their density is dN/dM ~ M^slope.
        subhalo_mass_min_solar: least mass of a subhalo.
        subhalo_mass_max_solar: greatest mass of a subhalo.
        subhalo_distance_min_arcsec: least distance of a subhalo from the centre; the distance is
            uniform, and so is the angle.
        subhalo_distance_max_arcsec: greatest distance of a subhalo.
        vortex_mass_solar: mass of the vortex of an `axion` image.
        vortex_num_masses: number of point masses that make it up.
        log10_axion_mass_min_ev: least log10 of the axion's mass in electronvolts; it is uniform in
            the logarithm.
        log10_axion_mass_max_ev: greatest log10 of the axion's mass.

    Raises:
        ValueError: an option is out of its range.

    >>> simulator = SubstructureSimulator()
    >>> image = simulator.simulate("cdm", index=0, seed=0)
    >>> image.image.shape, image.label
    ((150, 150, 1), 1)
    >>> round(image.metadata["einstein_radius_arcsec"], 3)
    1.281
    """

    main_halo_mass_solar: float = 1e12
    num_subhalos: int = 25
    subhalo_mass_slope: float = -0.9
    subhalo_mass_min_solar: float = 1e6
    subhalo_mass_max_solar: float = 1e10
    subhalo_distance_min_arcsec: float = 0.25
    subhalo_distance_max_arcsec: float = 2.0
    vortex_mass_solar: float = 3e10
    vortex_num_masses: int = 100
    log10_axion_mass_min_ev: float = -24.0
    log10_axion_mass_max_ev: float = -22.0

    CLASSES: ClassVar[tuple[str, ...]] = ("no_sub", "cdm", "axion")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("main_halo_mass_solar", self.main_halo_mass_solar, above=0.0)
        check_integer("num_subhalos", self.num_subhalos, minimum=0)
        check_number("subhalo_mass_slope", self.subhalo_mass_slope, minimum=-10.0, maximum=10.0)
        check_interval(
            "subhalo_mass_min_solar",
            self.subhalo_mass_min_solar,
            "subhalo_mass_max_solar",
            self.subhalo_mass_max_solar,
            above=0.0,
        )
        check_interval(
            "subhalo_distance_min_arcsec",
            self.subhalo_distance_min_arcsec,
            "subhalo_distance_max_arcsec",
            self.subhalo_distance_max_arcsec,
            minimum=0.0,
        )
        check_number("vortex_mass_solar", self.vortex_mass_solar, above=0.0)
        check_integer("vortex_num_masses", self.vortex_num_masses, minimum=1)
        check_interval(
            "log10_axion_mass_min_ev",
            self.log10_axion_mass_min_ev,
            "log10_axion_mass_max_ev",
            self.log10_axion_mass_max_ev,
            minimum=-40.0,
            maximum=10.0,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """`("no_sub", "cdm", "axion")`."""
        return self.CLASSES

    def _draw_mass(self, class_name: str | None, random: np.random.Generator) -> DrawnMass:
        masses = PointMasses()
        drawn = {
            "substructure_mass_solar": 0.0,
            "axion_mass_ev": math.nan,
            "log10_axion_mass_ev": math.nan,
            "vortex_angle_radian": math.nan,
        }
        if class_name == "cdm":
            masses_solar = draw_power_law(
                random,
                self.subhalo_mass_slope,
                self.subhalo_mass_min_solar,
                self.subhalo_mass_max_solar,
                self.num_subhalos,
            )
            masses = self._place_subhalos(masses_solar, random)
            drawn["substructure_mass_solar"] = float(masses_solar.sum())
        elif class_name == "axion":
            log10_mass = random.uniform(self.log10_axion_mass_min_ev, self.log10_axion_mass_max_ev)
            angle = random.uniform(0.0, 2.0 * math.pi)
            masses = vortex_masses(
                self.vortex_mass_solar,
                self.vortex_num_masses,
                10.0**log10_mass,
                angle,
                self.redshift_lens,
                self.redshift_source,
            )
            drawn["substructure_mass_solar"] = self.vortex_mass_solar
            drawn["axion_mass_ev"] = 10.0**log10_mass
            drawn["log10_axion_mass_ev"] = log10_mass
            drawn["vortex_angle_radian"] = angle
        return DrawnMass(
            main_halo_solar=self.main_halo_mass_solar, substructure=masses, metadata=drawn
        )

    def _place_subhalos(self, masses_solar: np.ndarray, random: np.random.Generator) -> PointMasses:
        distance = random.uniform(
            self.subhalo_distance_min_arcsec,
            self.subhalo_distance_max_arcsec,
            size=masses_solar.size,
        )
        angle = random.uniform(0.0, 2.0 * math.pi, size=masses_solar.size)
        # The radius of a mass grows as its root.
        unit = einstein_radius_arcsec(1.0, self.redshift_lens, self.redshift_source)
        return PointMasses(
            einstein_radii_arcsec=unit * np.sqrt(masses_solar),
            x_arcsec=distance * np.cos(angle),
            y_arcsec=distance * np.sin(angle),
        )
