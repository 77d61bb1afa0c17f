"""One look for every figure: type, colours, and how a figure is made and written.

Figures are plain `matplotlib.figure.Figure` objects on the Agg canvas. Nothing touches pyplot,
so that no window opens, no figure piles up in a global list, and threads may draw.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from lensnet import files

Parameters = ParamSpec("Parameters")

INK = "#1f2933"
MUTED = "#66727f"
RULE = "#dde2e8"

# Okabe & Ito 2008, "Color Universal Design", distinguishable with every form of colour
# blindness; ordered so that the first ones also differ in print, yellow left out on white paper.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d")
BLUE, VERMILION, GREEN = COLORS[:3]
LINES = ("-", (0, (5, 2)), (0, (1.2, 1.2)))

# From white to ink in one hue: rank survives grey printing.
SEQUENTIAL = LinearSegmentedColormap.from_list("lensnet", ["#ffffff", "#9cc4de", BLUE, "#00304d"])
# The same without its lightest end, where a cell with a single example would be white on white.
DENSITY = LinearSegmentedColormap.from_list("lensnet_density", ["#b4d3e7", BLUE, "#00304d"])

RC: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlepad": 9,
    "figure.titlesize": 11.5,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the look of this module, whatever the user's own matplotlib settings say."""
    with mpl.rc_context():
        mpl.rcdefaults()
        cast(Any, mpl.rcParams).update(RC)
        yield


def drawn(function: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Decorate a function that returns a figure so that it draws in this module's look.

    The finished figure is laid out once: ticks and labels that matplotlib would create at the
    first drawing are then in this look too, wherever the figure is shown.
    """

    @wraps(function)
    def in_style(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with styled():
            figure = function(*args, **kwargs)
            figure.draw_without_rendering()
        return figure

    return in_style


def blank(width_inches: float, height_inches: float) -> Figure:
    """Return an empty figure on an Agg canvas whose layout makes room for what is drawn."""
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(
    number: int, *, columns: int, width_inches: float, height_inches: float
) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many axes in rows of at most `columns`, each of the given size."""
    columns = min(columns, number)
    rows = math.ceil(number / columns)
    figure = blank(width_inches * columns, height_inches * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = list(grid.flat)
    for spare in axes[number:]:
        spare.remove()
    return figure, axes[:number]


def color(index: int) -> str:
    """Return the colour of the class or curve with this index; they repeat after seven."""
    return COLORS[index % len(COLORS)]


def line(index: int) -> Any:
    """Return the line style of a curve: another one each time the colours repeat."""
    return LINES[index // len(COLORS) % len(LINES)]


def plain(text: str, limit: int = 28) -> str:
    """Return a name as a figure can show it: one line, no mathematics, at most `limit` characters.

    What is cut is cut in the middle, since names of classes often differ at their ends.

    Example:
        >>> plain("no substructure\\n(simulated, $z_l$ = 0.5, HST-like exposures)")
        'no substructur…ke exposures)'
    """
    line_of_text = " ".join(str(text).split())
    line_of_text = "".join(letter for letter in line_of_text if letter.isprintable())
    if len(line_of_text) > limit:
        head = limit // 2
        tail = len(line_of_text) - (limit - head - 1)
        line_of_text = f"{line_of_text[:head]}…{line_of_text[tail:]}"
    return line_of_text.replace("$", r"\$")


def short_name(name: str, limit: int = 28) -> str:
    """Return the end of a path, the file and its folder, as a figure can show it.

    Example:
        >>> short_name("survey/images/lens/35.fits")
        'lens/35.fits'
    """
    return plain("/".join(name.split("/")[-2:]), limit)


def note(axes: Axes, text: str) -> None:
    """Write a quiet sentence into the middle of axes that have nothing to draw."""
    box = {"facecolor": "white", "edgecolor": "none", "pad": 5}
    axes.text(
        0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=MUTED, bbox=box
    )


def counted(number: int, noun: str = "image") -> str:
    """Return "1 image", "2 images"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def share_axis(axes: Axes, which: str) -> None:
    """Run an axis ("x" or "y") over the fractions 0 to 1, with a little air at both ends."""
    getattr(axes, f"set_{which}lim")(-0.015, 1.015)
    getattr(axes, f"set_{which}ticks")(np.linspace(0, 1, 6))


def keys(
    axes: Axes,
    handles: Sequence[Any],
    labels: Sequence[str],
    title: str,
    loc: Literal["lower right", "lower left"] = "lower right",
) -> None:
    """Set a legend inside the axes, or beside them where it is long."""
    if len(labels) <= 6:
        axes.legend(handles, labels, title=title, loc=loc, alignment="left")
    else:
        axes.legend(
            handles,
            labels,
            title=title,
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            alignment="left",
        )


@contextmanager
def _layout_kept(figure: Figure, dpi: float) -> Iterator[None]:
    """Leave what has been laid out where it is: laying out takes longer than drawing."""
    engine, before = figure.get_layout_engine(), figure.dpi
    figure.set_layout_engine("none")
    figure.dpi = dpi
    try:
        yield
    finally:
        figure.dpi = before
        figure.set_layout_engine(engine)


def png(figure: Figure, dpi: int = 160) -> bytes:
    """Return a figure as the content of a PNG file.

    Example:
        >>> png(blank(2, 2))[:4]
        b'\\x89PNG'
    """
    picture = io.BytesIO()
    with styled():
        if figure.stale:
            figure.draw_without_rendering()
        with _layout_kept(figure, dpi):
            # `savefig` would draw twice, first for a layout that stays. A mark by which a run
            # folder's figures are told from others, and no software version: the same figure gives
            # the same bytes.
            canvas = cast(FigureCanvasAgg, figure.canvas)
            canvas.print_png(picture, metadata={"Software": "lensnet"})
    return picture.getvalue()


def save(figure: Figure, path: str | os.PathLike[str], dpi: int = 160) -> Path:
    """Write a figure as PNG; the file appears whole or not at all.

    The image goes to a temporary file beside the target, which then takes the target's place:
    an interruption or a full disk leaves the old file, or none.

    Args:
        figure: The figure.
        path: Where to, ending in ".png"; its folder is made if need be.
        dpi: Pixels an inch.

    Returns:
        The path.

    Raises:
        ValueError: The path does not end in ".png".
        OSError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> save(blank(2, 2), f"{folder}/empty.png").stat().st_size > 100
        True
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise ValueError(f"figures are written as PNG, but the path is {str(target)!r}")
    content = png(figure, dpi)
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(target) as part:
        part.write_bytes(content)
    return target
