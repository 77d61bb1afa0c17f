"""The figures of a search: its course, what mattered, and which values went together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lensnet.config.search import SearchPlan
from lensnet.config.search.space import Choice, Range
from lensnet.evaluation import style
from lensnet.search.results import TrialResult
from lensnet.search.wording import short_names, value_as_text

__all__ = ["course_of_trials", "front", "history", "importances", "parallel_coordinates"]

_MOST_AXES = 10


@style.drawn
def history(plan: SearchPlan, results: Sequence[TrialResult]) -> Figure:
    """Draw the first objective of each trial, and the best so far."""
    figure = style.blank(7.2, 3.4)
    axes = figure.subplots()
    complete = [result for result in results if result.objectives is not None]
    values = np.array([result.objectives[0] for result in complete if result.objectives])
    numbers = [result.number for result in complete]
    axes.plot(numbers, values, "o", ms=4.5, color=style.BLUE, label="complete")
    stopped = [(r.number, list(r.course.values())[-1]) for r in results if _was_stopped(r)]
    if stopped:
        axes.plot(*zip(*stopped, strict=True), "x", ms=5, color=style.MUTED, label="stopped")
    if numbers:
        best = np.maximum if plan.directions[0] == "max" else np.minimum
        axes.step(
            numbers, best.accumulate(values), where="post", color=style.VERMILION, label="best"
        )
    axes.set_xlabel("Trial")
    axes.set_ylabel(style.plain(plan.objectives[0]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")
    return figure


@style.drawn
def importances(shares: Mapping[str, float]) -> Figure:
    """Draw how much of the objective's variation each parameter accounts for."""
    figure = style.blank(7.2, 0.9 + 0.32 * len(shares))
    axes = figure.subplots()
    names = short_names(shares)
    places = np.arange(len(shares))[::-1]
    axes.barh(places, list(shares.values()), height=0.62, color=style.BLUE)
    axes.set_yticks(places, [style.plain(names[key]) for key in shares])
    axes.set_xlabel("Share of importance")
    axes.grid(False, axis="y")
    return figure


@style.drawn
def course_of_trials(plan: SearchPlan, results: Sequence[TrialResult]) -> Figure:
    """Draw the first objective of each trial by the epoch, stopped ones in grey."""
    figure = style.blank(7.2, 3.4)
    axes = figure.subplots()
    for result in results:
        color = style.MUTED if result.state != "complete" else style.BLUE
        epochs, values = list(result.course), list(result.course.values())
        axes.plot(epochs, values, lw=1, alpha=0.6, color=color, marker=".", ms=3)
        if result.state == "pruned" and epochs:
            axes.plot(epochs[-1], values[-1], "x", ms=5, color=style.MUTED)
    axes.set_xlabel("Epoch")
    axes.set_ylabel(style.plain(plan.objectives[0]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@style.drawn
def front(plan: SearchPlan, results: Sequence[TrialResult], best: Sequence[TrialResult]) -> Figure:
    """Draw the second objective against the first, and the trials that no other surpasses."""
    figure = style.blank(7.2, 3.8)
    axes = figure.subplots()
    chosen = {result.number for result in best}
    for in_front, color, label in ((False, style.MUTED, "others"), (True, style.BLUE, "front")):
        pairs = [
            (result.objectives[0], result.objectives[1])
            for result in results
            if result.objectives is not None and (result.number in chosen) == in_front
        ]
        if pairs:
            axes.plot(*zip(*pairs, strict=True), "o", ms=5, color=color, label=label)
    for result in best:
        if result.objectives is not None:
            place = (result.objectives[0], result.objectives[1])
            axes.annotate(
                f"{result.number:04d}",
                place,
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=7.5,
                color=style.MUTED,
            )
    axes.set_xlabel(style.plain(plan.objectives[0]))
    axes.set_ylabel(style.plain(plan.objectives[1]))
    axes.legend(loc="best")
    return figure


@style.drawn
def parallel_coordinates(plan: SearchPlan, results: Sequence[TrialResult]) -> Figure:
    """Draw each complete trial as a line through its values, in the colour of its objective.

    A line has a gap where a parameter was not tried in that trial.
    """
    keys = [key for key in plan.space.parameters if any(key in r.values for r in results)]
    keys = keys[:_MOST_AXES]
    complete = [result for result in results if result.objectives is not None]
    first = np.array([r.objectives[0] for r in complete if r.objectives], dtype=float)
    figure = style.blank(max(7.2, 1.5 * (len(keys) + 1)), 4.0)
    axes = figure.subplots()
    heights = [_heights(plan, key, complete) for key in keys]
    low, high = float(first.min()), float(first.max())
    span = (high - low) or 1.0
    heights.append(((first - low) / span, [(0.0, f"{low:.4g}"), (1.0, f"{high:.4g}")]))
    shown = Normalize(low, low + span)
    better_last = np.argsort(first if plan.directions[0] == "max" else -first)
    for index in better_last:
        line = [places[index] for places, _ in heights]
        axes.plot(
            range(len(line)),
            line,
            lw=1.2,
            alpha=0.8,
            color=style.SEQUENTIAL(0.15 + 0.85 * shown(first[index])),
        )
    _draw_axes(axes, keys, plan, heights)
    colors = ScalarMappable(norm=shown, cmap=style.SEQUENTIAL)
    figure.colorbar(colors, ax=axes, label=style.plain(plan.objectives[0]), pad=0.02)
    return figure


def _draw_axes(
    axes: Axes,
    keys: Sequence[str],
    plan: SearchPlan,
    heights: Sequence[tuple[np.ndarray, list[tuple[float, str]]]],
) -> None:
    names = short_names(keys)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_yticks([])
    axes.set_xlim(-0.35, len(heights) - 0.65)
    axes.set_ylim(-0.06, 1.06)
    labels = [*(style.plain(names[key], 18) for key in keys), style.plain(plan.objectives[0], 18)]
    axes.set_xticks(range(len(heights)), labels)
    axes.tick_params(axis="x", length=0)
    for place, (_, ticks) in enumerate(heights):
        axes.axvline(place, color=style.MUTED, lw=0.8, zorder=0)
        for height, label in ticks:
            axes.text(
                place + 0.04,
                height,
                style.plain(label, 16),
                fontsize=7.5,
                va="center",
                color=style.INK,
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.6},
            )


def _heights(
    plan: SearchPlan, key: str, results: Sequence[TrialResult]
) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Returns where each trial's value stands on the axis of a key, and the labels of the axis."""
    parameter = plan.space.parameters[key]
    if isinstance(parameter, Range):
        scale = math.log if parameter.log else float
        low, high = scale(parameter.low), scale(parameter.high)
        places = [
            (scale(r.values[key]) - low) / (high - low) if key in r.values else np.nan
            for r in results
        ]
        return np.array(places), [(0.0, f"{parameter.low:g}"), (1.0, f"{parameter.high:g}")]
    if isinstance(parameter, Choice):
        labels = [value_as_text(value) for value in parameter.choices]
    else:
        tried = {value_as_text(r.values[key]) for r in results if key in r.values}
        labels = sorted(tried, key=lambda text: (text.count(","), text))
    step = 1 / max(len(labels) - 1, 1)
    places = [
        labels.index(value_as_text(r.values[key])) * step if key in r.values else np.nan
        for r in results
    ]
    return np.array(places), [(i * step, label) for i, label in enumerate(labels)]


def _was_stopped(result: TrialResult) -> bool:
    return result.state == "pruned" and bool(result.course)
