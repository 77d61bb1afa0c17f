"""Explanations as a figure of a run's report, or as a page of their own."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from lensnet.csv_tables import name_as_text
from lensnet.evaluation import style
from lensnet.explanation.drawing import explanation_rows
from lensnet.explanation.explaining import Explained
from lensnet.reporting.embedded_figure import embed_figure
from lensnet.reporting.figure_captions import CAPTIONS
from lensnet.reporting.page_of_parts import Part, render_parts
from lensnet.reporting.page_output import write_page
from lensnet.reporting.tables import Table

__all__ = ["draw_explanations", "write_explanation_page"]

# Figures of more rows do not fit on a sheet of paper.
_ROWS = 4


def draw_explanations(found: Explained) -> dict[str, Figure]:
    """Draws all explanations as one figure, by the name of its file in `figures/`."""
    number = len(found.images)
    heading = f"{number} of {found.of}" if found.of else style.counted(number)
    figure = explanation_rows(found.images, found.method, found.unit, heading)
    return {"explanation": figure}


def write_explanation_page(found: Explained, path: str | Path) -> Path:
    """Writes explanations as one HTML file that loads nothing and runs nothing.

    Args:
        found: the explanations.
        path: where to.

    Raises:
        RunError: there is a file of that name that lensnet has not written.
    """
    name, caption = CAPTIONS["explanation"]
    number = len(found.images)
    figures = []
    for first in range(0, number, _ROWS):
        rows = found.images[first : first + _ROWS]
        last = first + len(rows)
        which = f"Image {last}" if len(rows) == 1 else f"Images {first + 1} to {last}"
        heading = f"{which} of {number}"
        figure = explanation_rows(rows, found.method, found.unit, heading)
        figures.append(embed_figure(figure, name, "" if first else caption))
    listed = [
        [one.name, "–" if one.truth is None else one.truth, one.answer] for one in found.images
    ]
    parts = [
        Part("Maps", figures=tuple(figures)),
        Part("Answers", Table(["Image", "True", "Given"], listed), name="values"),
    ]
    if found.bad:
        reasons = [
            [name_as_text(item.path), item.error.reason if item.error else ""] for item in found.bad
        ]
        parts.append(Part("Bad files", Table(["File", "Reason"], reasons)))
    chips = [("run", found.title), ("images", str(number)), ("maps", " ".join(found.method))]
    return write_page(render_parts(f"{found.title}: explanations", chips, parts), Path(path))
