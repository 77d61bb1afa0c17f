"""The images of the rows of a plan, read ahead, each tile and stack opened once."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.decoding import DecodedImage, stack_bands
from lensnet.data.files.file_reader import FileReader
from lensnet.data.files.fits_stacks import FitsStack
from lensnet.data.files.image_stacks import ImageStack, arrays_in
from lensnet.data.files.mosaics import CutoutSize, Mosaic, opened, split_hdu
from lensnet.data.files.stored_images import StoredImage, decode_stored
from lensnet.data.sources.file_source import FileLoader
from lensnet.data.sources.folder_listing import Example
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.data.sources.source import Loaded
from lensnet.data.tables.image_columns import ColumnImages, find_image_column
from lensnet.data.tables.parquet_table import ENDINGS as PARQUET
from lensnet.data.tiles import Tile
from lensnet.errors import DataError
from lensnet.prediction.planning.file_names import split_files

__all__ = ["PlanLoader"]

Read = Callable[[Example], DecodedImage]
"""What reads the image of a row."""

_STACK_ROWS = 512
"""Rows of a stack that are read together, where the file unpacks many at once."""


class PlanLoader(FileLoader):
    """Loads the images of rows.

    Args:
        reader: how files are read.
        tiles: of the plan.
        stacks: the name of the array in each stack, by its path.
        size: how large images are cut out; None where files are taken as they are.
        directory: from where relative paths are named.
        list_shape: which image the numbers in a row of a Parquet file are; None where they, or
            pictures, tell it.
    """

    def __init__(
        self,
        reader: FileReader,
        tiles: Sequence[Tile],
        stacks: Mapping[str, str],
        size: CutoutSize | None,
        directory: Path,
        list_shape: Sequence[int] | None = None,
    ):
        super().__init__(reader)
        self.tiles = tiles
        self.stacks = stacks
        self.size = size
        self.list_shape = list_shape
        # Most are read where they were planned, and messages name files as the user did.
        is_here = directory.exists() and os.path.samefile(directory, ".")
        self._directory = "" if is_here else str(directory)
        self._last: tuple[int, _OpenTile] | None = None

    def load(self, rows: pa.Table, ahead: int = 128) -> Generator[Loaded, None, None]:  # type: ignore[override]
        """Yields the image of each row, or why there is none, in the order of the rows."""
        return read_ahead(lambda item: self.load_one(*item), self._items(rows), ahead=ahead)

    def _items(self, rows: pa.Table) -> Iterator[tuple[Example, Read]]:
        """Yields what is to be read, and how; what lies on one tile or in one stack together."""
        columns = [
            rows[name].to_pylist()
            for name in ("id", "file", "problem", "ra", "dec", "tile", "index")
        ]
        cells = list(zip(*columns, strict=True))
        start = 0
        while start < len(cells):
            end = start + 1
            key = _together(cells[start])
            while end < len(cells) and key is not None and _together(cells[end]) == key:
                end += 1
            some = [_example(*cell[:5]) for cell in cells[start:end]]
            if key is None:
                read = self._cut_from_file if self._is_cut(some[0]) else self._read_files
                yield some[0], read
            elif isinstance(key, int):
                yield from self._on_tile(key, some)
            else:
                yield from self._in_stack(key, some, [cell[6] for cell in cells[start:end]])
            start = end

    # --- files --------------------------------------------------------------------------------

    def _is_cut(self, example: Example) -> bool:
        return self.size is not None and example.position is not None

    def _parts(self, names: Sequence[str]) -> list[tuple[str, Any]]:
        """Returns the path and the HDU of each band."""
        default = self.reader.hdu
        if isinstance(default, tuple) and len(names) == 1:
            names = [names[0]] * len(default)
        parts = []
        for place, name in enumerate(names):
            path, hdu = split_hdu(name)
            if hdu is None:
                hdu = default[place] if isinstance(default, tuple) else default
            parts.append((os.path.join(self._directory, path), hdu))
        return parts

    def _read_files(self, example: Example) -> DecodedImage:
        paths, hdus = zip(*self._parts(example.files), strict=True)
        try:
            return self.reader.read(paths, hdus)
        except BadFileError as error:
            raise _of_which_file(error, paths) from None

    def _cut_from_file(self, example: Example) -> DecodedImage:
        """Returns the cutout of a row out of its own files."""
        parts = self._parts(example.files)

        def bands() -> Iterator[tuple[Path, np.ndarray]]:
            for path, hdu in parts:
                with opened(Path(path), hdu) as image:
                    (place,) = image.pixels_of(*np.array([example.position]).T)
                    yield image.path, self._cut(image, place)

        try:
            return self._stacked(bands())
        except BadFileError as error:
            raise _of_which_file(error, [path for path, _ in parts]) from None

    # --- tiles --------------------------------------------------------------------------------

    def _on_tile(self, number: int, examples: list[Example]) -> Iterator[tuple[Example, Read]]:
        tile = self._opened_tile(number)
        if isinstance(tile.mosaics, BadFileError):
            error = tile.mosaics

            def fail(_: Example) -> DecodedImage:
                raise error

            yield from ((example, fail) for example in examples)
            return
        positions = np.array([example.position for example in examples])
        places = [mosaic.pixels_of(*positions.T) for mosaic in tile.mosaics]
        for row, example in enumerate(examples):
            yield example, _CutAt(self, tile, [place[row] for place in places])

    def _opened_tile(self, number: int) -> _OpenTile:
        """Returns the mosaics of a tile; those of the last one stay open.

        Whatever is still waiting to be read keeps its tile open, too.
        """
        if self._last is None or self._last[0] != number:
            self._last = None
            tile = self.tiles[number]
            try:
                mosaics: Any = [
                    Mosaic(Path(os.path.join(self._directory, path)), hdu)
                    for path, hdu in tile.files
                ]
            except BadFileError as error:
                words = f"tile {tile.name}: {os.path.basename(error.path)}: {error.reason}"
                mosaics = BadFileError(error.path, words)
            self._last = number, _OpenTile(mosaics, tile.factors)
        return self._last[1]

    def _cut(self, image: Mosaic, place: np.ndarray) -> np.ndarray:
        try:
            return image.cut(float(place[0]), float(place[1]), self.size or CutoutSize())
        except ValueError as error:
            raise BadFileError(image.path, str(error)) from None

    def _stacked(self, bands: Iterator[tuple[Path, np.ndarray]]) -> DecodedImage:
        return stack_bands(
            bands, max_nonfinite=self.reader.max_nonfinite, mask_value=self.reader.mask_value
        )

    # --- stacks -------------------------------------------------------------------------------

    def _in_stack(
        self, path: str, examples: list[Example], indices: list[int]
    ) -> Iterator[tuple[Example, Read]]:
        try:
            stack = self._stack(path)
        except DataError as error:
            reason = str(error)

            def fail(_: Example) -> DecodedImage:
                raise BadFileError(path, reason)

            yield from ((example, fail) for example in examples)
            return
        for start in range(0, len(examples), _STACK_ROWS):
            some = slice(start, start + _STACK_ROWS)
            images: Any = [None] * len(examples[some])
            if stack.images_together > 1:
                images = stack.images(indices[some])
            for example, index, pixels in zip(examples[some], indices[some], images, strict=True):
                yield example, _InStack(self, stack, index, pixels)

    def _stack(self, path: str) -> ImageStack | FitsStack | ColumnImages:
        name = self.stacks[path]
        file, hdu = split_hdu(os.path.join(self._directory, path))
        if file.lower().endswith(PARQUET) or os.path.isdir(file):
            column = find_image_column(Path(file), name, self.list_shape)
            return column.open()
        if not name and not file.lower().endswith(".npy"):
            return FitsStack(Path(file), hdu)
        return ImageStack(next(array for array in arrays_in(Path(file)) if array.name == name))


@dataclass(frozen=True, eq=False)
class _OpenTile:
    """The mosaics of a tile, or what is wrong with one of them."""

    mosaics: Sequence[Mosaic] | BadFileError
    factors: Sequence[float]


@dataclass(frozen=True, eq=False)
class _CutAt:
    """Cuts an image out of a tile."""

    loader: PlanLoader
    tile: _OpenTile
    places: Sequence[np.ndarray]

    def __call__(self, example: Example) -> DecodedImage:
        mosaics: Any = self.tile.mosaics

        def bands() -> Iterator[tuple[Path, np.ndarray]]:
            for mosaic, factor, place in zip(mosaics, self.tile.factors, self.places, strict=True):
                pixels = self.loader._cut(mosaic, place)
                # Of one zero point with the others they are left as they are, to the last bit.
                yield mosaic.path, pixels if factor == 1 else pixels * np.float32(factor)

        try:
            return self.loader._stacked(bands())
        except BadFileError as error:
            raise _of_which_file(error, [mosaic.path for mosaic in mosaics]) from None


@dataclass(frozen=True, eq=False)
class _InStack:
    """Reads an image of a stack, or takes the one that was read with others."""

    loader: PlanLoader
    stack: ImageStack | FitsStack | ColumnImages
    index: int
    stored: StoredImage | None

    def __call__(self, example: Example) -> DecodedImage:
        stored = self.stored
        if stored is None:
            (stored,) = self.stack.images([self.index])
        return decode_stored(example.files[0], stored, self.loader.reader)


def _together(cell: Sequence[Any]) -> int | str | None:
    """Returns the tile or the stack that a row lies in; None for a row by itself."""
    _, file, problem, _, _, tile, index = cell
    if problem is not None or (tile is None and index is None):
        return None
    if tile is not None:
        return int(tile)
    return str(split_files(file)[0].rpartition("[")[0])


def _example(
    name: str, file: str | None, problem: str | None, ra: float | None, dec: float | None
) -> Example:
    known = None if ra is None or dec is None else (ra, dec)
    return Example(name, tuple(split_files(file)) if file else (), problem=problem, position=known)


def _of_which_file(error: BadFileError, paths: Sequence[Any]) -> BadFileError:
    """Returns an error that names the file in its reason, where there are several."""
    if len(set(map(str, paths))) < 2:
        return error
    return BadFileError(error.path, f"{os.path.basename(error.path)}: {error.reason}")
