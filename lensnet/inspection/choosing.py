"""Choosing rows of a table of scores: the best, the uncertain ones, or a random control."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lensnet.data.tables import Table
from lensnet.errors import ConfigurationError, DataError
from lensnet.inspection.score_columns import ScoreColumns

__all__ = ["Choice", "Chosen", "choose"]


@dataclass(frozen=True)
class Choice:
    """Which rows are wanted.

    Args:
        kind: those of the highest scores, the most uncertain ones, or any.
        count: how many.
        first: how many of the order to leave out at its beginning.
        between: the scores (lowest, highest) outside of which rows are left out.
        seed: which of all are drawn at random.
    """

    kind: Literal["best", "uncertain", "random"] = "best"
    count: int = 200
    first: int = 0
    between: tuple[float, float] | None = None
    seed: int = 0

    def words(self, count: int | None = None) -> str:
        """Says what is chosen.

        Args:
            count: how many there were; None for as many as are wanted.

        >>> Choice(count=200, between=(0.5, 1)).words(120)
        'ranks 1 to 120, scores 0.5 to 1'
        """
        last = self.first + (self.count if count is None else count)
        rows = {
            "best": f"ranks {self.first + 1} to {last}",
            "uncertain": f"most uncertain {self.first + 1} to {last}",
            "random": f"random, seed {self.seed}",
        }[self.kind]
        if self.between is None:
            return rows
        return f"{rows}, scores {self.between[0]:g} to {self.between[1]:g}"


class Chosen(NamedTuple):
    """The rows that were chosen.

    Args:
        rows: of the table, the first the one that was wanted most.
        scored: rows of the table that have a score.
        unscored: rows that have none.
    """

    rows: pa.Table
    scored: int
    unscored: int


def choose(table: Table, columns: ScoreColumns, choice: Choice) -> Chosen:
    """Chooses rows in one reading of a table of any size; memory grows with those chosen alone.

    Rows without a score are never chosen. Of equal rows the earlier is the better. Without a column
    of uncertainty those are uncertain whose two highest scores are nearest to each other.

    Args:
        table: the scores.
        columns: what they say.
        choice: which rows.

    Raises:
        ConfigurationError: uncertain ones are wanted, and nothing says which these are.
        DataError: no row fits, or the scores are not numbers.
    """
    random = np.random.default_rng(choice.seed)
    wanted = choice.first + choice.count
    best: pa.Table | None = None
    keys = np.zeros(0)
    scored = unscored = 0
    for piece in table.pieces():
        score = _numbers(table, piece, columns.score)
        # Drawn for every row, so that a row's number does not depend on the scores of others.
        drawn = random.random(piece.num_rows)
        key = {"best": score, "random": drawn}.get(choice.kind)
        if key is None:
            key = _uncertainty(table, piece, columns)
        has_score = np.isfinite(score)
        scored += int(has_score.sum())
        unscored += int((~has_score).sum())
        fits = has_score & np.isfinite(key)
        if choice.between is not None:
            fits &= (score >= choice.between[0]) & (score <= choice.between[1])
        if len(keys) == wanted:
            fits &= key > keys[-1]
        rows = np.flatnonzero(fits)
        rows = rows[np.argsort(-key[rows], kind="stable")[:wanted]]
        keys = np.concatenate([keys, key[rows]])
        taken = piece.take(pa.array(rows)).replace_schema_metadata(None)
        both = taken if best is None else pa.concat_tables([best, taken])
        order = np.argsort(-keys, kind="stable")[:wanted]
        best, keys = both.take(pa.array(order)).combine_chunks(), keys[order]
    if best is None or best.num_rows <= choice.first:
        raise DataError(_nothing_fits(table.path, choice, scored, unscored))
    return Chosen(best.slice(choice.first), scored, unscored)


def _numbers(table: Table, piece: pa.Table, column: str) -> np.ndarray:
    """Returns a column as float64, (rows,), NaN where it is null."""
    found = piece[column]
    if not (pa.types.is_floating(found.type) or pa.types.is_integer(found.type)):
        if found.null_count == len(found):
            return np.full(len(found), np.nan)
        raise DataError(f"The column {column} of {table.path} does not hold numbers.")
    return np.asarray(pc.cast(found, pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _uncertainty(table: Table, piece: pa.Table, columns: ScoreColumns) -> np.ndarray:
    if columns.uncertainty is not None:
        return _numbers(table, piece, columns.uncertainty)
    if len(columns.classes) < 2:
        raise ConfigurationError(
            f"{table.path} does not say which rows are uncertain: it has no column uncertainty or "
            "sigma, and not the scores of two classes. Choose by --between LOW HIGH instead."
        )
    scores = np.stack([_numbers(table, piece, name) for name in columns.classes])
    second, first = np.sort(scores, axis=0)[-2:]
    return np.asarray(second - first)


def _nothing_fits(path: Path, choice: Choice, scored: int, unscored: int) -> str:
    if not scored:
        return f"None of the {unscored} rows of {path} has a score, so there is nothing to look at."
    return (
        f"None of the {scored} scored rows of {path} is among those asked for ({choice.words()})."
    )
