"""How results are shown on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lensnet.visible_text import visible

if TYPE_CHECKING:
    from lensnet.run_folder import RunFolder
    from lensnet.run_series import RunSeries

__all__ = ["print_results", "print_summary", "table"]

# As many columns as fit on a terminal.
_MOST_RUNS = 6


def table(header: list[str], rows: list[list[Any]]) -> str:
    """Sets rows in aligned columns; numbers to the right.

    Example:

    >>> print(table(["metric", "test"], [["accuracy", 0.5]]))
    metric     test
    accuracy  0.500
    """
    cells = [[_cell(value) for value in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    numeric = [
        any(isinstance(row[column], (int, float)) for row in rows) for column in range(len(header))
    ]
    lines = []
    for row in cells:
        columns = zip(row, widths, numeric, strict=True)
        line = "  ".join(c.rjust(w) if right else c.ljust(w) for c, w, right in columns)
        lines.append(line.rstrip())
    return "\n".join(lines)


def print_results(run: RunFolder) -> None:
    """Prints the metrics of a run, why some have no value, and where its report lies."""
    from lensnet.reporting.metric_guide import percent, purity_texts

    metrics = run.read_json("metrics.json")
    validation, test = metrics.get("validation", {}), metrics["test"]
    intervals = metrics.get("intervals", {}).get("test", {})
    click.echo()
    rows = [
        [name, validation.get(name, ""), value, _interval(intervals.get(name))]
        for name, value in test.items()
    ]
    heads = ["metric", "validation", "test", "95 % interval"]
    # What an earlier version, or an evaluation on other data, does not have.
    kept = [0, *([1] if validation else []), 2, *([3] if intervals else [])]
    click.echo(table([heads[at] for at in kept], [[row[at] for at in kept] for row in rows]))
    unsaid: dict[tuple[str, str], list[str]] = {}
    for split, reasons in metrics.get("undefined", {}).items():
        for known in reasons.items():
            unsaid.setdefault(known, []).append(split)
    for (name, reason), splits in unsaid.items():
        where = f"{' and '.join(splits)} split{'s' * (len(splits) > 1)}"
        click.echo(visible(f"No {name} on the {where}: {reason}."))
    click.echo()
    if test.get("rotation_std") is not None:
        moved = percent(test["rotation_std"])
        sentence = run.read_experiment().task_spec.rotation_sentence.format(percent=moved)
        click.echo(f"{sentence[0].upper()}{sentence[1:]}.")
    fitted = metrics.get("calibration")
    if fitted:
        click.echo(f"Calibrated: logits are divided by {fitted['temperature']:.4g}.")
    for reached in metrics.get("search", {}).get("at_prevalence", []):
        purity, inspected = purity_texts(reached)
        click.echo(
            f"Where {100 * reached['completeness']:g} % is found, at a prevalence of "
            f"{metrics['search']['prevalence']:g}: purity {purity}, {inspected} objects inspected "
            "for each one found."
        )
    click.echo(f"Report: {run.report_file}")


def print_summary(series: RunSeries) -> None:
    """Prints mean and standard error of each test metric over several runs."""
    summary = series.read_summary()
    runs = list(summary["runs"])
    shown = runs if len(runs) <= _MOST_RUNS else []
    rows = [
        [
            name,
            found["mean"],
            found["standard_error"],
            *(summary["runs"][run]["test"].get(name) for run in shown),
        ]
        for name, found in summary["test"].items()
    ]
    click.echo()
    click.echo(table(["test metric", "mean", "standard error", *shown], rows))
    click.echo()
    click.echo(f"Runs: {', '.join(runs)}, in {series.path}")
    click.echo(f"Summary: {series.path / 'summary.html'}")


def _interval(ends: list[float] | None) -> str:
    return "" if ends is None else f"{_cell(float(ends[0]))} to {_cell(float(ends[1]))}"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"
    # A name in a table has one line, and moves nothing that comes after it.
    return visible(" ".join(str(value).splitlines()))
