"""What a user says of inputs beside naming them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lensnet.data.files.mosaics import CutoutSize
from lensnet.errors import ConfigurationError

__all__ = ["InputOptions", "parse_size"]

_SIZE = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)\s*(?P<unit>|px|pix|pixels|arcsec|\"|'')")


@dataclass(frozen=True)
class InputOptions:
    """How inputs are to be understood, where they do not say it themselves.

    Args:
        id_column: of tables; None for the training's, or a usual name.
        ra_column: right ascension, likewise.
        dec_column: declination, likewise.
        file_columns: the files, one column for each band in the order of the channels; likewise.
        mosaics: patterns of FITS mosaics to cut positions out of, one for each band, or one that
            holds `{band}`; () for the training's, if it had some.
        bands: what stands for `{band}`, in the order of the channels; () for the run's.
        size: how large to cut; None for the training's, or the network's own.
    """

    id_column: str | None = None
    ra_column: str | None = None
    dec_column: str | None = None
    file_columns: tuple[str, ...] = ()
    mosaics: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    size: CutoutSize | None = None


def parse_size(text: str) -> CutoutSize:
    """Returns the size that a text says: pixels, or arcseconds.

    Raises:
        ConfigurationError: it says none.

    >>> parse_size("64"), parse_size("16 arcsec")
    (CutoutSize(pixels=64, arcsec=None), CutoutSize(pixels=None, arcsec=16.0))
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or not float(match["number"]):
        raise ConfigurationError(
            f'"{text}" is not a size: say pixels, 64, or arcseconds, 16arcsec.'
        )
    if match["unit"] in ("arcsec", '"', "''"):
        return CutoutSize(arcsec=float(match["number"]))
    if not float(match["number"]).is_integer():
        raise ConfigurationError(f'"{text}" is not a whole number of pixels.')
    return CutoutSize(pixels=int(float(match["number"])))
