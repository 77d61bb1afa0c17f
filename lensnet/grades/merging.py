"""Merging the grades of several people into one row a candidate."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensnet.csv_tables import writing_table
from lensnet.data.tables import open_table
from lensnet.errors import DataError
from lensnet.grades.agreement import Agreement, measure_agreement
from lensnet.grades.grade import COLUMNS, GRADES, POINTS, Grade, grade_of_points

__all__ = ["MergedGrade", "MergedGrades", "known_candidates", "merge_grades", "write_grades"]

_log = logging.getLogger(__name__)

_LISTED = 5
_OF_SCORES = ("file", "tile", "ra", "dec")


@dataclass(frozen=True)
class MergedGrade:
    """What all graders say of one candidate.

    Args:
        grades: what each of them says, in the order of their names.
        scores: what the table of scores knows of it, by column.
    """

    grades: tuple[Grade, ...]
    scores: tuple[tuple[str, Any], ...] = ()

    @property
    def points(self) -> float:
        """The mean, A being 3, B 2, C 1 and X 0."""
        return sum(POINTS[given.grade] for given in self.grades) / len(self.grades)

    @property
    def majority(self) -> str:
        """The grade that most have given.

        Of those that as many have given, the one nearest to the mean; of two as near to it the
        lower one.

        >>> MergedGrade(tuple(Grade("1", grade) for grade in "ABXX")).majority
        'X'
        >>> MergedGrade(tuple(Grade("1", grade) for grade in "AB")).majority
        'B'
        """
        votes = Counter(given.grade for given in self.grades)
        most = max(votes.values())
        mean = self.points
        return min(
            (grade for grade in reversed(GRADES) if votes[grade] == most),
            key=lambda grade: abs(POINTS[grade] - mean),
        )


@dataclass(frozen=True)
class MergedGrades:
    """The grades of several people.

    Args:
        candidates: a row each, in the order in which they were first graded.
        graders: who they are.
        agreement: how far they agree.
        repeated: grades that a later one of the same grader has replaced, and these.
        unknown: the ids that the scores do not have.
    """

    candidates: tuple[MergedGrade, ...]
    graders: tuple[str, ...]
    agreement: Agreement
    repeated: tuple[tuple[Grade, Grade], ...] = ()
    unknown: tuple[str, ...] = ()


def merge_grades(
    files: Sequence[Sequence[Grade]], known: dict[str, dict[str, Any]] | None = None
) -> MergedGrades:
    """Merges files of grades.

    Where one grader has graded a candidate more than once, the last grade stays: the one of the
    latest time, and of grades without a time the last in the order of the files.

    Args:
        files: the grades of each file.
        known: the candidates in the table of scores, with what is known of them; grades of others
            are left out. None where there is no such table.

    Raises:
        DataError: none of the grades is of a candidate in the scores.
    """
    last: dict[str, dict[str, Grade]] = {}
    repeated = []
    unknown: dict[str, None] = {}
    for given in _by_time(grade for file in files for grade in file):
        if known is not None and given.id not in known:
            unknown[given.id] = None
            continue
        of_candidate = last.setdefault(given.id, {})
        if (before := of_candidate.get(given.grader)) is not None:
            repeated.append((before, given))
        of_candidate[given.grader] = given
    if not last:
        raise DataError(
            f"None of the {len(unknown)} graded candidates is in the scores: the grades have ids "
            f"such as {', '.join(list(unknown)[:_LISTED])}. Name the scores that were graded, or "
            "the column of the candidates by --id-column."
        )
    order = dict.fromkeys(grade.id for file in files for grade in file if grade.id in last)
    by_grader = {id_: {name: of.grade for name, of in last[id_].items()} for id_ in order}
    return MergedGrades(
        candidates=tuple(
            MergedGrade(
                tuple(last[id_][name] for name in sorted(last[id_])),
                tuple(known[id_].items()) if known else (),
            )
            for id_ in order
        ),
        graders=tuple(sorted({name for of in by_grader.values() for name in of})),
        agreement=measure_agreement(by_grader),
        repeated=tuple(repeated),
        unknown=tuple(unknown),
    )


def known_candidates(scores: Path, graded: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns what a table of scores says of the graded candidates, by id.

    Files, positions and the columns of scores are taken; a table of any size is read in pieces.

    Args:
        scores: the table.
        graded: the ids looked for.

    Raises:
        DataError: it cannot be read, or has no column `id`.
    """
    table = open_table(scores)
    if "id" not in table.column_names:
        raise DataError(
            f"{scores} has no column id, so it is not a table of scores. Its columns: "
            f"{', '.join(table.column_names)}."
        )
    wanted = set(graded)
    columns = [name for name in table.column_names if _is_of_scores(name)]
    found: dict[str, dict[str, Any]] = {}
    for piece in table.pieces():
        ids = [str(cell) for cell in piece["id"].to_pylist()]
        rows = [row for row, id_ in enumerate(ids) if id_ in wanted]
        for row, known in zip(rows, piece.select(columns).take(rows).to_pylist(), strict=True):
            found.setdefault(ids[row], known)
    return found


def _is_of_scores(name: str) -> bool:
    return name in (*_OF_SCORES, "prediction", "uncertainty") or name.startswith("score_")


def write_grades(merged: MergedGrades, path: Path) -> Path:
    """Writes a row a candidate as CSV: a file of grades that `read_grades` reads.

    `grade` is that of the majority; `mean_points` and `mean_grade` are of the mean, `grades` how
    many there are, `agreeing` the share of them that are the majority's, and `votes_A` to `votes_X`
    how many there are of each. Then follows what the scores know.

    Args:
        merged: the grades.
        path: where to.
    """
    of_scores = [name for name, _ in merged.candidates[0].scores]
    votes = [f"votes_{grade}" for grade in GRADES]
    columns = [*COLUMNS, "mean_points", "mean_grade", "grades", "agreeing", *votes, *of_scores]
    with writing_table(path, columns) as table:
        for candidate in merged.candidates:
            table.row([*_cells(candidate), *(value for _, value in candidate.scores)])
    return path


def _cells(candidate: MergedGrade) -> list[Any]:
    given, majority = candidate.grades, candidate.majority
    votes = Counter(of.grade for of in given)
    several = len(given) > 1
    comments = [
        f"{of.grader}: {of.comment}" if several else of.comment
        for of in given
        if of.comment.strip()
    ]
    return [
        given[0].id,
        majority,
        ";".join(of.grader for of in given),
        " | ".join(comments),
        max(of.time for of in given),
        round(candidate.points, 4),
        grade_of_points(candidate.points),
        len(given),
        round(votes[majority] / len(given), 4),
        *(votes[grade] for grade in GRADES),
    ]


def _by_time(grades: Iterable[Grade]) -> list[Grade]:
    """Returns grades so that a later one comes after those of its grader and candidate.

    Those without a time stay where they are among each other, before those with one.
    """
    return sorted(grades, key=lambda given: given.time)
