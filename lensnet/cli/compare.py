"""`lensnet compare`."""

from __future__ import annotations

from pathlib import Path

import click

from lensnet.cli.options import PATH, runs_argument

__all__ = ["command"]


@click.command("compare", short_help="Compare runs: metrics, differences and costs, on one page.")
@runs_argument
@click.option(
    "-o",
    "output",
    type=PATH,
    default=Path("comparison.html"),
    show_default=True,
    metavar="PAGE.html",
    help="The page to write; one of lensnet's is replaced.",
)
def command(runs: tuple[Path, ...], output: Path) -> None:
    """Compare each RUN, a run folder, with the first.

    Metrics with their intervals; differences on the same test images and whether they are more than
    chance (DeLong for the ROC AUC, McNemar for the accuracy, a paired t-test for the errors of a
    regression); what each network costs; learning curves; and how steady scores are when images
    rotate, where `lensnet invariance` was done. Runs that were measured on other images are shown,
    and not tested. RUN may also be RUN/evaluations/NAME, of `lensnet evaluate --data`.
    """
    from lensnet.cli.results import table
    from lensnet.reporting.comparison import compare_runs
    from lensnet.reporting.page_output import check_page_output
    from lensnet.visible_text import visible

    check_page_output(output)
    comparison = compare_runs(runs)
    metrics = comparison.metric_table()
    one_line = [
        [cell.replace("\n", " (") + ")" * ("\n" in cell) for cell in row] for row in metrics.rows
    ]
    click.echo(table(["metric", *metrics.heads[1:]], one_line))
    click.echo()
    click.echo(table(["run", *comparison.cost_table().heads[1:]], comparison.cost_table().rows))
    if comparison.tests:
        tests = comparison.test_table()
        click.echo(visible(f"\nLess {comparison.runs[0].name}:"))
        click.echo(table(["run", *tests.heads[1:]], tests.rows))
    for name, why in comparison.unpaired.items():
        click.echo(visible(f"{name} is not tested against {comparison.runs[0].name}: {why}."))

    from lensnet.reporting.comparison_page import write_comparison_page

    click.echo(f"\nPage: {write_comparison_page(comparison, output)}")
