"""The report of a run that a command adds to: checked before the work, written after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from lensnet.output_files import check_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lensnet.run_folder import RunFolder

__all__ = ["add_to_report", "check_report"]


def check_report(folder: RunFolder) -> None:
    """Checks that a run's report can be written.

    Raises:
        ConfigurationError: nothing can be written into the folder.
        RunError: another process holds it, or its report is not one that lensnet has written.
    """
    folder.check_writable()
    folder.check_unused()
    check_page(folder.report_file)


def add_to_report(folder: RunFolder, figures: Mapping[str, Figure], command: str) -> None:
    """Writes figures into a run's folder, and its report anew; prints where this lies.

    Args:
        folder: the run's.
        figures: by the names of their files.
        command: for which the folder is held, such as "lensnet explain".
    """
    from lensnet.evaluation.measured_test import save_figures
    from lensnet.reporting import write_report

    with folder.held(command):
        save_figures(folder, figures)
        click.echo(f"Report: {write_report(folder.path)}")
