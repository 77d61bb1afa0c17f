"""The figures of numbers: histograms, profiles, and what differs from image to image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lensnet.data.sources.splits import SPLITS
from lensnet.evaluation import style
from lensnet.exploration.exploring import Exploration

__all__ = [
    "image_numbers",
    "metadata_histograms",
    "pixel_histograms",
    "radial_profiles",
    "target_histogram",
]

_SHOWN_NUMBERS = {
    "lowest": "lowest pixel",
    "median": "median",
    "highest": "highest pixel",
    "std": "standard deviation",
}
_MOST_COLUMNS = 12
_BINS = 30
# A range of more than this takes an axis of its own kind.
_WIDE = 100.0


@style.drawn
def pixel_histograms(found: Exploration) -> Figure:
    """Draw how often each pixel value comes: the core of the values, and all of them.

    Left on linear axes; right with logarithmic counts, and measured from the sky on an axis that
    is linear up to the noise and logarithmic beyond, where the values reach far.

    Args:
        found: what was found; its training images are drawn.
    """
    rows = len(found.histograms)
    figure = style.blank(9.6, 2.9 * rows + 0.5)
    grid = figure.subplots(rows, 2, squeeze=False)
    for band, (core, whole) in zip(found.histograms, grid, strict=True):
        beyond = band.range
        zero = beyond.sky if beyond.is_wide else 0.0
        for group in range(len(found.groups)):
            look = _look(group)
            share = band.core[group] / max(1, band.pixels[group])
            core.stairs(share, band.core_edges, **look)
            share = band.whole[group] / max(1, band.pixels[group])
            whole.stairs(share, band.whole_edges - zero, **look)
        whole.set_yscale("log")
        if beyond.is_wide:
            whole.set_xscale("asinh", linear_width=beyond.noise)
        whole.set_xlim(band.whole_edges[0] - zero, band.whole_edges[-1] - zero)
        if beyond.is_wide:
            _few_ticks(whole)
        core.set_ylabel("Share of pixels")
    for (core, whole), name, band in zip(grid, found.bands, found.histograms, strict=True):
        title = "" if len(found.bands) == 1 else f"{style.plain(name)}: "
        core.set_title(f"{title}most pixels")
        whole.set_title(f"{title}all pixels")
        core.set_xlabel("Pixel value")
        sky = f"Pixel value − sky ({band.range.sky:.4g})" if band.range.is_wide else "Pixel value"
        whole.set_xlabel(sky)
    _group_keys(figure, found.groups.names)
    return figure


@style.drawn
def image_numbers(found: Exploration) -> Figure:
    """Draw how the lowest, median and highest pixel and the scatter vary from image to image.

    A dot is the median image of a group, the thick line the middle half of the images, the thin
    line the middle nine tenths.

    Args:
        found: what was found; all its images are drawn.
    """
    names = [style.plain(name, 18) for name in found.groups.names]
    rows, columns = len(found.bands), len(_SHOWN_NUMBERS)
    height = max(1.3, 0.26 * len(names) + 0.8)
    figure = style.blank(11.2, height * rows + 0.1)
    grid = figure.subplots(rows, columns, squeeze=False)
    places = -np.arange(len(names))
    for band, row in enumerate(grid):
        for axes, (number, label) in zip(row, _SHOWN_NUMBERS.items(), strict=True):
            values = found.survey.of(number)[:, band].astype(np.float64)
            ranges = np.array(
                [
                    np.percentile(values[found.group_of == group], [5, 25, 50, 75, 95])
                    for group in range(len(names))
                ]
            )
            for group, (low, first, middle, last, high) in enumerate(ranges):
                color, place = style.color(group), places[group]
                axes.plot([low, high], [place, place], color=color, linewidth=1.2)
                axes.plot([first, last], [place, place], color=color, linewidth=5, alpha=0.55)
                axes.plot([middle], [place], color=color, marker="o", markersize=5)
            _fitting_scale(axes, ranges)
            axes.set_ylim(places[-1] - 0.6, 0.6)
            axes.set_yticks(places, names if axes is row[0] else [""] * len(names))
            axes.grid(False, axis="y")
            band_name = "" if rows == 1 else f"{style.plain(found.bands[band], 14)}: "
            axes.set_title(f"{band_name}{label}", fontsize=9.5)
    return figure


@style.drawn
def radial_profiles(found: Exploration) -> Figure:
    """Draw the mean pixel on rings around the centre: the median image and the middle two thirds.

    Args:
        found: what was found; its training images are drawn.
    """
    bands = found.bands
    width, height = (5.2, 3.5) if len(bands) == 1 else (3.7, 2.8)
    figure, panels = style.panels(len(bands), columns=3, width_inches=width, height_inches=height)
    radii = found.survey.radii
    for band, axes in enumerate(panels):
        for group, profiles in enumerate(found.survey.profiles):
            low, middle, high = np.percentile(profiles[..., band], [16, 50, 84], axis=0)
            color = style.color(group)
            axes.fill_between(radii, low, high, color=color, alpha=0.13, linewidth=0)
            axes.plot(radii, middle, color=color, linestyle=style.line(group))
        axes.set_xlabel("Radius (pixels)")
        axes.set_ylabel("Mean pixel on the ring")
        if len(bands) > 1:
            axes.set_title(style.plain(bands[band]))
        axes.set_xlim(0, float(radii[-1]))
    _group_keys(figure, found.groups.names)
    return figure


@style.drawn
def target_histogram(found: Exploration) -> Figure:
    """Draw how the targets of each split are spread.

    Args:
        found: what was found, of a regression.

    Raises:
        ValueError: the data have classes.
    """
    if found.targets is None:
        raise ValueError("the data have classes, not targets")
    figure = style.blank(6.2, 3.6)
    axes = figure.subplots()
    edges = _edges(found.targets)
    for place, split in enumerate(SPLITS):
        counts, _ = np.histogram(found.targets[found.splits == split], edges)
        axes.stairs(counts / max(1, counts.sum()), edges, **_look(place))
    axes.set_xlabel("Target")
    axes.set_ylabel("Share of images")
    _group_keys(figure, SPLITS)
    return figure


@style.drawn
def metadata_histograms(found: Exploration) -> Figure:
    """Draw how the first twelve numbers that the records know are spread in each group.

    Args:
        found: what was found; all its images are drawn.

    Raises:
        ValueError: the records know no number.
    """
    columns = list(found.metadata.numbers.items())[:_MOST_COLUMNS]
    if not columns:
        raise ValueError("the records know no number")
    figure, panels = style.panels(len(columns), columns=3, width_inches=3.6, height_inches=2.4)
    for axes, (name, values) in zip(panels, columns, strict=True):
        known = np.isfinite(values)
        axes.set_title(style.plain(name, 34), fontsize=9.5)
        if not known.any():
            style.note(axes, "no finite value")
            continue
        is_wide = values[known].min() > 0 and values[known].max() > 30 * values[known].min()
        edges = _edges(np.log10(values[known]) if is_wide else values[known])
        edges = 10**edges if is_wide else edges
        if is_wide:
            axes.set_xscale("log")
        for group in range(len(found.groups)):
            here = values[known & (found.group_of == group)]
            counts, _ = np.histogram(here, edges)
            if counts.sum():
                axes.stairs(counts / counts.sum(), edges, **_look(group))
    _group_keys(figure, found.groups.names)
    return figure


def _look(place: int) -> dict[str, Any]:
    return {"color": style.color(place), "linestyle": style.line(place), "linewidth": 1.5}


def _edges(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not high > low:
        reach = abs(low) / 2 or 0.5
        low, high = low - reach, high + reach
    edges = np.linspace(low, high, _BINS + 1)
    # The last bin must hold the largest, whatever 10**log10 rounds it to.
    edges[[0, -1]] += np.array([-1e-9, 1e-9]) * (high - low)
    return edges


def _fitting_scale(axes: Axes, ranges: np.ndarray) -> None:
    """Bends the axis where what is drawn spans several powers of ten."""
    low, high = float(ranges.min()), float(ranges.max())
    if low > 0:
        if high > _WIDE * low:
            axes.set_xscale("log")
        return
    typical = float(np.median(np.abs(ranges)))
    if typical > 0 and max(high, -low) > _WIDE * typical:
        axes.set_xscale("asinh", linear_width=typical)
        _few_ticks(axes)


def _few_ticks(axes: Axes) -> None:
    """Puts ticks at 0 and at powers of ten that leave room for their labels."""
    width = axes.xaxis.get_transform().linear_width  # type: ignore[attr-defined]
    low, high = axes.get_xlim()
    ticks = {0.0} if low <= 0 <= high else set()
    for sign, end in ((-1, -low), (1, high)):
        if end <= width:
            continue
        first, last = math.ceil(math.log10(width)), math.floor(math.log10(end))
        step = max(1, math.ceil((last - first + 1) / 5))
        ticks |= {sign * 10.0**power for power in range(last, first - 1, -step)}
    axes.set_xticks(sorted(ticks), [_power(tick) for tick in sorted(ticks)])


def _power(value: float) -> str:
    if value == 0:
        return "0"
    power = round(math.log10(abs(value)))
    sign = "−" if value < 0 else ""
    return f"{sign}{10**power:g}" if 0 <= power <= 3 else f"{sign}$10^{{{power}}}$"


def _group_keys(figure: Figure, names: Sequence[str]) -> None:
    """Sets one legend under all panels."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **_look(place)) for place in range(len(names))]
    labels = [style.plain(name) for name in names]
    # A letter of the legend's type is about 0.075 inches wide, a handle and its gaps 0.65.
    inches = 0.65 + 0.075 * max(map(len, labels))
    columns = max(1, min(len(names), int(figure.get_figwidth() / inches)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
