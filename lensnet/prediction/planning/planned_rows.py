"""The rows of all inputs, a piece at a time."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from lensnet.config import Experiment
from lensnet.data.files.file_reader import FileReader
from lensnet.data.files.mosaics import CutoutSize, split_hdu
from lensnet.data.sources.folder_listing import Example
from lensnet.data.sources.inputs import examples_of_names, list_inputs
from lensnet.data.tables import Table, open_table
from lensnet.data.tiles import Tile, TileIndex, list_tiles, read_tiles
from lensnet.errors import ConfigurationError
from lensnet.prediction.planning.input_kinds import (
    Files,
    ImageList,
    Stack,
    TableInput,
    kinds_of,
    stack_array,
)
from lensnet.prediction.planning.input_options import InputOptions
from lensnet.prediction.planning.row_table import (
    carried_schema,
    partition_schema,
    rows_of_examples,
)
from lensnet.prediction.planning.table_columns import find_columns
from lensnet.prediction.planning.table_rows import TableRows

__all__ = ["PlannedRows"]

_AT_ONCE = 8192
"""Images in files that are listed before they are written."""

Shape = tuple[int, int, int]


@dataclass
class PlannedRows:
    """Makes rows of what a user names.

    Args:
        experiment: the run's.
        native_shape: (H, W, C) of the images that the network takes.
        inputs: as of `plan`.
        options: what the user says of them.

    Attributes:
        tiles: the tiles of all mosaics, once `pieces` has come to them.
        stacks: the name of the array in each stack, by its path; likewise.
        schema: of the rows.
        carried: the columns of the tables, by their own names.

    Raises:
        DataError: an input does not exist, or a table lacks what is needed.
        ConfigurationError: the size to cut out is not the one that the network takes.
    """

    experiment: Experiment
    native_shape: Shape
    inputs: Sequence[str | os.PathLike[str]]
    options: InputOptions
    tiles: list[Tile] = field(default_factory=list)
    stacks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = FileReader.from_options(self.experiment.dataset_options)
        dataset, options = self.experiment.data.dataset, self.experiment.dataset_options
        self._trained: Any = options if dataset == "fits_catalog" else None
        self._kinds = list(kinds_of(self.experiment, self.native_shape, self.inputs))
        self._tables: dict[Path, Table] = {
            kind.path: open_table(kind.path) for kind in self._kinds if isinstance(kind, TableInput)
        }
        self.size = self._size()
        self._indexes: dict[tuple[str, ...], tuple[TileIndex, int]] = {}
        self.carried = carried_schema(table.schema for table in self._tables.values())
        self.schema = partition_schema(self.carried)

    def pieces(self) -> Iterator[pa.Table]:
        """Yields the rows of all inputs, in order, as the columns of a partition.

        Raises:
            DataError: an input cannot be listed or read.
        """
        rows: dict[type[Any], Callable[[Any, int], Iterator[pa.Table]]] = {
            Files: self._of_files,
            ImageList: self._of_list,
            Stack: self._of_stack,
            TableInput: self._of_table,
        }
        first = 0
        for kind in self._kinds:
            for piece in rows[type(kind)](kind, first):
                first += piece.num_rows
                yield piece

    # --- files --------------------------------------------------------------------------------

    def _of_files(self, kind: Files, first: int) -> Iterator[pa.Table]:
        return self._of_examples(list_inputs(kind.paths, self.reader), first)

    def _of_list(self, kind: ImageList, first: int) -> Iterator[pa.Table]:
        names = _names_in(kind.path)
        return self._of_examples(examples_of_names(names, self.reader.bands), first)

    def _of_examples(self, examples: Iterable[Example], first: int) -> Iterator[pa.Table]:
        remaining = iter(examples)
        while some := list(itertools.islice(remaining, _AT_ONCE)):
            yield rows_of_examples(some, first, self.schema)
            first += len(some)

    # --- stacks -------------------------------------------------------------------------------

    def _of_stack(self, kind: Stack, first: int) -> Iterator[pa.Table]:
        if split_hdu(str(kind.path))[0].lower().endswith((".fits", ".fit", ".fts", ".gz", ".fz")):
            path, count, ids, name = kind.path, _images_in_cube(kind.path), None, ""
        else:
            array, ids = stack_array(kind.path, self.experiment)
            path, count, name = array.path, array.shape[0], array.name
        self.stacks[str(path)] = name
        for start in range(0, count, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, count))
            examples = [
                Example(
                    str(number) if ids is None else ids[number] or f"image {number}",
                    (f"{path}[{number}]",),
                )
                for number in numbers
            ]
            yield rows_of_examples(examples, first + start, self.schema, numbers)

    # --- tables -------------------------------------------------------------------------------

    def _of_table(self, kind: TableInput, first: int) -> Iterator[pa.Table]:
        table = self._tables[kind.path]
        patterns = self._mosaics(kind.path)
        bands = self.reader.bands.bands if self.reader.bands is not None else ()
        columns = find_columns(
            table, self.options, self._trained, bands, has_mosaics=bool(patterns)
        )
        index, first_tile = None, 0
        if patterns and not columns.files:
            index, first_tile = self._index(patterns)
        rows = TableRows(
            table,
            columns,
            self.schema,
            index,
            first_tile,
            needs_position=self.size is not None and bool(columns.files),
        )
        return rows.pieces(first)

    def _mosaics(self, table: Path) -> tuple[str, ...]:
        """Returns the patterns of mosaics: the user's, or the training's where it had some.

        Those of the training are looked for beside the table, and else where they were.
        """
        if self.options.mosaics or self._trained is None or not self._trained.mosaics:
            return self.options.mosaics
        folder = table if table.is_dir() else table.parent
        names = self._trained.mosaics
        if not all((folder / split_hdu(name)[0]).is_file() for name in names):
            trained = self.experiment.source_dir or folder
            folder = trained.parent if trained.is_file() else trained
        return tuple(str(folder / name) for name in names)

    def _index(self, patterns: tuple[str, ...]) -> tuple[TileIndex, int]:
        """Returns the index of some mosaics, and the number of its first tile."""
        if patterns not in self._indexes:
            bands = self.options.bands or (self.reader.bands.bands if self.reader.bands else ())
            hdus = self.reader.hdu
            tiles = list_tiles(patterns, bands, list(hdus) if isinstance(hdus, tuple) else hdus)
            mapped = read_tiles(tiles)
            index = TileIndex(mapped, self.size or CutoutSize(self.native_shape[0]))
            self._indexes[patterns] = (index, len(self.tiles))
            self.tiles += [one.tile for one in mapped]
        return self._indexes[patterns]

    def _size(self) -> CutoutSize | None:
        """Returns how large images are cut out; None where files are taken as they are."""
        height, width, _ = self.native_shape
        size = self.options.size
        if size is None and self._trained is not None and self._trained.cuts:
            size = CutoutSize(self._trained.size_pixels, self._trained.size_arcsec)
        if size is None and self.options.mosaics:
            if height != width:
                raise ConfigurationError(
                    f"The network takes images of {height} x {width} pixels, and cutouts are as "
                    "wide as high."
                )
            size = CutoutSize(pixels=height)
        if size is not None and size.pixels not in (None, height):
            raise ConfigurationError(
                f"--size is {size.pixels} pixels, and the network takes images of {height} x "
                f"{width}: leave it out."
            )
        return size


def _names_in(path: Path) -> Iterator[str]:
    """Yields the files that a list names, a line each, from where they can be opened.

    Comments (`#`) and empty lines are left out. Files are named from where the user is, or, where
    they are not there, from the list's folder on.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as lines:
        for line in lines:
            name = line.rstrip("\n").strip()
            if not name or name.startswith("#"):
                continue
            name = os.path.expanduser(name)
            beside = os.path.join(path.parent, name)
            yield beside if not os.path.lexists(name) and os.path.lexists(beside) else name


def _images_in_cube(path: Path) -> int:
    from lensnet.data.files.fits_stacks import fits_content

    file, hdu = split_hdu(str(path))
    shape, _ = fits_content(Path(file), hdu)
    return 0 if shape is None else shape[0]
