"""`lensnet invariance`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("invariance", short_help="Measure how steady scores are when images rotate.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--rotations",
    type=click.IntRange(2, 360),
    default=4,
    show_default=True,
    help="Number of angles, 360 / ROTATIONS degrees apart.",
)
@click.option(
    "--precision",
    type=click.Choice(["as_trained", "float32"]),
    help="as_trained: that in which the run predicts; float32: in float32 throughout, in which "
    "symmetric networks are exact. [default: evaluation.precision of the run]",
)
def command(run: Path, rotations: int, precision: str | None) -> None:
    """Rotate the test images of RUN, a run folder, and measure how much its scores change.

    Rotations by 90 degrees are exact. For other angles images are interpolated, and only their
    inscribed disk is kept, at every angle. Writes figures/rotation_profile_N.png.
    """
    from lensnet.cli.results import table
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check()
    folder.check_writable()
    folder.check_unused()

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.evaluation import figures
    from lensnet.evaluation.evaluating import measure_invariance

    path = folder.figures_dir / f"rotation_profile_{rotations}.png"
    # Else the figure of a model could come to lie beside the one that has taken its place.
    with folder.held("lensnet invariance"):
        measured = measure_invariance(folder, rotations, precision)
        figures.save(figures.rotation_profile(measured), path)
    rows = [
        [f"{angle:g}", float(change)]
        for angle, change in zip(measured.angles, measured.mean_change, strict=True)
    ]
    click.echo(table(["angle (degrees)", "mean change"], rows))
    click.echo()
    click.echo(table(["metric", "test"], [[k, v] for k, v in measured.metrics().items()]))
    click.echo(f"Figure: {path}")
