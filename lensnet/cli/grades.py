"""`lensnet grades`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lensnet.cli.options import FILE, PATH

if TYPE_CHECKING:
    from lensnet.grades.merging import MergedGrades

__all__ = ["command"]

_LISTED = 5


@click.group("grades", short_help="Merge what several people say of candidates.")
def command() -> None:
    """Work with grades of candidates, as pages of `lensnet inspect` save them."""


@command.command("merge", short_help="Merge files of grades, and measure how far graders agree.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=PATH)
@click.option("-o", "--output", required=True, type=FILE, help="The CSV file to write.")
@click.option(
    "--scores",
    type=PATH,
    help="The table that was graded: grades of other ids are left out, scores and files are added.",
)
@click.option(
    "--id-column",
    metavar="NAME",
    help="The column that names the candidate; in a Zooniverse export, a key of its subjects.",
)
@click.option(
    "--grade-column",
    "grade_columns",
    multiple=True,
    metavar="NAME",
    help="The column of the grades. Repeatable, where each grader has one.",
)
@click.option("--grader-column", metavar="NAME", help="The column that names the grader.")
@click.option(
    "--map",
    "names",
    multiple=True,
    metavar="VALUE=GRADE",
    help='What a value means, such as "Not a lens=X"; "Skip=" leaves such grades out. Repeatable.',
)
@click.option("--task", metavar="TASK", help="The task of a Zooniverse workflow, such as T0.")
@click.option("--overwrite", is_flag=True, help="Replace the file if lensnet has written it.")
def merge(
    files: tuple[Path, ...],
    output: Path,
    scores: Path | None,
    id_column: str | None,
    grade_columns: tuple[str, ...],
    grader_column: str | None,
    names: tuple[str, ...],
    task: str | None,
    overwrite: bool,
) -> None:
    """Merge FILEs of grades into one row a candidate, and measure how far graders agree.

    A FILE is what a page of `lensnet inspect` has saved, a table with columns for candidate and
    grade, or the classifications that a Zooniverse project exports (CSV). Grades are A, B, C and X.
    A file without a column of graders is one grader's, called by the file's name. Of one grader's
    grades of one candidate the last stays.

    The row says the grade of the majority, the mean (A is 3 points, B 2, C 1, X 0) and the votes.
    Agreement is Cohen's kappa of each two graders, and of three and more Fleiss' kappa.

    \b
    Examples:
        lensnet grades merge alice.csv bob.csv -o grades.csv --scores scores.csv
        lensnet grades merge export.csv -o grades.csv --map "Lens=A" --map "Not a lens=X"
    """
    from lensnet.grades.grade import COLUMNS
    from lensnet.grades.merging import known_candidates, merge_grades, write_grades
    from lensnet.grades.reading import GradeFormat, parse_names, read_grades
    from lensnet.output_files import check_file_output, check_table

    if output.suffix.lower() != ".csv":
        raise click.UsageError(f"Grades are written as CSV: name the output {output.stem}.csv.")
    how = GradeFormat(id_column, grade_columns, grader_column, parse_names(names), task)
    check_file_output(output, lambda path: check_table(path, COLUMNS), overwrite=overwrite)
    read = [read_grades(path, how) for path in files]
    known = None
    if scores is not None:
        known = known_candidates(scores, (given.id for grades in read for given in grades))
    merged = merge_grades(read, known)
    _say(merged)
    click.echo(f"Written: {write_grades(merged, output)}")


def _say(merged: MergedGrades) -> None:
    """Prints what there is, how far graders agree, and what was left out."""
    from collections import Counter

    from lensnet.cli.results import table
    from lensnet.visible_text import visible

    grades = Counter(candidate.majority for candidate in merged.candidates)
    counted = ", ".join(f"{number} {grade}" for grade, number in sorted(grades.items()))
    click.echo(
        f"{len(merged.candidates)} candidates by {len(merged.graders)} "
        f"grader{'s' if len(merged.graders) > 1 else ''}: {counted}"
    )
    agreement = merged.agreement
    if agreement.observed is not None:
        kappa = "" if agreement.fleiss is None else f", Fleiss' kappa {agreement.fleiss:.3f}"
        click.echo(
            f"{agreement.candidates} with two grades or more: {agreement.observed:.3f} of the "
            f"pairs agree{kappa}"
        )
        rows = [
            [visible(" and ".join(pair.graders)), pair.common, pair.observed, pair.kappa]
            for pair in agreement.pairs
        ]
        if rows:
            click.echo(table(["graders", "in common", "agree", "Cohen's kappa"], rows))
    for message in _warnings(merged):
        click.echo(f"{click.style('Warning:', fg='yellow')} {visible(message)}", err=True)


def _warnings(merged: MergedGrades) -> list[str]:
    found = []
    if merged.repeated:
        again = [
            f"{after.grader} on {after.id}: {before.grade}, then {after.grade}"
            for before, after in merged.repeated
        ]
        listed = _first(again, "; ")
        found.append(
            f"Graded again by the same grader: {len(again)}. The last grade stays: {listed}."
        )
    if merged.unknown:
        found.append(
            f"{len(merged.unknown)} graded candidates are not in the scores and are left out: "
            f"{_first(merged.unknown, ', ')}."
        )
    return found


def _first(words: Sequence[str], between: str) -> str:
    more = [] if len(words) <= _LISTED else ["..."]
    return between.join([*words[:_LISTED], *more])
