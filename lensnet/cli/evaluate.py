"""`lensnet evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("evaluate", short_help="Measure a run's best model again.")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Measure the best model of RUN, a run folder, on its validation and test split.

    Writes metrics.json, predictions.csv, the figures and the report into the folder anew. The
    images are those of the run's prepared records; only where these are gone are they prepared
    again.
    """
    from lensnet.cli.results import print_results
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check()
    folder.read_history()
    folder.check_writable()
    folder.check_unused()

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.evaluation.evaluating import evaluate_run
    from lensnet.reporting import write_report

    with folder.held("lensnet evaluate"):
        evaluate_run(folder)
        write_report(folder.path)
    print_results(folder)
