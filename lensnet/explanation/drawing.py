"""The figure of explanations: image, map and occlusion beside each other, with colour bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from lensnet.evaluation import style
from lensnet.evaluation.image_figures import display_image
from lensnet.explanation.explaining import Explanation, Method

__all__ = ["explanation_rows"]

# What speaks against an answer, nothing, and what speaks for it.
_SIGNED = LinearSegmentedColormap.from_list(
    "lensnet_signed", [style.BLUE, "#ffffff", style.VERMILION]
)
_OPACITY = 0.6


@style.drawn
def explanation_rows(
    explained: Sequence[Explanation], method: Method, unit: str, heading: str
) -> Figure:
    """Draw images in rows: the image, what the network sees in it, what covering it changes.

    Args:
        explained: The images.
        method: What the maps in the middle are.
        unit: Of the answer that falls.
        heading: Above all.

    Raises:
        ValueError: There is no image.

    Example:
        >>> one = Explanation("a", np.zeros((8, 8, 1)), None, "lens 0.9", np.ones((8, 8)),
        ...                   np.zeros((4, 4)))
        >>> len(explanation_rows([one], Method("Grad-CAM", "of one"), "logit", "One image").axes)
        5
    """
    if not explained:
        raise ValueError("there is no image to draw")
    figure = style.blank(8.6, 2.55 * len(explained) + 0.7)
    grid = figure.subplots(len(explained), 3, squeeze=False)
    for row, found in zip(grid, explained, strict=True):
        picture = display_image(found.image)
        for axes in row:
            axes.set_axis_off()
            # In the middle of the outer pixels' edges, whatever the size of what is laid over it.
            _show(axes, _grey(picture) if axes is not row[0] else picture)
        known = "" if found.truth is None else f"true: {style.plain(found.truth, 22)}\n"
        name = style.short_name(found.name)
        _title(row[0], f"{name}\n{known}given: {style.plain(found.answer, 28)}")
        _title(row[1], method.title)
        _title(row[2], "Occlusion")
        top = float(found.seen.max())
        seen = row[1].imshow(
            found.seen / top if top > 0 else found.seen,
            cmap="inferno",
            vmin=0,
            vmax=1,
            alpha=_OPACITY,
            extent=(0, 1, 0, 1),
            interpolation="bilinear",
        )
        _bar(figure, seen, row[1], "share of its largest" if top > 0 else "zero everywhere")
        reach = float(np.abs(found.fall).max()) or 1.0
        fall = row[2].imshow(
            found.fall,
            cmap=_SIGNED,
            vmin=-reach,
            vmax=reach,
            alpha=_OPACITY,
            extent=(0, 1, 0, 1),
            interpolation="nearest",
        )
        _bar(figure, fall, row[2], f"fall of the {unit.split(',')[0].split(' of ')[0]}")
    figure.suptitle(heading, x=0.012, ha="left")
    figure.supxlabel(
        f"{method.title}: {method.words}. Occlusion: fall of the {unit}, above 0 where what is "
        "covered raises it.\nEach image and each map is scaled to its own range.",
        fontsize=7.5,
        color=style.MUTED,
    )
    return figure


def _show(axes: Axes, picture: np.ndarray) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=(0, 1, 0, 1), interpolation="nearest")
    # A pixel is as high as it is wide.
    axes.set_aspect(picture.shape[0] / picture.shape[1])


def _grey(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 2 else np.asarray(picture.mean(axis=2))


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=7.5, fontweight="normal", pad=4)


def _bar(figure: Figure, drawn: Any, axes: Axes, label: str) -> None:
    bar = figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.03)
    bar.set_label(label, fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    bar.ax.grid(False)
