"""Finding the mosaics of a survey by patterns of their names."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from lensnet.csv_tables import name_as_text
from lensnet.data.files.fits_files import HduName
from lensnet.data.files.mosaics import split_hdu
from lensnet.data.tiles.tile import Tile
from lensnet.errors import ConfigurationError, DataError

__all__ = ["list_tiles"]

_BAND = "{band}"
_WILD = re.compile(r"\*\*/|\*+|\?|\[[^\]]+\]")
_ENDING = re.compile(r"(\.(fits?|fts|fz|gz))+$", re.IGNORECASE)


def list_tiles(
    patterns: Sequence[str],
    bands: Sequence[str] = (),
    hdus: HduName | Sequence[HduName] | None = None,
) -> list[Tile]:
    """Lists the tiles whose mosaics have names of some patterns, none of them opened.

    Mosaics of different bands are of one tile if what stands for `*`, `?` and `**` is the same in
    their names. A tile lists the file of a band that it lacks all the same: reading it says so.

    Args:
        patterns: one for each band, or one that holds `{band}`, or one for all bands where a file
            holds several; `tiles/*.fits[SCI]` names the HDU.
        bands: what stands for `{band}`, in the order of the channels.
        hdus: the HDU of files whose pattern names none; several where a file holds a band in each.

    Raises:
        ConfigurationError: `{band}` stands in the pattern, and nothing says for what.
        DataError: there is no such file.
    """
    patterns = [os.path.expanduser(pattern) for pattern in patterns]
    if any(_BAND in pattern for pattern in patterns):
        if not bands:
            raise ConfigurationError(
                f'"{patterns[0]}" holds {_BAND}: name the bands in the order of the channels, such '
                "as --bands g,r,i."
            )
        if len(patterns) > 1:
            raise ConfigurationError(
                f"Give one pattern of mosaics with {_BAND}, or one for each band without it."
            )
        patterns = [patterns[0].replace(_BAND, glob.escape(band)) for band in bands]
    named = [split_hdu(pattern) if _has_hdu(pattern) else (pattern, None) for pattern in patterns]
    found = [_matching(path) for path, _ in named]
    keys = list(dict.fromkeys(key for files in found for key in files))
    several = isinstance(hdus, Sequence) and not isinstance(hdus, str)
    if several and len(named) == 1:
        named = named * len(hdus)  # type: ignore[arg-type]
        found = found * len(hdus)  # type: ignore[arg-type]
    tiles = []
    for key in sorted(keys):
        files = tuple(
            (
                files.get(key) or _filled_in(path, key),
                hdu if hdu is not None else _default_hdu(hdus, place),
            )
            for place, ((path, hdu), files) in enumerate(zip(named, found, strict=True))
        )
        tiles.append(Tile(name_as_text("_".join(filter(None, key)) or _stem(files[0][0])), files))
    return _named_apart(tiles)


def _default_hdu(hdus: HduName | Sequence[HduName] | None, place: int) -> HduName | None:
    if isinstance(hdus, list):
        found: HduName = hdus[place]
        return found
    return hdus  # type: ignore[return-value]


def _has_hdu(pattern: str) -> bool:
    """Returns whether what stands in brackets at the end is an HDU, and not a set of letters."""
    path, hdu = split_hdu(pattern)
    return hdu is not None and bool(_ENDING.search(path))


def _matching(pattern: str) -> dict[tuple[str, ...], str]:
    """Returns the files of a pattern by what stands for its wild cards."""
    if os.path.isdir(pattern):
        pattern = os.path.join(glob.escape(pattern), "**", "*.fi*ts*")
    if not _WILD.search(pattern) or Path(pattern).exists():
        if not Path(pattern).exists():
            raise DataError(f"There is no mosaic {pattern}.")
        return {(): pattern}
    expression = _expression(pattern)
    found = {}
    for path in sorted(glob.iglob(pattern, recursive=True)):
        match = expression.fullmatch(path)
        if match is not None and os.path.isfile(path):
            found[tuple(group.strip("/") for group in match.groups())] = path
    if not found:
        raise DataError(f'There is no mosaic of the pattern "{pattern}".')
    return found


def _expression(pattern: str) -> re.Pattern[str]:
    """Returns what tells what stands for the wild cards of a pattern."""
    parts, end = [], 0
    for wild in _WILD.finditer(pattern):
        parts.append(re.escape(pattern[end : wild.start()]))
        end = wild.end()
        kind = wild[0]
        if kind == "**/":
            parts.append("((?:.*/)?)")
        elif kind.startswith("["):
            # A letter that stands for itself, as `glob.escape` writes it, tells nothing apart.
            inner = kind.replace("[!", "[^", 1)
            parts.append(re.escape(kind[1]) if len(kind) == 3 else f"({inner})")
        else:
            parts.append("([^/])" if kind == "?" else "([^/]*)")
    parts.append(re.escape(pattern[end:]))
    return re.compile("".join(parts), re.DOTALL)


def _filled_in(pattern: str, key: tuple[str, ...]) -> str:
    """Returns the name of a file that a pattern should have, and has not."""
    values = iter(key)

    def fill(wild: re.Match[str]) -> str:
        if wild[0].startswith("[") and len(wild[0]) == 3:
            return wild[0][1]
        value = next(values, "")
        return f"{value}/" if wild[0] == "**/" and value else value

    return _WILD.sub(fill, pattern)


def _stem(path: str) -> str:
    return _ENDING.sub("", os.path.basename(path))


def _named_apart(tiles: list[Tile]) -> list[Tile]:
    """Returns tiles, by the path of a file where two would bear one name."""
    names = [tile.name for tile in tiles]
    if len(set(names)) == len(names):
        return tiles
    return [Tile(name_as_text(tile.files[0][0]), tile.files) for tile in tiles]
