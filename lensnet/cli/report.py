"""`lensnet report`."""

from __future__ import annotations

from pathlib import Path

import click

from lensnet.cli.options import run_argument

__all__ = ["command"]


@click.command("report", short_help="Write the report of a run, or of a search, again.")
@run_argument
def command(run: Path) -> None:
    """Write report.html of RUN, a run folder, from what lies in it; or of a search folder.

    One file that opens offline. Parts that an interrupted run lacks are said to be missing.
    """
    from lensnet.search.folder import SearchFolder

    if SearchFolder(run).exists:
        from lensnet.search.extra import check_installed

        check_installed()

        from lensnet.search import write_search_report

        click.echo(f"Report: {write_search_report(run)}")
        return
    from lensnet.output_files import check_page
    from lensnet.reporting import write_report
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check_documents()
    folder.check_writable()
    check_page(folder.report_file)
    click.echo(f"Report: {write_report(run)}")
