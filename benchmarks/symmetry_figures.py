"""Draws the figures of docs/symmetry.md from benchmarks/results/invariance.json.

python benchmarks/symmetry_figures.py [--results benchmarks/results/invariance.json]
                                      [--output docs/figures]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rotated_images import SIZE, simulate

from lensnet.circular_harmonics import circular_harmonics, rings
from lensnet.evaluation.style import (
    BLUE,
    COLORS,
    GREEN,
    MUTED,
    VERMILION,
    blank,
    drawn,
    save,
)
from lensnet.symmetry import Group

HERE = Path(__file__).parent
SHOWN_LENSES = 3
SHOWN_SYMMETRIES = {"none": COLORS[6], "c4": BLUE, "d4": GREEN, "c8": VERMILION}
DASHES = (0, (3, 1.6))


@drawn
def scores(results: dict[str, Any]) -> Figure:
    """A few test lenses, and how likely each network finds them while they turn."""
    # The benchmark's test images: the first lenses of seed 1.
    test = simulate(2 * SHOWN_LENSES + 2, seed=1)
    images = test.rotated(0)[test.labels == 1]
    figure = blank(7.6, 4.4)
    grid = figure.add_gridspec(2, SHOWN_LENSES, height_ratios=(1, 1.25))
    angles = [*results["angles_degrees"], 360]
    left = None
    for number in range(SHOWN_LENSES):
        axes = figure.add_subplot(grid[0, number])
        axes.imshow(_in_disk(images[number]), cmap="gray", vmin=-0.2, vmax=3.5, origin="upper")
        axes.set_axis_off()
        axes = figure.add_subplot(grid[1, number], sharey=left)
        left = left or axes
        for symmetry, color in SHOWN_SYMMETRIES.items():
            curve = results["lensnet"][symmetry]["trained"]["shown_scores"][number]
            axes.plot(angles, [*curve, curve[0]], color=color, label=symmetry)
        _angle_axis(axes, 90)
        axes.set_ylim(-0.02, 1.02)
        if number:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("probability of a lens")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


@drawn
def invariance(results: dict[str, Any]) -> Figure:
    """The error at every angle: a panel a symmetry, ours and escnn's."""
    figure = blank(7.6, 4.6)
    every = figure.subplots(2, 4, sharex=True, sharey=True)
    names = list(results["shapes"])
    for axes, name in zip(every.flat, names, strict=False):
        for library, line in (("lensnet", "-"), ("escnn", DASHES)):
            for weights, color in (("random", BLUE), ("trained", VERMILION)):
                found = results[library].get(name, {}).get(weights)
                if found:
                    angles = [*results["angles_degrees"], 360]
                    axes.plot(angles, [*found["curve"], 0], color=color, linestyle=line, lw=1.4)
        axes.set_title(name)
        _angle_axis(axes, 90)
    every[0, 0].set_ylim(bottom=0)
    for axes in every[:, 0]:
        axes.set_ylabel("error / spread")
    # Seven networks, and room for the key.
    every[0, -1].tick_params(labelbottom=True)
    key = every.flat[len(names)]
    key.set_axis_off()
    handles = [
        Line2D([], [], color=color, linestyle=line, label=f"{library}, {weights}")
        for weights, color in (("random weights", BLUE), ("trained", VERMILION))
        for library, line in (("lensnet", "-"), ("escnn", DASHES))
    ]
    key.legend(handles=handles, loc="center left")
    return figure


@drawn
def filters(results: dict[str, Any]) -> Figure:
    """The functions that c8 filters are made of, and a filter in its eight orientations."""
    group, size = Group(8), 5
    basis = circular_harmonics(group, size)
    names = ["" for _ in range(basis.shape[-1])]
    column = 0
    for ring in rings(size):
        for m in range(ring.band_limit + 1):
            for trig in ("cos", "sin")[: 1 + (m > 0)]:
                angle = {0: "", 1: r"\varphi"}.get(m, rf"{m}\varphi")
                waves = rf"$\{trig}\,{angle}$" if m else "1"
                names[column] = f"r = {ring.radius:.2g}\n{waves}"
                column += 1
    weights = np.random.default_rng(3).standard_normal(basis.shape[-1])
    rotated = basis @ weights
    figure = blank(7.6, 2.5)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1))
    for axes, image, name in zip(upper.subplots(1, len(names)), basis[0].T, names, strict=True):
        _tile(axes, image.reshape(size, size), np.abs(basis[0]).max())
        axes.set_title(name, fontsize=6.5, fontweight="normal", loc="center", pad=3)
    for element, axes in enumerate(lower.subplots(1, group.order)):
        _tile(axes, rotated[element].reshape(size, size), np.abs(rotated).max())
        axes.set_title(
            f"{group.angle(element):g}°", fontsize=7.5, fontweight="normal", loc="center", pad=3
        )
    return figure


def _in_disk(image: np.ndarray) -> np.ndarray:
    offset = np.arange(SIZE) - (SIZE - 1) / 2
    return np.where(np.hypot(offset[:, None], offset) <= SIZE / 2, image, np.nan)


def _angle_axis(axes: Axes, step: int) -> None:
    axes.set_xlim(0, 360)
    axes.set_xticks(range(0, 361, step), [f"{angle}°" for angle in range(0, 361, step)])
    axes.tick_params(axis="x", labelsize=7.5)


def _tile(axes: Axes, image: np.ndarray, limit: float) -> None:
    axes.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=MUTED, linewidth=0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results" / "invariance.json")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "figures")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text(encoding="utf-8"))
    for figure in (scores, invariance, filters):
        path = save(figure(results), arguments.output / f"symmetry_{figure.__name__}.png", dpi=130)
        print(f"Written: {path}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
