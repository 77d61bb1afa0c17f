"""Making the kit of a symmetry."""

from __future__ import annotations

from typing import Any

from lensnet.models.kit.interface import Kit
from lensnet.models.kit.plain import PlainKit
from lensnet.models.kit.regular import RegularKit
from lensnet.models.kit.rotational import RotationalKit
from lensnet.symmetry import Symmetry

__all__ = ["make_kit"]

_KITS: dict[str, type[Kit]] = {
    "none": PlainKit,
    "regular": RegularKit,
    "rotational": RotationalKit,
}


def make_kit(symmetry: str | Symmetry, **options: Any) -> Kit:
    """Makes the kit of a symmetry.

    Args:
        symmetry: a name, such as `"d4"`, or the symmetry itself.
        **options: of `Kit`, such as `width`.

    Raises:
        ConfigurationError: no such symmetry.

    Example:

    >>> make_kit("d4", width=0.5).channels(64)
    32
    """
    parsed = Symmetry.parse(symmetry)
    return _KITS[parsed.kind](parsed, **options)
