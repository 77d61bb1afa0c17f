"""Reading the headers of a survey's mosaics: footprints, and what does not go together."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.tiles.footprint import Footprint, read_footprint
from lensnet.data.tiles.tile import Tile
from lensnet.errors import DataError
from lensnet.progress import track

__all__ = ["MappedTile", "read_tiles"]

_log = logging.getLogger(__name__)

# How far pixel scales may lie apart, as a share: projection and distortion make up for less.
_SAME_SCALE = 0.01

# How far zero points may lie apart, in magnitudes, and be called the same.
_SAME_ZERO_POINT = 1e-4

# Of a grid that is the same in two bands corners lie less far apart than this, in pixels.
_SAME_GRID = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class MappedTile:
    """A tile, and where in the sky its mosaics lie.

    Args:
        tile: the tile.
        footprints: of its bands; where all lie on one grid of pixels, only the first. () where no
            header can be read.
        problem: why nothing can be cut out of it; None for a good one.
    """

    tile: Tile
    footprints: tuple[Footprint, ...]
    problem: str | None = None


def read_tiles(tiles: Sequence[Tile]) -> list[MappedTile]:
    """Reads the headers of the mosaics of tiles.

    The pixels of mosaics with another zero point than most of the same band are to be multiplied,
    so that one count is one flux in all; a warning says so. Where scales of pixels differ, those
    that are not as most are bad: a network sees objects larger or smaller there.

    Raises:
        DataError: not one of them is usable.
    """
    with without_astropy_warnings():
        read = [_mapped(tile) for tile in track(tiles, "Reading headers of mosaics")]
    found = _with_one_scale(read)
    bad = [one for one in found if one.problem is not None]
    if len(bad) == len(found):
        raise DataError(f"None of the {len(found)} tiles is usable; the first: {bad[0].problem}.")
    for one in bad[:5]:
        _log.warning("Tile %s cannot be used: %s.", one.tile.name, one.problem)
    if len(bad) > 5:
        _log.warning("%d more tiles cannot be used.", len(bad) - 5)
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class _Read(MappedTile):
    """A tile with what only the comparison with others needs."""

    zero_points: tuple[float | None, ...] = ()


def _mapped(tile: Tile) -> _Read:
    footprints: list[Footprint] = []
    problem = None
    for path, hdu in tile.files:
        try:
            footprint = read_footprint(Path(path), hdu)
        except BadFileError as error:
            problem = problem or f"{Path(path).name}: {error.reason}"
            continue
        if footprint.problem is not None:
            problem = problem or f"{Path(path).name}: {footprint.problem}"
        footprints.append(footprint)
    zero_points = tuple(footprint.zero_point for footprint in footprints)
    same = all(_on_one_grid(footprints[0], other) for other in footprints[1:])
    return _Read(tile, tuple(footprints[:1] if same else footprints), problem, zero_points)


def _on_one_grid(one: Footprint, other: Footprint) -> bool:
    """Returns whether the pixels of two mosaics lie at the same places of the sky."""
    if one.axes.shape != other.axes.shape:
        return False
    height, width = one.axes.shape
    x, y = (
        np.array([0, width - 1, 0, width - 1, width / 2]),
        np.array([0, 0, height - 1, height - 1, height / 2]),
    )
    sky = other.axes.sky_of(x, y)
    if not np.isfinite(sky).all():
        return False
    there = one.axes.pixels_of(*sky.T)
    return bool(np.abs(there - np.stack([x, y], axis=-1)).max() < _SAME_GRID)


def _with_one_scale(found: Sequence[_Read]) -> list[MappedTile]:
    """Returns tiles with what makes their fluxes one, and those of odd pixel scales bad."""
    good = [one for one in found if one.problem is None]
    usual = _most_common([_scale(one) for one in good], _SAME_SCALE) if good else None
    bands = len(found[0].tile.files)
    references = [
        _most_common([zp for one in good if (zp := one.zero_points[band]) is not None])
        for band in range(bands)
    ]
    result: list[MappedTile] = []
    scaled = unknown = 0
    for one in found:
        problem, factors = one.problem, (1.0,) * bands
        if problem is None:
            scale = _scale(one)
            if usual is not None and abs(scale / usual - 1) > _SAME_SCALE:
                problem = f"its pixels are {scale:.3g} arcsec, where most tiles have {usual:.3g}"
            factors = tuple(
                _factor(zp, of) for zp, of in zip(one.zero_points, references, strict=True)
            )
            scaled += any(factor != 1 for factor in factors)
            unknown += any(
                zp is None and of is not None
                for zp, of in zip(one.zero_points, references, strict=True)
            )
        tile = dataclasses.replace(one.tile, factors=factors)
        result.append(MappedTile(tile, one.footprints, problem))
    if scaled:
        known = ", ".join("none" if of is None else f"{of:.6g}" for of in references)
        _log.warning(
            "%d of %d tiles have another zero point than most (%s): their pixels are multiplied to "
            "match.",
            scaled,
            len(found),
            known,
        )
    if unknown:
        _log.warning(
            "%d of %d tiles do not say their zero point, where others do: their pixels are taken "
            "as they are.",
            unknown,
            len(found),
        )
    return result


def _scale(one: MappedTile) -> float:
    """Returns the pixel scale of a tile, in arcseconds."""
    return float(one.footprints[0].axes.arcsec_per_pixel.mean())


def _factor(zero_point: float | None, reference: float | None) -> float:
    """Returns what makes counts of one zero point those of another: 10^(0.4 (other - one))."""
    if zero_point is None or reference is None or abs(zero_point - reference) < _SAME_ZERO_POINT:
        return 1.0
    return float(10 ** (0.4 * (reference - zero_point)))


def _most_common(values: Sequence[float], tolerance: float = 0.0) -> float | None:
    """Returns the value that most of some are, the first of them where two are as many.

    Args:
        values: the values.
        tolerance: share by which those that count as one may differ; 0 for the zero points' own.
    """
    if not values:
        return None
    counts: Counter[float] = Counter()
    for value in values:
        close = (
            known
            for known in counts
            if abs(value - known) <= (tolerance * known or _SAME_ZERO_POINT)
        )
        counts[next(close, value)] += 1
    return counts.most_common(1)[0][0]
