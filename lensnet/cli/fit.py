"""`lensnet fit`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lensnet.cli.options import PATH, set_option

if TYPE_CHECKING:
    from lensnet.config import Experiment
    from lensnet.run_folder import RunFolder
    from lensnet.run_series import RunSeries

__all__ = ["command"]


@click.command("fit", short_help="Train and measure the network that a YAML file describes.")
@click.argument("experiment", required=False, type=PATH)
@set_option("Override a key, such as training.epochs=3.")
@click.option(
    "--run-dir",
    type=PATH,
    help="The run folder. Default: runs/ and the experiment's name.",
)
@click.option("--resume", is_flag=True, help="Go on with the run folder from its last checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace the run folder if it exists.")
@click.option(
    "--find-learning-rate",
    "finds_rate",
    is_flag=True,
    help="Train for some hundred steps at a rising learning rate, draw the loss, suggest a rate "
    "and stop.",
)
@click.option("--print-schema", is_flag=True, help="Print the JSON schema of EXPERIMENT and stop.")
def command(
    experiment: Path | None,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    resume: bool,
    overwrite: bool,
    finds_rate: bool,
    print_schema: bool,
) -> None:
    """Train and measure the network that EXPERIMENT, a YAML file, describes.

    Prepares the data, trains with progress, keeps the best model by validation, measures it once
    on the test split and writes a report, all into the run folder. EXPERIMENT may be left out
    with --resume --run-dir, for the run folder holds it. With training.seeds or training.folds,
    there is a run folder for each in it, and a summary.

    \b
    Examples:
        lensnet fit experiments/quickstart.yaml
        lensnet fit my.yaml --set model.symmetry=d4 --set training.epochs=20 --run-dir runs/d4
        lensnet fit --resume --run-dir runs/d4
        lensnet fit my.yaml --set "training.seeds=[0, 1, 2]"
        lensnet fit my.yaml --find-learning-rate
    """
    from lensnet import config
    from lensnet.cli.places import check_data_dir
    from lensnet.training.cluster import is_chief

    if print_schema:
        click.echo(json.dumps(config.json_schema(), indent=2))
        return
    if resume and overwrite:
        raise click.UsageError("--resume keeps the run folder, --overwrite removes it: choose one.")
    if resume and finds_rate:
        raise click.UsageError("--find-learning-rate begins anew: leave --resume out.")
    if experiment is None:
        if not (resume and run_dir):
            raise click.UsageError("Name an EXPERIMENT file, or --resume a --run-dir.")
        experiment = _experiment_of(run_dir)
    loaded = config.load(experiment, overrides)
    chief = is_chief(loaded.training.strategy)
    if finds_rate:
        _check_test_folder(loaded, run_dir, overwrite=overwrite)
    else:
        _check_run_dir(loaded, run_dir, chief=chief, resume=resume, overwrite=overwrite)
    check_data_dir(loaded)

    from lensnet.cli.startup import start_tensorflow
    from lensnet.data.sources.listed_folds import check_folds
    from lensnet.data.sources.missing_files import check_named_files

    with _naming_places(experiment, overrides):
        check_named_files(loaded)
        check_folds(loaded)
        start_tensorflow(quietly=not chief)
        if finds_rate:
            _find_learning_rate(loaded, run_dir, overwrite=overwrite)
        else:
            _fit(loaded, run_dir, resume=resume, overwrite=overwrite, prints=chief)


@contextlib.contextmanager
def _naming_places(experiment: Path, overrides: Sequence[str]) -> Iterator[None]:
    """Says what only the data could tell as all else about the file is said."""
    from lensnet import config
    from lensnet.errors import LensnetError

    try:
        yield
    except LensnetError as error:
        if error.key is None:
            raise
        place = config.place_of(error.key, experiment, overrides)
        raise type(error)(f"{place}: {error}") from None


def _experiment_of(run_dir: Path) -> Path:
    """The experiment file of a run folder, or of a folder of several."""
    from lensnet.run_folder import RunFolder
    from lensnet.run_series import RunSeries

    several = RunSeries(run_dir).experiment_file
    return several if several.is_file() else RunFolder.open(run_dir).experiment_file


def _check_run_dir(
    loaded: Experiment, run_dir: Path | None, *, chief: bool, resume: bool, overwrite: bool
) -> None:
    from lensnet.config.repeated_runs import runs_of
    from lensnet.run_folder import RunFolder, default_run_dir
    from lensnet.run_series import RunSeries

    path = run_dir or default_run_dir(loaded)
    if names := list(runs_of(loaded)):
        series = RunSeries(path)
        series.check_fit(names, resume=resume, overwrite=overwrite)
        series.check_unused(names)
        return
    folder = RunFolder(path)
    if chief or not folder.has_lock:
        # What the first worker is refused, the others are, who would wait for it in vain.
        folder.check_fit(resume=resume, overwrite=overwrite)
    if chief:
        folder.check_unused()


def _check_test_folder(loaded: Experiment, run_dir: Path | None, *, overwrite: bool) -> None:
    from lensnet.learning_rate_folder import check_test_folder, default_test_dir

    check_test_folder(run_dir or default_test_dir(loaded), overwrite=overwrite)


def _fit(
    loaded: Experiment, run_dir: Path | None, *, resume: bool, overwrite: bool, prints: bool
) -> None:
    from lensnet.cli.results import print_results, print_summary
    from lensnet.config.repeated_runs import runs_of
    from lensnet.errors import LensnetError
    from lensnet.run_folder import RunFolder, default_run_dir
    from lensnet.run_series import RunSeries
    from lensnet.training import fit, fit_series

    path = run_dir or default_run_dir(loaded)
    is_series = bool(runs_of(loaded))
    try:
        if is_series:
            print_summary(fit_series(loaded, path, resume=resume, overwrite=overwrite))
            return
        run = fit(loaded, path, resume=resume, overwrite=overwrite)
    except KeyboardInterrupt:
        folder = RunSeries(path) if is_series else RunFolder(path)
        raise LensnetError(_interrupted(folder)) from None
    if prints:
        print_results(run)


def _interrupted(folder: RunFolder | RunSeries) -> str:
    """Says how to go on after an interruption at which no checkpoint was written."""
    if not folder.experiment_file.is_file():
        return "Interrupted before the training. Run the command again."
    return (
        "Interrupted; what was whole before still is. Go on by "
        f"`lensnet fit --resume --run-dir {folder.path}`."
    )


def _find_learning_rate(loaded: Experiment, run_dir: Path | None, *, overwrite: bool) -> None:
    from lensnet.learning_rate_folder import default_test_dir
    from lensnet.training import find_learning_rate

    curve = find_learning_rate(loaded, run_dir, overwrite=overwrite)
    click.echo()
    if curve.end:
        click.echo(f"Ended after {len(curve.rates)} of {curve.steps} steps: {curve.end}.")
    click.echo(f"The smoothed loss is lowest at a learning rate of {curve.lowest_rate:.1e},")
    click.echo(f"and falls fastest at {curve.steepest_rate:.1e}.")
    if curve.suggestion is None:
        click.echo("It falls by no more than it scatters, so that no learning rate is suggested.")
    else:
        click.echo("Suggestion, a tenth of the former, for the experiment file:")
        click.echo("training:")
        click.echo(f"  optimizer: {{learning_rate: {curve.suggestion:.1e}}}")
    click.echo(f"Curve: {(run_dir or default_test_dir(loaded)) / 'learning_rate.png'}")
