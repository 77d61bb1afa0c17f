"""The figures of images: samples of each group, and the mean of each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lensnet.evaluation import style
from lensnet.exploration.bands import colour_channels
from lensnet.exploration.exploring import Exploration
from lensnet.exploration.stretching import Limits, colour_picture, grey_picture, limits_of

__all__ = ["mean_images", "sample_grid", "scale_of_samples"]

_PICTURE_INCHES = 1.22
_MOST_COLUMNS = 8


@style.drawn
def sample_grid(found: Exploration) -> Figure:
    """Show training images of each group, each on its own scale.

    Three bands and more are shown as one colour picture, two in a row each.

    Args:
        found: what was found, with samples.

    Raises:
        ValueError: there are no samples.
    """
    number = max(map(len, found.survey.samples))
    if not number:
        raise ValueError("no samples were asked for")
    columns = min(number, _MOST_COLUMNS)
    shown = _colours(found) or _bands(found)
    # Of each group so many rows of images, and one for each band below the other.
    depth = [math.ceil(len(samples) / columns) or 1 for samples in found.survey.samples]
    rows = sum(depth) * len(shown)
    figure = style.blank(1.5 + _PICTURE_INCHES * columns, (_PICTURE_INCHES + 0.17) * rows + 0.1)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        _bare(axes)
    row = 0
    for group, samples in enumerate(found.survey.samples):
        for first in range(0, max(len(samples), 1), columns):
            for band, picture in shown.items():
                for axes, sample in zip(grid[row], samples[first : first + columns], strict=False):
                    _show(axes, picture(sample.image))
                    name = sample.id.rpartition("/")[2]
                    axes.set_title(
                        style.plain(name, 20), fontsize=6, fontweight="normal", pad=2, loc="center"
                    )
                if first == 0:
                    _name_row(grid[row, 0], found.groups.names[group], band)
                row += 1
    return figure


def scale_of_samples(found: Exploration) -> str:
    """Say how `sample_grid` scales what it shows."""
    own = (
        "Each image is scaled by itself: its 1st percentile is black, its 99.7th (or 20 sigma "
        "above the sky, if that is more) white, asinh in between, linear up to three sigma of its "
        "own sky."
    )
    channels = colour_channels(found.bands)
    if channels is None:
        return own + (" One band below the other." if len(found.bands) > 1 else "")
    red, green, blue = (found.bands[channel] for channel in channels)
    return (
        f"Red, green and blue are {red}, {green} and {blue}, each in units of its brightness over "
        f"all images and bent together, so that colours are kept (Lupton et al. 2004). {own}"
    )


@style.drawn
def mean_images(found: Exploration) -> Figure:
    """Show the mean training image of each group, all on one scale for each band.

    Groups stand side by side; where there are several bands, these do, and groups below each
    other.

    Args:
        found: what was found.
    """
    means = found.survey.means
    groups, bands = len(found.groups), len(found.bands)
    columns = bands
    if bands == 1:
        columns = groups if groups <= 3 else min(math.ceil(math.sqrt(groups)), 5)
    rows = math.ceil(groups * bands / columns)
    width, height = (2.1, 2.3) if bands == 1 else (1.8, 1.45)
    label = 0.3 if bands == 1 else 1.3
    figure = style.blank(width * columns + label, height * rows + 0.7)
    figure.set_layout_engine("compressed")  # pictures keep their shape: no gaps between them
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        _bare(axes)
    for band, name in enumerate(found.bands):
        of_band = list(grid.flat) if bands == 1 else list(grid[:, band])
        scale = limits_of(means[..., band])
        for group, axes in zip(range(groups), of_band, strict=False):
            drawn = axes.imshow(
                means[group, :, :, band],
                interpolation="nearest",
                cmap="gray",
                norm=_asinh_norm(scale),
            )
            if bands == 1:
                axes.set_title(style.plain(found.groups.names[group], 26), fontsize=8.5, pad=4)
            elif band == 0:
                _name_row(axes, found.groups.names[group], "")
        if bands > 1:
            of_band[0].set_title(style.plain(name, 26), fontsize=8.5, pad=4)
        bar = figure.colorbar(
            drawn, ax=of_band, location="bottom", fraction=0.05, pad=0.02, aspect=30
        )
        ticks = [scale.low + share * (scale.high - scale.low) for share in (0.0, 1.0)]
        bar.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks])
        bar.minorticks_off()
        bar.ax.grid(False)
    return figure


def _asinh_norm(scale: Limits) -> Any:
    """Returns the scale of `grey_picture` as matplotlib's, for a picture with a colour bar."""
    from matplotlib.colors import FuncNorm

    # Values of one kind have no range; any other one shows them as well.
    high = scale.high if scale.high > scale.low else scale.low + (abs(scale.low) or 1.0)
    reach = scale.softening * (high - scale.low)
    return FuncNorm(
        (
            lambda x: np.arcsinh((np.asarray(x) - scale.low) / reach),
            lambda y: scale.low + reach * np.sinh(np.asarray(y)),
        ),
        vmin=scale.low,
        vmax=high,
        clip=True,
    )


def _colours(found: Exploration) -> dict[str, Callable[[np.ndarray], np.ndarray]] | None:
    """Returns how to make a colour picture; None where there are too few bands."""
    channels = colour_channels(found.bands)
    if channels is None:
        return None
    brightness = [band.range.brightness for band in found.histograms]
    return {"": lambda image: colour_picture(image, channels, brightness)}


def _bands(found: Exploration) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Returns how to make a grey picture of each band."""
    several = len(found.bands) > 1
    return {
        name if several else "": functools.partial(_grey, band)
        for band, name in enumerate(found.bands)
    }


def _grey(band: int, image: np.ndarray) -> np.ndarray:
    return grey_picture(image[..., band])


def _show(axes: Axes, picture: np.ndarray) -> None:
    axes.imshow(picture, interpolation="nearest", cmap="gray", vmin=0, vmax=1)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _name_row(axes: Axes, group: str, band: str) -> None:
    """Writes left of a row what it shows."""
    words = [style.plain(word, 20) for word in (group, band) if word]
    axes.set_ylabel("\n".join(words), rotation=0, ha="right", va="center", fontsize=9)
