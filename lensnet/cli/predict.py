"""`lensnet predict`."""

from __future__ import annotations

from pathlib import Path

import click

from lensnet.cli.options import FILE, batch_size_option, inputs_argument, run_argument

__all__ = ["command"]


@click.command("predict", short_help="Score files, folders and tables of images.")
@run_argument
@inputs_argument(required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=FILE,
    help="The CSV file to write; its name ends with .csv.",
)
@batch_size_option
@click.option("--overwrite", is_flag=True, help="Replace the CSV file if lensnet has written it.")
def command(
    run: Path, inputs: tuple[Path, ...], output: Path, batch_size: int, overwrite: bool
) -> None:
    """Score INPUTS, image files or folders of them, by the best model of RUN.

    Images must have the shape of those the run was trained on; they are preprocessed as those
    were. Where the run stacks bands from several files, so does this. A run that was trained by a
    table (fits_catalog) takes tables, CSV or FITS, with the same columns, and one that was trained
    by a stack (image_stack) takes HDF5 and .npy files of many images; neither needs labels. Writes
    a row an image: class and scores, or the prediction of a quantity, with its sigma where the run
    was trained by gaussian_nll. Files that cannot be used are listed with the reason in OUTPUT's
    neighbour *.quarantine.csv, and images of which masked or not finite pixels have been filled in
    *.filled.csv.

    \b
    Examples:
        lensnet predict runs/quickstart cutouts/ one.fits -o scores.csv
        lensnet predict runs/survey positions.csv -o scores.csv
    """
    from lensnet.prediction.planning import check_inputs
    from lensnet.prediction.requests import ScoreFiles
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check()
    ScoreFiles.checked(output, overwrite=overwrite)
    check_inputs(folder.read_experiment(), inputs)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.prediction import score_files

    score_files(run, inputs, output, batch_size=batch_size, overwrite=overwrite)
