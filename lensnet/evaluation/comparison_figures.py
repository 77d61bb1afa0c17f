"""Figures of several runs: metrics with their intervals, cost, and the course of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lensnet.evaluation import style

__all__ = ["Point", "learning_curves", "metric_against_cost", "metrics_of_runs"]


@dataclass(frozen=True)
class Point:
    """A metric of a run, and its interval where there is one."""

    value: float
    interval: tuple[float, float] | None = None

    @property
    def reach(self) -> list[list[float]]:
        """How far the interval goes below and above, as error bars take it."""
        low, high = self.interval or (self.value, self.value)
        return [[max(self.value - low, 0.0)], [max(high - self.value, 0.0)]]


@style.drawn
def metrics_of_runs(metrics: Mapping[str, Mapping[str, Point]], images: str) -> Figure:
    """Draw each metric of each run with its 95 % interval.

    Args:
        metrics: by the metric's name and the run's.
        images: how many were measured, in words.

    Example:
        >>> figure = metrics_of_runs({"Accuracy": {"a": Point(0.9, (0.8, 0.95))}}, "40 images")
        >>> figure.axes[0].get_xlabel()
        'Accuracy'
    """
    runs = list(dict.fromkeys(run for of_metric in metrics.values() for run in of_metric))
    columns = min(len(metrics), 3)
    figure, grid = style.panels(
        len(metrics), columns=columns, width_inches=3.6, height_inches=1.15 + 0.34 * len(runs)
    )
    for axes, (metric, of_runs) in zip(grid, metrics.items(), strict=True):
        for place, run in enumerate(runs):
            point = of_runs.get(run)
            if point is None:
                continue
            axes.errorbar(
                [point.value],
                [place],
                xerr=point.reach,
                fmt="o",
                color=style.color(place),
                markersize=5,
                elinewidth=1.6,
                capsize=3,
            )
        axes.set_yticks(range(len(runs)), [style.plain(run, 24) for run in runs])
        axes.set_ylim(len(runs) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.margins(x=0.15)
        axes.set_xlabel(style.plain(metric, 40))
    figure.suptitle(f"Test metrics with 95 % intervals, {images}", x=0.012, ha="left")
    return figure


@style.drawn
def metric_against_cost(
    name: str,
    metric: Mapping[str, Point],
    costs: Mapping[str, Mapping[str, float]],
    images: str,
) -> Figure:
    """Draw a metric of each run against what it costs, one panel a cost.

    Args:
        name: of the metric.
        metric: by the run's name.
        costs: what it costs, by the cost's name with its unit and the run's name.
        images: how many were measured, in words.

    Example:
        >>> costs = {"Time for one image (ms)": {"a": 3.0, "b": 9.0}}
        >>> metric = {"a": Point(0.9), "b": Point(0.93, (0.9, 0.95))}
        >>> metric_against_cost("Accuracy", metric, costs, "40 images").axes[0].get_xscale()
        'log'
    """
    figure, grid = style.panels(len(costs), columns=3, width_inches=4.2, height_inches=3.7)
    for axes, (cost, of_runs) in zip(grid, costs.items(), strict=True):
        for place, (run, point) in enumerate(metric.items()):
            if run not in of_runs:
                continue
            axes.errorbar(
                [of_runs[run]],
                [point.value],
                yerr=point.reach,
                fmt="o",
                color=style.color(place),
                markersize=6,
                capsize=3,
                label=style.plain(run, 24),
            )
        axes.set_xscale("log")
        values = list(of_runs.values())
        if values and max(values) < 3 * min(values):
            axes.set_xlim(min(values) / 2, max(values) * 2)
        for at in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            at(FuncFormatter(_few_digits))
        axes.set_xlabel(cost)
        axes.set_ylabel(style.plain(name, 40))
        axes.margins(y=0.15)
    grid[0].set_title(f"Better is up and left, {images}")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@style.drawn
def learning_curves(histories: Mapping[str, Sequence[Mapping[str, str]]]) -> Figure:
    """Draw the validation metrics of every run against the epoch.

    Args:
        histories: the rows of each run's `history.csv`, as text.

    Raises:
        ValueError: no run has a validation metric.

    Example:
        >>> rows = [{"epoch": "1", "val_loss": "0.9"}, {"epoch": "2", "val_loss": "0.7"}]
        >>> learning_curves({"a": rows}).axes[0].get_ylabel()
        'Validation loss'
    """
    names = list(
        dict.fromkeys(
            name
            for rows in histories.values()
            for name in (rows[0] if rows else ())
            if name.startswith("val_")
        )
    )
    names = sorted(names, key=lambda name: name != "val_loss")[:3]
    if not names:
        raise ValueError("no run has measured a validation split in its training")
    figure, grid = style.panels(len(names), columns=3, width_inches=4.1, height_inches=3.5)
    for axes, name in zip(grid, names, strict=True):
        for place, (run, rows) in enumerate(histories.items()):
            if not rows or name not in rows[0]:
                continue
            values = np.array([_number(row.get(name, "")) for row in rows])
            epochs = [_number(row.get("epoch", "")) for row in rows]
            axes.plot(
                epochs,
                values,
                color=style.color(place),
                linestyle=style.LINES[place % len(style.LINES)],
                marker="o" if len(rows) <= 40 else "",
                markersize=4,
                label=style.plain(run, 24),
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlabel("Epoch")
        axes.set_ylabel(f"Validation {name.removeprefix('val_').replace('_', ' ')}")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _few_digits(value: float, _: object) -> str:
    """A tick of a logarithmic axis: 1, 2 and 5 of each power of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
