"""Lenses whose main halo has one of many masses, for regression of the mass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from lensnet.simulation.deeplense import DeepLenseSimulator, DrawnMass
from lensnet.simulation.validation import check_interval

__all__ = ["HaloMassSimulator"]


@final
@dataclass(frozen=True, kw_only=True)
class HaloMassSimulator(DeepLenseSimulator):
    """DeepLense Model I without substructure, the mass of its main halo drawn for each image.

    The target is log10 of that mass in solar masses, uniform between two bounds. With the
    defaults, Einstein radii run from 0.72 to 2.28 arcsec, within the field of 7.5.

    All options of :class:`lensnet.simulation.deeplense.DeepLenseSimulator`, and:

    Args:
        log10_mass_min_solar: least log10 of the main halo's mass in solar masses.
        log10_mass_max_solar: greatest log10 of the main halo's mass.

    Raises:
        ValueError: an option is out of its range.

    >>> image = HaloMassSimulator(image_size=64).simulate(None, index=0, seed=0)
    >>> 11.5 <= image.target <= 12.5
    True
    """

    log10_mass_min_solar: float = 11.5
    log10_mass_max_solar: float = 12.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_interval(
            "log10_mass_min_solar",
            self.log10_mass_min_solar,
            "log10_mass_max_solar",
            self.log10_mass_max_solar,
            minimum=0.0,
            maximum=17.0,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """`()`: a regression has no classes."""
        return ()

    def _draw_mass(self, class_name: str | None, random: np.random.Generator) -> DrawnMass:
        log10_mass = random.uniform(self.log10_mass_min_solar, self.log10_mass_max_solar)
        return DrawnMass(main_halo_solar=math.pow(10.0, log10_mass), target=log10_mass)
