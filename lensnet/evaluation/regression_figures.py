"""Predicted against true quantities, with what is left over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lensnet.evaluation import style
from lensnet.evaluation.checks import FloatArray, some_examples, targets_and_predictions

# Above this, points cover each other and density is drawn in their place.
MOST_POINTS = 4000
# A running median of fewer examples says nothing.
LEAST_IN_A_BIN = 5


@style.drawn
def regression_scatter(
    targets: ArrayLike,
    predictions: ArrayLike,
    target_names: str | Sequence[str] | None = None,
    unit: str | None = None,
) -> Figure:
    """Draw predictions against the truth and, below, their difference.

    One column a target. The residuals carry their running median and the band of the central
    68 % in ten bins of equal number, where a bias at the ends of the range shows.

    Args:
        targets: Shape (N,) or (N, T).
        predictions: The same shape.
        target_names: What is predicted, one name or one a target, for instance
            "log10 halo mass".
        unit: Unit written after the names, for instance "solar masses".

    Raises:
        ValueError: Shapes disagree, a value is not finite, there is no example, or the names are
            not one a target.

    Example:
        >>> figure = regression_scatter([11.0, 12.0], [11.2, 11.9], "log10 halo mass")
        >>> figure.axes[1].get_ylabel()
        'Predicted − true'
    """
    truth, guess = targets_and_predictions(targets, predictions)
    some_examples(truth, "the figure")
    number = truth.shape[1]
    names = _names(target_names, number)
    figure = style.blank(4.8 * number + 0.4, 6.4)
    grid = figure.subplots(2, number, squeeze=False, height_ratios=[2.4, 1])
    for index, name in enumerate(names):
        label = style.plain(name, 40) + (f" ({style.plain(unit)})" if unit else "")
        _prediction_panel(grid[0, index], truth[:, index], guess[:, index], label)
        _residual_panel(grid[1, index], truth[:, index], guess[:, index], label)
        grid[1, index].sharex(grid[0, index])
    return figure


@style.drawn
def residual_histogram(targets: ArrayLike, predictions: ArrayLike) -> Figure:
    """Draw how the errors are distributed, against the Gaussian of their mean and spread.

    Args:
        targets: Shape (N,), in any unit.
        predictions: The same shape and unit.

    Raises:
        ValueError: Shapes disagree, a value is not finite, or there is no example.

    Example:
        >>> figure = residual_histogram([11.0, 12.0, 13.0], [11.2, 11.9, 13.1])
        >>> figure.axes[0].get_xlabel()
        "Predicted − true (the target's unit)"
    """
    truth, guess = targets_and_predictions(targets, predictions)
    some_examples(truth, "the figure")
    residual = (guess - truth).ravel()
    figure = style.blank(5.2, 3.9)
    axes = figure.subplots()
    mean, spread = float(residual.mean()), float(residual.std())
    reach = max(float(np.quantile(np.abs(residual - mean), 0.995)), 1e-12) * 1.15
    bins = int(np.clip(2 * len(residual) ** (1 / 3) + 5, 11, 41))
    edges = np.linspace(mean - reach, mean + reach, bins)
    axes.hist(
        residual.clip(edges[0], edges[-1]),
        bins=edges.tolist(),
        color=style.BLUE,
        alpha=0.6,
        label="test",
    )
    if spread > 0:
        x = np.linspace(edges[0], edges[-1], 201)
        height = len(residual) * (edges[1] - edges[0]) / (spread * np.sqrt(2 * np.pi))
        curve = height * np.exp(-(((x - mean) / spread) ** 2) / 2)
        axes.plot(
            x,
            curve,
            color=style.VERMILION,
            linestyle=style.LINES[1],
            label="Gaussian of its spread",
        )
    axes.axvline(0, color=style.MUTED, linewidth=1)
    axes.set_xlabel("Predicted − true (the target's unit)")
    axes.set_ylabel("Images a bin")
    axes.set_title(f"Bias {mean:+.2g}, spread {spread:.2g}, {style.counted(len(residual))}")
    axes.legend(loc="best")
    return figure


def _names(target_names: str | Sequence[str] | None, number: int) -> list[str]:
    if target_names is None:
        return ["target"] if number == 1 else [f"target {index}" for index in range(number)]
    names = [target_names] if isinstance(target_names, str) else list(target_names)
    if len(names) != number:
        raise ValueError(f"expected {number} target names, but {len(names)} came: {names}")
    return names


def _prediction_panel(axes: Axes, truth: FloatArray, guess: FloatArray, label: str) -> None:
    both = np.concatenate([truth, guess])
    room = 0.04 * float(np.ptp(both)) or 0.5
    limits = (float(both.min()) - room, float(both.max()) + room)
    axes.plot(limits, limits, color=style.MUTED, linewidth=1, linestyle=style.LINES[1])
    _cloud(axes, truth, guess, rows=34)
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    rmse = float(np.sqrt(np.mean((guess - truth) ** 2)))
    axes.set_title(f"RMSE {rmse:.3g}, {style.counted(len(truth))}")
    axes.set_xlabel(f"True {label}")
    axes.set_ylabel(f"Predicted {label}")


def _residual_panel(axes: Axes, truth: FloatArray, guess: FloatArray, label: str) -> None:
    residual = guess - truth
    axes.axhline(0, color=style.MUTED, linewidth=1, linestyle=style.LINES[1])
    _cloud(axes, truth, residual, rows=14)
    bins = min(10, len(truth) // LEAST_IN_A_BIN)
    if bins >= 2:
        groups = np.array_split(np.argsort(truth, kind="stable"), bins)
        middle = [np.median(truth[group]) for group in groups]
        low, median, high = np.array([np.percentile(residual[g], [16, 50, 84]) for g in groups]).T
        shade = style.VERMILION
        axes.plot(middle, median, color=shade, marker="s", markersize=3.5, label="median")
        axes.plot(middle, low, color=shade, linewidth=1.1, linestyle=style.LINES[1])
        axes.plot(
            middle, high, color=shade, linewidth=1.1, linestyle=style.LINES[1], label="central 68 %"
        )
        axes.legend(loc="best", ncols=2)
    reach = 1.1 * float(np.abs(residual).max()) or 0.5
    axes.set_ylim(-reach, reach)
    axes.set_xlabel(f"True {label}")
    axes.set_ylabel("Predicted − true")


def _cloud(axes: Axes, x: FloatArray, y: FloatArray, rows: int) -> None:
    if len(x) > MOST_POINTS:
        axes.hexbin(
            x, y, gridsize=(60, rows), bins="log", mincnt=1, cmap=style.DENSITY, linewidths=0.2
        )
        return
    alpha = float(np.clip(60 / np.sqrt(len(x)) / 4, 0.2, 0.9))
    axes.scatter(x, y, s=14, color=style.BLUE, alpha=alpha, linewidths=0, rasterized=True)
