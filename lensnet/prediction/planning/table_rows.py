"""The rows of a table as rows of partitions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lensnet.csv_tables import name_from_text
from lensnet.data.files.decoding import image_ending
from lensnet.data.files.mosaics import split_hdu
from lensnet.data.tables import Table, problems_of
from lensnet.data.tables.sky_positions import declinations, right_ascensions
from lensnet.data.tiles import TileIndex
from lensnet.prediction.planning.file_names import join_files, split_files
from lensnet.prediction.planning.row_table import CARRIED
from lensnet.prediction.planning.table_columns import TableColumns

__all__ = ["TableRows"]


@dataclass(frozen=True, eq=False)
class TableRows:
    """Makes rows of partitions of the rows of a table.

    Args:
        table: the table.
        columns: which of its columns say what.
        schema: of the partitions.
        index: the tiles to cut positions out of; None where rows name files.
        first_tile: the number of the index's first tile in the plan.
        needs_position: whether a row of files without a position is bad, for its image is cut out.
    """

    table: Table
    columns: TableColumns
    schema: pa.Schema
    index: TileIndex | None
    first_tile: int
    needs_position: bool

    def pieces(self, first: int) -> Iterator[pa.Table]:
        """Yields the rows, a piece at a time.

        Args:
            first: the place of the first of them in the whole input.

        Raises:
            DataError: the table cannot be read.
        """
        root, start = self._root(), 0
        for piece in self.table.pieces():
            yield self._rows(piece, start, first + start, root)
            start += piece.num_rows

    def _rows(self, piece: pa.Table, start: int, first: int, root: Path) -> pa.Table:
        count = piece.num_rows
        problems: dict[int, str] = dict(problems_of(piece))
        files = self._files(piece, root, problems)
        ra, dec = self._positions(piece, problems)
        tile = np.full(count, -1, np.int32)
        if self.index is not None:
            good = np.isfinite(ra)
            good[list(problems)] = False
            rows = np.flatnonzero(good)
            located = self.index.locate(ra[rows], dec[rows])
            tile[rows] = np.where(located.tile < 0, -1, located.tile + self.first_tile)
            problems |= {int(rows[row]): reason for row, reason in located.problem.items()}
        known = {
            "row": pa.array(np.arange(first, first + count), pa.int64()),
            "id": self._ids(piece, files, start, problems),
            "file": files,
            "problem": pa.array([problems.get(row) for row in range(count)], pa.string()),
            "ra": pa.array(ra, mask=np.isnan(ra)),
            "dec": pa.array(dec, mask=np.isnan(dec)),
            "tile": pa.array(tile, pa.int32(), mask=tile < 0),
            "index": pa.nulls(count, pa.int64()),
        }
        return pa.table([self._column(piece, field, known) for field in self.schema], self.schema)

    def _column(self, piece: pa.Table, field: pa.Field, known: dict[str, pa.Array]) -> pa.Array:
        """Returns a column of the partition."""
        if field.name in known:
            return known[field.name]
        name = field.name.removeprefix(CARRIED)
        if name not in piece.column_names:
            return pa.nulls(piece.num_rows, field.type)
        column = _chunk(piece[name])
        if column.type == field.type:
            return column
        try:
            return column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            texts = [None if value is None else str(value) for value in column.to_pylist()]
            return pa.array(texts, pa.string())

    # --- ids ----------------------------------------------------------------------------------

    def _ids(
        self, piece: pa.Table, files: pa.Array, start: int, problems: dict[int, str]
    ) -> pa.Array:
        columns = self.columns
        if columns.id is not None:
            found = _texts(_chunk(piece[columns.id]))
        elif columns.files:
            found = pa.array([_stem(text) for text in files.to_pylist()], pa.string())
        else:
            ra, dec = (_texts(_chunk(piece[str(name)])) for name in (columns.ra, columns.dec))
            found = pc.binary_join_element_wise(ra, dec, " ")
        if not found.null_count:
            return found
        ids = found.to_pylist()
        for row in np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False)).tolist():
            ids[row] = f"{self.table.path.name} row {start + row + 1}"
            if columns.id_is_asked_for:
                problems.setdefault(row, "it has no id")
        return pa.array(ids, pa.string())

    # --- files --------------------------------------------------------------------------------

    def _files(self, piece: pa.Table, root: Path, problems: dict[int, str]) -> pa.Array:
        """Returns the files of each row as `join_files` writes them."""
        if not self.columns.files:
            return pa.nulls(piece.num_rows, pa.string())
        bands = [_texts(_chunk(piece[name])) for name in self.columns.files]
        for name, band in zip(self.columns.files, bands, strict=True):
            if band.null_count:
                empty = np.flatnonzero(band.is_null().to_numpy(zero_copy_only=False))
                for row in empty.tolist():
                    problems.setdefault(row, f'no file in the column "{name}"')
        joined = [
            join_files(_openable(cell, root) for cell in cells if cell is not None) or None
            for cells in zip(*(band.to_pylist() for band in bands), strict=True)
        ]
        return pa.array(joined, pa.string())

    def _root(self) -> Path:
        """Returns where files are named from: the table's folder, or else where the user is."""
        folder = self.table.path if self.table.path.is_dir() else self.table.path.parent
        for piece in self.table.pieces(256) if self.columns.files else ():
            names = _texts(_chunk(piece[self.columns.files[0]])).drop_null().to_pylist()
            if any(os.path.exists(_path_in(name, folder)) for name in names):
                return folder
            if any(os.path.exists(_path_in(name, Path())) for name in names):
                return Path()
            break
        return folder

    # --- positions ----------------------------------------------------------------------------

    def _positions(
        self, piece: pa.Table, problems: dict[int, str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns right ascension and declination in degrees, both NaN where one is unknown."""
        columns = self.columns
        if columns.ra is None or columns.dec is None:
            nothing = np.full(piece.num_rows, np.nan)
            return nothing, nothing
        cells = [_chunk(piece[name]) for name in (columns.ra, columns.dec)]
        units = [_unit(piece.schema.field(name)) for name in (columns.ra, columns.dec)]
        ra, dec = right_ascensions(cells[0], units[0]), declinations(cells[1], units[1])
        bad = ~(np.isfinite(ra) & np.isfinite(dec))
        ra[bad] = dec[bad] = np.nan
        if self.index is not None or self.needs_position:
            for row in np.flatnonzero(bad).tolist():
                problems.setdefault(row, _words(*(column[row].as_py() for column in cells)))
        return ra, dec


def _words(ra: object, dec: object) -> str:
    """Returns what is wrong with a position."""
    if ra is None or dec is None:
        return "it has no position"
    commas = isinstance(ra, str) and "," in ra or isinstance(dec, str) and "," in dec
    words = f'its position is "{ra}", "{dec}", not right ascension and declination'
    return f"{words}: decimals stand behind a point, not a comma" if commas else words


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    """Returns a column in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _texts(column: pa.Array) -> pa.Array:
    """Returns a column as text."""
    if pa.types.is_string(column.type):
        return column
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = column.to_pylist()
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _unit(field: pa.Field) -> str | None:
    unit = (field.metadata or {}).get(b"unit")
    return None if unit is None else unit.decode()


def _path_in(cell: str, folder: Path) -> str:
    return os.path.join(folder, split_hdu(cell)[0])


def _openable(cell: str, root: Path) -> str:
    """Returns the name of a file from where the user is.

    Of a name that is no text, lensnet itself may have made the text in the table.
    """
    name = os.path.join(root, cell)
    if "\\x" in cell and not os.path.exists(split_hdu(name)[0]):
        return os.path.join(root, name_from_text(cell))
    return name


def _stem(text: str | None) -> str | None:
    """Returns the id that the first file of a row gives: its name without the ending."""
    if text is None:
        return None
    path, hdu = split_hdu(split_files(text)[0])
    stem = path[: len(path) - len(image_ending(path) or "")]
    return join_files([stem if hdu is None else f"{stem}[{hdu}]"])
