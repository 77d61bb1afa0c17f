"""A part of a survey's sky: a mosaic, or one for each band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensnet.data.files.fits_files import HduName

__all__ = ["Tile", "TileFiles"]

TileFiles = tuple[tuple[str, HduName | None], ...]
"""The path and the HDU of each band's mosaic."""


@dataclass(frozen=True)
class Tile:
    """A part of the sky, and the files that hold it.

    Args:
        name: what it is called.
        files: the mosaic of each band, in the order of the channels.
        factors: what the pixels of each band are multiplied by, so that all tiles have one zero
            point; 1 where they have it already, or nothing is known of it.
    """

    name: str
    files: TileFiles
    factors: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON can hold it."""
        return {"name": self.name, "files": self.files, "factors": self.factors}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Tile:
        """Returns what `to_dict` was made of."""
        files = tuple(
            (path, (hdu[0], hdu[1]) if isinstance(hdu, list) else hdu)
            for path, hdu in content["files"]
        )
        return cls(content["name"], files, tuple(content["factors"]))
