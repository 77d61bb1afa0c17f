"""`lensnet export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensnet.cli.options import PATH, run_argument
from lensnet.export.formats import FORMATS, QUANTIZATIONS

__all__ = ["command"]


@click.command("export", short_help="Write a run's model in a form that needs no lensnet.")
@run_argument
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    default="saved_model",
    show_default=True,
)
@click.option(
    "--quantize",
    type=click.Choice(QUANTIZATIONS),
    help="Of litert: weights in half precision, or integers calibrated on training images.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="The folder to write. Default: export/FORMAT in the run folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace an export that is there.")
def command(
    run: Path, format_name: str, quantize: str | None, output: Path | None, overwrite: bool
) -> None:
    """Export the best model of RUN together with its preprocessing.

    The export takes raw images, (batch, height, width, channels) in float32, and gives
    probabilities, or targets (predictions, and sigma where the run has it). It is checked against
    the run's predictions for the test split before it is kept. A SavedModel is loaded by plain
    TensorFlow:

    \b
        model = tf.saved_model.load(path).signatures["serving_default"]
        model(images=tf.constant(images))["probabilities"]

    litert needs pip install 'lensnet[litert]', onnx 'lensnet[onnx]'. docs/deploying.md says how
    each format is used.
    """
    from lensnet.export.formats import check_format
    from lensnet.export.target import check_target
    from lensnet.run_folder import RunFolder

    RunFolder.open(run).check()
    check_format(format_name, quantize)
    check_target(run, format_name, output, quantize=quantize, overwrite=overwrite)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.export import export_run
    from lensnet.overwriting import MARK
    from lensnet.run_documents import read_json

    written = export_run(run, format_name, output, quantize=quantize, overwrite=overwrite)
    _print(read_json(written / MARK))
    click.echo(f"Written: {written}")


def _print(mark: dict[str, Any]) -> None:
    """Prints what was measured of an export."""
    check, speed = mark["check"], mark["speed"]
    allowed = check["largest_difference_allowed"]
    rows = [("largest difference", f"{check['largest_difference']:.2g}")]
    if allowed is not None:
        rows[0] = (rows[0][0], f"{rows[0][1]} ({allowed:.2g} is allowed)")
    for metric, words in (("accuracy", "accuracy"), ("mae", "mean absolute error")):
        if check.get(metric) is not None:
            rows.append(
                (words, f"{check[metric]:.4g} (the run's: {check[f'{metric}_of_the_run']:.4g})")
            )
    rows += [
        ("size", f"{mark['size_bytes'] / 1e6:.2f} MB"),
        (
            "images a second",
            f"{speed['images_per_second']:.0f} in batches of {speed['batch_size']} (the run's: "
            f"{speed['images_per_second_of_the_run']:.0f})",
        ),
    ]
    click.echo(f"Compared with the run's model on {check['images']}:")
    for name, value in rows:
        click.echo(f"  {name:<20}{value}")
