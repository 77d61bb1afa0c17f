"""`lensnet explain`."""

from __future__ import annotations

from pathlib import Path

import click

from lensnet.cli.options import FILE, inputs_argument, run_argument

__all__ = ["command"]


@click.command("explain", short_help="Show where in images a network finds its answer.")
@run_argument
@inputs_argument(required=False)
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="PAGE.html",
    help="The page to write; without INPUTS it is written beside the run's report.",
)
@click.option(
    "-n",
    "--images",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    help="How many images, at most.",
)
def command(run: Path, inputs: tuple[Path, ...], output: Path | None, images: int) -> None:
    """Show where RUN's best model finds what it answers about INPUTS, image files and folders.

    By Grad-CAM, or of a vision transformer by its attention, and by occlusion: how far the answer
    falls where a part of the image is covered. Explained is the class that the model gives, or the
    prediction of a quantity. In a symmetric network the maps rotate with the image.

    Without INPUTS: the test images that the model is wrongly and rightly surest of, shown in the
    run's report.

    \b
    Examples:
        lensnet explain runs/quickstart
        lensnet explain runs/quickstart one.fits two.fits -o page.html
    """
    if inputs and output is None:
        raise click.UsageError("Name the page to write with -o PAGE.html.")

    from lensnet.cli.run_report import add_to_report, check_report
    from lensnet.prediction.planning import check_inputs
    from lensnet.reporting.page_output import check_page_output
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check()
    if output is not None:
        check_page_output(output)
    if inputs:
        check_inputs(inputs)
    else:
        check_report(folder)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.explanation import explain_inputs, explain_test
    from lensnet.explanation.page import draw_explanations, write_explanation_page

    found = explain_inputs(run, inputs, images) if inputs else explain_test(run, images)
    if output is not None:
        click.echo(f"Page: {write_explanation_page(found, output)}")
    if not inputs:
        add_to_report(folder, draw_explanations(found), "lensnet explain")
