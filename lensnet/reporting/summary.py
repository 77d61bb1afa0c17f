"""What several runs of one experiment say together: the mean of each metric and its error."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from lensnet import files
from lensnet.csv_tables import read_table, writing_table
from lensnet.errors import RunError
from lensnet.reporting.page_output import replace_page
from lensnet.reporting.page_rendering import render_page
from lensnet.run_series import RunSeries

__all__ = ["summarise", "write_summary"]

SPLITS = ("validation", "test")

_NUMBERS = ("target", "prediction", "sigma")


def summarise(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns mean and standard error of each metric over runs.

    The standard error is the standard deviation of the runs (with N - 1) over the root of their
    number N. Runs in which a metric has no value are left out of it, and `runs` says how many are
    left.

    Args:
        metrics: what `metrics.json` of each run holds, by the run's name.

    Returns:
        by split and metric: `mean`, `standard_error` (None of a single run), `runs`.

    >>> found = summarise({"seed-0": {"test": {"auc": 0.8}}, "seed-1": {"test": {"auc": 0.9}}})
    >>> {key: round(value, 3) for key, value in found["test"]["auc"].items()}
    {'mean': 0.85, 'standard_error': 0.05, 'runs': 2}
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for split in SPLITS:
        names = dict.fromkeys(name for run in metrics.values() for name in run.get(split, {}))
        for name in names:
            known = [run.get(split, {}).get(name) for run in metrics.values()]
            values = [float(value) for value in known if value is not None]
            found.setdefault(split, {})[name] = {
                "mean": statistics.fmean(values) if values else None,
                "standard_error": _standard_error(values),
                "runs": len(values),
            }
    return found


def _standard_error(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def write_summary(
    series: RunSeries, names: Sequence[str], failures: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Sums up the runs of a folder that are done.

    Writes `summary.json`, `summary.csv` and `summary.html`, and, of the folds of a
    cross-validation, `predictions.csv`: all test predictions, with the fold of each.

    Args:
        series: the folder of the runs.
        names: of the runs that are done.
        failures: why others failed, by their names.

    Returns:
        what `summary.json` holds.

    Raises:
        RunError: the metrics of a run are missing or damaged.
    """
    metrics = {name: _metrics(series, name) for name in names}
    summary: dict[str, Any] = {
        **summarise(metrics),
        "runs": {
            name: {split: run.get(split, {}) for split in SPLITS} for name, run in metrics.items()
        },
        "failed": dict(failures or {}),
    }
    files.write_json(series.path / "summary.json", summary)
    _write_table(series, summary)
    if names[0].startswith("fold-"):
        _pool_predictions(series, names)
    _write_page(series, summary)
    return summary


def _metrics(series: RunSeries, name: str) -> dict[str, dict[str, Any]]:
    content = series.run(name).read_json("metrics.json")
    if not isinstance(content, dict) or not isinstance(content.get("test"), dict):
        raise RunError(f"{series.run(name).metrics_file} is damaged: it has no test metrics.")
    return content


def _write_table(series: RunSeries, summary: Mapping[str, Any]) -> None:
    columns = ("split", "metric", "mean", "standard_error", "runs", *summary["runs"])
    with writing_table(series.path / "summary.csv", columns) as table:
        for split in SPLITS:
            for name, found in summary.get(split, {}).items():
                single = [run[split].get(name) for run in summary["runs"].values()]
                table.row([split, name, *found.values(), *single])


def _pool_predictions(series: RunSeries, names: Sequence[str]) -> None:
    """Joins the tables of the folds, whose examples differ."""
    tables = [read_table(series.run(name).predictions_file) for name in names]
    headers = [next(table) for table in tables]
    columns = [*headers[0][:1], "fold", *headers[0][1:]]
    numbers = [name for name in columns if name in _NUMBERS or name.startswith("score_")]
    with writing_table(series.path / "predictions.csv", columns, numbers) as pooled:
        for name, header, table in zip(names, headers, tables, strict=True):
            if header != headers[0]:
                raise RunError(f"The columns of {series.run(name).predictions_file} differ.")
            for identifier, *rest in table:
                pooled.row([identifier, int(name.removeprefix("fold-")), *rest])


def _write_page(series: RunSeries, summary: Mapping[str, Any]) -> None:
    page = render_page(
        "summary.html",
        title=series.path.resolve().name,
        chips=[("Runs", str(len(summary["runs"])))],
        failures=[f"{name}: {reason}" for name, reason in summary["failed"].items()],
        summary=summary,
        splits=SPLITS,
    )
    replace_page(page, series.path / "summary.html")
