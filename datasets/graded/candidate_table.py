"""The table of graded candidates: a row each, with its image, its class and how much it counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lensnet.csv_tables import name_as_text, name_from_text, read_dicts, writing_table
from lensnet.data.sources.splits import SPLITS
from lensnet.datasets.graded.candidate_splits import HELD_OUT
from lensnet.errors import DataError, did_you_mean

__all__ = ["TABLE", "Candidate", "find_table", "read_candidates", "write_candidates"]

TABLE = "candidates.csv"

_COLUMNS = ("id", "file", "label", "weight", "split", "group", "grade", "score", "origin", "grades")
_NEEDED = ("id", "file", "label")


@dataclass(frozen=True)
class Candidate:
    """A graded candidate.

    Args:
        id: its name in the survey.
        files: its image, or a file for each band, from the table on.
        label: its class.
        weight: how much it counts in the loss of training beside others.
        split: train, validation, test or held_out; "" for what its hash says.
        group: what it shares a split with; "" for nothing else.
        grade: A, B, C or X.
        score: that of the network which proposed it; None where nobody knows.
        origin: where its pixels come from: a file or a mosaic of the survey.
        grades: the file of grades.
        problem: why it cannot be used; None for a good row.
    """

    id: str
    files: tuple[str, ...]
    label: str
    weight: float = 1.0
    split: str = ""
    group: str = ""
    grade: str = ""
    score: float | None = None
    origin: str = ""
    grades: str = ""
    problem: str | None = None


def find_table(source_dir: Path, name: str) -> Path:
    """Returns the path of the table.

    Args:
        source_dir: the folder that holds it, or itself.
        name: its name in the folder.

    Raises:
        DataError: it is not there.
    """
    path = source_dir if source_dir.is_file() else source_dir / name
    if not path.is_file():
        raise DataError(
            f"There is no table of candidates {path}. data.source_dir is the folder that holds "
            f"{name}; `lensnet learn` makes it."
        )
    return path


def read_candidates(path: Path) -> Iterator[Candidate]:
    """Yields the candidates of a table; a row that cannot be used has a problem.

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    try:
        rows = list(read_dicts(path))
    except OSError as error:
        raise DataError(f"The candidates {path} cannot be read ({error.strerror}).") from error
    columns = tuple(rows[0]) if rows else ()
    for name in _NEEDED:
        if name not in columns:
            raise DataError(
                f"{path} has no column {name}.{did_you_mean(name, columns)} A table of candidates "
                f"has the columns {', '.join(_COLUMNS)}, of which {', '.join(_NEEDED)} must be "
                f"there; got {', '.join(columns) or 'no row'}."
            )
    for number, row in enumerate(rows, start=2):
        yield _candidate(number, row)


def _candidate(number: int, row: dict[str, str]) -> Candidate:
    cells = {name: row.get(name, "").strip() for name in _COLUMNS}
    weight, split, problem = _number(cells["weight"], 1.0), cells["split"], None
    if not cells["id"]:
        problem = "it has no id"
    elif not cells["file"]:
        problem = "it has no file"
    elif weight is None or not 0 <= weight < math.inf:
        problem = f'its weight is "{cells["weight"]}", not a number of 0 or more'
    elif split not in ("", *SPLITS, HELD_OUT):
        problem = f'its split is "{split}", none of {", ".join((*SPLITS, HELD_OUT))}'
    return Candidate(
        id=cells["id"] or f"line {number}",
        files=tuple(name_from_text(name) for name in cells["file"].split(";") if name),
        label=cells["label"],
        weight=1.0 if weight is None else weight,
        split=split,
        group=cells["group"],
        grade=cells["grade"],
        score=_number(cells["score"], None),
        origin=name_from_text(cells["origin"]),
        grades=cells["grades"],
        problem=problem and f"line {number}: {problem}",
    )


def _number(cell: str, missing: float | None) -> float | None:
    if not cell:
        return missing
    try:
        return float(cell)
    except ValueError:
        return None


def write_candidates(path: Path, candidates: Sequence[Candidate]) -> None:
    """Writes a table of candidates, whole or not at all."""
    with writing_table(path, _COLUMNS, ("weight", "score")) as table:
        for one in candidates:
            table.row(
                [
                    one.id,
                    ";".join(name_as_text(name) for name in one.files),
                    one.label,
                    f"{one.weight:.6g}",
                    one.split,
                    one.group,
                    one.grade,
                    "" if one.score is None else f"{one.score:.7g}",
                    name_as_text(one.origin),
                    one.grades,
                ]
            )
