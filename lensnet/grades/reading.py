"""Reading one grader's file, or the classifications of a Zooniverse project."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lensnet.errors import ConfigurationError, DataError, did_you_mean
from lensnet.grades.grade import GRADES, Grade, as_grade
from lensnet.grades.grade_table import GradeTable, read_grade_table
from lensnet.grades.zooniverse import is_panoptes_export, panoptes_answers

__all__ = ["GradeFormat", "parse_names", "read_grades"]

_log = logging.getLogger(__name__)

_ID_COLUMNS = ("id", "object_id", "objid", "name", "object", "candidate", "source_id")
_GRADE_COLUMNS = ("grade", "label", "class", "vote", "classification", "rating", "decision")
_GRADER_COLUMNS = ("grader", "user", "user_name", "username", "classifier", "inspector", "expert")
_COMMENT_COLUMNS = ("comment", "comments", "note", "notes", "remark")
_TIME_COLUMNS = ("time", "created_at", "date", "timestamp")
_LISTED = 8


@dataclass(frozen=True)
class GradeFormat:
    """How the files of grades are to be read, where that cannot be found out.

    Args:
        id_column: the column that names the candidate; of a Zooniverse export the key in the
            metadata of its subjects.
        grade_columns: the column of the grades; several where each grader has one of their own.
        grader_column: the column that names the grader.
        names: what values mean, in lower case, such as `{"not a lens": "X"}`; "" leaves them out.
        task: the task of a Zooniverse workflow that asks for the grade, such as `T0`.
    """

    id_column: str | None = None
    grade_columns: Sequence[str] = ()
    grader_column: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    task: str | None = None


def parse_names(pairs: Iterable[str]) -> dict[str, str]:
    """Returns what values mean.

    Args:
        pairs: such as `Not a lens=X`; `Don't know=` leaves such grades out.

    Raises:
        ConfigurationError: one of them is not of this form.

    >>> parse_names(["Not a lens=X", "Don't know="])
    {'not a lens': 'X', "don't know": ''}
    """
    names = {}
    for pair in pairs:
        value, sign, grade = pair.rpartition("=")
        grade = grade.strip().upper()
        if not sign or not value.strip() or grade not in ("", *GRADES):
            raise ConfigurationError(
                f'"{pair}" does not say what a value means. Write VALUE=GRADE with one of '
                f'{", ".join(GRADES)}, such as --map "Not a lens=X"; VALUE= leaves such grades out.'
            )
        names[value.strip().casefold()] = grade
    return names


def read_grades(path: str | Path, how: GradeFormat | None = None) -> list[Grade]:
    """Reads a file of grades: of `lensnet inspect`, any other table, or an export of Zooniverse.

    A file without a column of graders is one grader's, who is called by the file's name. Rows
    without a grade are left out.

    Args:
        path: the file.
        how: what is said of it; the rest is found out.

    Returns:
        the grades, in the order of the file.

    Raises:
        DataError: it cannot be read, lacks a column, or holds grades that are not understood.
    """
    path, how = Path(path), how or GradeFormat()
    table = read_grade_table(path)
    if is_panoptes_export(table.columns):
        grades = panoptes_answers(table, how.id_column, how.task, how.names)
    else:
        grades = _answers(table, how)
    found, unknown, empty = [], Counter[str](), 0
    for given in grades:
        grade = as_grade(given.grade, how.names)
        if grade is None:
            unknown[given.grade] += 1
        elif not grade or not given.id:
            empty += 1
        else:
            found.append(Grade(given.id, grade, given.grader, given.comment, given.time))
    if unknown:
        raise DataError(_words_of_unknown(path, unknown, len(found)))
    if not found:
        raise DataError(f"{path} holds no grade: {empty} of its rows are without one.")
    if empty:
        _log.info("%s: %d rows without a grade are left out.", path, empty)
    return found


def _answers(table: GradeTable, how: GradeFormat) -> list[Grade]:
    """Returns what a table says, its grades as they are written."""
    of_id = _column(table, how.id_column, _ID_COLUMNS, "the candidate", "--id-column")
    chosen: Sequence[str | None] = how.grade_columns or [None]
    columns = [
        _column(table, name, _GRADE_COLUMNS, "the grade", "--grade-column") for name in chosen
    ]
    of_grader = how.grader_column and _column(table, how.grader_column, (), "", "--grader-column")
    of_grader = of_grader or _find(table.columns, _GRADER_COLUMNS)
    of_comment = _find(table.columns, _COMMENT_COLUMNS)
    of_time = _find(table.columns, _TIME_COLUMNS)
    grades = []
    for row in table.rows:
        for column in columns:
            grader = column if len(columns) > 1 else row[of_grader] if of_grader else ""
            grades.append(
                Grade(
                    id=row[of_id].strip(),
                    grade=row[column],
                    grader=grader.strip() or table.path.stem,
                    comment=row[of_comment] if of_comment else "",
                    time=row[of_time] if of_time else "",
                )
            )
    return grades


def _column(
    table: GradeTable, name: str | None, usual: Sequence[str], what: str, option: str
) -> str:
    """Returns the column that was named, or the first that has a usual name.

    Raises:
        DataError: there is none.
    """
    columns = ", ".join(table.columns)
    if name is not None:
        found = _find(table.columns, (name,))
        if found is None:
            raise DataError(
                f"{table.path} has no column {name}.{did_you_mean(name, table.columns)} Its "
                f"columns: {columns}."
            )
        return found
    found = _find(table.columns, usual)
    if found is None:
        raise DataError(
            f"{table.path} has no column for {what}. Name it by {option}. Its columns: {columns}."
        )
    return found


def _find(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Returns the column of the first of these names; case does not matter unless it must."""
    folded = {column.casefold(): column for column in reversed(columns)}
    for name in names:
        if name in columns:
            return name
        if name.casefold() in folded:
            return folded[name.casefold()]
    return None


def _words_of_unknown(path: Path, unknown: Counter[str], known: int) -> str:
    listed = ", ".join(f'"{value}" ({count})' for value, count in unknown.most_common(_LISTED))
    more = ", ..." if len(unknown) > _LISTED else ""
    total = unknown.total()
    first = next(iter(unknown))
    return (
        f"{path}: {total} of {total + known} grades are none of {', '.join(GRADES)}: "
        f'{listed}{more}. Say what each means, such as --map "{first}=A", '
        f'or leave them out by --map "{first}=".'
    )
