"""The curve of a learning-rate range test."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lensnet.evaluation import style

__all__ = ["learning_rate_curve"]


@style.drawn
def learning_rate_curve(
    rates: ArrayLike,
    losses: ArrayLike,
    smoothed: ArrayLike,
    *,
    loss: str,
    suggestion: float | None = None,
    lowest: float | None = None,
) -> Figure:
    """Draw the training loss against the learning rate, which rises from step to step.

    Args:
        rates: (N,) learning rates, ascending.
        losses: (N,) losses of single batches.
        smoothed: (N,) their mean over neighbours.
        loss: What the loss is called.
        suggestion: The rate that is suggested.
        lowest: The rate of the lowest smoothed loss.

    Example:
        >>> figure = learning_rate_curve([1e-3, 1e-2], [1.0, 0.5], [0.9, 0.6], loss="mse")
        >>> figure.axes[0].get_xlabel()
        'Learning rate'
    """
    rates, smoothed = np.asarray(rates, float), np.asarray(smoothed, float)
    figure, (axes,) = style.panels(1, columns=1, width_inches=6.2, height_inches=4.0)
    axes.plot(rates, losses, ".", color=style.MUTED, markersize=3, alpha=0.5, label="each batch")
    axes.plot(rates, smoothed, color=style.BLUE, label="smoothed")
    if lowest is not None:
        axes.axvline(lowest, color=style.MUTED, linewidth=1, label=f"lowest loss ({lowest:.2g})")
    if suggestion is not None:
        label = f"suggestion ({suggestion:.2g})"
        axes.axvline(suggestion, color=style.VERMILION, linestyle=style.LINES[1], label=label)
    low, high = float(smoothed.min()), float(smoothed.max())
    # What explodes at the end would press all the rest flat.
    first = float(smoothed[0])
    top = min(high, first + max(first - low, 0.05 * abs(first)))
    margin = 0.08 * max(top - low, 1e-12)
    axes.set_ylim(low - margin, top + margin)
    axes.set_xscale("log")
    axes.set_xlabel("Learning rate")
    axes.set_ylabel(f"Training loss ({style.plain(loss.replace('_', ' '))})")
    axes.set_title("Learning-rate range test")
    axes.legend(loc="lower left")
    return figure
