"""Figures inside a page."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EmbeddedFigure", "embed_figure", "embed_png"]

# Figures are drawn at 160 pixels an inch; shown at 100, their type matches the text around them.
SCREEN_SCALE = 100 / 160
# Two figures up to this width, in CSS pixels, stand side by side.
WIDEST_OF_A_PAIR = 760


@dataclass(frozen=True)
class EmbeddedFigure:
    """A PNG image inside the page, with its size on the screen in CSS pixels."""

    name: str
    caption: str
    data_uri: str
    width: int
    height: int

    @property
    def wide(self) -> bool:
        """Whether the figure takes a row of its own."""
        return self.width > WIDEST_OF_A_PAIR


def embed_figure(figure: Figure, name: str, caption: str) -> EmbeddedFigure:
    """Return a figure as a page holds it; the same one gives the same bytes.

    Args:
        figure: drawn.
        name: what it shows.
        caption: what it says.
    """
    from lensnet.evaluation import style

    return embed_png(style.png(figure), name, caption)


def embed_png(content: bytes, name: str, caption: str) -> EmbeddedFigure:
    """Return a picture as a page holds it.

    Args:
        content: of a PNG file, drawn at 160 pixels an inch.
        name: what it shows.
        caption: what it says.

    Raises:
        struct.error: the file is cut off.
    """
    # The header chunk of a PNG: eight bytes in comes its length and name, then the size.
    width, height = struct.unpack(">II", content[16:24])
    return EmbeddedFigure(
        name=name,
        caption=caption,
        data_uri="data:image/png;base64," + base64.b64encode(content).decode("ascii"),
        width=round(width * SCREEN_SCALE),
        height=round(height * SCREEN_SCALE),
    )
