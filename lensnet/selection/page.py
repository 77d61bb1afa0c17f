"""What a selection function looks like: figures, and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lensnet.csv_tables import name_as_text
from lensnet.evaluation import style
from lensnet.evaluation.image_figures import display_image
from lensnet.evaluation.search_figures import completeness_by_truth, readable_quantity
from lensnet.reporting.embedded_figure import embed_figure
from lensnet.reporting.page_of_parts import Part, render_parts
from lensnet.reporting.page_output import write_page
from lensnet.reporting.tables import Table
from lensnet.selection.completeness import QUANTITIES, Bin, completeness_over_both
from lensnet.selection.measuring import Measured

__all__ = ["draw_selection", "write_selection_page"]

_LISTED_BAD = 200
_MAP = ("einstein_radius_arcsec", "source_magnitude")
_CELLS = 6

CAPTIONS = {
    "completeness": (
        "Completeness",
        "Share of painted arcs that pass each threshold, in bins of equal numbers of arcs; the "
        "bands are 95 % intervals.",
    ),
    "completeness_map": (
        "Completeness over both",
        "Share of arcs that pass the first threshold, in cells of Einstein radius and magnitude of "
        "the unlensed source; the number of arcs is written in.",
    ),
    "examples": ("Examples", "Galaxies as they are, and below them with an arc."),
}


def draw_selection(measured: Measured) -> dict[str, Figure]:
    """Draws what was found, by the names of the figures' files."""
    drawn: dict[str, Figure] = {}
    truth = {name: measured.truth[name] for name in QUANTITIES}
    try:
        drawn["completeness"] = completeness_by_truth(truth, measured.found, "Share of arcs found")
    except ValueError:  # of too few arcs there is nothing to draw
        pass
    drawn["completeness_map"] = completeness_map(measured)
    drawn["examples"] = example_arcs(measured)
    return drawn


@style.drawn
def completeness_map(measured: Measured) -> Figure:
    """Draw the share found in cells of Einstein radius and source magnitude."""
    name, found = next(iter(measured.found.items()))
    cells = list(completeness_over_both(measured.truth, _MAP, found, _CELLS))
    shares = np.array([np.nan if c["completeness"] is None else c["completeness"] for c in cells])
    edges = [
        [cells[at * step][f"{quantity}_low"] for at in range(_CELLS)]
        + [cells[-1][f"{quantity}_high"]]
        for quantity, step in zip(_MAP, (_CELLS, 1), strict=True)
    ]
    figure = style.blank(5.8, 4.6)
    axes = figure.subplots()
    drawn = axes.pcolormesh(
        edges[0], edges[1], shares.reshape(_CELLS, _CELLS).T, cmap=style.SEQUENTIAL, vmin=0, vmax=1
    )
    for cell in cells:
        x, y = (np.mean([cell[f"{of}_low"], cell[f"{of}_high"]]) for of in _MAP)
        dark = (cell["completeness"] or 0) > 0.5
        axes.text(
            float(x),
            float(y),
            str(cell["arcs"]),
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if dark else style.MUTED,
        )
    axes.grid(False)
    axes.set_xlabel(readable_quantity(_MAP[0]))
    axes.set_ylabel(readable_quantity(_MAP[1]))
    axes.set_title(f"Share of arcs found ({style.plain(name, 30)})")
    figure.colorbar(drawn, ax=axes)
    return figure


@style.drawn
def example_arcs(measured: Measured) -> Figure:
    """Draw galaxies as they are, and below them with arcs."""
    shown = measured.examples
    figure = style.blank(2.3 * len(shown), 5.2)
    grid = figure.subplots(2, len(shown), squeeze=False)
    for column, (galaxy, painted, words) in enumerate(shown):
        for axes, image in zip(grid[:, column], (galaxy, painted), strict=True):
            axes.imshow(display_image(image), cmap="gray", origin="lower", vmin=0, vmax=1)
            axes.set_axis_off()
        grid[1, column].set_title(style.plain(words, 60).replace(": ", "\n"), fontsize=7.5)
    return figure


def write_selection_page(
    measured: Measured, path: Path, name: str, drawn: Mapping[str, Figure]
) -> Path:
    """Writes a page that loads nothing.

    Args:
        measured: what was found.
        path: the HTML file.
        name: of the run.
        drawn: its figures, as of `draw_selection`.
    """
    chips = [
        ("run", name),
        ("galaxies", str(len(measured.galaxy_scores))),
        ("arcs", str(len(measured.scores))),
    ]
    figures = {key: embed_figure(of, *CAPTIONS[key]) for key, of in drawn.items()}
    parts = [
        Part(
            "What is found",
            _overview(measured),
            "An arc is found where the galaxy's score reaches the threshold. Intervals are "
            "those of Clopper and Pearson, and take arcs for independent.",
            tuple(figures[key] for key in ("completeness", "completeness_map") if key in figures),
        ),
        Part("Examples", figures=(figures["examples"],)),
        *(
            Part(
                f"Completeness over {readable_quantity(quantity)}",
                _table([of for of in measured.bins if of.quantity == quantity]),
            )
            for quantity in QUANTITIES
        ),
        _left_out(measured),
    ]
    return write_page(render_parts(f"{name}: selection function", chips, parts), path)


def _overview(measured: Measured) -> Table:
    rows = []
    for name, threshold in measured.criteria.items():
        passing = float(np.mean(measured.galaxy_scores >= threshold))
        found = measured.found[name]
        of_all = Bin("", 0, 1, name, len(found), int(found.sum()))
        rows.append([name, f"{threshold:.7g}", f"{passing:.3%}", *_share(of_all)])
    heads = ["Criterion", "Threshold", "Galaxies that pass", "Arcs found", "95 % interval"]
    return Table(heads, rows)


def _table(bins: list[Bin]) -> Table:
    rows = [
        [f"{of.low:.3g} to {of.high:.3g}", of.criterion, str(of.arcs), *_share(of)] for of in bins
    ]
    return Table(["Range", "Criterion", "Arcs", "Found", "95 % interval"], rows)


def _share(of: Bin) -> list[str]:
    low, high = of.interval
    share = "–" if of.completeness is None else f"{of.completeness:.1%}"
    return [share, f"{low:.1%} to {high:.1%}"]


def _left_out(measured: Measured) -> Part:
    if not measured.bad:
        return Part("Images left out")
    rows = [
        [name_as_text(item.file), item.error.reason if item.error else ""]
        for item in measured.bad[:_LISTED_BAD]
    ]
    more = len(measured.bad) - len(rows)
    return Part(
        "Images left out",
        Table(["File", "Reason"], rows),
        f"{more} more are in left_out.csv." if more else "",
    )
