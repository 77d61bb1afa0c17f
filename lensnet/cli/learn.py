"""`lensnet learn`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from lensnet.cli.options import PATH, run_argument, set_option

if TYPE_CHECKING:
    from lensnet.learning.learning import Round

__all__ = ["command"]


@click.command("learn", short_help="Train on from a run with candidates that people have graded.")
@run_argument
@click.argument("grades", nargs=-1, required=True, metavar="GRADES...", type=PATH)
@click.option(
    "--scores",
    type=PATH,
    help="The table of scores that the candidates were chosen from: it names their images, and "
    "says how they were selected.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="NEXT_RUN",
    help="The next run folder. Default: RUN with the next number, such as runs/lenses-2.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be learned from, and stop.")
@click.option(
    "--lens-class", metavar="NAME", help="The class of grades A and B. Default: the second."
)
@click.option("--other-class", metavar="NAME", help="The class of grade X. Default: the first.")
@click.option(
    "--c-as",
    type=click.Choice(["none", "lens", "other"]),
    default="none",
    show_default=True,
    help="What candidates graded C are taken for; none leaves them out.",
)
@click.option(
    "--weigh",
    type=click.Choice(["score", "equal"]),
    default="score",
    show_default=True,
    help="score: a candidate counts for all of its score that were not graded. equal: each as one.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of the loss of training that candidates have together. Default: by their number.",
)
@click.option(
    "--held-out",
    type=click.FloatRange(0, 0.8),
    default=0.2,
    show_default=True,
    help="Share of the candidates on which the gain is measured.",
)
@click.option(
    "--mosaics",
    multiple=True,
    metavar="PATTERN",
    help="FITS mosaics to cut candidates without a file out of by ra and dec, such as "
    "'tiles/*_{band}.fits'; or a pattern for each band. Default: those of the run.",
)
@click.option("--bands", metavar="G,R,I", help="What stands for {band}. Default: the run's.")
@click.option("--size", metavar="SIZE", help="How much to cut, such as 64 or 15arcsec.")
@set_option("Override a key of the next experiment, such as training.epochs=3.")
@click.option("--resume", is_flag=True, help="Go on with a round that was stopped in its training.")
@click.option("--overwrite", is_flag=True, help="Replace the next run and its candidates.")
def command(
    run: Path,
    grades: tuple[Path, ...],
    scores: Path | None,
    output: Path | None,
    dry_run: bool,
    lens_class: str | None,
    other_class: str | None,
    c_as: Literal["none", "lens", "other"],
    weigh: Literal["score", "equal"],
    share: float | None,
    held_out: float,
    mosaics: tuple[str, ...],
    bands: str | None,
    size: str | None,
    overrides: tuple[str, ...],
    resume: bool,
    overwrite: bool,
) -> None:
    """Train the network of RUN on with the candidates of GRADES, and say what that has gained.

    GRADES are files that a page of `lensnet inspect`, `lensnet grades merge`, or a Zooniverse
    project has written. Candidates graded A and B are lenses, X the other class. The next training
    has the images of RUN in their old splits and the candidates beside them, starts from RUN's
    weights, and is half as long at 0.3 of the learning rate; its experiment file lies with the
    candidates in NEXT_RUN.candidates. A fifth of the candidates is held out, the same in every
    round: on them, and on RUN's test split, both networks are compared at the end.

    \b
    Examples:
        lensnet learn runs/lenses grades.csv --scores scores.parquet
        lensnet learn runs/lenses alice.csv bob.csv --scores scores.csv --dry-run
        lensnet learn runs/lenses-2 more.csv --scores scores-2.csv --set training.epochs=20
    """
    from lensnet import config
    from lensnet.learning.folder import EXPERIMENT, check_free
    from lensnet.learning.learning import finish, plan_round, write_round
    from lensnet.learning.request import Request
    from lensnet.prediction.planning.input_options import parse_size
    from lensnet.run_folder import RunFolder

    request = Request(
        run=run,
        grades=grades,
        scores=scores,
        output=output,
        lens_class=lens_class,
        other_class=other_class,
        c_as=c_as,
        weigh=weigh,
        share=share,
        held_out=held_out,
        mosaics=mosaics,
        bands=tuple(name.strip() for name in bands.split(",")) if bands else (),
        size=None if size is None else parse_size(size),
        overrides=overrides,
    )
    path = request.candidates_dir / EXPERIMENT
    written = resume and path.is_file()
    if not (written or dry_run):
        check_free(request.candidates_dir, overwrite=overwrite)
        RunFolder(request.next_run).check_fit(resume=resume, overwrite=overwrite)
    found = plan_round(request)
    _say(found)
    if dry_run:
        click.echo(f"Nothing is written. The next run would be {request.next_run}.")
        return
    if not written:
        path = write_round(found, overwrite=overwrite)
        click.echo(f"Candidates and experiment: {path.parent}")
    experiment = config.load(path, overrides)

    from lensnet.cli.results import print_results
    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    next_run, content = finish(found, experiment, resume=resume, overwrite=overwrite)
    print_results(next_run)
    _say_gain(content)


def _say(found: Round) -> None:
    """Says what is learned from, and what is not."""
    from lensnet.visible_text import visible

    for split, counts in sorted(found.splits.items()):
        listed = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        click.echo(visible(f"{split.replace('_', ' ')}: {counts.total()} candidates ({listed})"))
    if found.selection is not None:
        click.echo(found.selection.words)
    for remark in found.remarks:
        click.echo(f"{click.style('Note:', fg='yellow')} {visible(remark)}", err=True)


def _say_gain(content: dict[str, Any]) -> None:
    from lensnet.cli.results import table
    from lensnet.reporting.learning_file import gain_table, parse_learning
    from lensnet.visible_text import visible

    learned = parse_learning(content)
    found = gain_table(learned)
    if found is not None:
        click.echo("\nWhat the grades have brought:")
        click.echo(table(found.heads, [[visible(cell) for cell in row] for row in found.rows]))
    for remark in learned.remarks:
        click.echo(f"{click.style('Note:', fg='yellow')} {visible(remark)}", err=True)
