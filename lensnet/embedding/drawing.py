"""The figures of an embedding: maps, and images with what is said of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lensnet.embedding.maps import FeatureMap
from lensnet.evaluation import style
from lensnet.evaluation.image_figures import display_image

__all__ = ["feature_map", "image_strip"]

_COLUMNS = 6


@style.drawn
def feature_map(
    found: FeatureMap, shown: ArrayLike, classes: Sequence[str], what: str, total: int
) -> Figure:
    """Draw images as points, coloured by their class or by a quantity.

    Args:
        found: Where they lie.
        shown: Class indices, or a quantity, shape (N,).
        classes: The class names; () for a quantity.
        what: What the colours are, such as "true class" or "target".
        total: Images of which these are a sample.

    Example:
        >>> found = FeatureMap(np.eye(3)[:, :2], ("one", "two"), "principal components")
        >>> figure = feature_map(found, [0, 1, 1], ["galaxy", "lens"], "true class", 3)
        >>> figure.axes[0].get_title("left")
        'Pooled features of 3 images'
    """
    values = np.asarray(shown, np.float64)
    figure = style.blank(6.4, 5.2)
    axes = figure.subplots()
    size = float(np.clip(2500 / len(values), 3, 28))
    if classes:
        names = [style.plain(name, 24) for name in classes]
        # In an order of their own, so that no class hides the others.
        order = np.random.default_rng(0).permutation(len(values))
        colors = np.array([style.color(int(value)) for value in values])
        x, y = found.points[order].T
        axes.scatter(x, y, s=size, c=colors[order], alpha=0.7, linewidths=0)
        for index, name in enumerate(names):
            count = int(np.sum(values == index))
            label = f"{name} ({count})"
            axes.scatter([], [], s=28, color=style.color(index), label=label)
        axes.legend(title=what, loc="center left", bbox_to_anchor=(1.01, 0.5), alignment="left")
    else:
        x, y = found.points.T
        drawn = axes.scatter(x, y, s=size, c=values, cmap="viridis", linewidths=0)
        bar = figure.colorbar(drawn, ax=axes, pad=0.02)
        bar.set_label(what)
        bar.ax.grid(False)
    axes.set_xlabel(found.axes[0])
    axes.set_ylabel(found.axes[1])
    some = "" if len(values) == total else f"{len(values)} of "
    axes.set_title(f"Pooled features of {some}{style.counted(total)}")
    return figure


@style.drawn
def image_strip(
    images: Sequence[np.ndarray], titles: Sequence[Sequence[str]], heading: str
) -> Figure:
    """Draw images in rows of six, each with some lines of text above.

    Args:
        images: Raw, shape (H, W, C) each.
        titles: The lines of each, which are cut where they are too long.
        heading: Above all.

    Raises:
        ValueError: There is no image.

    Example:
        >>> figure = image_strip([np.zeros((4, 4, 1))] * 7, [["a"]] * 7, "Seven images")
        >>> len(figure.axes)
        12
    """
    if not images:
        raise ValueError("there is no image to draw")
    columns = min(len(images), _COLUMNS)
    rows = math.ceil(len(images) / columns)
    lines = max(map(len, titles))
    figure = style.blank(max(1.75 * columns, 4.5), (1.7 + 0.16 * lines) * rows + 0.55)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, image, title in zip(grid.flat, images, titles, strict=False):
        picture = display_image(image)
        axes.imshow(picture, interpolation="nearest", cmap="gray", vmin=0, vmax=1)
        text = "\n".join(style.plain(line, 26) for line in title)
        axes.set_title(text, fontsize=7.5, fontweight="normal", pad=4)
    figure.suptitle(heading, x=0.012, ha="left")
    figure.supxlabel(
        "each image scaled to its own range, asinh stretch", fontsize=7.5, color=style.MUTED
    )
    return figure
