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
    from lensnet.reporting import write_report

    click.echo(f"Report: {write_report(run)}")
