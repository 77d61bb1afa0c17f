"""Bringing parts into the order of the input: positions in mosaics are scored tile by tile.

Where the rows of the parts are not in order already, they are dealt out into files of so many
consecutive rows each, which are then put in order one at a time: no more than one is in memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["ROW", "ordered_pieces"]

ROW = "row"
"""The column of a part that says where in the whole input a row stands."""

_ROWS = 131_072
"""Rows that are put in order at once."""


@contextlib.contextmanager
def ordered_pieces(
    parts: Sequence[Path], columns: Sequence[str], folder: Path, rows: int = _ROWS
) -> Iterator[Callable[[], Iterator[pa.Table]]]:
    """Gives what yields the rows of parts in order, each time it is called.

    Args:
        parts: Parquet files with a column `row`.
        columns: which of their columns to give.
        folder: where rows may be dealt out to meanwhile.
        rows: how many are put in order at once.
    """
    if _is_in_order(parts):
        yield lambda: (pq.read_table(part, columns=list(columns)) for part in parts)
        return
    dealt: dict[int, Path] = {}
    try:
        _deal(parts, columns, folder, rows, dealt)
        yield lambda: (_sorted(dealt[number], columns) for number in sorted(dealt))
    finally:
        for path in dealt.values():
            path.unlink(missing_ok=True)


def _is_in_order(parts: Sequence[Path]) -> bool:
    last = -1
    for part in parts:
        numbers = pq.read_table(part, columns=[ROW]).column(ROW).to_numpy()
        if len(numbers) and (numbers[0] <= last or (np.diff(numbers) <= 0).any()):
            return False
        last = int(numbers[-1]) if len(numbers) else last
    return True


def _deal(
    parts: Sequence[Path], columns: Sequence[str], folder: Path, rows: int, dealt: dict[int, Path]
) -> None:
    with contextlib.ExitStack() as stack:
        writers: dict[int, pa.RecordBatchWriter] = {}
        for part in parts:
            table = pq.read_table(part, columns=[ROW, *columns])
            blocks = table.column(ROW).to_numpy() // rows
            for number in np.unique(blocks).tolist():
                some = table.filter(pa.array(blocks == number))
                if number not in writers:
                    dealt[number] = folder / f"ordered-{number:05d}.arrow"
                    writer = pa.ipc.new_stream(dealt[number], some.schema)
                    writers[number] = stack.enter_context(writer)
                writers[number].write_table(some)


def _sorted(path: Path, columns: Sequence[str]) -> pa.Table:
    with pa.ipc.open_stream(path) as stream:
        table = stream.read_all()
    return table.sort_by(ROW).select(list(columns))
