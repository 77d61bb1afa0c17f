"""Looking at the images behind the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lensnet.evaluation import style
from lensnet.evaluation.checks import (
    FloatArray,
    IntArray,
    class_probabilities,
    names_of_classes,
    some_examples,
)

STRETCHES = ("asinh", "percentile")
# The share of the range below which the asinh is close to linear.
SOFTENING = 0.1


def display_image(image: ArrayLike, stretch: str = "asinh") -> NDArray[np.float64]:
    """Return an image scaled to [0, 1] for the eye.

    Values between the 0.5th and 99.7th percentile of the finite pixels, over all its channels
    together so that colours keep their ratio, are scaled linearly ("percentile"), then, for
    "asinh", by ``asinh(x / 0.1) / asinh(1 / 0.1)`` (Lupton et al. 2004), which shows faint arcs
    beside a bright galaxy. Pixels that are not finite become 0, as does an image of one value.

    Args:
        image: Shape (H, W, C) of any unit. One channel and three are kept; of any other number
            the mean is shown.
        stretch: "asinh" or "percentile".

    Returns:
        Shape (H, W) or (H, W, 3).

    Raises:
        ValueError: The image has no (H, W, C) shape or the stretch is not known.

    Example:
        >>> import numpy as np
        >>> display_image(np.linspace(0, 1, 4).reshape(2, 2, 1), "percentile").round(2)
        array([[0.  , 0.33],
               [0.67, 1.  ]])
    """
    if stretch not in STRETCHES:
        raise ValueError(f"stretch must be one of {', '.join(STRETCHES)}, but is {stretch!r}")
    array = np.asarray(image).astype(np.float64)
    if array.ndim != 3 or not array.size:
        raise ValueError(f"an image must have shape (H, W, C), but came with {array.shape}")
    if array.shape[2] == 1:
        array = array[:, :, 0]
    elif array.shape[2] != 3:
        finite_count = np.isfinite(array).sum(axis=2)
        total = np.where(np.isfinite(array), array, 0).sum(axis=2)
        array = np.where(finite_count > 0, total / np.maximum(finite_count, 1), np.nan)
    finite = np.isfinite(array)
    if not finite.any():
        return np.zeros(array.shape)
    low, high = np.percentile(array[finite], [0.5, 99.7])
    if not high > low:
        return np.zeros(array.shape)
    scaled = np.where(finite, ((np.where(finite, array, low) - low) / (high - low)).clip(0, 1), 0)
    if stretch == "asinh":
        scaled = np.arcsinh(scaled / SOFTENING) / math.asinh(1 / SOFTENING)
    return scaled


@style.drawn
def example_gallery(
    images: Any,
    labels: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    columns: int = 6,
    rows: int = 1,
    stretch: str = "asinh",
) -> Figure:
    """Show the most confident errors and, below, the most confident hits.

    Each image carries its true class, the class it is given and that class's probability. Errors
    come in order of confidence. Hits take turns among the classes, the most confident of each
    first, so that an easy class does not fill the row.

    Args:
        images: Array or memory map (N, H, W, C). One channel is shown in grey, three as red,
            green and blue, of any other number the mean.
        labels: Class indices, shape (N,).
        probabilities: Shape (N, K), or (N,) or (N, 1) of class 1 in a binary task.
        class_names: One name a class.
        columns: Images in a row.
        rows: Rows of errors, and rows of hits.
        stretch: "asinh" or "percentile", see `display_image`.

    Raises:
        ValueError: Images, labels and probabilities do not fit each other or there are none.

    Example:
        >>> import numpy as np
        >>> images = np.random.default_rng(0).uniform(size=(4, 8, 8, 1))
        >>> figure = example_gallery(images, [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["galaxy", "lens"])
        >>> [part.get_suptitle() for part in figure.subfigs]
        ['Most confident errors (2 of 4 images)', 'Most confident hits (2 of 4 images)']
    """
    classes, values, _ = class_probabilities(labels, probabilities)
    some_examples(classes, "the gallery")
    names = [style.plain(name, 21) for name in names_of_classes(class_names, values.shape[1])]
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or shape[0] != len(classes):
        raise ValueError(
            f"images must have shape ({len(classes)}, H, W, C), as there are {len(classes)} "
            f"labels, but came with {shape}"
        )
    if columns < 1 or rows < 1:
        raise ValueError(f"columns and rows must be at least 1, but are {columns} and {rows}")
    predicted = values.argmax(axis=1)
    confidence = values.max(axis=1)
    wrong = np.flatnonzero(predicted != classes)
    right = np.flatnonzero(predicted == classes)
    groups = (
        ("errors", wrong, wrong[np.argsort(-confidence[wrong], kind="stable")]),
        ("hits", right, right[_in_turns(classes[right], confidence[right])]),
    )
    figure = style.blank(1.75 * columns, 2 * (2.2 * rows + 0.32) + 0.25)
    parts: Any = figure.subfigures(2, 1)
    for part, (kind, members, ranked) in zip(parts, groups, strict=True):
        part.suptitle(
            f"Most confident {kind} ({len(members)} of {style.counted(len(classes))})",
            x=0.012,
            ha="left",
        )
        grid = part.subplots(rows, columns, squeeze=False)
        for place, axes in enumerate(grid.flat):
            axes.set_axis_off()
            if place >= len(ranked):
                continue
            index = int(ranked[place])
            _show(axes, display_image(images[index], stretch))
            axes.set_title(
                f"true: {names[classes[index]]}\n"
                f"given: {names[predicted[index]]}\n"
                f"score: {confidence[index]:.3f}",
                fontsize=7.5,
                fontweight="normal",
                pad=4,
            )
        if not len(members):
            style.note(grid[0, columns // 2], f"no {kind}")
    figure.supxlabel(_legend_of(shape[3], stretch), fontsize=7.5, color=style.MUTED)
    return figure


def _in_turns(classes: IntArray, confidence: FloatArray) -> IntArray:
    """Order examples by their rank within their class, then by confidence."""
    order = np.argsort(-confidence, kind="stable")
    seen: dict[int, int] = {}
    rank = np.empty(len(classes), dtype=np.int64)
    for index in order:
        one_class = int(classes[index])
        rank[index] = seen.get(one_class, 0)
        seen[one_class] = rank[index] + 1
    return np.lexsort((-confidence, rank))


def _show(axes: Axes, picture: NDArray[np.float64]) -> None:
    # matplotlib ignores colour map and limits for the three channels of a colour picture
    axes.imshow(picture, interpolation="nearest", cmap="gray", vmin=0, vmax=1)


def _legend_of(channels: int, stretch: str) -> str:
    shown = {1: "one channel", 3: "channels 0, 1, 2 as red, green, blue"}.get(
        channels, f"mean of {channels} channels"
    )
    return f"{shown}; each image scaled to its own range, {stretch} stretch"
