"""`lensnet inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lensnet.cli.options import PATH

if TYPE_CHECKING:
    from lensnet.inspection.choosing import Choice
    from lensnet.inspection.image_reader import ImageReader

__all__ = ["command"]


@click.command("inspect", short_help="Make a page on which candidates are looked at and graded.")
@click.argument("scores", type=PATH)
@click.option(
    "-o",
    "--output",
    required=True,
    type=PATH,
    metavar="PAGE.html|DIR",
    help="The page to write; else a folder of pages with an index.",
)
@click.option("--top", type=click.IntRange(1), help="The N best.  [default: 200]")
@click.option("--uncertain", type=click.IntRange(1), help="The N most uncertain in their place.")
@click.option("--random", type=click.IntRange(1), help="N random ones in their place, a control.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Which are random."
)
@click.option(
    "--skip",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Leave out the first N of them: --top 200 --skip 200 are ranks 201 to 400.",
)
@click.option(
    "--between",
    type=(float, float),
    metavar="LOW HIGH",
    help="Only those whose score is in this range.",
)
@click.option("--score", metavar="NAME", help="The column, or class, by which they are the best.")
@click.option(
    "--run", type=PATH, help="The run that scored them, whose options say how files are read."
)
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=PATH,
    help="A folder below which files are looked for, before the working directory and the table's. "
    "Repeatable.",
)
@click.option("--bands", metavar="G,R,I", help="What the bands are called, in their order.")
@click.option(
    "--mosaics",
    multiple=True,
    metavar="PATTERN",
    help="FITS mosaics to cut candidates out of by ra and dec, such as 'tiles/*_{band}.fits'; or a "
    "pattern for each band. Default: those of the run.",
)
@click.option(
    "--size",
    metavar="SIZE",
    help="Show so many pixels of the centre, 64, or cut so much out of mosaics, 15arcsec.",
)
@click.option(
    "--page-size",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    help="Candidates of each page of a folder.",
)
def command(
    scores: Path,
    output: Path,
    top: int | None,
    uncertain: int | None,
    random: int | None,
    seed: int,
    skip: int,
    between: tuple[float, float] | None,
    score: str | None,
    run: Path | None,
    roots: tuple[Path, ...],
    bands: str | None,
    mosaics: tuple[str, ...],
    size: str | None,
    page_size: int,
) -> None:
    """Show candidates of SCORES, a table that lensnet predict has written, for grading.

    Writes one HTML file that works offline: stretched colour images with scores and links, graded
    by the keys A, B, C and X. Grades are kept in the browser and saved as CSV, which `lensnet
    grades merge` takes. Images are read from the files that the table names. A page of lensnet's
    that is there is replaced; grades of the same candidates stay.

    \b
    Examples:
        lensnet inspect scores.parquet -o top.html
        lensnet inspect scores.csv -o pages/ --top 10000 --run runs/survey
        lensnet inspect scores.csv -o control.html --random 100 --seed 1
    """
    from lensnet.inspection.inspecting import Request, check_inspection_output, inspect_scores
    from lensnet.prediction.planning.input_options import parse_size

    choice = _choice(top, uncertain, random, skip, between, seed)
    check_inspection_output(output)
    names = tuple(name.strip() for name in bands.split(",")) if bands else ()
    known = parse_size(size) if size is not None else None
    reader = _reader(scores, run, roots, names)
    if not mosaics and reader.mosaics:
        mosaics, known = reader.mosaics, known or reader.size
    written = inspect_scores(
        scores, output, Request(choice, score, known, mosaics, page_size), reader
    )
    click.echo(f"Page: {written[0]}")


def _choice(
    top: int | None,
    uncertain: int | None,
    random: int | None,
    skip: int,
    between: tuple[float, float] | None,
    seed: int,
) -> Choice:
    from lensnet.inspection.choosing import Choice

    if sum(count is not None for count in (top, uncertain, random)) > 1:
        raise click.UsageError("Choose --top, --uncertain or --random, one of them.")
    if between is not None and not between[0] <= between[1]:
        raise click.UsageError("--between takes the lowest score and the highest.")
    if uncertain is not None:
        return Choice("uncertain", uncertain, skip, between, seed)
    if random is not None:
        return Choice("random", random, skip, between, seed)
    return Choice("best", top or 200, skip, between, seed)


def _reader(
    scores: Path, run: Path | None, roots: tuple[Path, ...], bands: tuple[str, ...]
) -> ImageReader:
    from lensnet.data.files.file_reader import FileReader
    from lensnet.inspection.image_reader import ImageReader
    from lensnet.run_folder import RunFolder

    places = [*roots, Path(), scores.absolute().parent]
    if run is None:
        return ImageReader(tuple(places), bands=bands)
    experiment = RunFolder.open(run).read_experiment().reading
    options = experiment.dataset_options
    if experiment.source_dir is not None:
        source = experiment.source_dir
        places.append(source.parent if source.is_file() else source)
    return ImageReader(tuple(places), FileReader.from_options(options), options, bands)
