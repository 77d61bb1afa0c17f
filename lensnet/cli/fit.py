"""`lensnet fit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lensnet.run_folder import RunFolder

__all__ = ["command"]


@click.command("fit", short_help="Train and measure the network that a YAML file describes.")
@click.argument("experiment", required=False, type=click.Path(path_type=Path))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, such as training.epochs=3. Repeatable.",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="The run folder. Default: runs/ and the experiment's name.",
)
@click.option("--resume", is_flag=True, help="Go on with the run folder from its last checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace the run folder if it exists.")
@click.option("--print-schema", is_flag=True, help="Print the JSON schema of EXPERIMENT and stop.")
def command(
    experiment: Path | None,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    resume: bool,
    overwrite: bool,
    print_schema: bool,
) -> None:
    """Train and measure the network that EXPERIMENT, a YAML file, describes.

    Prepares the data, trains with progress, keeps the best model by validation, measures it once
    on the test split and writes a report, all into the run folder. EXPERIMENT may be left out
    with --resume --run-dir, for the run folder holds it.

    \b
    Examples:
        lensnet fit experiments/quickstart.yaml
        lensnet fit my.yaml --set model.symmetry=d4 --set training.epochs=20 --run-dir runs/d4
        lensnet fit --resume --run-dir runs/d4
    """
    from lensnet import config
    from lensnet.cli.places import check_data_dir
    from lensnet.errors import LensnetError
    from lensnet.run_folder import RunFolder, default_run_dir
    from lensnet.training.cluster import is_chief

    if print_schema:
        click.echo(json.dumps(config.json_schema(), indent=2))
        return
    if resume and overwrite:
        raise click.UsageError("--resume keeps the run folder, --overwrite removes it: choose one.")
    if experiment is None:
        if not (resume and run_dir):
            raise click.UsageError("Name an EXPERIMENT file, or --resume a --run-dir.")
        experiment = RunFolder.open(run_dir).experiment_file
    loaded = config.load(experiment, overrides)
    chief = is_chief(loaded.training.strategy)
    folder = RunFolder(run_dir or default_run_dir(loaded))
    if chief or not folder.has_lock:
        # What the first worker is refused, the others are, who would wait for it in vain.
        folder.check_fit(resume=resume, overwrite=overwrite)
    if chief:
        folder.check_unused()
    check_data_dir(loaded)

    from lensnet.cli.results import print_results
    from lensnet.cli.startup import start_tensorflow
    from lensnet.data.sources.missing_files import check_named_files

    check_named_files(loaded)
    start_tensorflow(quietly=not chief)

    from lensnet.training import fit

    try:
        run = fit(loaded, run_dir, resume=resume, overwrite=overwrite)
    except KeyboardInterrupt:
        raise LensnetError(_interrupted(folder)) from None
    except LensnetError as error:
        if error.key is None:
            raise
        # What only the data could tell is said as all else about the file is.
        place = config.place_of(error.key, experiment, overrides)
        raise type(error)(f"{place}: {error}") from None
    if chief:
        print_results(run)


def _interrupted(folder: RunFolder) -> str:
    """Says how to go on after an interruption at which no checkpoint was written."""
    if not folder.experiment_file.is_file():
        return "Interrupted before the training. Run the command again."
    return (
        "Interrupted; what was whole before still is. Go on by "
        f"`lensnet fit --resume --run-dir {folder.path}`."
    )
