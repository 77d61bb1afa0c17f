"""Writing partitions in one pass: rows in their order, or gathered by the tile they lie on.

Rows of a survey's catalogue come in any order. What lies on one tile is brought together by way of
files on disk, a bucket for some tiles each, so that memory depends on neither the number of rows
nor that of tiles.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lensnet.progress import track

__all__ = ["PartitionWriter", "TileBuckets", "partition_name"]

_MOST_BUCKETS = 200
"""Files that are open for writing at once."""

_HELD_ROWS = 2**18
_HELD_BYTES = 2**26
"""Rows, and bytes of rows, that are held before they go to the buckets, or are sorted at once."""


def partition_name(number: int) -> str:
    """Returns the name of a partition's file.

    >>> partition_name(7)
    'rows-00007.parquet'
    """
    return f"rows-{number:05d}.parquet"


class PartitionWriter:
    """Writes rows as Parquet files of about as many rows each.

    Args:
        folder: where they go.
        rows: in a partition; the last of all may have fewer, and one by tiles half as many more.
    """

    def __init__(self, folder: Path, rows: int):
        self.folder = folder
        self.rows = rows
        self.lengths: list[int] = []
        self._held: list[pa.Table] = []
        self._held_rows = 0

    def add(self, table: pa.Table) -> None:
        """Writes rows in their order; a partition ends wherever it is full."""
        while self._held_rows + table.num_rows >= self.rows:
            room = self.rows - self._held_rows
            self._hold(table.slice(0, room))
            self.flush()
            table = table.slice(room)
        self._hold(table)

    def add_together(self, table: pa.Table) -> None:
        """Writes rows that belong together into one partition, or as few as can be."""
        if self._held_rows and self._held_rows + table.num_rows > 3 * self.rows // 2:
            self.flush()
        parts = max(1, round(table.num_rows / self.rows))
        size = -(-table.num_rows // parts)
        for start in range(0, table.num_rows, size):
            self._hold(table.slice(start, size))
            if self._held_rows >= self.rows or parts > 1:
                self.flush()

    def flush(self) -> None:
        """Ends a partition."""
        if self._held_rows:
            table = pa.concat_tables(self._held)
            pq.write_table(table, self.folder / partition_name(len(self.lengths)))
            self.lengths.append(table.num_rows)
        self._held, self._held_rows = [], 0

    def _hold(self, table: pa.Table) -> None:
        if table.num_rows:
            self._held.append(table)
            self._held_rows += table.num_rows


class TileBuckets:
    """Gathers rows by tile, on disk.

    Args:
        folder: a folder for the buckets, which is made, and removed at the end.
        schema: of the rows, which have a column `tile`.
        tiles: how many tiles there are.
    """

    def __init__(self, folder: Path, schema: pa.Schema, tiles: int):
        self.folder = folder
        self.schema = schema
        self._count = max(1, min(tiles, _MOST_BUCKETS))
        self._tiles = tiles
        self._held: list[pa.Table] = []
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        folder.mkdir()

    def add(self, table: pa.Table) -> None:
        """Takes rows, each of which has a tile."""
        self._held.append(table)
        rows = sum(held.num_rows for held in self._held)
        if rows >= _HELD_ROWS or sum(held.nbytes for held in self._held) >= _HELD_BYTES:
            self._spill()

    def write_to(self, writer: PartitionWriter) -> None:
        """Writes all rows, tile by tile and in their order on each, and removes the buckets."""
        self._spill()
        for bucket in self._writers.values():
            bucket.close()
        for bucket in track(sorted(self._writers), "Gathering rows by tile"):
            path = self._path(bucket)
            for table in self._sorted(path):
                writer.add_together(table)
            path.unlink()
        writer.flush()
        self.folder.rmdir()

    def _path(self, bucket: int) -> Path:
        return self.folder / f"bucket-{bucket:03d}.arrow"

    def _spill(self) -> None:
        if not self._held:
            return
        table = pa.concat_tables(self._held)
        self._held = []
        # Mosaics that a later table brings share the last bucket.
        buckets = np.minimum(
            self._tile_numbers(table) * self._count // self._tiles, self._count - 1
        )
        order = np.argsort(buckets, kind="stable")
        ordered, numbers = table.take(pa.array(order)), buckets[order]
        for bucket, start, end in _runs(numbers):
            if bucket not in self._writers:
                self._writers[bucket] = pa.ipc.new_stream(self._path(bucket), self.schema)
            self._writers[bucket].write_table(ordered.slice(start, end - start).combine_chunks())

    def _sorted(self, path: Path) -> Iterator[pa.Table]:
        """Yields the rows of each tile of a bucket; of a large one's in several parts."""
        if path.stat().st_size <= _HELD_BYTES:
            with path.open("rb") as file, pa.ipc.open_stream(file) as stream:
                table = stream.read_all()
            order = np.argsort(self._tile_numbers(table), kind="stable")
            table = table.take(pa.array(order))
            for _, start, end in _runs(self._tile_numbers(table)):
                yield table.slice(start, end - start)
            return
        with path.open("rb") as file, pa.ipc.open_stream(file) as stream:
            tiles = {tile for batch in stream for tile in pc.unique(batch["tile"]).to_pylist()}
        for tile in sorted(tiles):
            held: list[pa.Table] = []
            with path.open("rb") as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    part = pa.Table.from_batches([batch]).filter(pc.field("tile") == tile)
                    held += [part] if part.num_rows else []
                    if sum(one.num_rows for one in held) >= _HELD_ROWS:
                        yield pa.concat_tables(held)
                        held = []
            if held:
                yield pa.concat_tables(held)

    @staticmethod
    def _tile_numbers(table: pa.Table) -> np.ndarray:
        return np.asarray(table["tile"].to_numpy()).astype(np.int64)

    def close(self) -> None:
        """Removes what is left, after an interruption."""
        for bucket, writer in self._writers.items():
            with contextlib.suppress(pa.ArrowInvalid, OSError):
                writer.close()
            self._path(bucket).unlink(missing_ok=True)
        if self.folder.is_dir():
            self.folder.rmdir()


def _runs(numbers: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yields each number of a sorted array, and where it begins and ends."""
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(numbers)], strict=True):
        yield int(numbers[start]), start, end
