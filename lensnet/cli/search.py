"""`lensnet search`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensnet.cli.options import PATH, set_option

__all__ = ["command"]


@click.command("search", short_help="Search for the best values of an experiment's keys.")
@click.argument("search_file", metavar="[SEARCH]", required=False, type=PATH)
@set_option("Override a key, such as trials=10 or experiment.training.epochs=3.")
@click.option(
    "--search-dir",
    type=PATH,
    help="The search folder. Default: searches/ and the search's name.",
)
@click.option(
    "--resume", is_flag=True, help="Go on with the search in the folder, or take part in it."
)
def command(
    search_file: Path | None, overrides: tuple[str, ...], search_dir: Path | None, resume: bool
) -> None:
    """Search for the best values of an experiment's keys, as SEARCH, a YAML file, describes.

    Each trial is a run folder in trials/. The search folder gets a report with all of them, and
    best.yaml, an experiment for lensnet fit. Any number of processes, on any number of machines
    that share the folder, search together: each is the same command with --resume. SEARCH may be
    left out with --resume --search-dir, for the search folder holds it.

    \b
    Examples:
        lensnet search search.yaml
        lensnet search search.yaml --resume
        lensnet fit searches/NAME/best.yaml
    """
    from lensnet.cli.places import check_data_dir
    from lensnet.config.search import load_search
    from lensnet.search.extra import check_installed
    from lensnet.search.folder import SearchFolder, default_search_dir

    if search_file is None:
        if not (resume and search_dir):
            raise click.UsageError("Name a SEARCH file, or --resume a --search-dir.")
        search_file = SearchFolder.open(search_dir).search_file
    plan = load_search(search_file, overrides)
    folder = SearchFolder(search_dir or default_search_dir(plan))
    folder.check(resume=resume)
    check_installed()
    check_data_dir(plan.typical)

    from lensnet.data.sources.missing_files import check_named_files
    from lensnet.search import search

    check_named_files(plan.typical)
    search(plan, folder.path, resume=resume, objective=_fit_trial)
    click.echo()
    click.echo(f"Best:   {folder.best_file if folder.best_file.is_file() else 'none yet'}")
    click.echo(f"Trials: {folder.table_file}")
    click.echo(f"Report: {folder.report_file}")


def _fit_trial(*arguments: Any) -> list[float]:
    """Starts TensorFlow with the first trial: what is wrong with the database is said before."""
    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.search.objective import fit_trial

    return fit_trial(*arguments)
