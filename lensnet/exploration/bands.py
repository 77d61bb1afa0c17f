"""What the channels of the images are called, and which of them make a colour picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

__all__ = ["band_names", "colour_channels", "known_filter"]

# From blue to red, by the last part of a band's name.
_FILTERS = {name: place for place, name in enumerate(("u", "g", "r", "i", "z", "y", "j", "h", "k"))}


def band_names(options: Any, channels: int) -> tuple[str, ...]:
    """Returns the names of the channels: the bands that `data.options` names, or numbers.

    Args:
        options: `data.options`, checked.
        channels: how many there are.

    >>> from types import SimpleNamespace
    >>> band_names(SimpleNamespace(bands=["g", "r"]), 2), band_names(None, 1)
    (('g', 'r'), ('channel 0',))
    """
    for key in ("bands", "file_columns", "mosaics", "hdu"):
        named = getattr(options, key, None)
        if isinstance(named, list | tuple) and len(named) == channels and len(set(named)) > 1:
            names = [PurePath(str(name)).name for name in named]
            return tuple(names if len(set(names)) == channels else map(str, named))
    if channels == 1 and isinstance(one := getattr(options, "bands", None), list | tuple):
        return tuple(map(str, one))
    return tuple(f"channel {number}" for number in range(channels))


def colour_channels(names: Sequence[str]) -> tuple[int, int, int] | None:
    """Returns the channels to be shown as red, green and blue; None where there are too few.

    Bands of known filters (u g r i z y J H K) are ordered by wavelength: the longest is red, the
    shortest blue, and the middle one green. Other channels are taken in their order.

    >>> colour_channels(("g", "r", "i", "z", "y")), colour_channels(("R", "G", "B"))
    ((4, 2, 0), (0, 1, 2))
    >>> colour_channels(("SDSS_R", "SDSS_I", "SDSS_G", "SDSS_U"))
    (1, 0, 3)
    """
    if len(names) < 3:
        return None
    places = [known_filter(name) for name in names]
    known = [place for place in places if place is not None]
    if len(set(known)) < len(names):
        return 0, 1, 2
    order = sorted(range(len(names)), key=lambda channel: -(places[channel] or 0))
    return order[0], order[(len(order) - 1) // 2], order[-1]


def known_filter(name: str) -> int | None:
    """Returns the place of a band among the known filters, by wavelength; None for any other.

    Args:
        name: of a band or a file, whose last part says the filter.

    >>> known_filter("J0029_g"), known_filter("PS1-r"), known_filter("cutout")
    (1, 2, None)
    """
    return _FILTERS.get(name.replace("-", "_").rpartition("_")[2].lower())
