"""Einstein radii of masses, in the convention of the published DeepLense sets."""

from __future__ import annotations

import functools
import math

from lensnet.simulation.validation import check_number

__all__ = ["einstein_radius_arcsec"]

# The cosmology of the published sets. The baryon share is theirs too; no distance depends on it.
HUBBLE_CONSTANT_KM_S_MPC = 70.0
MATTER_DENSITY = 0.3
BARYON_DENSITY = 0.05

ARCSEC_PER_RADIAN = math.degrees(1.0) * 3600.0


def einstein_radius_arcsec(
    mass_solar: float, redshift_lens: float = 0.5, redshift_source: float = 1.0
) -> float:
    """Returns the Einstein radius of a mass as the published DeepLense sets have it.

    `sqrt(4 G M / c^2 * D_ls / (D_l D_s))` (Alexander et al. 2020, "Deep Learning the Morphology of
    Dark Matter Substructure"), in a flat LCDM universe with H0 = 70 km/s/Mpc and
    Om = 0.3. The sets were made with luminosity distances and with D_ls = D_s - D_l, where the
    equation wants angular diameter distances: the true radius of 10^12 solar masses is 1.30 times
    as large. We keep the convention, because images must match the published ones.

    Args:
        mass_solar: mass in solar masses.
        redshift_lens: redshift of the mass.
        redshift_source: redshift of what is lensed.

    Returns:
        The radius in arcseconds.

    Raises:
        ValueError: the mass is negative, or the redshifts are not 0 < lens < source.

    >>> round(einstein_radius_arcsec(1e12), 3)
    1.281
    """
    check_number("mass_solar", mass_solar, minimum=0.0)
    return math.sqrt(mass_solar) * _radius_of_one_solar_mass(redshift_lens, redshift_source)


@functools.lru_cache(maxsize=128)
def _radius_of_one_solar_mass(redshift_lens: float, redshift_source: float) -> float:
    check_number("redshift_lens", redshift_lens, above=0.0)
    check_number("redshift_source", redshift_source, above=redshift_lens)
    # Imported here because astropy.cosmology takes a second to import.
    from astropy import constants, units
    from astropy.cosmology import FlatLambdaCDM

    cosmology = FlatLambdaCDM(H0=HUBBLE_CONSTANT_KM_S_MPC, Om0=MATTER_DENSITY, Ob0=BARYON_DENSITY)
    to_lens = cosmology.luminosity_distance(redshift_lens)
    to_source = cosmology.luminosity_distance(redshift_source)
    angle_squared = (
        4.0
        * constants.G
        * constants.M_sun
        / constants.c**2
        * (to_source - to_lens)
        / (to_lens * to_source)
    )
    return math.sqrt(angle_squared.to_value(units.dimensionless_unscaled)) * ARCSEC_PER_RADIAN
