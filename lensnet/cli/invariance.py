"""`lensnet invariance`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lensnet.cli.options import PATH, runs_argument

if TYPE_CHECKING:
    from lensnet.run_folder import RunFolder

__all__ = ["command"]


@click.command("invariance", short_help="Measure how steady scores are when images rotate.")
@runs_argument
@click.option(
    "--rotations",
    type=click.IntRange(2, 360),
    default=4,
    show_default=True,
    help="Number of angles, 360 / ROTATIONS degrees apart, beside the four right angles.",
)
@click.option("--mirrors/--no-mirrors", default=True, help="Whether images are reflected, too.")
@click.option(
    "--precision",
    type=click.Choice(["as_trained", "float32"]),
    help="as_trained: that in which the run predicts; float32: in float32 throughout, in which "
    "symmetric networks are exact. [default: evaluation.precision of the run]",
)
@click.option(
    "-o",
    "output",
    type=PATH,
    metavar="PAGE.html",
    help="Also write one page on all runs, side by side.",
)
def command(
    runs: tuple[Path, ...],
    rotations: int,
    mirrors: bool,
    precision: str | None,
    output: Path | None,
) -> None:
    """Rotate and reflect the test images of each RUN, a run folder, and measure how much its
    scores change.

    Rotations by 90 degrees, and reflections, are exact. For other angles images are interpolated,
    and only their inscribed disk is kept, at every angle. Writes invariance.json and figures of the
    spread, the accuracy and the worst images at each angle (figures/rotation_*_N.png), which the
    run's report shows, too.
    """
    from lensnet.cli.run_report import check_report
    from lensnet.reporting.page_output import check_page_output
    from lensnet.run_folder import RunFolder

    folders = [RunFolder.open(run) for run in runs]
    for folder in folders:
        folder.check()
        check_report(folder)
    if output is not None:
        check_page_output(output)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    found = [_measure(folder, rotations, precision, mirrors) for folder in folders]
    _print(folders, found)
    if output is not None:
        from lensnet.reporting.comparison_page import write_invariance_page

        click.echo(f"Page: {write_invariance_page(runs, output)}")


def _measure(
    folder: RunFolder, rotations: int, precision: str | None, mirrors: bool
) -> dict[str, Any]:
    """Measures a run, writes what was found into its folder, and returns it."""
    from lensnet.evaluation.measured_test import save_figures
    from lensnet.evaluation.run_invariance import measure_invariance
    from lensnet.reporting import write_report

    # Else the figure of a model could come to lie beside the one that has taken its place.
    with folder.held("lensnet invariance"):
        measured = measure_invariance(folder, rotations, precision, mirrors=mirrors)
        save_figures(folder, measured.figures)
        content = measured.to_json()
        folder.write_json("invariance.json", content)
        write_report(folder.path)
    return content


def _print_angles(content: dict[str, Any]) -> None:
    """Prints what happens at each angle of the finest set of rotations."""
    from lensnet.cli.results import table

    rotated = [found for name, found in content["sets"].items() if name != "mirrors"]
    if not rotated:
        return
    finest = max(rotated, key=lambda found: len(found["angles"]))
    truth = "rmse" if "rmse" in finest else "accuracy"
    columns = zip(finest["angles"], finest["rms_change"], finest[truth], strict=True)
    rows = [[f"{angle:g}", change, right] for angle, change, right in columns]
    click.echo(table(["angle (degrees)", "rms change", truth], rows))
    click.echo()


def _print(folders: list[RunFolder], found: list[dict[str, Any]]) -> None:
    from lensnet.cli.results import table

    several = len(folders) > 1
    if not several:
        _print_angles(found[0])
    rows = [
        [
            *([folder.path.name] if several else []),
            name,
            of_set["rotation_std"],
            of_set.get("rotation_flip_rate"),
            max(of_set["rms_change"]),
        ]
        for folder, content in zip(folders, found, strict=True)
        for name, of_set in content["sets"].items()
    ]
    heads = ["images by", "rotation_std", "rotation_flip_rate", "largest rms change"]
    click.echo(table([*(["run"] if several else []), *heads], rows))
    click.echo()
    for folder in folders:
        click.echo(f"Report: {folder.report_file}")
