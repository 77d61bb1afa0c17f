"""The figures of docs/results.md, from the same rows as its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from results_tables import Measured
from small_reckoning import spread

from lensnet.evaluation.style import blank, color, drawn, line

__all__ = ["figures_of"]

SHOWN = ("augmented", "c4", "d4", "plain", "averaged-d4", "rot4", "rot4-inputs", "c8")
"""Networks in the order of their colours."""


def figures_of(rows: Sequence[Measured]) -> Iterator[tuple[str, str, Figure]]:
    """The figures for which there are rows enough, of the question of symmetry.

    Args:
        rows: measured.

    Yields:
        name, what it shows, figure.
    """
    for table in dict.fromkeys(one.row.table_name for one in rows):
        ours = [one for one in rows if one.row.table_name == table]
        title = table.replace("_", " ").capitalize()
        cost = _series(ours, images="2400")
        if any(len(found) > 1 for found in cost.values()):
            words = "1 - AUC against multiply-adds, on 2,400 images; bars: spread over seeds"
            yield f"results_{table}_cost", words, _points(cost, title, _cost_of, "multiply-adds")
        counts = _series(ours, width="width-0.5")
        counts = {
            name: [one for one in found if one.row.values["images"].isdigit()]
            for name, found in counts.items()
        }
        if any(len(found) > 1 for found in counts.values()):
            words = "1 - AUC against training images, at width 0.5; bars: spread over seeds"
            yield f"results_{table}_images", words, _points(counts, title, _images_of, "images")
        curves = _series(ours, width="width-0.5", images="2400")
        if len([found for found in curves.values() if found]) > 1:
            words = "Validation AUC against images seen, width 0.5, 2,400 images; a line a seed"
            yield f"results_{table}_learning", words, _learning(curves, title)


def _series(rows: Sequence[Measured], **fixed: str) -> dict[str, list[Measured]]:
    """The rows of each network that have these values."""
    return {
        name: [
            one
            for one in rows
            if one.row.values.get("network") == name
            and all(one.row.values.get(axis) == value for axis, value in fixed.items())
            and one.values("roc_auc")
        ]
        for name in SHOWN
    }


def _cost_of(one: Measured) -> float:
    return float(one.multiply_adds() or 0)


def _images_of(one: Measured) -> float:
    return float(one.row.values["images"])


@drawn
def _points(
    series: Mapping[str, Sequence[Measured]],
    title: str,
    place: Callable[[Measured], float],
    label: str,
) -> Figure:
    figure = blank(5.4, 3.6)
    axes: Axes = figure.subplots()
    for index, (name, rows) in enumerate(series.items()):
        points = []
        for one in sorted(rows, key=place):
            found = spread([1 - value for value in one.values("roc_auc")])
            if found is not None:
                points.append((place(one), found.mean, found.deviation or 0.0))
        if points:
            x, y, error = np.array(points).T
            style = {"color": color(index), "linestyle": line(index), "marker": "o"}
            axes.errorbar(x, y, error, label=name, capsize=2, markersize=4, **style)
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="1 - AUC", title=title)
    axes.legend()
    return figure


@drawn
def _learning(series: Mapping[str, Sequence[Measured]], title: str) -> Figure:
    figure = blank(5.4, 3.6)
    axes: Axes = figure.subplots()
    for index, (name, rows) in enumerate(series.items()):
        runs = [run for one in rows for run in one.runs if run.get("curve")]
        for number, run in enumerate(runs):
            images, _, auc = np.array(run["curve"]).T
            said = {"label": name} if not number else {}
            axes.plot(images, auc, color=color(index), linestyle=line(index), alpha=0.8, **said)
    axes.set(xlabel="images seen", ylabel="validation AUC", title=title)
    axes.legend()
    return figure
