"""The part that a partition becomes: its rows with their scores, as the table of scores has them.

A part has the final columns, and before them `row`, the place in the whole input. Only all parts
together tell which of `ra`, `dec` and `tile` are known at all. Carried columns bear the prefix
`input_` in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lensnet import files
from lensnet.prediction.columns import Columns
from lensnet.prediction.scoring.ordering import ROW
from lensnet.prediction.scoring.reading import PartitionRead

__all__ = ["CARRIED", "PartCounts", "Scores", "part_table", "read_counts", "write_part"]

CARRIED = "input_"
"""Before the names of the columns of the input in partitions and parts."""

_COUNTS = b"lensnet:counts"


@dataclass(frozen=True)
class PartCounts:
    """What is counted of a part.

    Args:
        rows: how many there are.
        scored: how many of them have scores.
        filled: how many have pixels that were filled.
        oriented: how many have an orientation tag.
    """

    rows: int = 0
    scored: int = 0
    filled: int = 0
    oriented: int = 0

    def __add__(self, other: PartCounts) -> PartCounts:
        return PartCounts(
            self.rows + other.rows,
            self.scored + other.scored,
            self.filled + other.filled,
            self.oriented + other.oriented,
        )


class Scores:
    """The scores of a partition's rows, as they come in.

    Args:
        columns: how a run's answers read in a table.
    """

    def __init__(self, columns: Columns):
        self.columns = columns
        self._places: list[np.ndarray] = []
        self._values: list[np.ndarray] = []
        self._spreads: list[np.ndarray] = []

    def put(self, places: np.ndarray, values: np.ndarray, spread: np.ndarray | None) -> None:
        """Takes the scores of some rows.

        Args:
            places: (N,) which rows.
            values: (N, K), a column for each of `score_names`.
            spread: (N,) their uncertainty; None where there is none.
        """
        self._places.append(places)
        self._values.append(values)
        if spread is not None:
            self._spreads.append(spread)

    def values(self, rows: int) -> np.ndarray:
        """Returns the scores of all rows, (rows, K) float32; NaN where there are none."""
        values = np.full((rows, len(self.columns.score_names)), np.nan, np.float32)
        for places, some in zip(self._places, self._values, strict=True):
            values[places] = some
        return values

    def spread(self, rows: int) -> np.ndarray:
        """Returns the uncertainty of all rows, (rows,) float32; NaN where there is none."""
        spread = np.full(rows, np.nan, np.float32)
        for places, some in zip(self._places, self._spreads, strict=False):
            spread[places] = some
        return spread


def part_table(
    read: PartitionRead, scores: Scores, tiles: Sequence[str], has_uncertainty: bool
) -> pa.Table:
    """Returns the part of a partition.

    Args:
        read: the partition, and what was found while it was read.
        scores: of its rows.
        tiles: the names of the plan's tiles.
        has_uncertainty: whether scores have one.
    """
    rows = read.rows
    missing = np.array([status != "ok" for status in read.status], bool)
    named: dict[str, pa.Array | pa.ChunkedArray] = {
        name: rows.column(name) for name in (ROW, "id", "file", "ra", "dec")
    }
    named["tile"] = pa.array(
        [None if at is None else tiles[at] for at in rows.column("tile").to_pylist()], pa.string()
    )
    named.update(_predicted(scores.columns, scores.values(len(missing)), missing))
    if has_uncertainty:
        named["uncertainty"] = pa.array(scores.spread(len(missing)), mask=missing)
    named["filled_pixels"] = pa.array(read.filled, pa.int32())
    named["status"] = pa.array(read.status, pa.string())
    fields = [pa.field(name, column.type) for name, column in named.items()]
    for name in rows.column_names:
        if name.startswith(CARRIED):
            named[name] = rows.column(name)
            fields.append(rows.schema.field(name))
    counts = PartCounts(
        rows=len(missing),
        scored=int((~missing).sum()),
        filled=sum(1 for filled in read.filled if filled),
        oriented=read.oriented,
    )
    metadata = {_COUNTS: json.dumps(asdict(counts)).encode()}
    return pa.table(list(named.values()), schema=pa.schema(fields, metadata))


def write_part(path: Path, table: pa.Table) -> None:
    """Writes a part, which takes its name when it is whole."""
    with files.replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_counts(path: Path) -> PartCounts:
    """Returns what was counted of a part."""
    metadata = pq.read_schema(path).metadata or {}
    return PartCounts(**json.loads(metadata[_COUNTS]))


def _predicted(columns: Columns, values: np.ndarray, missing: np.ndarray) -> dict[str, pa.Array]:
    """Returns the columns of what is predicted: numbers of single precision, and text."""
    numbers = dict(zip(columns.score_names, values.T, strict=True))
    cells: list[list[str] | None] = []
    if len(numbers) < len(columns.names):
        cells = [
            None if is_missing else columns.cells(row)
            for row, is_missing in zip(values, missing, strict=True)
        ]
    return {
        name: pa.array(np.ascontiguousarray(numbers[name]), mask=missing)
        if name in numbers
        else pa.array([None if row is None else row[at] for row in cells], pa.string())
        for at, name in enumerate(columns.names)
    }
