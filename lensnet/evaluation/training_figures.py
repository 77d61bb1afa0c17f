"""The course of training: loss and metrics of every epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lensnet.evaluation import style

History = Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]]

# Kept in a history beside what is measured on images.
BOOKKEEPING = frozenset(
    {"epoch", "learning_rate", "lr", "seconds", "time", "images_per_second", "step", "steps"}
)
SMALLER_IS_BETTER = ("loss", "error", "mse", "mae", "rmse", "crossentropy", "log_loss", "ece")
NAMES = {"roc_auc": "ROC AUC", "auc": "AUC", "mse": "MSE", "mae": "MAE", "rmse": "RMSE"}


@style.drawn
def training_curves(
    history: History, *, monitor: str = "val_loss", best_epoch: int | None = None
) -> Figure:
    """Draw loss and metrics against the epoch, training beside validation.

    The best epoch is marked in every panel. It is `best_epoch` where that is given, else the one
    with the best value of `monitor` (smallest for losses and errors, largest otherwise); without
    that column, none is marked.

    Args:
        history: A mapping of column to the values of all epochs, as `keras.callbacks.History`
            keeps it, or the rows of a `history.csv`, one mapping an epoch, whose values may be
            text. Columns named `val_...` are validation. A missing or empty value is a gap. The
            column `epoch` may start at 0 or 1 and is shown as it stands; without it, epochs count
            from 1.
        monitor: The column by which the best epoch was chosen.
        best_epoch: The best epoch, in the count of the column `epoch`.

    Raises:
        ValueError: The history has no epoch, or columns of different length.

    Example:
        >>> figure = training_curves({"loss": [1.0, 0.5], "val_loss": [1.1, 0.7]})
        >>> figure.axes[0].get_ylabel()
        'Loss'
    """
    columns = _columns(history)
    epochs = columns.get("epoch")
    length = len(next(iter(columns.values())))
    if epochs is None or not np.isfinite(epochs).all():
        epochs = np.arange(1.0, length + 1)
    measured = _measured(columns)
    if not measured:
        raise ValueError(f"the history holds no loss and no metric, only {sorted(columns)}")
    best = _best_epoch(columns.get(monitor), monitor, epochs) if best_epoch is None else best_epoch
    across = len(measured) if len(measured) <= 3 else math.ceil(len(measured) / 2)
    figure, grid = style.panels(
        len(measured), columns=min(across, 3), width_inches=4.1, height_inches=3.3
    )
    for axes, name in zip(grid, measured, strict=True):
        _curves(axes, name, columns, epochs, best)
    grid[0].legend(loc="best")
    return figure


def _columns(history: History) -> dict[str, NDArray[np.float64]]:
    if isinstance(history, Mapping):
        columns = {name: np.array([_number(v) for v in vs]) for name, vs in history.items()}
    else:
        rows = list(history)
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {name: np.array([_number(row.get(name)) for row in rows]) for name in names}
    lengths = {name: len(values) for name, values in columns.items()}
    if not columns or not max(lengths.values()):
        raise ValueError("the history must hold at least one epoch, but is empty")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns of a history must have one length, but have {lengths}")
    return columns


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _measured(columns: Mapping[str, NDArray[np.float64]]) -> list[str]:
    names = dict.fromkeys(name.removeprefix("val_") for name in columns)
    kept = [
        name
        for name in names
        if name not in BOOKKEEPING
        and any(np.isfinite(columns[key]).any() for key in (name, f"val_{name}") if key in columns)
    ]
    return sorted(kept, key=lambda name: name != "loss")


def _best_epoch(
    values: NDArray[np.float64] | None, monitor: str, epochs: NDArray[np.float64]
) -> float | None:
    if values is None or not np.isfinite(values).any():
        return None
    smaller = monitor.removeprefix("val_").endswith(SMALLER_IS_BETTER)
    return float(epochs[np.nanargmin(values) if smaller else np.nanargmax(values)])


def _curves(
    axes: Axes,
    name: str,
    columns: Mapping[str, NDArray[np.float64]],
    epochs: NDArray[np.float64],
    best: float | None,
) -> None:
    looks = (
        (name, "training", style.BLUE, style.LINES[0], "o"),
        (f"val_{name}", "validation", style.VERMILION, style.LINES[1], "s"),
    )
    for key, label, shade, dashes, marker in looks:
        values = columns.get(key)
        if values is None:
            continue
        axes.plot(
            epochs,
            values,
            color=shade,
            linestyle=dashes,
            marker=marker,
            markersize=4 if len(epochs) <= 40 else 0,
            label=label,
        )
    if best is not None:
        axes.axvline(best, color=style.MUTED, linewidth=1, zorder=0, label=f"best epoch ({best:g})")
    readable = NAMES.get(name, name.replace("_", " ").capitalize())
    axes.set_title(style.plain(readable))
    axes.set_ylabel(style.plain(readable))
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(x=0.04 if len(epochs) > 1 else 0.5)
