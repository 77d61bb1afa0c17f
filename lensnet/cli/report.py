"""`lensnet report`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("report", short_help="Write a run's report again.")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Write report.html of RUN, a run folder, from what lies in it.

    One file that opens offline. Parts that an interrupted run lacks are said to be missing.
    """
    from lensnet.overwriting import check_page
    from lensnet.reporting import write_report
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check_documents()
    folder.check_writable()
    check_page(run / "report.html")
    click.echo(f"Report: {write_report(run)}")
