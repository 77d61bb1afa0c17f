"""A grade: what one person says of one candidate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["COLUMNS", "GRADES", "POINTS", "Grade", "as_grade", "grade_of_points"]

GRADES = ("A", "B", "C", "X")
"""A certain lens, a probable one, a possible one, and none."""

POINTS = {"A": 3, "B": 2, "C": 1, "X": 0}
"""The points of a mean grade, as of Sonnenfeld et al. 2018 (PASJ 70, S29)."""

COLUMNS = ("id", "grade", "grader", "comment", "time")
"""The first columns of a file of grades."""

# The letter alone, or before what explains it: "A: certain", "Grade B (probable)"; not "A ring".
_LETTER = re.compile(r"(?:grade\s*)?([abcx])\s*(?:$|[:.,;)(\[/=\u2013\u2014-])", re.IGNORECASE)
_MARKDOWN = re.compile(r"[*_#`~]|!\[[^\]]*\]\([^)]*\)")


@dataclass(frozen=True)
class Grade:
    """What one person says of one candidate.

    Args:
        id: of the candidate, as in the table of scores.
        grade: one of A, B, C and X.
        grader: who says it; "" where nobody knows.
        comment: what else was said.
        time: when, in ISO 8601; "" where nobody knows.
    """

    id: str
    grade: str
    grader: str = ""
    comment: str = ""
    time: str = ""


def as_grade(text: str, names: Mapping[str, str] | None = None) -> str | None:
    """Returns the grade that a text says; "" for none at all, None for what is not understood.

    Args:
        text: a cell of a table, or an answer on a page of a project.
        names: what answers mean, in lower case, such as `{"not a lens": "X"}`; "" leaves one out.

    >>> as_grade("b"), as_grade("**A**: certain lens"), as_grade("A ring"), as_grade(" ")
    ('B', 'A', None, '')
    >>> as_grade("Not a lens", {"not a lens": "X"})
    'X'
    """
    plain = _MARKDOWN.sub("", text).strip()
    for known in (text.strip().casefold(), plain.casefold()):
        if names and known in names:
            return names[known]
    if not plain:
        return ""
    match = _LETTER.match(plain)
    return match[1].upper() if match else None


def grade_of_points(points: float) -> str:
    """Returns the grade that mean points are, as of Sonnenfeld et al. 2018 (PASJ 70, S29).

    A above 2.5, B above 1.5, C above 0.5: what lies between two grades is the lower one.

    >>> [grade_of_points(points) for points in (3, 2.5, 1.6, 0.5)]
    ['A', 'B', 'B', 'X']
    """
    return next(
        (grade for grade, least in (("A", 2.5), ("B", 1.5), ("C", 0.5)) if points > least), "X"
    )
