"""`lensnet evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lensnet.cli.options import PATH, run_argument

if TYPE_CHECKING:
    from lensnet.run_folder import RunFolder

__all__ = ["command"]


@click.command("evaluate", short_help="Measure a run's best model again, or on other data.")
@run_argument
@click.option(
    "--data",
    "other",
    type=PATH,
    metavar="OTHER.yaml",
    help="A file whose section `data` names other images; results go to RUN/evaluations/NAME.",
)
def command(run: Path, other: Path | None) -> None:
    """Measure the best model of RUN, a run folder, on its validation and test split.

    Writes metrics.json, predictions.csv, the figures and the report into the folder anew. The
    images are those of the run's prepared records; only where these are gone are they prepared
    again.

    With --data it is the test split of other data, whose results are kept beside the run's own, in
    evaluations/NAME, NAME being that in OTHER.yaml. They must have the run's classes, and images of
    the same shape; how these become the network's input stays as the run has it.
    """
    from lensnet.cli.results import print_results
    from lensnet.cli.run_report import check_report
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check()
    folder.read_history()
    if other is not None:
        print_results(_elsewhere(folder, other))
        return
    check_report(folder)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.evaluation.evaluating import evaluate_run
    from lensnet.reporting import write_report

    with folder.held("lensnet evaluate"):
        evaluate_run(folder)
        write_report(folder.path)
    print_results(folder)


def _elsewhere(folder: RunFolder, path: Path) -> RunFolder:
    """Measures on other data, and returns the folder of the results."""
    from lensnet.cli.places import check_data_dir
    from lensnet.evaluation.other_experiment import read_other_data

    folder.check_writable()
    folder.check_unused()
    other = read_other_data(folder, path)
    check_data_dir(other)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.evaluation.other_data import evaluate_elsewhere
    from lensnet.reporting import write_report

    with folder.held("lensnet evaluate"):
        results = evaluate_elsewhere(folder, other)
        write_report(results.path)
    return results
