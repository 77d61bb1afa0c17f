"""From grades to the candidates that are learned from, and what is said of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensnet.errors import DataError
from lensnet.grades.grade import Grade
from lensnet.grades.merging import MergedGrade, merge_grades

__all__ = ["Choice", "Chosen", "choose", "label_of_grades"]

_NAMED = 3


@dataclass(frozen=True)
class Chosen:
    """A candidate that is learned from.

    Args:
        id: its name in the table of scores.
        label: its class.
        grade: of the majority.
        row: what the table of scores, or else of grades, knows of it.
    """

    id: str
    label: str
    grade: str
    row: dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """What grades come to.

    Args:
        chosen: the candidates that are learned from, in the order in which they were graded.
        grades: how many candidates were graded so.
        remarks: what must be said of others, a line each.
    """

    chosen: tuple[Chosen, ...]
    grades: Counter[str]
    remarks: tuple[str, ...] = field(default_factory=tuple)


def choose(
    files: Sequence[Sequence[Grade]],
    known: dict[str, dict[str, Any]],
    lens_class: str,
    other_class: str,
    c_as: str = "none",
) -> Choice:
    """Chooses the candidates that are learned from.

    Args:
        files: the grades of each file.
        known: what is known of the images of those that the table of scores has, by id.
        lens_class: the class of A and B.
        other_class: the class of X.
        c_as: `lens`, `other` or `none`.

    Raises:
        DataError: no candidate is left.
    """
    merged = merge_grades(files, known)
    remarks = []
    if merged.repeated:
        before, after = merged.repeated[0]
        remarks.append(
            f"{len(merged.repeated)} times a grader has graded a candidate again, and the last "
            f"grade stays: {after.id} was {before.grade}, then {after.grade}."
        )
    if merged.unknown:
        remarks.append(
            f"{len(merged.unknown)} graded candidates are not among the scores and are left out: "
            f"{_named(merged.unknown)}."
        )
    classes = {"lens": lens_class, "other": other_class}
    chosen, split, undecided = [], [], []
    for candidate in merged.candidates:
        id_ = candidate.grades[0].id
        kind = label_of_grades([given.grade for given in candidate.grades], c_as)
        if kind is None:
            split.append(id_)
        elif not kind:
            undecided.append(id_)
        else:
            chosen.append(Chosen(id_, classes[kind], candidate.majority, known[id_]))
    if split:
        remarks.append(
            f"{len(split)} candidates are graded a lens by as many as say that they are none, and "
            f"are left out: {_named(split)}. Have another person grade them."
        )
    if undecided:
        remarks.append(
            f"{len(undecided)} candidates are graded C and are left out: {_named(undecided)}. "
            "--c-as says what to take them for."
        )
    if not chosen:
        raise DataError(" ".join(["No graded candidate is left to learn from.", *remarks]))
    labels = {candidate.label for candidate in chosen}
    if len(labels) == 1:
        remarks.append(
            f"All {len(chosen)} candidates are of one class, {labels.pop()}: what they bring can "
            "be told by the accuracy on them alone, not by how they are ranked."
        )
    return Choice(tuple(chosen), _counted(merged.candidates), tuple(remarks))


def label_of_grades(grades: Sequence[str], c_as: str = "none") -> str | None:
    """Returns `lens` or `other`, "" where nobody says either, None where as many say one as other.

    >>> [label_of_grades(grades) for grades in ("AX", "ABX", "CX", "C")]
    [None, 'lens', 'other', '']
    >>> label_of_grades("C", c_as="lens")
    'lens'
    """
    means = {"A": "lens", "B": "lens", "C": "" if c_as == "none" else c_as, "X": "other"}
    votes = Counter(means[grade] for grade in grades)
    if votes["lens"] == votes["other"]:
        return None if votes["lens"] else ""
    return "lens" if votes["lens"] > votes["other"] else "other"


def candidates_of_grades(files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Returns what merged files of grades themselves know of the images, by id.

    Args:
        files: of `lensnet grades merge --scores`, with a column `file`, or `ra` and `dec`.
    """
    from lensnet.grades.grade_table import read_grade_table

    known: dict[str, dict[str, Any]] = {}
    for path in files:
        for row in read_grade_table(path).rows:
            of_image = {key: row[key] for key in ("file", "tile", "ra", "dec") if row.get(key)}
            if row.get("id") and of_image:
                known.setdefault(row["id"], {**of_image, "score": None})
    if not known:
        raise DataError(
            f"{files[0]} does not say where the images are: name the table of scores that was "
            "graded by --scores."
        )
    return known


def _counted(candidates: Sequence[MergedGrade]) -> Counter[str]:
    return Counter(candidate.majority for candidate in candidates)


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
