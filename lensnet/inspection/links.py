"""Where else on the web a place in the sky can be looked at."""

from __future__ import annotations

import math
from urllib.parse import urlencode

__all__ = ["sky_links"]

# Degrees a side that ESASky and Aladin show: lenses of galaxies and their surroundings.
_FIELD_DEG = 0.02
# The Legacy Survey viewer's zoom at which a pixel is about 0.26 arcsec.
_ZOOM = 16


def sky_links(ra: float | None, dec: float | None) -> list[tuple[str, str]]:
    """Returns names and addresses of viewers at a position; none for a position that is none.

    Args:
        ra: right ascension, degrees; any number of turns.
        dec: declination, degrees.

    >>> sky_links(-0.5, 91), sky_links(None, 3)
    ([], [])
    >>> print(sky_links(-0.5, 2.25)[0][1])
    https://www.legacysurvey.org/viewer?ra=359.500000&dec=2.250000&layer=ls-dr10&zoom=16&mark=359.500000%2C2.250000
    """
    if ra is None or dec is None or not (math.isfinite(ra) and abs(dec) <= 90):
        return []
    at_ra, at_dec = f"{ra % 360:.6f}", f"{dec:.6f}"
    place = f"{at_ra} {at_dec}"
    viewers = {
        "Legacy Survey": (
            "https://www.legacysurvey.org/viewer",
            {
                "ra": at_ra,
                "dec": at_dec,
                "layer": "ls-dr10",
                "zoom": _ZOOM,
                "mark": f"{at_ra},{at_dec}",
            },
        ),
        "ESASky": (
            "https://sky.esa.int/esasky/",
            {"target": place, "fov": _FIELD_DEG, "cooframe": "J2000", "sci": "true", "lang": "en"},
        ),
        "Aladin": (
            "https://aladin.cds.unistra.fr/AladinLite/",
            {"target": place, "fov": _FIELD_DEG},
        ),
    }
    return [(name, f"{address}?{urlencode(query)}") for name, (address, query) in viewers.items()]
