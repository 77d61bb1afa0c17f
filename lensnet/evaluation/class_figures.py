"""Figures of a classifier: ROC curves, confusion, calibration and the spread of scores.

All take the labels (N,) and the probabilities, (N, K), or (N,) or (N, 1) of class 1 for a binary
task, and raise a ValueError where these do not fit each other or hold no example.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import sklearn.metrics  # type: ignore[import-untyped]
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from lensnet.evaluation import style
from lensnet.evaluation.calibration import calibration_bins
from lensnet.evaluation.checks import (
    FloatArray,
    IntArray,
    class_probabilities,
    names_of_classes,
    some_examples,
)
from lensnet.evaluation.metrics import true_positive_rate_at


@style.drawn
def roc_curve(
    labels: ArrayLike, probabilities: ArrayLike, class_names: Sequence[str] | None = None
) -> Figure:
    """Draw the share of true positives against the share of false ones.

    With K classes, one curve a class against all others, its area in the legend. In a binary
    task one curve, and beside it the same on a logarithmic axis, where searches among millions of
    galaxies are decided, with TPR0 and TPR10 (Metcalf et al. 2019) marked.

    Example:
        >>> figure = roc_curve([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["galaxy", "lens"])
        >>> len(figure.axes)
        2
    """
    classes, values, binary = _examples(labels, probabilities)
    names = names_of_classes(class_names, values.shape[1])
    if binary:
        return _binary_roc_curve(classes, values[:, 1], names)
    beside = values.shape[1] > 6
    figure = style.blank(7.6 if beside else 5.4, 4.9)
    axes = figure.subplots()
    handles, entries, areas = [], [], []
    for index, name in enumerate(names):
        positive = classes == index
        look = {"color": style.color(index), "linestyle": style.line(index)}
        if positive.all() or not positive.any():
            handles.append(Line2D([], [], alpha=0.35, **look))
            # A dash in place of the number, padded by spaces of a digit's width.
            entries.append(f"\u2007\u2007–\u2007\u2008  {style.plain(name)}")
            continue
        false, true, _ = sklearn.metrics.roc_curve(positive, values[:, index])
        handles += axes.plot(false, true, **look)
        areas.append(float(sklearn.metrics.roc_auc_score(positive, values[:, index])))
        entries.append(f"{areas[-1]:.3f}  {style.plain(name)} ({positive.sum()})")
    if not areas:
        style.note(axes, "All examples are of one class:\nthere is no ROC curve")
    mean = f", mean {np.mean(areas):.3f}" if len(areas) == len(names) else ""
    axes.set_title(f"ROC, each class against the rest{mean} ({style.counted(len(classes))})")
    _roc_axes(axes)
    style.keys(axes, handles, entries, "AUC    class (images)")
    return figure


@style.drawn
def confusion_matrix(
    labels: ArrayLike, probabilities: ArrayLike, class_names: Sequence[str] | None = None
) -> Figure:
    """Draw how often each true class (row) is taken for each class (column).

    The colour is the share of the row; the number is the count, with the share below it where
    there is room. The predicted class is the most probable one (above 0.5 in a binary task).

    Example:
        >>> figure = confusion_matrix([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["galaxy", "lens"])
        >>> figure.axes[0].get_xlabel()
        'Predicted class'
    """
    classes, values, _ = _examples(labels, probabilities)
    number = values.shape[1]
    few = number <= 6
    names = names_of_classes(class_names, number)
    names = [_wrapped(name) if few else style.plain(name, 24) for name in names]
    counts = sklearn.metrics.confusion_matrix(
        classes, values.argmax(axis=1), labels=np.arange(number)
    )
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.where(totals, totals, 1)
    cell = 1.05 if few else 0.5
    figure = style.blank(2.9 + cell * number, 1.4 + cell * number + (0 if few else 1))
    axes = figure.subplots()
    image = axes.imshow(share, cmap=style.SEQUENTIAL, vmin=0, vmax=1)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if few:
        axes.set_xticks(range(number), names)
    else:
        axes.set_xticks(range(number), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(number), names)
    for row, column in np.ndindex(counts.shape):
        text = f"{counts[row, column]}"
        if not totals[row, 0]:
            text = "–"
        elif few:
            text += f"\n{100 * share[row, column]:.1f} %"
        dark = share[row, column] > 0.5
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=9.5 if few else 7,
            color="white" if dark else style.INK,
        )
    right = np.trace(counts)
    axes.set_title(f"Confusion, {right} of {style.counted(len(classes))} right")
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.03, aspect=28)
    bar.set_label("Share of the true class")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


@style.drawn
def reliability_diagram(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> Figure:
    """Draw accuracy against confidence (Guo et al. 2017), and how many images have which.

    Confidence is the probability of the predicted class. Points under the diagonal are
    overconfident. Bars show the distance whose weighted mean is the expected calibration error.

    Example:
        >>> figure = reliability_diagram([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
        >>> figure.axes[0].get_ylabel()
        'Accuracy'
    """
    classes, values, _ = _examples(labels, probabilities)
    result = calibration_bins(classes, values, bins)
    filled = result.counts > 0
    figure = style.blank(5.6, 5.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    top.plot([0, 1], [0, 1], color=style.MUTED, linewidth=1, linestyle=style.LINES[1])
    top.vlines(
        result.confidence[filled],
        result.accuracy[filled],
        result.confidence[filled],
        color=style.VERMILION,
        linewidth=4,
        alpha=0.45,
        label="distance to perfect calibration",
    )
    top.plot(
        result.confidence[filled],
        result.accuracy[filled],
        color=style.BLUE,
        marker="o",
        markersize=5,
        label="accuracy in a bin",
    )
    style.share_axis(top, "y")
    top.set_ylabel("Accuracy")
    error = f"{100 * (result.error or 0):.1f} %"
    top.set_title(f"Calibration error {error}, {style.counted(len(classes))}")
    top.legend(loc="lower right")
    bottom.bar(
        result.edges[:-1],
        result.counts / len(classes),
        width=np.diff(result.edges),
        align="edge",
        color=style.BLUE,
        edgecolor="white",
        linewidth=0.6,
    )
    # No class can be the most probable one below an equal share.
    bottom.set_xlim(max(1 / values.shape[1] - 0.1, -0.015), 1.015)
    bottom.set_xlabel("Confidence: probability of the predicted class")
    bottom.set_ylabel("Share of images")
    return figure


@style.drawn
def score_histogram(
    labels: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str] | None = None,
    bins: int = 25,
) -> Figure:
    """Draw which scores each class gets, with a logarithmic count so that rare ones show.

    In a binary task one panel, the probability of class 1 for both classes. With K classes one
    panel a class: its probability for images of the class and for all others.

    Example:
        >>> figure = score_histogram([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["galaxy", "lens"])
        >>> figure.axes[0].get_ylabel()
        'Images a bin'
    """
    classes, values, binary = _examples(labels, probabilities)
    names = names_of_classes(class_names, values.shape[1])
    if binary:
        figure, grid = style.panels(1, columns=1, width_inches=5.8, height_inches=4.5)
        parts = [
            f"{style.plain(name, 24)} ({np.sum(classes == k)})" for k, name in enumerate(names)
        ]
        _score_panel(grid[0], values[:, 1], classes == 1, bins, parts[1], parts[0])
        grid[0].set_xlabel(f"Score: probability of {style.plain(names[1])}")
        grid[0].set_title("Scores of both classes")
        # Room for the legend above the tallest bars.
        grid[0].set_ylim(0, 6 * grid[0].get_ylim()[1])
        grid[0].legend(loc="upper center")
        return figure
    columns = 3 if len(names) <= 9 else 4
    figure, grid = style.panels(len(names), columns=columns, width_inches=3.5, height_inches=2.9)
    for index, (axes, name) in enumerate(zip(grid, names, strict=True)):
        of_class = classes == index
        _score_panel(axes, values[:, index], of_class, bins, "images of the class", "all others")
        axes.set_xlabel("Probability of the class")
        axes.set_title(f"{style.plain(name, 24)} ({of_class.sum()})")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _examples(labels: ArrayLike, probabilities: ArrayLike) -> tuple[IntArray, FloatArray, bool]:
    classes, values, binary = class_probabilities(labels, probabilities)
    some_examples(classes, "the figure")
    return classes, values, binary


def _binary_roc_curve(classes: IntArray, scores: FloatArray, names: list[str]) -> Figure:
    figure = style.blank(9.4, 4.5)
    left, right = figure.subplots(1, 2)
    lens = style.plain(names[1], 20)
    _roc_axes(left)
    right.set_xscale("log")
    style.share_axis(right, "y")
    right.set_xlabel("False positive rate, logarithmic")
    right.set_ylabel("True positive rate")
    others = int((classes == 0).sum())
    if others in (0, len(classes)):
        for axes in (left, right):
            style.note(axes, "All examples are of one class:\nthere is no ROC curve")
        left.set_title(f"ROC of {lens}")
        right.set_xlim(1e-3, 1)
        return figure
    false, true, _ = sklearn.metrics.roc_curve(classes, scores, drop_intermediate=False)
    area = sklearn.metrics.roc_auc_score(classes, scores)
    left.plot(false, true, color=style.BLUE)
    left.set_title(f"ROC of {lens}, AUC {area:.4f}")
    right.set_title(f"At few false positives, {style.counted(len(classes))}")
    # A rate of zero has no place on a logarithmic axis: it is drawn at half a false positive.
    lowest = 0.5 / others
    right.plot(np.maximum(false, lowest), true, color=style.BLUE, drawstyle="steps-post")
    right.set_xlim(lowest, 1)
    marks = ((0, lowest, "TPR0", "o"), (10, 9 / others, "TPR10", "s"))
    for allowed, rate, name, marker in marks:
        reached = true_positive_rate_at(classes, scores, allowed)
        if reached is None:
            continue
        right.plot(
            max(rate, lowest),
            reached,
            marker,
            color=style.VERMILION,
            markersize=7,
            clip_on=False,
            zorder=3,
            linestyle="none",
            label=f"{name} = {reached:.3f}",
        )
    right.legend(loc="lower right")
    return figure


def _roc_axes(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=1, linestyle=style.LINES[1], zorder=1)
    axes.set_aspect("equal")
    style.share_axis(axes, "x")
    style.share_axis(axes, "y")
    axes.set_xlabel("False positive rate")
    axes.set_ylabel("True positive rate")


def _score_panel(
    axes: Axes,
    scores: FloatArray,
    of_class: np.ndarray,
    bins: int,
    name: str,
    other_name: str,
) -> None:
    edges = np.linspace(0, 1, bins + 1)
    parts = (
        (scores[~of_class], other_name, style.VERMILION, style.LINES[1]),
        (scores[of_class], name, style.BLUE, style.LINES[0]),
    )
    for part, label, shade, dashes in parts:
        counts = np.histogram(part, edges)[0]
        axes.stairs(counts, edges, fill=True, color=shade, alpha=0.22, baseline=0)
        axes.stairs(
            counts, edges, color=shade, linewidth=1.5, linestyle=dashes, baseline=0, label=label
        )
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, max(axes.get_ylim()[1], 2))
    style.share_axis(axes, "x")
    axes.set_ylabel("Images a bin")


def _wrapped(name: str, width: int = 13) -> str:
    """Break a name into at most three lines, as a tick label has room for."""
    return "\n".join(textwrap.wrap(style.plain(name, 3 * width), width)[:4]) or " "
