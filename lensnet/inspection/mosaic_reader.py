"""Cutting candidates out of the mosaics of a survey, as prediction does."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.decoding import stack_bands
from lensnet.data.files.fits_files import HduName
from lensnet.data.files.mosaics import CutoutSize, Mosaic
from lensnet.data.tiles import TileIndex, list_tiles, read_tiles
from lensnet.inspection.candidates import Candidate

__all__ = ["MosaicReader"]

# Files that stay open: candidates come in the order of their scores, from all over the sky.
_OPEN = 128


class MosaicReader:
    """Gives the cutouts of candidates by their positions.

    Args:
        candidates: those that will be asked for.
        patterns: of the mosaics' names; see `lensnet.data.tiles.list_tiles`.
        size: how large to cut.
        bands: what stands for `{band}` in the pattern.
        hdus: of files whose pattern names none.
        max_nonfinite: share of the pixels that may be NaN or infinite.

    Raises:
        ConfigurationError: the patterns do not say what they must.
        DataError: there are no such mosaics, or none can be used.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        patterns: Sequence[str],
        size: CutoutSize,
        bands: Sequence[str] = (),
        hdus: HduName | Sequence[HduName] | None = None,
        max_nonfinite: float = 0.05,
    ):
        self._size, self._max_nonfinite = size, max_nonfinite
        self._tiles = read_tiles(list_tiles(patterns, bands, hdus))
        placed = [c for c in candidates if c.ra is not None and c.dec is not None]
        ra = np.array([c.ra for c in placed], np.float64)
        dec = np.array([c.dec for c in placed], np.float64)
        located = TileIndex(self._tiles, size).locate(ra, dec)
        self._tile = {c.place: int(n) for c, n in zip(placed, located.tile, strict=True)}
        self._problem = {placed[row].place: reason for row, reason in located.problem.items()}
        self._opened: OrderedDict[tuple[str, HduName | None], Mosaic] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, candidate: Candidate) -> np.ndarray:
        """Returns the cutout of a candidate, (H, W, C) float32.

        Raises:
            BadFileError: it lies on no tile, too near an edge, or its tile cannot be read.
        """
        if candidate.place not in self._tile:
            raise BadFileError("", "it has no position")
        if candidate.place in self._problem:
            raise BadFileError("", self._problem[candidate.place])
        tile = self._tiles[self._tile[candidate.place]].tile
        factors = tile.factors or (1.0,) * len(tile.files)
        planes = (
            (Path(path), self._cut(path, hdu, candidate) * factor)
            for (path, hdu), factor in zip(tile.files, factors, strict=True)
        )
        return stack_bands(planes, max_nonfinite=self._max_nonfinite).image

    def _cut(self, path: str, hdu: HduName | None, candidate: Candidate) -> np.ndarray:
        mosaic = self._mosaic(path, hdu)
        ((x, y),) = mosaic.pixels_of(np.array([candidate.ra]), np.array([candidate.dec]))
        try:
            return mosaic.cut(x, y, self._size)
        except ValueError as error:
            raise BadFileError(path, str(error)) from None

    def _mosaic(self, path: str, hdu: HduName | None) -> Mosaic:
        with self._lock:
            mosaic = self._opened.pop((path, hdu), None) or Mosaic(Path(path), hdu)
            self._opened[path, hdu] = mosaic
            if len(self._opened) > _OPEN:
                # It closes itself once nobody holds it any more.
                self._opened.popitem(last=False)
        return mosaic
