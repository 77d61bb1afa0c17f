"""What a table of scores says: the score of every object, and all of those that were graded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from lensnet.data.tables import open_table
from lensnet.errors import DataError

__all__ = ["ScoreTable", "read_scores"]

_OF_IMAGES = ("file", "tile", "ra", "dec", "status")


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """A table of scores.

    Args:
        path: its file.
        scores: (N,) of all rows that have one.
        rows: of the graded objects, by id: what is known of their images, and `score`.
        repeated: ids of graded objects that several rows have; the first counts.
    """

    path: Path
    scores: np.ndarray
    rows: dict[str, dict[str, Any]]
    repeated: tuple[str, ...]


def read_scores(path: Path, class_name: str, graded: Collection[str]) -> ScoreTable:
    """Reads a table of scores in pieces.

    Args:
        path: the table, as `lensnet predict` writes it.
        class_name: the class whose score chose the candidates.
        graded: the ids of the objects whose rows are kept.

    Raises:
        DataError: it is not a table of scores of such a class.
    """
    table = open_table(path)
    column = f"score_{class_name}"
    missing = [name for name in ("id", column) if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]}, so it is not a table of scores by this run. Its "
            f"columns: {', '.join(table.column_names)}."
        )
    wanted, scores = set(graded), []
    rows: dict[str, dict[str, Any]] = {}
    repeated: dict[str, None] = {}
    kept = [name for name in _OF_IMAGES if name in table.column_names]
    for piece in table.pieces():
        values = pc.cast(piece[column], "float64").to_numpy(zero_copy_only=False)
        scores.append(np.asarray(values, np.float64))
        ids = [str(cell) for cell in piece["id"].to_pylist()]
        places = [place for place, id_ in enumerate(ids) if id_ in wanted]
        for place, row in zip(places, piece.select(kept).take(places).to_pylist(), strict=True):
            if ids[place] in rows:
                repeated[ids[place]] = None
            rows.setdefault(ids[place], {**row, "score": float(scores[-1][place])})
    every = np.concatenate(scores) if scores else np.empty(0)
    return ScoreTable(path, every[np.isfinite(every)], rows, tuple(repeated))
