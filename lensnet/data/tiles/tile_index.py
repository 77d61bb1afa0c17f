"""Which tile of a survey holds a position's cutout whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lensnet.data.files.mosaics import CutoutSize
from lensnet.data.tiles.footprint import unit_vectors
from lensnet.data.tiles.tile_reading import MappedTile

__all__ = ["Located", "TileIndex"]


@dataclass(frozen=True, eq=False)
class Located:
    """Where positions lie.

    Args:
        tile: the number of the tile that a position's cutout is taken from, (N,) int32; -1 for
            none.
        problem: why there is none, by the position's number.
    """

    tile: np.ndarray
    problem: dict[int, str]


class TileIndex:
    """Finds the tiles of positions, many at a time.

    Args:
        tiles: the tiles, as `read_tiles` reads them.
        size: how large the cutouts are.
    """

    def __init__(self, tiles: Sequence[MappedTile], size: CutoutSize):
        self.tiles = tuple(tiles)
        self.size = size
        self._mapped = [number for number, tile in enumerate(tiles) if tile.footprints]
        first = [tiles[number].footprints[0] for number in self._mapped]
        self._centres = np.array([footprint.centre for footprint in first]).reshape(-1, 3)
        # Of a circle on the sphere the chord, by which points in space are compared.
        self._chords = np.array([2 * math.sin(f.radius / 2) * (1 + 1e-9) for f in first])

    def locate(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> Located:
        """Finds the tile of each position.

        Of several tiles that hold a cutout whole, the one is taken from whose edges it is
        farthest; of as many, the first.

        Args:
            ra_deg: right ascensions (ICRS) in degrees, (N,), finite.
            dec_deg: declinations, likewise.
        """
        from scipy.spatial import cKDTree

        count = len(ra_deg)
        tile, best = np.full(count, -1, np.int32), np.full(count, -1, np.int64)
        # What a position without a tile lies in all the same: one that is bad, or too near an edge.
        other, is_bad = np.full(count, -1, np.int32), np.zeros(count, bool)
        if count and len(self._mapped):
            tree = cKDTree(unit_vectors(ra_deg, dec_deg))
            near = tree.query_ball_point(self._centres, self._chords)
            for number, rows in zip(self._mapped, near, strict=True):
                if not rows:
                    continue
                at = np.array(rows)
                margin, inside = self._margins(number, ra_deg[at], dec_deg[at])
                if self.tiles[number].problem is not None:
                    bad = at[(margin >= 0) & ~is_bad[at]]
                    other[bad], is_bad[bad] = number, True
                    continue
                better = margin > best[at]
                tile[at[better]], best[at[better]] = number, margin[better]
                edge = at[inside & (margin < 0) & (other[at] < 0)]
                other[edge] = number
        return Located(tile, self._problems(tile, other, is_bad))

    def _margins(
        self, number: int, ra_deg: np.ndarray, dec_deg: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns how far cutouts are from a tile's nearest edge, and whether positions are in it.

        Returns:
            In pixels (N,), negative where a cutout reaches over an edge; and (N,) bool.
        """
        least = np.full(len(ra_deg), np.iinfo(np.int64).max)
        inside = np.ones(len(ra_deg), bool)
        for footprint in self.tiles[number].footprints:
            sides = self.size.of(footprint.axes.arcsec_per_pixel)[::-1]
            places = footprint.axes.pixels_of(ra_deg, dec_deg)
            for side, length, place in zip(
                sides, footprint.axes.shape[::-1], places.T, strict=True
            ):
                known = np.isfinite(place) & (np.abs(place) < 2**31)
                # As astropy's overlap_slices, by which the cutout is taken.
                first = np.ceil(np.where(known, place, -1e9) - side / 2).astype(np.int64)
                least = np.minimum(least, np.minimum(first, length - side - first))
                inside &= known & (place >= -0.5) & (place < length - 0.5)
        return least, inside

    def _problems(self, tile: np.ndarray, other: np.ndarray, is_bad: np.ndarray) -> dict[int, str]:
        unmapped = len(self.tiles) - len(self._mapped)
        outside = f"outside all of the {len(self._mapped)} tiles"
        if len(self._mapped) == 1 and not unmapped:
            outside = "the position is not on it"
        if unmapped:
            outside += f" ({unmapped} more cannot be read)"
        found = {}
        for row in np.flatnonzero(tile < 0).tolist():
            if other[row] < 0:
                found[row] = outside
                continue
            there = self.tiles[int(other[row])]
            name = there.tile.name
            found[row] = (
                f"tile {name}: {there.problem}"
                if is_bad[row]
                else f"the cutout reaches over the edge of tile {name}, and no other holds it whole"
            )
        return found
