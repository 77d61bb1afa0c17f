"""Figures of a search for one class among another: precision and recall, and what it yields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sklearn.metrics  # type: ignore[import-untyped]
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from lensnet.evaluation import style
from lensnet.evaluation.checks import class_probabilities, names_of_classes, some_examples
from lensnet.evaluation.search_yield import found_among_top, purity_curve

__all__ = ["completeness_by_truth", "found_in_top", "precision_recall", "purity_completeness"]

# A share of fewer images says nothing.
LEAST_IN_A_BIN = 5
_MOST_PANELS = 6


@style.drawn
def precision_recall(
    labels: ArrayLike, probabilities: ArrayLike, class_names: Sequence[str] | None = None
) -> Figure:
    """Draw precision (purity) against recall (completeness) as the threshold falls.

    With K classes, one curve a class against all others, its average precision in the legend. The
    prevalence is that of the images measured.

    Example:
        >>> figure = precision_recall([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["galaxy", "lens"])
        >>> figure.axes[0].get_xlabel()
        'Recall (completeness)'
    """
    classes, values, binary = class_probabilities(labels, probabilities)
    some_examples(classes, "the figure")
    names = names_of_classes(class_names, values.shape[1])
    figure = style.blank(7.6 if values.shape[1] > 6 else 5.4, 4.9)
    axes = figure.subplots()
    handles, entries = [], []
    for index in [1] if binary else range(values.shape[1]):
        positive = classes == index
        if positive.all() or not positive.any():
            continue
        precision, recall, _ = sklearn.metrics.precision_recall_curve(positive, values[:, index])
        look = {"color": style.color(index), "linestyle": style.line(index)}
        handles += axes.plot(recall, precision, drawstyle="steps-post", **look)
        area = sklearn.metrics.average_precision_score(positive, values[:, index])
        entries.append(f"{area:.3f}  {style.plain(names[index])} ({positive.sum()})")
        axes.axhline(positive.mean(), color=style.color(index), linewidth=0.7, alpha=0.5, zorder=1)
    if not handles:
        style.note(axes, "All examples are of one class:\nthere is no curve")
    style.share_axis(axes, "x")
    style.share_axis(axes, "y")
    axes.set_xlabel("Recall (completeness)")
    axes.set_ylabel("Precision (purity)")
    axes.set_title(f"Precision and recall, {style.counted(len(classes))}")
    style.keys(axes, handles, entries, "Average precision, class (images)", loc="lower left")
    return figure


@style.drawn
def found_in_top(labels: ArrayLike, scores: ArrayLike, name: str = "class 1") -> Figure:
    """Draw how many of a class are among the N images of the highest scores.

    Example:
        >>> figure = found_in_top([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], "lens")
        >>> figure.axes[0].get_ylabel()
        'Images of lens among them'
    """
    numbers, found = found_among_top(labels, scores)
    some_examples(numbers, "the figure")
    figure = style.blank(5.6, 4.3)
    axes = figure.subplots()
    axes.plot(numbers, found, color=style.BLUE, label="by score")
    axes.plot(
        numbers,
        np.minimum(numbers, found[-1]),
        color=style.MUTED,
        linewidth=1,
        linestyle=style.LINES[1],
        label="perfect ranking",
    )
    axes.plot(
        numbers,
        numbers * found[-1] / len(numbers),
        color=style.MUTED,
        linewidth=1,
        linestyle=style.LINES[2],
        label="random order",
    )
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, 1.3 * found[-1] + 0.5)
    shown = style.plain(name, 20)
    axes.set_xlabel("Images inspected, from the highest score on")
    axes.set_ylabel(f"Images of {shown} among them")
    axes.set_title(f"Found: {found[-1]:.0f} of {style.counted(len(numbers))} are {shown}")
    axes.legend(loc="upper left")
    return figure


@style.drawn
def purity_completeness(
    labels: ArrayLike, scores: ArrayLike, prevalence: float, name: str = "class 1"
) -> Figure:
    """Draw purity against completeness where the class has some prevalence.

    The band is the 95 % interval by that of the false-positive rate: at its left end there are few
    false positives or none, and a test of this size cannot tell how pure a sample would be.

    Example:
        >>> figure = purity_completeness([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], 0.001, "lens")
        >>> figure.axes[0].get_ylabel()
        'Purity at this prevalence'
    """
    curve = purity_curve(labels, scores, prevalence)
    figure = style.blank(5.6, 4.3)
    axes = figure.subplots()
    axes.fill_between(
        curve.completeness,
        curve.low,
        curve.high,
        color=style.BLUE,
        alpha=0.18,
        linewidth=0,
        label="95 % interval",
    )
    # Without a false positive all that is known is the lower end.
    some = curve.high < 1
    axes.plot(curve.completeness[some], curve.purity[some], color=style.BLUE, label="measured")
    axes.set_yscale("log")
    axes.set_ylim(max(prevalence / 3, 1e-7), 2)
    axes.axhline(prevalence, color=style.MUTED, linewidth=1, linestyle=style.LINES[1])
    style.share_axis(axes, "x")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.set_xlabel(f"Completeness: share of {style.plain(name, 20)} found")
    axes.set_ylabel("Purity at this prevalence")
    count = style.counted(len(np.asarray(labels)))
    axes.set_title(f"One in {1 / prevalence:,.0f} is {style.plain(name, 16)} ({count})")
    axes.legend(loc="upper right")
    return figure


@style.drawn
def completeness_by_truth(
    truth: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray], what: str
) -> Figure:
    """Draw the share found against what is known of the images.

    Args:
        truth: the quantities, (N,) each; NaN where one is not known.
        found: whether each image is found, (N,) bool, by the name of the criterion.
        what: of what the share is, for the axis.

    Raises:
        ValueError: no quantity has enough values.

    Example:
        >>> size = np.linspace(0.5, 2, 40)
        >>> truth = {"einstein_radius_arcsec": size}
        >>> figure = completeness_by_truth(truth, {"score": size > 1}, "Share found")
        >>> figure.axes[0].get_xlabel()
        'einstein radius (arcsec)'
    """
    shown = [name for name, values in truth.items() if _enough(values)][:_MOST_PANELS]
    if not shown:
        raise ValueError("no quantity is known of enough images")
    columns = len(shown) if len(shown) < 4 else (len(shown) + 1) // 2
    figure, grid = style.panels(len(shown), columns=columns, width_inches=4.0, height_inches=3.3)
    for axes, name in zip(grid, shown, strict=True):
        values = truth[name]
        known = np.isfinite(values)
        order = np.flatnonzero(known)[np.argsort(values[known], kind="stable")]
        bins = np.array_split(order, int(np.clip(len(order) // 20, 2, 10)))
        centres = [float(np.median(values[members])) for members in bins]
        for index, (criterion, of_images) in enumerate(found.items()):
            shares = np.array([of_images[members].mean() for members in bins])
            sizes = np.array([len(members) for members in bins])
            # Wilson 1927: also where all or none are found.
            spread = 1.96 * np.sqrt(shares * (1 - shares) / sizes + 0.96 / sizes**2)
            middle = (shares + 1.92 / sizes) / (1 + 3.84 / sizes)
            reach = spread / (1 + 3.84 / sizes)
            axes.fill_between(
                centres,
                middle - reach,
                middle + reach,
                color=style.color(index),
                alpha=0.15,
                linewidth=0,
            )
            axes.plot(
                centres,
                shares,
                color=style.color(index),
                linestyle=style.LINES[index % len(style.LINES)],
                marker="o",
                markersize=4,
                label=criterion,
            )
        style.share_axis(axes, "y")
        axes.set_xlabel(readable_quantity(name))
        axes.set_ylabel(what)
        axes.set_title(style.counted(len(order)))
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def readable_quantity(name: str) -> str:
    """Return the name of a column with its unit set apart.

    Example:
        >>> readable_quantity("einstein_radius_arcsec"), readable_quantity("source_magnitude")
        ('einstein radius (arcsec)', 'source magnitude')
    """
    words = style.plain(name, 40).split("_")
    if len(words) > 1 and words[-1].lower() in ("arcsec", "solar", "px", "pixels", "sigma"):
        unit = {"solar": "solar masses", "px": "pixels"}.get(words[-1].lower(), words[-1])
        return f"{' '.join(words[:-1])} ({unit})"
    return " ".join(words)


def _enough(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) >= 4 * LEAST_IN_A_BIN and len(np.unique(finite)) >= 10
