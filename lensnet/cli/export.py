"""`lensnet export`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("export", short_help="Write a run's model in a form that needs no lensnet.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["saved_model"]),
    default="saved_model",
    show_default=True,
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="What to write. Default: export/FORMAT in the run folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace an export that is there.")
def command(run: Path, format_name: str, output: Path | None, overwrite: bool) -> None:
    """Export the best model of RUN together with its preprocessing.

    The export takes raw images, (batch, height, width, channels) in float32, and gives
    probabilities, or targets (predictions, and sigma where the run has it). A SavedModel is loaded
    by plain TensorFlow:

    \b
        model = tf.saved_model.load(path).signatures["serving_default"]
        model(images=tf.constant(images))["probabilities"]
    """
    from lensnet.export.target import check_target
    from lensnet.run_folder import RunFolder

    RunFolder.open(run).check()
    check_target(run, format_name, output, overwrite=overwrite)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.export import export_run

    click.echo(f"Written: {export_run(run, format_name, output, overwrite=overwrite)}")
